//! What the kernel's bridge does with a frame at one of its ports (Documentation/networking/bridge,
//! "VLAN filtering"; `bridge(8)`, `vlan`). The bridge's own entry (`self`) is a port like any other.

use super::tags::Tags;
use facts::bridge::Port;

/// Why a port does not let a frame pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It came in untagged (or with a priority tag), and the port has no PVID.
    NoPvid,
    /// The port is no member of this VLAN.
    NotMember(u16),
}

/// A frame that comes in at a port of a bridge that filters: the VLAN it then belongs to, and its
/// tags inside the bridge, the VLAN's own among them.
///
/// # Errors
/// Where the port drops it.
pub fn ingress(port: &Port, tags: &Tags) -> Result<(u16, Tags), Refusal> {
    match tags.outer() {
        // A port with a PVID is a member of that VLAN: the kernel keeps it so.
        None => {
            let pvid = port.pvid.ok_or(Refusal::NoPvid)?;
            Ok((pvid, tags.pushed(pvid)))
        }
        Some(0) => {
            let pvid = port.pvid.ok_or(Refusal::NoPvid)?;
            Ok((pvid, tags.popped().pushed(pvid)))
        }
        Some(vid) if port.carries(vid) => Ok((vid, tags.clone())),
        Some(vid) => Err(Refusal::NotMember(vid)),
    }
}

/// A frame of this VLAN that is to leave by a port of a bridge that filters: its tags outside.
///
/// # Errors
/// Where the port is no member of the VLAN.
pub fn egress(port: &Port, vid: u16, tags: &Tags) -> Result<Tags, Refusal> {
    if port.untagged.contains(&vid) {
        Ok(tags.popped())
    } else if port.tagged.contains(&vid) {
        Ok(tags.clone())
    } else {
        Err(Refusal::NotMember(vid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_rules_at_a_port() {
        let port = Port {
            pvid: Some(100),
            untagged: vec![1, 100],
            tagged: vec![10],
            ..Port::default()
        };
        let inside = |tags: &[u16]| ingress(&port, &Tags(tags.to_vec()));
        assert_eq!(inside(&[]), Ok((100, Tags::one(100))));
        assert_eq!(inside(&[0]), Ok((100, Tags::one(100))));
        assert_eq!(inside(&[10, 7]), Ok((10, Tags(vec![10, 7]))));
        assert_eq!(inside(&[20]), Err(Refusal::NotMember(20)));
        assert_eq!(egress(&port, 1, &Tags::one(1)), Ok(Tags::none()));
        assert_eq!(egress(&port, 10, &Tags::one(10)), Ok(Tags::one(10)));
        assert_eq!(egress(&port, 7, &Tags::one(7)), Err(Refusal::NotMember(7)));
        let deaf = Port::default();
        assert_eq!(ingress(&deaf, &Tags::none()), Err(Refusal::NoPvid));
    }
}
