//! A real libvirtd, real guests: installed, the hook fires at each start.

use crate::{NOFAIL, RUN, carry, vlans};
use lab::Lab;

const GUEST: &str = "<domain type='qemu'><name>NAME</name><memory unit='MiB'>32</memory>\
<os><type arch='x86_64' machine='q35'>hvm</type></os>\
<devices><interface type='bridge'><source bridge='br-mgmt'/><model type='virtio'/></interface>\
</devices></domain>";

#[test]
fn an_installed_hook_gives_restarted_guests_their_vlans() {
    let host = Lab::user_mode_libvirt_host().unwrap();
    carry(&host);
    let ok = |command: &str| {
        let output = host.run(command, RUN).unwrap();
        assert_eq!(output.code, 0, "{command}: {output:?}");
        output.stdout
    };
    ok("ip link add br-mgmt type bridge vlan_filtering 1 && ip link set br-mgmt up");
    for name in ["bind-01", "vyos-01"] {
        host.put(
            &format!("/root/{name}.xml"),
            GUEST.replace("NAME", name).as_bytes(),
        )
        .unwrap();
    }
    ok(
        "rm -rf /etc/libvirt/hooks; systemctl restart libvirtd; for i in bind-01 vyos-01; do virsh define /root/$i.xml; done",
    );
    // The day of the incident: no hook, each start ends on VLAN 1.
    ok("virsh start bind-01");
    assert_eq!(vlans(&host)["vnet0"], "1 pvid untagged");
    ok("virsh destroy bind-01");

    let installed = host
        .run(
            &format!("{NOFAIL} hook install --site /etc/nofail/site.toml"),
            RUN,
        )
        .unwrap();
    assert_eq!(
        installed.code, 1,
        "the daemon must look again: {installed:?}"
    );
    assert!(
        installed.stdout.contains("systemctl reload libvirtd"),
        "{installed:?}"
    );
    ok("virsh start bind-01");
    let before = vlans(&host);
    assert!(
        before
            .iter()
            .any(|(n, v)| n.starts_with("vnet") && v == "1 pvid untagged"),
        "{before:?}"
    );
    ok("virsh destroy bind-01");
    let reloaded = ok(&format!("{NOFAIL} hook install --yes"));
    println!("{reloaded}");
    for round in 0..2 {
        ok("virsh start bind-01; virsh start vyos-01");
        let now = vlans(&host);
        let ports: Vec<&String> = now
            .iter()
            .filter(|(n, _)| n.starts_with("vnet"))
            .map(|(_, v)| v)
            .collect();
        assert_eq!(
            ports,
            [
                "10,20,30,40,100 pvid untagged,110,120",
                "10,20,100 pvid untagged"
            ],
            "start {round}: {now:?}"
        );
        // The daemon restarts while guests run, and calls `reconnect`.
        ok(
            "port=$(ls /sys/class/net | grep vnet | head -1); bridge vlan add dev $port vid 1 pvid untagged; systemctl restart libvirtd; virsh list",
        );
        // In a thread of the daemon's own, some time after it has begun to answer.
        let began = std::time::Instant::now();
        while vlans(&host) != now {
            assert!(began.elapsed() < RUN, "after reconnect: {:?}", vlans(&host));
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        ok("virsh destroy bind-01; virsh destroy vyos-01");
    }
    // Saved and restored: the XML stays what it was.
    ok(
        "virsh start bind-01; virsh save bind-01 /root/bind-01.save; virsh restore /root/bind-01.save",
    );
    let now = vlans(&host);
    assert!(
        now.values()
            .any(|v| v == "10,20,30,40,100 pvid untagged,110,120"),
        "{now:?}"
    );
    let uninstalled = ok(&format!("{NOFAIL} hook uninstall"));
    assert!(uninstalled.contains("50-nofail"), "{uninstalled}");
    ok("virsh destroy bind-01; test ! -e /etc/libvirt/hooks/qemu.d/50-nofail");
}
