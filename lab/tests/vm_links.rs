//! Bridges with VLAN filtering inside a machine, and cables between machines.
//!
//! Needs root and QEMU.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lab::frames::{Frame, Link};
use lab::{Cable, Lab, Machine};

/// A bridge that filters VLANs in a namespace "switch", with end points "a" and "b" on ports pa, pb.
const SWITCH: &str = "set -e
for n in switch a b; do ip netns add $n; ip -n $n link set lo up; done
ip -n switch link add br0 type bridge vlan_filtering 1 vlan_default_pvid 1
ip -n switch link set br0 up
for n in a b; do
    ip link add p$n netns switch type veth peer name eth0 netns $n
    ip -n switch link set p$n master br0 up
    ip -n $n link set eth0 up
done
bridge -n switch vlan del dev pa vid 1
bridge -n switch vlan add dev pa vid 100 pvid untagged
bridge -n switch vlan add dev pb vid 100";

#[test]
fn a_bridge_filters_vlans_between_namespaces() {
    let host = Lab::user_mode_host().unwrap();
    host.ok(SWITCH).unwrap();
    let end = |name| Link {
        machine: &host,
        namespace: Some(name),
        name: "eth0",
    };
    let receiver = end("b");
    let find = |frames: &[Frame], text: &str| {
        let said = frames.iter().find(|f| f.says(text));
        said.map(|f| f.vlan)
    };
    // More than once: the ports have just come up, and Ethernet promises nothing.
    let mut frames: Vec<Frame> = Vec::new();
    for _ in 0..10 {
        let capture = receiver.capture().unwrap();
        end("a")
            .send(&[
                Frame::broadcast(None, "to the pvid"),
                Frame::broadcast(Some(100), "tagged 100"),
                Frame::broadcast(Some(200), "tagged 200"),
            ])
            .unwrap();
        frames.extend(capture.stop().unwrap());
        if find(&frames, "to the pvid").is_some() && find(&frames, "tagged 100").is_some() {
            break;
        }
    }
    let vlan_of = |text: &str| find(&frames, text);
    assert_eq!(vlan_of("to the pvid"), Some(Some(100)), "{frames:?}");
    assert_eq!(vlan_of("tagged 100"), Some(Some(100)), "{frames:?}");
    assert_eq!(vlan_of("tagged 200"), None, "{frames:?}");

    let shown = host.ok("bridge -n switch -j vlan show dev pa").unwrap();
    assert!(
        shown.contains("\"vlan\":100") && shown.contains("PVID"),
        "{shown}"
    );
}

#[test]
fn two_hosts_talk_over_a_cable_until_it_is_pulled() {
    let (one, two) = Lab::two_hosts().unwrap();
    talk(&one, &two);
    Cable::carrier(&one, 1, false).unwrap();
    let carrier = "for i in $(seq 50); do c=$(cat /sys/class/net/eth1/carrier); [ $c = 0 ] && break; sleep 0.1; done; echo $c";
    assert_eq!(one.ok(carrier).unwrap(), "0\n");
}

/// Two hosts on one VLAN of a cable, until it is pulled.
fn talk(one: &Machine, two: &Machine) {
    let mut cable = Cable::new().unwrap();
    for (host, number) in [(one, 1), (two, 2)] {
        let card = cable
            .plug(host, 1, [0x52, 0x54, 0, 0x1a, 0xb1, number])
            .unwrap();
        assert_eq!(card, "eth1");
        host.ok(&format!(
            "ip link add br-mgmt type bridge vlan_filtering 1 && ip link set br-mgmt up && \
             ip link set eth1 master br-mgmt up && bridge vlan add dev eth1 vid 100 && \
             bridge vlan add dev br-mgmt vid 100 self && \
             ip link add link br-mgmt name mgmt type vlan id 100 && \
             ip address add 10.50.1.1{number}/24 dev mgmt && ip link set mgmt up"
        ))
        .unwrap();
    }
    let ping = one
        .run("ping -c 1 -w 10 10.50.1.12", Duration::from_secs(30))
        .unwrap();
    let tagged = cable.take();
    assert_eq!(ping.code, 0, "{ping:?} {tagged:?}");
    assert!(
        tagged
            .iter()
            .any(|f| f.vlan == Some(100) && f.kind == 0x0800),
        "{tagged:?}"
    );
    // Multicast memberships go out on the bridge's own PVID; what is for one station does not.
    let untagged = |f: &&Frame| f.vlan.is_none() && f.kind == 0x0800 && f.to[0] & 1 == 0;
    assert!(tagged.iter().find(untagged).is_none(), "{tagged:?}");

    let receiver = Link {
        machine: two,
        namespace: None,
        name: "mgmt",
    };
    let capture = receiver.capture().unwrap();
    // Said more than once: the machine has just begun to listen, and Ethernet promises nothing.
    for _ in 0..10 {
        cable.send(&Frame::broadcast(Some(100), "from the test"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let frames = capture.stop().unwrap();
    assert!(
        frames
            .iter()
            .any(|f| f.says("from the test") && f.vlan.is_none()),
        "{frames:?}"
    );

    cable.pull(true);
    let output = one
        .run("ping -c 1 -w 2 10.50.1.12", Duration::from_secs(20))
        .unwrap();
    assert_eq!(output.code, 1);
}
