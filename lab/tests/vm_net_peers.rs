//! The peers of `nofail net apply` on the same host and the same three events: `netplan try` and
//! NetworkManager's checkpoints. What each brings back is measured here; the README's table says it.
//!
//! Needs root and QEMU.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::time::Duration;

use lab::{Lab, Machine};

const RUN: Duration = Duration::from_secs(120);

/// A desk behind the uplink eth1, and a bridge made by NetworkManager.
const NM_SETUP: &str = "set -e
ip netns add switch; ip -n switch link set lo up
ip link add eth1 type veth peer name sw1 netns switch
ip -n switch address add 10.50.1.200/24 dev sw1; ip -n switch link set sw1 up
cd /etc/NetworkManager/system-connections
cat > br-mgmt.nmconnection <<END
[connection]
id=br-mgmt
uuid=0fa11000-0000-4000-8000-00000000000a
type=bridge
interface-name=br-mgmt
[bridge]
stp=false
vlan-filtering=true
vlans=1 pvid untagged, 100 untagged
[ipv4]
method=manual
address1=10.50.1.12/24
[ipv6]
method=disabled
END
cat > eth1.nmconnection <<END
[connection]
id=eth1
type=ethernet
interface-name=eth1
master=br-mgmt
slave-type=bridge
[bridge-port]
vlans=1 pvid untagged
END
chmod 600 *
systemctl restart NetworkManager
for i in $(seq 100); do nmcli -t connection show 2>/dev/null | grep -q br-mgmt && break; sleep 0.2; done
nmcli -w 20 connection up br-mgmt; nmcli -w 20 connection up eth1";

/// The same bridge in netplan, brought up by systemd-networkd.
const NETPLAN_SETUP: &str = "set -e
systemctl stop NetworkManager; ip link del br-mgmt 2>/dev/null || true
rm -f /etc/netplan/*
cat > /etc/netplan/10.yaml <<END
network:
  version: 2
  renderer: networkd
  ethernets:
    eth1: {}
  bridges:
    br-mgmt:
      interfaces: [eth1]
      addresses: [10.50.1.12/24]
END
chmod 600 /etc/netplan/10.yaml
netplan apply
for i in $(seq 100); do ip -br address show dev br-mgmt | grep -q 10.50.1.12 && break; sleep 0.2; done
ip -br address show dev br-mgmt | grep 10.50.1.12";

const CHECKPOINT: &str = "busctl call org.freedesktop.NetworkManager /org/freedesktop/NetworkManager \
    org.freedesktop.NetworkManager CheckpointCreate aouu 0 12 0";

/// What an administrator types, with a checkpoint around it.
const NM_CHANGE: &str = "nmcli connection modify br-mgmt ipv4.addresses 10.50.2.12/24 && \
    nmcli -w 20 connection up br-mgmt >/dev/null && nmcli -w 20 connection up eth1 >/dev/null";

fn has(machine: &Machine, command: &str, text: &str) -> bool {
    machine.run(command, RUN).unwrap().stdout.contains(text)
}

/// Whether the old address is back within some seconds.
fn back(machine: &Machine, seconds: u32) -> bool {
    let line = format!(
        "for i in $(seq {}); do ip -br address show dev br-mgmt | grep -q 10.50.1.12 && exit 0; \
         sleep 0.2; done; exit 1",
        seconds * 5
    );
    machine.run(&line, RUN).unwrap().code == 0
}

#[test]
fn what_checkpoints_and_netplan_try_bring_back() {
    let machine = Lab::host().unwrap();
    machine.ok(NM_SETUP).unwrap();
    assert!(back(&machine, 20));
    checkpoints(&machine);
    machine.ok(NETPLAN_SETUP).unwrap();
    netplan(&machine);
}

fn checkpoints(machine: &Machine) {
    // Nobody confirms, the client is long gone: the daemon brings kernel and profile back.
    machine.ok(CHECKPOINT).unwrap();
    machine.ok(NM_CHANGE).unwrap();
    assert!(!back(machine, 0));
    assert!(back(machine, 60), "a checkpoint that nobody confirms");
    let profile = "nmcli -g ipv4.addresses connection show br-mgmt";
    assert!(has(machine, profile, "10.50.1.12"));
    // VLANs set by hand in the kernel, as on the day: no business of its.
    machine.ok(CHECKPOINT).unwrap();
    machine
        .ok("bridge vlan del dev br-mgmt vid 1 self")
        .unwrap();
    std::thread::sleep(Duration::from_secs(20));
    assert!(!has(machine, "bridge vlan show dev br-mgmt", "1 PVID"));
    machine
        .ok("bridge vlan add dev br-mgmt vid 1 pvid untagged self")
        .unwrap();
    // The daemon itself is killed: its checkpoints die with it.
    machine.ok(CHECKPOINT).unwrap();
    machine.ok(NM_CHANGE).unwrap();
    machine
        .ok("systemctl kill -s KILL NetworkManager; sleep 2; systemctl restart NetworkManager")
        .unwrap();
    assert!(!back(machine, 30), "NetworkManager was killed");
    // What a reboot in the middle would have read: the profile is the new one from the start.
    let file = "grep -h address1 /etc/NetworkManager/system-connections/br-mgmt.nmconnection";
    assert!(has(machine, file, "10.50.2.12"));
}

fn netplan(machine: &Machine) {
    let change = "sed -i s/10.50.1.12/10.50.2.12/ /etc/netplan/10.yaml";
    let tries = "setsid script -qec 'netplan try --timeout 12' /root/try.log \
        </dev/zero >/dev/null 2>&1 & \
        for i in $(seq 150); do ip -br address show dev br-mgmt | grep -q 10.50.2.12 && break; \
        sleep 0.2; done; ip -br address show dev br-mgmt";
    // Nobody confirms: the kernel is taken back, the file that the next boot reads is not.
    machine.ok(change).unwrap();
    machine.ok(tries).unwrap();
    assert!(!back(machine, 0), "netplan try did nothing");
    assert!(back(machine, 40), "netplan try did not take it back");
    assert!(has(machine, "cat /etc/netplan/10.yaml", "10.50.2.12"));
}
