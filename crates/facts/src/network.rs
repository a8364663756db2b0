//! libvirt networks, see libvirt's formatnetwork
//! (<https://libvirt.org/formatnetwork.html>).

use crate::domain::interface::vlans;
use crate::syntax::SyntaxError;
use crate::xml::{Xml, attribute, child, child_attribute, children, text_of};
use serde::{Deserialize, Serialize};

/// One libvirt network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// Name.
    pub name: String,
    /// `<forward mode=…>`: `nat`, `route`, `bridge`, …; `None` is isolated.
    pub forward: Option<String>,
    /// Bridge device.
    pub bridge: Option<String>,
    /// Whether it autostarts.
    pub autostart: Option<bool>,
    /// VLAN tags of the network itself.
    pub vlans: Vec<u16>,
    /// Port groups, name and VLAN tags.
    pub portgroups: Vec<PortGroup>,
    /// The file of the definition.
    pub file: String,
    /// UUID, lower case; empty where the definition has none.
    pub uuid: String,
    /// Whether it runs; `None` where it could not be read.
    pub active: Option<bool>,
    /// The tag with a `nativeMode`.
    pub native_vlan: Option<u16>,
    /// Devices that it forwards to, or hands out (`<forward dev=…>`, `<interface dev=…>`).
    pub devices: Vec<String>,
    /// Type of `<virtualport>`: `openvswitch`, …
    pub virtualport: Option<String>,
    /// Line of `<name>` in the definition.
    pub line: u32,
}

/// A port group of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortGroup {
    /// Name.
    pub name: String,
    /// Whether interfaces without a port group get this one.
    pub default: bool,
    /// VLAN tags.
    pub vlans: Vec<u16>,
    /// The tag with a `nativeMode`.
    pub native_vlan: Option<u16>,
}

/// Reads one network: a definition (`/etc/libvirt/qemu/networks/NAME.xml`) or a status
/// (`<networkstatus>` of `/run/libvirt/network/NAME.xml`).
///
/// Left to the caller: `file`, `autostart`, `active`.
///
/// # Errors
/// Where it is no XML, no network with a name, or has a VLAN tag that is none.
pub fn parse(text: &str) -> Result<Network, SyntaxError> {
    let xml = Xml::parse(text)?;
    let root = xml.root();
    let network = match root.tag_name().name() {
        "network" => Some(root),
        "networkstatus" => child(root, "network"),
        _ => None,
    };
    let Some(network) = network else {
        let found = root.tag_name().name();
        return Err(xml.error(root, format!("expected a <network>, found <{found}>")));
    };
    let Some(name) = text_of(network, "name") else {
        return Err(xml.error(network, "the network has no <name>"));
    };
    let forward = child(network, "forward");
    let own = vlans(&xml, network)?;
    let mut portgroups = Vec::new();
    for group in children(network, "portgroup") {
        let vlans = vlans(&xml, group)?;
        portgroups.push(PortGroup {
            name: attribute(group, "name").unwrap_or_default(),
            default: attribute(group, "default").as_deref() == Some("yes"),
            vlans: vlans.tags,
            native_vlan: vlans.native,
        });
    }
    let mut devices: Vec<String> = Vec::new();
    if let Some(forward) = forward {
        let listed = children(forward, "interface").filter_map(|i| attribute(i, "dev"));
        for device in attribute(forward, "dev").into_iter().chain(listed) {
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
    }
    Ok(Network {
        name,
        // formatnetwork: a <forward> without a mode is nat, no <forward> at all is isolated.
        forward: forward
            .map(|forward| attribute(forward, "mode").unwrap_or_else(|| "nat".to_owned())),
        bridge: child_attribute(network, "bridge", "name"),
        vlans: own.tags,
        native_vlan: own.native,
        portgroups,
        devices,
        uuid: text_of(network, "uuid")
            .unwrap_or_default()
            .to_ascii_lowercase(),
        virtualport: child_attribute(network, "virtualport", "type"),
        line: child(network, "name").map_or(0, |name| xml.line(name)),
        ..Network::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_as_libvirt_wrote_them() {
        let text = include_str!("../../../testdata/fixtures/libvirt/network-portgroup.xml");
        let trunk = parse(text).unwrap();
        assert_eq!(trunk.forward.as_deref(), Some("bridge"));
        assert_eq!(trunk.bridge.as_deref(), Some("br-ovs"));
        assert_eq!(trunk.virtualport.as_deref(), Some("openvswitch"));
        assert_eq!(trunk.portgroups.len(), 1);
        let group = &trunk.portgroups[0];
        assert_eq!((group.name.as_str(), group.default), ("mgmt", true));
        assert_eq!(
            (group.vlans.as_slice(), group.native_vlan),
            (&[100, 10][..], Some(100))
        );
        let status = parse(include_str!(
            "../../../testdata/fixtures/libvirt/networkstatus.xml"
        ));
        assert_eq!(status.unwrap().bridge.as_deref(), Some("br-mgmt"));
    }

    #[test]
    fn forward_modes_and_devices() {
        let parse = |text| parse(text).unwrap();
        assert_eq!(parse("<network><name>n</name></network>").forward, None);
        let nat = parse("<network><name>n</name><forward/></network>");
        assert_eq!(nat.forward.as_deref(), Some("nat"));
        let macvtap = parse(
            "<network><name>n</name><forward mode='bridge' dev='eth0'><interface dev='eth0'/>\
             <interface dev='eth1'/></forward><vlan><tag id='7'/></vlan></network>",
        );
        assert_eq!(macvtap.devices, ["eth0", "eth1"]);
        assert_eq!(macvtap.vlans, [7]);
    }

    #[test]
    fn what_is_no_network_is_named() {
        let wrong = "<network><name>n</name><portgroup name='g'><vlan><tag id='4096'/></vlan>\
                     </portgroup></network>";
        for text in [
            "",
            "<domain/>",
            "<network/>",
            "<networkstatus/>",
            "<network>",
            wrong,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
