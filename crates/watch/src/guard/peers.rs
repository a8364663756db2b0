//! Two hosts of one HA group are never let go down together.
//!
//! A host that goes down first leaves a marker ([`MARKER`]) and then looks for the markers of the
//! hosts that carry the twins of its guests. Two that try at the same moment both see the
//! other's marker, and both stay: no lock server is needed, and no order of events lets both go.

/// Where the marker is: gone with the boot.
pub const MARKER: &str = "/run/nofail/going-down";

/// What is known of another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It is up and has no marker.
    Up,
    /// It has a marker: it goes down, or asks to.
    GoingDown,
    /// It does not answer: it may be down.
    Silent,
}

/// What speaks against going down, by the hosts that carry twins: (host, the twins there, state).
pub fn against(peers: &[(String, Vec<String>, Peer)]) -> Vec<String> {
    let say = |(host, twins, state): &(String, Vec<String>, Peer)| {
        let twins = twins.join(", ");
        match state {
            Peer::Up => None,
            Peer::GoingDown => Some(format!("{host}, with the twins {twins}, is going down now")),
            Peer::Silent => Some(format!(
                "{host}, with the twins {twins}, does not answer: it may be down"
            )),
        }
    };
    peers.iter().filter_map(say).collect()
}
