//! Netlink requests for VLANs of a port: pure. See rtnetlink(7); `linux/if_bridge.h` for
//! `struct bridge_vlan_info`, whose ranges are a pair of entries.

use collect::netlink::decode::AF_BRIDGE;
use facts::bridge::VlanEntry;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage};
use netlink_packet_route::link::{
    AfSpecBridge, BridgeFlag, BridgeVlanInfo, BridgeVlanInfoFlags as Flags, LinkAttribute,
    LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

/// `RTM_SETLINK`: adds entries to the port with this index, or changes their flags. `own` means the
/// bridge's own entry (`bridge vlan add … self`).
pub fn set(index: u32, own: bool, entries: &[VlanEntry], sequence: u32) -> Vec<u8> {
    let infos = entries.iter().flat_map(|entry| {
        let mut flags = Flags::empty();
        flags.set(Flags::Pvid, entry.pvid);
        flags.set(Flags::Untagged, entry.untagged);
        range(entry.first, entry.last, flags)
    });
    let message = link(index, own, infos);
    bytes(RouteNetlinkMessage::SetLink(message), sequence)
}

/// `RTM_DELLINK` of family `AF_BRIDGE`: removes ranges of VLANs from the port, and nothing else.
pub fn remove(index: u32, own: bool, ranges: &[(u16, u16)], sequence: u32) -> Vec<u8> {
    let infos = ranges
        .iter()
        .flat_map(|(first, last)| range(*first, *last, Flags::empty()));
    let message = link(index, own, infos);
    bytes(RouteNetlinkMessage::DelLink(message), sequence)
}

fn range(first: u16, last: u16, flags: Flags) -> Vec<AfSpecBridge> {
    let info = |vid, flags| AfSpecBridge::VlanInfo(BridgeVlanInfo { vid, flags });
    if first == last {
        return vec![info(first, flags)];
    }
    vec![
        info(first, flags | Flags::RangeBegin),
        info(last, flags | Flags::RangeEnd),
    ]
}

fn link(index: u32, own: bool, infos: impl Iterator<Item = AfSpecBridge>) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.interface_family = AddressFamily::from(AF_BRIDGE);
    link.header.index = index;
    let own = own.then_some(AfSpecBridge::Flags(BridgeFlag::LowerDev));
    let spec = own.into_iter().chain(infos).collect();
    link.attributes.push(LinkAttribute::AfSpecBridge(spec));
    link
}

fn bytes(message: RouteNetlinkMessage, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, message.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
