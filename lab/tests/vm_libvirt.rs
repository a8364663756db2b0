//! A real libvirtd in a machine: a guest starts there, its port joins the bridge, the hook fires.
//!
//! Needs root and QEMU. The guest has no disk and no kernel: its firmware finds nothing to boot and
//! waits, which is all that libvirt, the bridge and the hook need of it.

use std::time::{Duration, Instant};

use lab::Lab;

const GUEST: &str = "<domain type='qemu'><name>bind-01</name><memory unit='MiB'>32</memory>\
<os><type arch='x86_64' machine='q35'>hvm</type></os>\
<devices><interface type='bridge'><source bridge='br-mgmt'/><model type='virtio'/></interface>\
</devices></domain>";

const HOOK: &str = "#!/bin/sh\necho \"$1 $2 $3\" >> /run/hook.log\ncat > /run/hook-$2.xml\n";

#[test]
fn a_guest_starts_joins_the_bridge_and_fires_the_hook() {
    let host = Lab::user_mode_libvirt_host().unwrap();
    host.put("/etc/libvirt/hooks/qemu", HOOK.as_bytes())
        .unwrap();
    host.put("/root/guest.xml", GUEST.as_bytes()).unwrap();
    host.ok("ip link add br-mgmt type bridge vlan_filtering 1 && ip link set br-mgmt up")
        .unwrap();
    // libvirtd looks for hooks when it starts.
    let limit = Duration::from_secs(120);
    let output = host
        .run(
            "systemctl restart libvirtd && virsh define /root/guest.xml",
            limit,
        )
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let clock = Instant::now();
    let output = host.run("virsh start bind-01", limit).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    println!("virsh start: {:?}", clock.elapsed());
    assert_eq!(host.ok("virsh domstate bind-01").unwrap().trim(), "running");
    let ports = host.ok("bridge vlan show").unwrap();
    assert!(ports.contains("vnet"), "{ports}");
    let xml = host.ok("cat /run/hook-started.xml").unwrap();
    assert!(xml.contains("<target dev='vnet"), "{xml}");
    let output = host.run("virsh destroy bind-01", limit).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let log = host.ok("cut -d ' ' -f 2 /run/hook.log").unwrap();
    let phases: Vec<&str> = log.lines().collect();
    assert_eq!(
        phases,
        ["prepare", "start", "started", "stopped", "release"]
    );
}
