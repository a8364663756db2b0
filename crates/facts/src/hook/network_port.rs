//! What libvirt's `network` hook is given at `port-created`: `<hookData>` with the network and the
//! new `<networkport>` (libvirt, "Hooks for specific system management", since 5.7 in this form).
//!
//! The port is created before the guest's tap device: the document names the guest, the MAC and
//! the bridge, and no device.

use crate::SyntaxError;
use crate::xml::{Xml, attribute, child, child_attribute, text_of};

/// The port that the hook is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPort {
    /// Name of the network.
    pub network: String,
    /// Guest that the port is for.
    pub guest: Option<String>,
    /// MAC of the guest's interface, lower case.
    pub mac: Option<String>,
    /// Bridge that the port will join.
    pub bridge: Option<String>,
}

/// Reads the document.
///
/// # Errors
/// Where it is no XML, or its root is not `<hookData>` with a `<network>`.
pub fn parse(text: &str) -> Result<NetworkPort, SyntaxError> {
    let xml = Xml::parse(text)?;
    let root = xml.root();
    if !root.has_tag_name("hookData") {
        let name = root.tag_name().name();
        let message = format!("the root element is <{name}>; expected <hookData>");
        return Err(xml.error(root, message));
    }
    let network = child(root, "network")
        .ok_or_else(|| xml.error(root, "this <hookData> holds no <network>"))?;
    let port = child(root, "networkport");
    let bridge = port
        .and_then(|port| child(port, "plug"))
        .and_then(|plug| attribute(plug, "bridge"))
        .or_else(|| child_attribute(network, "bridge", "name"));
    Ok(NetworkPort {
        network: text_of(network, "name").unwrap_or_default(),
        guest: port
            .and_then(|port| child(port, "owner"))
            .and_then(|owner| text_of(owner, "name")),
        mac: port
            .and_then(|port| child_attribute(port, "mac", "address"))
            .map(|mac| mac.to_ascii_lowercase()),
        bridge,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_libvirt_announces() {
        let text = "<hookData>\n  <network connections='1'><name>trunk</name>\
            <forward mode='bridge'/><bridge name='br-mgmt'/></network>\n\
            <networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>\
            <owner><name>bind-01</name><uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner>\
            <mac address='52:54:00:7B:35:93'/><plug type='bridge' bridge='br-mgmt'/>\
            </networkport></hookData>";
        let port = parse(text).unwrap();
        assert_eq!(port.network, "trunk");
        assert_eq!(port.guest.as_deref(), Some("bind-01"));
        assert_eq!(port.mac.as_deref(), Some("52:54:00:7b:35:93"));
        assert_eq!(port.bridge.as_deref(), Some("br-mgmt"));
        let text = "<hookData><network><name>n</name><bridge name='b'/></network></hookData>";
        assert_eq!(parse(text).unwrap().bridge.as_deref(), Some("b"));
        for bad in ["", "<domain/>", "<hookData/>", "<hookData>"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
