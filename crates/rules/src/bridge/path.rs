//! Where untagged frames of a bridge's port go, over the uplink to the switch and back.

use analysis::vlan::Tags;
use analysis::vlan::port::{egress, ingress};
use facts::bridge::Port;

/// What becomes of a port's untagged frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Out and back in one VLAN.
    Fine,
    /// They pass, but in one VLAN on the way out and another on the way back.
    TwoVlans {
        /// VLAN in which they leave.
        out: u16,
        /// VLAN in which answers come.
        back: u16,
    },
    /// The port has no PVID: its untagged frames are dropped.
    NoPvid,
    /// The uplink does not carry their VLAN.
    NotOnUplink {
        /// That VLAN.
        out: u16,
    },
    /// Answers end in a VLAN that the port does not carry untagged, or are dropped.
    NoWayBack {
        /// VLAN in which they leave.
        out: u16,
        /// VLAN in which answers come into the bridge; `None` where the uplink drops them.
        back: Option<u16>,
    },
}

/// Follows untagged frames of `port` over `uplink`. `native` is the VLAN that the switch sends
/// and takes untagged; where it is not known, the switch is taken to answer in the form in which
/// it was asked.
pub fn way(port: &Port, uplink: &Port, native: Option<u16>) -> Way {
    let Ok((out, inside)) = ingress(port, &Tags::none()) else {
        return Way::NoPvid;
    };
    let Ok(wire) = egress(uplink, out, &inside) else {
        return Way::NotOnUplink { out };
    };
    // The switch sends its native VLAN untagged even to one who tagged it.
    let answer = if native == Some(out) {
        Tags::none()
    } else {
        wire
    };
    match ingress(uplink, &answer) {
        Ok((back, inside)) if egress(port, back, &inside) == Ok(Tags::none()) => {
            if back == out {
                Way::Fine
            } else {
                Way::TwoVlans { out, back }
            }
        }
        way => Way::NoWayBack {
            out,
            back: way.ok().map(|(back, _)| back),
        },
    }
}

/// The best way over any of the uplinks.
pub fn best_way<'a>(
    port: &Port,
    uplinks: impl Iterator<Item = &'a Port>,
    native: impl Fn(&Port) -> Option<u16>,
) -> Option<(Way, &'a Port)> {
    uplinks
        .map(|uplink| (way(port, uplink, native(uplink)), uplink))
        .min_by_key(|(way, _)| *way)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(pvid: Option<u16>, untagged: &[u16], tagged: &[u16]) -> Port {
        Port {
            pvid,
            untagged: untagged.to_vec(),
            tagged: tagged.to_vec(),
            ..Port::default()
        }
    }

    #[test]
    fn the_ways_of_untagged_frames() {
        let uplink = port(Some(100), &[1, 100], &[10]);
        let guest = port(Some(100), &[100], &[10]);
        assert_eq!(way(&guest, &uplink, Some(100)), Way::Fine);
        let host = port(Some(1), &[1, 100], &[]);
        assert_eq!(
            way(&host, &uplink, None),
            Way::TwoVlans { out: 1, back: 100 }
        );
        let strict = port(Some(1), &[1], &[]);
        let lost = Way::NoWayBack {
            out: 1,
            back: Some(100),
        };
        assert_eq!(way(&strict, &uplink, None), lost);
        assert_eq!(
            way(&port(Some(30), &[30], &[]), &uplink, None),
            Way::NotOnUplink { out: 30 }
        );
        assert_eq!(way(&port(None, &[], &[10]), &uplink, None), Way::NoPvid);
        // Tagged on the host's side, native on the switch's: answers come untagged.
        let uplink = port(Some(1), &[1], &[100]);
        assert_eq!(way(&guest, &uplink, None), Way::Fine);
        let lost = Way::NoWayBack {
            out: 100,
            back: Some(1),
        };
        assert_eq!(way(&guest, &uplink, Some(100)), lost);
        let deaf = port(None, &[], &[100]);
        assert_eq!(
            way(&guest, &deaf, Some(100)),
            Way::NoWayBack {
                out: 100,
                back: None
            }
        );
    }
}
