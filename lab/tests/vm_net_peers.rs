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
    org.freedesktop.NetworkManager CheckpointCreate aouu 0 8 0";

/// What an administrator types, with a checkpoint around it.
const NM_CHANGE: &str = "nmcli connection modify br-mgmt ipv4.addresses 10.50.2.12/24 && \
    nmcli -w 20 connection up br-mgmt >/dev/null && nmcli -w 20 connection up eth1 >/dev/null";

fn has(machine: &Machine, command: &str, text: &str) -> bool {
    machine.run(command, RUN).unwrap().stdout.contains(text)
}

/// A bridge of NetworkManager's own, beside netplan's, for the reset that both go through.
const NM_BESIDE: &str = "set -e
cat > /etc/NetworkManager/system-connections/br-nm.nmconnection <<END
[connection]
id=br-nm
type=bridge
interface-name=br-nm
[bridge]
stp=false
[ipv4]
method=manual
address1=10.61.0.1/24
[ipv6]
method=disabled
END
chmod 600 /etc/NetworkManager/system-connections/br-nm.nmconnection
rm -f /etc/NetworkManager/system-connections/br-mgmt.* /etc/NetworkManager/system-connections/eth1.*
systemctl enable -q NetworkManager systemd-networkd; systemctl restart NetworkManager
for i in $(seq 100); do nmcli -t connection show 2>/dev/null | grep -q br-nm && break; sleep 0.2; done
nmcli -w 20 connection up br-nm";

const NM_BESIDE_CHANGE: &str = "nmcli connection modify br-nm ipv4.addresses 10.61.0.2/24 && \
    nmcli -w 20 connection up br-nm >/dev/null";

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
fn long_what_checkpoints_and_netplan_try_bring_back() {
    let machine = Lab::user_mode_host().unwrap();
    machine.ok(NM_SETUP).unwrap();
    assert!(back(&machine, 20));
    checkpoints(&machine);
    machine.ok(NETPLAN_SETUP).unwrap();
    netplan(&machine);
}

#[test]
fn long_what_a_lost_terminal_a_kill_and_a_reset_leave_of_netplan_try() {
    let machine = Lab::user_mode_host().unwrap();
    machine.ok(NM_SETUP).unwrap();
    machine.ok(NETPLAN_SETUP).unwrap();
    lost_and_killed(&machine);
    reset(&machine);
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
    std::thread::sleep(Duration::from_secs(12));
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
    assert!(!back(machine, 14), "NetworkManager was killed");
    // What a reboot in the middle would have read: the profile is the new one from the start.
    let file = "grep -h address1 /etc/NetworkManager/system-connections/br-mgmt.nmconnection";
    assert!(has(machine, file, "10.50.2.12"));
}

const NETPLAN_CHANGE: &str = "sed -i s/10.50.1.12/10.50.2.12/ /etc/netplan/10.yaml";

/// `netplan try` in a terminal of its own, as in an SSH session; ends once the new address is there.
const NETPLAN_TRY: &str = "setsid script -qec 'netplan try --timeout 8' /root/try.log \
    </dev/zero >/dev/null 2>&1 & \
    for i in $(seq 150); do ip -br address show dev br-mgmt | grep -q 10.50.2.12 && break; \
    sleep 0.2; done; ip -br address show dev br-mgmt";

fn netplan(machine: &Machine) {
    let tries = || {
        machine.ok(NETPLAN_CHANGE).unwrap();
        machine.ok(NETPLAN_TRY).unwrap();
        assert!(!back(machine, 0), "netplan try did nothing");
    };
    let file_is_new = || has(machine, "cat /etc/netplan/10.yaml", "10.50.2.12");
    // Nobody confirms: the kernel is taken back, the file that the next boot reads is not.
    tries();
    assert!(back(machine, 40), "netplan try did not take it back");
    assert!(file_is_new());
}

fn lost_and_killed(machine: &Machine) {
    let old = "sed -i s/10.50.2.12/10.50.1.12/ /etc/netplan/10.yaml; netplan apply";
    let tries = || {
        machine.ok(NETPLAN_CHANGE).unwrap();
        machine.ok(NETPLAN_TRY).unwrap();
        assert!(!back(machine, 0), "netplan try did nothing");
    };
    // The session is lost: its terminal hangs up, which ends it without a word.
    tries();
    machine.ok("pkill -9 -x script").unwrap();
    assert!(!back(machine, 13), "netplan try outlived its terminal");
    assert!(has(machine, "cat /etc/netplan/10.yaml", "10.50.2.12"));
    // It is killed itself: nobody else stands by.
    machine.ok(old).unwrap();
    assert!(back(machine, 20));
    tries();
    machine.ok("pkill -9 -f '[n]etplan try'").unwrap();
    assert!(!back(machine, 12), "somebody stood by for netplan try");
    assert!(has(machine, "cat /etc/netplan/10.yaml", "10.50.2.12"));
}

/// The power goes while `netplan try` waits and while a checkpoint is open.
fn reset(machine: &Machine) {
    let old = "sed -i s/10.50.2.12/10.50.1.12/ /etc/netplan/10.yaml; netplan apply";
    machine.ok(old).unwrap();
    machine.ok(NM_BESIDE).unwrap();
    assert!(back(machine, 20));
    machine.ok(&CHECKPOINT.replace("8 0", "300 0")).unwrap();
    machine.ok(NM_BESIDE_CHANGE).unwrap();
    machine.ok(NETPLAN_CHANGE).unwrap();
    machine
        .ok(&NETPLAN_TRY.replace("--timeout 8", "--timeout 300"))
        .unwrap();
    machine.ok("sync").unwrap();
    machine.power_cycle().unwrap();
    let up = |device: &str, address: &str| {
        let line = format!(
            "for i in $(seq 300); do ip -br address show dev {device} 2>/dev/null | \
             grep -q {address} && exit 0; sleep 0.2; done; ip -br address; exit 1"
        );
        let seen = machine.run(&line, RUN).unwrap();
        assert_eq!(seen.code, 0, "after the reset: {seen:?}");
    };
    // Both come up with what was never confirmed.
    up("br-mgmt", "10.50.2.12");
    up("br-nm", "10.61.0.2");
}
