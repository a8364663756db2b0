//! Raw rtnetlink messages to links: pure, tested on bytes that a kernel really sent.
//!
//! Only the attributes that nofail asks for are decoded, so that a new or odd one elsewhere in a
//! message cannot spoil the rest.

use facts::bridge::{Link, LinkKind, VlanEntry};
use netlink_packet_core::{
    DecodeError, NetlinkBuffer, NlaBuffer, NlasIterator, Parseable, parse_string, parse_u8,
    parse_u16, parse_u16_be, parse_u32,
};
use netlink_packet_route::link::{
    AfSpecBridge, BridgeFlag, BridgeStpState, BridgeVlanInfo, BridgeVlanInfoFlags, InfoBridge,
    LinkFlags, LinkHeader, State,
};
use std::collections::BTreeMap;

/// The address family of bridge messages (linux/socket.h).
pub const AF_BRIDGE: u8 = 7;

// linux/netlink.h, linux/rtnetlink.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const NLM_F_DUMP_INTR: u16 = 0x10;
const RTM_NEWLINK: u16 = 16;
/// struct ifinfomsg.
const LINK_HEADER: usize = 16;

// linux/if_link.h
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PHYS_PORT_NAME: u16 = 38;
const IFLA_PARENT_DEV_NAME: u16 = 56;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BR_STP_STATE: u16 = 5;
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const IFLA_BR_VLAN_PROTOCOL: u16 = 8;
const IFLA_BR_VLAN_DEFAULT_PVID: u16 = 39;
const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
const IFLA_BOND_MODE: u16 = 1;
const IFLA_BOND_ACTIVE_SLAVE: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;

/// One netlink message of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The whole message, header included, without padding.
    pub bytes: &'a [u8],
    /// Sequence number of the request that it answers.
    pub sequence: u32,
    /// Message type.
    pub kind: u16,
    /// Whether the kernel says that the dump changed under way (`NLM_F_DUMP_INTR`).
    pub interrupted: bool,
    /// For the message that ends a dump, its code: 0, or a negative errno.
    pub end: Option<i32>,
}

/// Splits bytes into netlink messages.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    left: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages in these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let whole = self.left;
        let packet = match NetlinkBuffer::new_checked(whole) {
            Ok(packet) => packet,
            Err(error) => {
                self.left = &[];
                return Some(Err(error));
            }
        };
        let length = packet.length() as usize;
        self.left = whole.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        let bytes = whole.get(..length).unwrap_or(whole);
        let kind = packet.message_type();
        let code = bytes
            .get(16..20)
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
            .map(i32::from_ne_bytes);
        Some(Ok(Message {
            bytes,
            sequence: packet.sequence_number(),
            kind,
            interrupted: packet.flags() & NLM_F_DUMP_INTR != 0,
            end: match kind {
                NLMSG_DONE => Some(code.unwrap_or(0)),
                // An error message without its code is as bad as any: EIO.
                NLMSG_ERROR => Some(code.unwrap_or(-5)),
                // ENOBUFS: messages were lost.
                NLMSG_OVERRUN => Some(-105),
                _ => None,
            },
        }))
    }
}

/// Joins the dump of all links with the dump of family `AF_BRIDGE`.
///
/// # Errors
/// Where a message or one of the attributes asked for is cut off or of the wrong size.
pub fn links(
    all: &[u8],
    bridge: &[u8],
    has_device: &dyn Fn(&str) -> bool,
) -> Result<Vec<Link>, DecodeError> {
    let mut vlans = vlans(bridge)?;
    let mut links = Vec::new();
    for message in Messages::new(all) {
        let message = message?;
        if message.kind == RTM_NEWLINK {
            let mut link = link(message.bytes, has_device)?;
            link.vlans = vlans.remove(&link.index);
            links.push(link);
        }
    }
    Ok(links)
}

fn body(bytes: &[u8]) -> Result<(LinkHeader, NlasIterator<&[u8]>), DecodeError> {
    let payload = bytes.get(16..).unwrap_or(&[]);
    let header = LinkHeader::parse(payload)?;
    let attributes = payload.get(LINK_HEADER..).unwrap_or(&[]);
    Ok((header, NlasIterator::new(attributes)))
}

fn link(bytes: &[u8], has_device: &dyn Fn(&str) -> bool) -> Result<Link, DecodeError> {
    let (header, attributes) = body(bytes)?;
    let mut link = Link {
        index: header.index,
        admin_up: Some(header.flags.contains(LinkFlags::Up)),
        ..Link::default()
    };
    let mut kind = None;
    let mut settings = LinkKind::Bridge {
        vlan_filtering: None,
        default_pvid: None,
        stp: None,
    };
    let (mut parent, mut elsewhere) = (false, false);
    for attribute in attributes {
        let attribute = attribute?;
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => link.name = parse_string(value)?,
            IFLA_LINK => link.lower = Some(parse_u32(value)?),
            IFLA_MASTER => link.controller = Some(parse_u32(value)?),
            IFLA_OPERSTATE => link.state = Some(state(parse_u8(value)?.into())),
            IFLA_LINK_NETNSID => elsewhere = true,
            // How many want it so; the flag of the header tells of users only.
            IFLA_PROMISCUITY => link.promiscuous = parse_u32(value)? > 0,
            IFLA_PARENT_DEV_NAME => parent = true,
            IFLA_PHYS_PORT_NAME => link.representor = is_representor(&parse_string(value)?),
            IFLA_LINKINFO => kind = link_info(value, &mut settings, &mut link)?,
            _ => {}
        }
    }
    if elsewhere {
        // The index is one of another network namespace.
        link.lower = None;
    }
    link.kind = match kind.as_deref() {
        Some("bridge") => settings,
        Some(kind) => LinkKind::Kind(kind.to_owned()),
        None if parent || has_device(&link.name) => LinkKind::Physical,
        None => LinkKind::Plain,
    };
    Ok(link)
}

fn link_info(
    value: &[u8],
    settings: &mut LinkKind,
    link: &mut Link,
) -> Result<Option<String>, DecodeError> {
    let mut kind: Option<String> = None;
    for info in NlasIterator::new(value) {
        let info = info?;
        match (info.kind(), kind.as_deref()) {
            (IFLA_INFO_KIND, _) => kind = Some(parse_string(info.value())?),
            // The kernel writes the kind before the data that depend on it.
            (IFLA_INFO_DATA, Some("bridge")) => {
                *settings = bridge_settings(info.value())?;
                link.protocol = one(info.value(), IFLA_BR_VLAN_PROTOCOL, &protocol)?;
            }
            (IFLA_INFO_DATA, Some("vlan")) => {
                link.vlan = one(info.value(), IFLA_VLAN_ID, &parse_u16)?;
                link.protocol = one(info.value(), IFLA_VLAN_PROTOCOL, &protocol)?;
            }
            (IFLA_INFO_DATA, Some("bond")) => {
                link.mode = one(info.value(), IFLA_BOND_MODE, &bond_mode)?;
                link.active = one(info.value(), IFLA_BOND_ACTIVE_SLAVE, &parse_u32)?;
            }
            (IFLA_INFO_DATA, Some("macvlan" | "macvtap")) => {
                link.mode = one(info.value(), IFLA_MACVLAN_MODE, &macvlan_mode)?;
            }
            // Of a bridge's port; a bond's member has other attributes of these numbers.
            (IFLA_INFO_SLAVE_DATA, _) if is_bridge_port(value)? => {
                let on = |value: &[u8]| parse_u8(value).map(|on| on != 0);
                link.stp_state = one(info.value(), IFLA_BRPORT_STATE, &stp_state)?;
                link.hairpin = one(info.value(), IFLA_BRPORT_MODE, &on)?.unwrap_or(false);
                link.isolated = one(info.value(), IFLA_BRPORT_ISOLATED, &on)?.unwrap_or(false);
            }
            _ => {}
        }
    }
    Ok(kind)
}

/// `IFLA_INFO_SLAVE_KIND`, which stands before the slave's data.
fn is_bridge_port(info: &[u8]) -> Result<bool, DecodeError> {
    const IFLA_INFO_SLAVE_KIND: u16 = 4;
    Ok(one(info, IFLA_INFO_SLAVE_KIND, &parse_string)?.as_deref() == Some("bridge"))
}

/// The value of one attribute among others.
fn one<T>(
    value: &[u8],
    wanted: u16,
    parse: &dyn Fn(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    for attribute in NlasIterator::new(value) {
        let attribute = attribute?;
        if attribute.kind() == wanted {
            return parse(attribute.value()).map(Some);
        }
    }
    Ok(None)
}

/// EtherType of tags, as ip-link(8) names it.
fn protocol(value: &[u8]) -> Result<String, DecodeError> {
    Ok(match parse_u16_be(value)? {
        0x8100 => "802.1Q".to_owned(),
        0x88a8 => "802.1ad".to_owned(),
        other => format!("{other:#06x}"),
    })
}

/// Modes of the kernel's bonding driver (linux/if_bonding.h), as ip-link(8) names them.
fn bond_mode(value: &[u8]) -> Result<String, DecodeError> {
    let names = [
        "balance-rr",
        "active-backup",
        "balance-xor",
        "broadcast",
        "802.3ad",
        "balance-tlb",
        "balance-alb",
    ];
    let mode = parse_u8(value)?;
    let name = names.get(usize::from(mode)).copied();
    Ok(name.map_or_else(|| mode.to_string(), str::to_owned))
}

/// Modes of a macvlan (linux/if_link.h), as ip-link(8) names them.
fn macvlan_mode(value: &[u8]) -> Result<String, DecodeError> {
    Ok(match parse_u32(value)? {
        1 => "private".to_owned(),
        2 => "vepa".to_owned(),
        4 => "bridge".to_owned(),
        8 => "passthru".to_owned(),
        16 => "source".to_owned(),
        other => other.to_string(),
    })
}

/// Spanning-tree states of a port (linux/if_bridge.h).
fn stp_state(value: &[u8]) -> Result<String, DecodeError> {
    let names = [
        "disabled",
        "listening",
        "learning",
        "forwarding",
        "blocking",
    ];
    let state = parse_u8(value)?;
    let name = names.get(usize::from(state)).copied();
    Ok(name.map_or_else(|| state.to_string(), str::to_owned))
}

fn bridge_settings(value: &[u8]) -> Result<LinkKind, DecodeError> {
    let (mut vlan_filtering, mut default_pvid, mut stp) = (None, None, None);
    for setting in NlasIterator::new(value) {
        let setting = setting?;
        if !matches!(
            setting.kind(),
            IFLA_BR_STP_STATE | IFLA_BR_VLAN_FILTERING | IFLA_BR_VLAN_DEFAULT_PVID
        ) {
            continue;
        }
        match InfoBridge::parse(&setting)? {
            InfoBridge::VlanFiltering(on) => vlan_filtering = Some(on),
            InfoBridge::VlanDefaultPvid(pvid) => default_pvid = Some(pvid),
            InfoBridge::StpState(state) => stp = Some(state != BridgeStpState::Disabled),
            _ => {}
        }
    }
    Ok(LinkKind::Bridge {
        vlan_filtering,
        default_pvid,
        stp,
    })
}

/// VLANs by interface index, out of the dump of family `AF_BRIDGE`.
fn vlans(bytes: &[u8]) -> Result<BTreeMap<u32, Vec<VlanEntry>>, DecodeError> {
    let mut vlans = BTreeMap::new();
    for message in Messages::new(bytes) {
        let message = message?;
        if message.kind != RTM_NEWLINK {
            continue;
        }
        let (header, attributes) = body(message.bytes)?;
        for attribute in attributes {
            let attribute = attribute?;
            if attribute.kind() != IFLA_AF_SPEC {
                continue;
            }
            if let Some(entries) = af_spec(&attribute)? {
                vlans.insert(header.index, entries);
            }
        }
    }
    Ok(vlans)
}

/// The VLANs of one port; `None` for what a NIC says of its own built-in switch.
fn af_spec(attribute: &NlaBuffer<&[u8]>) -> Result<Option<Vec<VlanEntry>>, DecodeError> {
    let mut infos = Vec::new();
    for nla in NlasIterator::new(attribute.value()) {
        match AfSpecBridge::parse(&nla?)? {
            AfSpecBridge::Flags(BridgeFlag::LowerDev) => return Ok(None),
            AfSpecBridge::VlanInfo(info) => infos.push(info),
            _ => {}
        }
    }
    Ok(Some(entries(&infos)))
}

/// Joins `RANGE_BEGIN` and `RANGE_END` (linux/if_bridge.h) into ranges.
fn entries(infos: &[BridgeVlanInfo]) -> Vec<VlanEntry> {
    let mut entries = Vec::with_capacity(infos.len());
    let mut begun: Option<u16> = None;
    for info in infos {
        if info.flags.contains(BridgeVlanInfoFlags::RangeBegin) {
            begun = Some(info.vid);
            continue;
        }
        let first = match begun.take() {
            Some(first) if info.flags.contains(BridgeVlanInfoFlags::RangeEnd) => first,
            _ => info.vid,
        };
        entries.push(VlanEntry {
            first,
            last: info.vid,
            pvid: info.flags.contains(BridgeVlanInfoFlags::Pvid),
            untagged: info.flags.contains(BridgeVlanInfoFlags::Untagged),
        });
    }
    entries
}

/// A switchdev port name of a virtual or sub-function: `pf0vf3`, `c1pf0vf3`, `pf0sf88`.
fn is_representor(port: &str) -> bool {
    port.split_once("pf").is_some_and(|(before, after)| {
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        (before.is_empty() || before.starts_with('c'))
            && (after.starts_with("vf") || after.starts_with("sf"))
    })
}

/// The states' names as `/sys/class/net/NAME/operstate` has them, joined by dashes.
fn state(state: State) -> String {
    match state {
        State::NotPresent => "not-present",
        State::Down => "down",
        State::LowerLayerDown => "lower-layer-down",
        State::Testing => "testing",
        State::Dormant => "dormant",
        State::Up => "up",
        _ => "unknown",
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
