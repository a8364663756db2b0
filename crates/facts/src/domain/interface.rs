//! `<interface>` elements.

use super::Interface;
use crate::syntax::SyntaxError;
use crate::xml::{Xml, attribute, child, child_attribute, children};
use roxmltree::Node;

/// The highest VLAN tag of IEEE 802.1Q; 4095 is reserved, libvirt takes up to that.
const MAX_VLAN: u16 = 4095;

/// Tags of a `<vlan>` element.
#[derive(Debug, Default)]
pub(crate) struct Vlans {
    /// Every tag, in order.
    pub(crate) tags: Vec<u16>,
    /// The tag with a `nativeMode`.
    pub(crate) native: Option<u16>,
    /// Whether `trunk='yes'` (more than one tag means it too).
    pub(crate) trunk: bool,
}

/// One interface.
pub(super) fn parse(xml: &Xml, node: Node) -> Result<Interface, SyntaxError> {
    let kind = attribute(node, "type").unwrap_or_else(|| "?".to_owned());
    let source = child(node, "source");
    // In live status a `network` interface says here what it became.
    let actual = child(node, "actual");
    let own = vlans(xml, node)?;
    let vlans = match actual {
        Some(actual) if own.tags.is_empty() => vlans(xml, actual)?,
        _ => own,
    };
    let name = source.and_then(|source| place(&kind, source));
    let bridge = match kind.as_str() {
        "bridge" => name.clone(),
        _ => actual.and_then(|actual| child_attribute(actual, "source", "bridge")),
    };
    Ok(Interface {
        bridge,
        mac: child_attribute(node, "mac", "address").map(|mac| mac.to_ascii_lowercase()),
        target: child_attribute(node, "target", "dev"),
        vlans: vlans.tags,
        native_vlan: vlans.native,
        trunk: vlans.trunk,
        link: child_attribute(node, "link", "state"),
        line: xml.line(node),
        text: xml.line_text(node),
        portgroup: source.and_then(|source| attribute(source, "portgroup")),
        virtualport: child_attribute(node, "virtualport", "type")
            .or_else(|| actual.and_then(|actual| child_attribute(actual, "virtualport", "type"))),
        mode: (kind == "direct")
            .then(|| source.and_then(|source| attribute(source, "mode")))
            .flatten(),
        source: name,
        kind,
        live_only: false,
    })
}

/// What an interface is attached to.
fn place(kind: &str, source: Node) -> Option<String> {
    match kind {
        "bridge" => attribute(source, "bridge"),
        "network" => attribute(source, "network"),
        "direct" | "vdpa" | "ethernet" | "user" => attribute(source, "dev"),
        "internal" => attribute(source, "name"),
        "vhostuser" => attribute(source, "path"),
        "vds" => attribute(source, "switchid"),
        "hostdev" => child(source, "address").map(pci_address),
        "client" | "server" | "mcast" | "udp" => {
            let address = attribute(source, "address").unwrap_or_default();
            Some(format!("{address}:{}", attribute(source, "port")?))
        }
        _ => None,
    }
}

/// A PCI address as lspci(8) writes it: `0000:06:00.0`.
pub(super) fn pci_address(address: Node) -> String {
    let part = |name: &str| {
        let text = attribute(address, name).unwrap_or_default();
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        parsed.unwrap_or(0)
    };
    format!(
        "{:04x}:{:02x}:{:02x}.{:x}",
        part("domain"),
        part("bus"),
        part("slot"),
        part("function")
    )
}

/// The tags of a node's `<vlan>` child.
pub(crate) fn vlans(xml: &Xml, node: Node) -> Result<Vlans, SyntaxError> {
    let mut vlans = Vlans::default();
    let Some(element) = child(node, "vlan") else {
        return Ok(vlans);
    };
    for tag in children(element, "tag") {
        let text = attribute(tag, "id").unwrap_or_default();
        let id = text
            .trim()
            .parse::<u16>()
            .ok()
            .filter(|id| *id <= MAX_VLAN)
            .ok_or_else(|| xml.error(tag, format!("{text:?} is no VLAN tag (0 to {MAX_VLAN})")))?;
        if attribute(tag, "nativeMode").is_some() {
            vlans.native = Some(id);
        }
        vlans.tags.push(id);
    }
    vlans.trunk = vlans.tags.len() > 1 || attribute(element, "trunk").as_deref() == Some("yes");
    Ok(vlans)
}
