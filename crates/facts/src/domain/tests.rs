//! Cases of the domain parser: what libvirt 9.0 wrote, and what no libvirt would.

use super::*;

const DEFINITION: &str =
    include_str!("../../../../testdata/fixtures/libvirt/domain-definition.xml");
const STATUS: &str = include_str!("../../../../testdata/fixtures/libvirt/domain-status.xml");
const NETWORK_DISKS: &str =
    include_str!("../../../../testdata/fixtures/libvirt/domain-network-disks.xml");

fn devices(inside: &str) -> Guest {
    parse(&format!(
        "<domain type='kvm'><name>g</name><devices>{inside}</devices></domain>"
    ))
    .unwrap()
}

#[test]
fn a_definition_as_libvirt_wrote_it() {
    let guest = parse(DEFINITION).unwrap();
    assert_eq!(guest.name, "g one & ü");
    assert_eq!(guest.uuid, "4e0f02ad-c5c6-4a9e-8133-7224004df7d7");
    assert_eq!((guest.line, guest.persistent, guest.state), (9, true, None));
    assert_eq!((guest.memory_kib, guest.vcpus), (Some(65536), Some(1)));
    assert_eq!(guest.on_crash.as_deref(), Some("destroy"));
    assert_eq!(
        guest.metadata_vlans.as_deref(),
        Some("100 pvid untagged, 10, 20")
    );
    let disks: Vec<_> = guest
        .disks
        .iter()
        .map(|d| {
            (
                d.target.as_str(),
                d.kind.as_str(),
                d.device.as_str(),
                d.source.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        disks,
        [
            (
                "vda",
                "file",
                "disk",
                Some("/var/lib/libvirt/images/top.qcow2")
            ),
            ("vdb", "volume", "disk", Some("vms/v1.qcow2")),
            ("sda", "file", "cdrom", Some("/mnt/nas/isos/x.iso")),
            ("sdb", "file", "cdrom", None),
        ]
    );
    assert_eq!(guest.disks[2].startup_policy.as_deref(), Some("optional"));
    assert!(guest.disks[2].readonly && !guest.disks[0].readonly);
    let text = DEFINITION
        .lines()
        .nth(guest.disks[0].source_line as usize - 1);
    assert_eq!(text, Some(guest.disks[0].text.as_str()));
    assert!(guest.disks[0].text.contains("top.qcow2"));
    assert_eq!(guest.disks[3].source_line, 0);
    assert!(guest.disks[3].text.contains("<disk"));
    assert_eq!(guest.interfaces[0].bridge.as_deref(), Some("br-mgmt"));
    assert_eq!(
        guest.interfaces[1].mac.as_deref(),
        Some("52:54:00:aa:bb:01")
    );
    assert_eq!(guest.interfaces[1].bridge, None);
}

#[test]
fn live_status_gives_state_taps_and_the_chain() {
    let status = parse(STATUS).unwrap();
    assert_eq!(status.state.as_deref(), Some("paused"));
    assert_eq!(
        (status.state_reason.as_deref(), status.pid),
        (Some("user"), Some(117))
    );
    assert!(!status.persistent);
    let guest = merge(parse(DEFINITION).unwrap(), status);
    assert!(guest.persistent);
    assert_eq!(
        (guest.state.as_deref(), guest.pid),
        (Some("paused"), Some(117))
    );
    assert_eq!(guest.disks.len(), 4);
    let chain: Vec<_> = guest.disks[0]
        .backing
        .iter()
        .map(|b| b.source.as_str())
        .collect();
    assert_eq!(chain, ["/var/lib/libvirt/images/base.qcow2"]);
    assert_eq!(guest.disks[0].backing[0].format.as_deref(), Some("qcow2"));
    assert!(!guest.disks[0].chain_ends, "the definition leaves it open");
    // The running guest dropped the optional CD-ROM; its definition did not.
    assert_eq!(
        guest.disks[2].source.as_deref(),
        Some("/mnt/nas/isos/x.iso")
    );
    assert_eq!(guest.disks[2].live_source, None);
    let taps: Vec<_> = guest
        .interfaces
        .iter()
        .map(|i| i.target.as_deref())
        .collect();
    assert_eq!(taps, [Some("vnet0"), Some("vnet1")]);
    // The network became a bridge.
    assert_eq!(guest.interfaces[1].bridge.as_deref(), Some("br-mgmt"));
    assert!(guest.interfaces.iter().all(|i| !i.live_only));
}

#[test]
fn hot_plugged_and_moved_devices_are_told_apart() {
    let definition = devices(
        "<disk type='file'><source file='/a'/><target dev='vda'/></disk>\
         <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='b'/></interface>",
    );
    let live = devices(
        "<disk type='file'><source file='/moved'/><target dev='vda'/></disk>\
         <disk type='file'><source file='/plugged'/><target dev='vdb'/></disk>\
         <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='b'/><target dev='vnet7'/></interface>\
         <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='b'/><target dev='vnet8'/></interface>",
    );
    let guest = merge(definition, live);
    assert_eq!(guest.disks[0].source.as_deref(), Some("/a"));
    assert_eq!(guest.disks[0].live_source.as_deref(), Some("/moved"));
    assert!(guest.disks[1].live_only && !guest.disks[0].live_only);
    assert_eq!(guest.interfaces[0].target.as_deref(), Some("vnet7"));
    assert!(guest.interfaces[1].live_only);
}

#[test]
fn sources_of_every_type() {
    let guest = parse(NETWORK_DISKS).unwrap();
    let disk = |target: &str| guest.disks.iter().find(|d| d.target == target).unwrap();
    assert_eq!(guest.memory_kib, Some(976_563));
    assert_eq!(disk("vda").source.as_deref(), Some("rbd:p/img"));
    assert_eq!(disk("vda").hosts, ["mon1:6789", "mon2"]);
    assert_eq!(disk("vdb").source.as_deref(), Some("nbd:"));
    assert_eq!(disk("vdb").hosts, ["unix:/run/nbd.sock"]);
    assert_eq!(disk("vdc").source.as_deref(), Some("/tmp/gl/p"));
    assert_eq!(disk("sda").source.as_deref(), Some("/dev/disk/by-id/x"));
    let chain = &disk("vdd").backing;
    assert_eq!(chain.len(), 2);
    assert_eq!(
        (chain[0].source.as_str(), chain[0].kind.as_str()),
        ("/y.qcow2", "file")
    );
    assert_eq!(
        (chain[1].source.as_str(), chain[1].kind.as_str()),
        ("nfs:a/b", "network")
    );
    assert_eq!(chain[1].hosts, ["h"]);
    assert!(disk("vdd").chain_ends && !disk("vda").chain_ends);
    assert_eq!(guest.hostdevs, ["pci 0000:06:02.0"]);
    let files: Vec<_> = guest
        .files
        .iter()
        .map(|f| (f.role.as_str(), f.path.as_str()))
        .collect();
    let expected = [
        ("kernel", "/boot/vmlinuz"),
        ("initrd", "/boot/initrd"),
        ("filesystem", "/srv"),
    ];
    assert_eq!(files, expected);
    let vlan = guest
        .interfaces
        .iter()
        .find(|i| i.kind == "network")
        .unwrap();
    assert_eq!(
        (vlan.vlans.as_slice(), vlan.native_vlan, vlan.trunk),
        (&[42, 47][..], Some(42), true)
    );
    assert_eq!(vlan.link.as_deref(), Some("down"));
    assert_eq!(vlan.portgroup.as_deref(), Some("mgmt"));
}

#[test]
fn disks_of_the_rarer_types() {
    let guest = devices(
        "<disk><source file='/no-type'/><target dev='vda'/></disk>\
         <disk type='nvme'><source type='pci' namespace='1'><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source><target dev='vdb'/></disk>\
         <disk type='vhostuser'><source type='unix' path='/run/blk.sock'/><target dev='vdc'/></disk>\
         <disk type='vhostvdpa'><source dev='/dev/vhost-vdpa-0'/><target dev='vdd'/></disk>\
         <disk type='file' device='cdrom'><source file='' startupPolicy='requisite'/><target dev='sda'/></disk>\
         <disk type='network'><source protocol='nbd' name='e'><host name='::1' port='10809'/></source><target dev='vde'/></disk>\
         <disk type='file'><source file='/s'><slices><slice type='storage' offset='1' size='2'/></slices><encryption format='luks'/></source><target dev='vdf'/><transient/><shareable/></disk>\
         <disk type='file'><source file='/d'><dataStore type='file'><format type='raw'/><source file='/d.raw'/></dataStore></source><mirror type='file' job='copy'><format type='qcow2'/><source file='/m'/></mirror><target dev='vdg'/></disk>\
         <disk type='file'><source file='/o'/><mirror file='/old-style' format='raw'/><target dev='vdh'/></disk>\
         <disk type='to-come'><source path='/new'/><target dev='vdi'/></disk>\
         <disk type='volume'><source pool='p'/><target dev='vdj'/></disk>",
    );
    let sources: Vec<_> = guest.disks.iter().map(|d| d.source.as_deref()).collect();
    assert_eq!(
        sources,
        [
            Some("/no-type"),
            Some("0000:01:00.0/1"),
            Some("/run/blk.sock"),
            Some("/dev/vhost-vdpa-0"),
            None,
            Some("nbd:e"),
            Some("/s"),
            Some("/d"),
            Some("/o"),
            Some("/new"),
            None,
        ]
    );
    assert_eq!(
        (guest.disks[0].kind.as_str(), guest.disks[0].device.as_str()),
        ("file", "disk")
    );
    assert_eq!(guest.disks[4].startup_policy.as_deref(), Some("requisite"));
    assert_eq!(guest.disks[5].hosts, ["[::1]:10809"]);
    let slice = &guest.disks[6];
    assert!(slice.encrypted && slice.transient && slice.shareable);
    assert_eq!(guest.disks[7].data_file.as_deref(), Some("/d.raw"));
    assert_eq!(guest.disks[7].mirror.as_deref(), Some("/m"));
    assert_eq!(guest.disks[8].mirror.as_deref(), Some("/old-style"));
}

#[test]
fn interfaces_of_every_type() {
    let guest = devices(
        "<interface type='direct'><source dev='eth0' mode='bridge'/></interface>\
         <interface type='ethernet'><target dev='tap0'/></interface>\
         <interface type='hostdev'><source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/></source><vlan><tag id='42'/></vlan></interface>\
         <interface type='user'/><interface type='null'/>\
         <interface type='vhostuser'><source type='unix' path='/s' mode='client'/></interface>\
         <interface type='internal'><source name='net'/></interface>\
         <interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>\
         <interface type='udp'><source address='127.0.0.1' port='11115'><local address='127.0.0.1' port='11116'/></source></interface>\
         <interface type='vds'><source switchid='12345678' portid='1'/></interface>\
         <interface type='bridge'><source bridge='ovs'/><virtualport type='openvswitch'/><vlan trunk='yes'><tag id='42' nativeMode='untagged'/></vlan></interface>",
    );
    let sources: Vec<_> = guest
        .interfaces
        .iter()
        .map(|i| i.source.as_deref())
        .collect();
    assert_eq!(
        sources,
        [
            Some("eth0"),
            None,
            Some("0000:3b:02.1"),
            None,
            None,
            Some("/s"),
            Some("net"),
            Some("/dev/vhost-vdpa-0"),
            Some("127.0.0.1:11115"),
            Some("12345678"),
            Some("ovs"),
        ]
    );
    assert_eq!(guest.interfaces[0].mode.as_deref(), Some("bridge"));
    assert_eq!(guest.interfaces[1].target.as_deref(), Some("tap0"));
    assert_eq!(
        (
            guest.interfaces[2].vlans.as_slice(),
            guest.interfaces[2].trunk
        ),
        (&[42][..], false)
    );
    let ovs = &guest.interfaces[10];
    assert_eq!((ovs.trunk, ovs.native_vlan), (true, Some(42)));
    assert_eq!(ovs.virtualport.as_deref(), Some("openvswitch"));
}

#[test]
fn files_that_a_start_needs() {
    let guest = parse(
        "<domain><name>g</name><os><loader readonly='yes' type='pflash'>/usr/share/OVMF.fd</loader>\
         <nvram type='file'><source file='/var/n.fd'/></nvram><acpi><table type='slic'>/s</table></acpi></os>\
         <devices><filesystem type='mount'><driver type='virtiofs'/><source dir='/mnt/nas/share'/></filesystem>\
         <interface type='user'><rom file='/r.rom'/></interface>\
         <memory model='nvdimm'><source><path>/nv</path></source></memory></devices></domain>",
    )
    .unwrap();
    let files: Vec<_> = guest
        .files
        .iter()
        .map(|f| (f.role.as_str(), f.path.as_str()))
        .collect();
    assert_eq!(
        files,
        [
            ("loader", "/usr/share/OVMF.fd"),
            ("nvram", "/var/n.fd"),
            ("acpi-table", "/s"),
            ("filesystem", "/mnt/nas/share"),
            ("rom", "/r.rom"),
            ("nvdimm", "/nv"),
        ]
    );
}

#[test]
fn uuids_are_normalised_or_refused() {
    let with = |uuid: &str| {
        parse(&format!(
            "<domain><name>g</name><uuid>{uuid}</uuid></domain>"
        ))
    };
    for text in [
        "4E0F02ADC5C64A9E81337224004DF7D7",
        " 4e0f02ad-c5c6-4a9e-8133-7224004df7d7\n",
    ] {
        assert_eq!(
            with(text).unwrap().uuid,
            "4e0f02ad-c5c6-4a9e-8133-7224004df7d7"
        );
    }
    assert_eq!(with("").unwrap().uuid, "");
    assert!(with("4e0f02ad").unwrap_err().message.contains("UUID"));
    assert!(with("4e0f02ad-c5c6-4a9e-8133-7224004df7dü").is_err());
}

#[test]
fn metadata_in_attributes() {
    let guest = parse(&format!(
        "<domain><name>g</name><metadata><x:vlans xmlns:x='urn:other'>9</x:vlans>\
         <n:vlans xmlns:n='{METADATA_NAMESPACE}' pvid='100' tagged='10,20'/></metadata></domain>"
    ));
    let vlans = guest.unwrap().metadata_vlans;
    assert_eq!(vlans.as_deref(), Some("pvid=100 tagged=10,20"));
}

#[test]
fn a_domain_inside_a_snapshot() {
    let text = "<domainsnapshot><name>s</name><domain><name>g</name></domain></domainsnapshot>";
    assert_eq!(parse(text).unwrap().name, "g");
}

#[test]
fn malformed_input_has_a_place() {
    let at = |text: &str| {
        let error = parse(text).unwrap_err();
        (error.line, error.column, error.message)
    };
    assert_eq!(at("<domain>\n  <uuid/>\n</domain>").0, 1);
    let (line, column, message) = at("<domain>\n  <name>g</nam>\n</domain>");
    assert_eq!(line, 2, "{message}");
    assert!(column > 1, "{message}");
    assert!(!message.contains(" at 2:"), "{message}");
    let (line, column, message) =
        at("<domain><name>g</name>\n <memory unit='X'>1</memory></domain>");
    assert_eq!((line, column), (2, 2));
    assert!(message.contains("\"X\""), "{message}");
    let vlan = "<domain><name>g</name><devices>\n<interface type='bridge'><vlan>\n  <tag id='5000'/></vlan></interface></devices></domain>";
    assert_eq!((at(vlan).0, at(vlan).1), (3, 3));
    assert!(at("<network/>").2.contains("<network>"));
    assert!(at("<domstatus/>").2.contains("no <domain>"));
    for text in [
        "",
        " ",
        "<",
        "<domain",
        "\0",
        "<domain/>",
        "<domain><name> </name></domain>",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn entities_and_depth_do_no_harm() {
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>\n<domain><name>&b;</name></domain>";
    let error = parse(bomb).unwrap_err();
    assert!(error.message.contains("DOCTYPE"), "{error}");
    let deep = 200_000;
    let chain = format!(
        "<domain><name>g</name><devices><disk><source file='/a'/>{}{}</disk></devices></domain>",
        "<backingStore type='file'><source file='/b'/>".repeat(deep),
        "</backingStore>".repeat(deep)
    );
    assert_eq!(parse(&chain).unwrap().disks[0].backing.len(), 200);
}
