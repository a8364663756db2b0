//! `nofail net apply` on a real host: VLAN filtering, NetworkManager, systemd, sshd; sessions
//! really cut, processes really killed, the host really reset. Times from the cut to the way back
//! are printed.
//!
//! Needs root, QEMU and `NOFAIL_STATIC` (see `./test`).

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::time::{Duration, Instant};

use lab::{Lab, Machine};

const RUN: Duration = Duration::from_secs(60);
const NOFAIL: &str = "/root/nofail";

/// The switch beyond the uplink: a trunk with the native VLAN 100, the desk on it. A unit, so that
/// it is there again after a reset.
const SWITCH: &str = "#!/bin/sh
set -e
ip netns add switch; ip -n switch link set lo up
ip link add eth1 type veth peer name sw1 netns switch
ip -n switch link add sw0 type bridge vlan_filtering 1 vlan_default_pvid 0
ip -n switch link set sw1 master sw0 up
bridge -n switch vlan add dev sw1 vid 100 pvid untagged
bridge -n switch vlan add dev sw0 vid 100 pvid untagged self
ip -n switch address add 10.50.1.200/24 dev sw0
ip -n switch link set sw0 up
mkdir -p /run/sshd
";

const SWITCH_UNIT: &str = "[Unit]\nBefore=network-pre.target NetworkManager.service\n\
    Wants=network-pre.target\nDefaultDependencies=no\nAfter=local-fs.target systemd-udevd.service\n\
    [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/root/switch.sh\n\
    [Install]\nWantedBy=multi-user.target\n";

/// kvm-02's bridge, this time in NetworkManager: the host speaks in VLAN 1 and hears in VLAN 100.
const BRIDGE: &str = "[connection]\nid=br-mgmt\nuuid=0fa11000-0000-4000-8000-00000000000a\n\
    type=bridge\ninterface-name=br-mgmt\n[bridge]\nstp=false\nvlan-filtering=true\n\
    vlan-default-pvid=1\nvlans=1 pvid untagged, 100 untagged\n\
    [ipv4]\nmethod=manual\naddress1=10.50.1.12/24\n[ipv6]\nmethod=disabled\n";
const PORT: &str = "[connection]\nid=eth1\nuuid=0fa11000-0000-4000-8000-00000000000b\n\
    type=ethernet\ninterface-name=eth1\nmaster=br-mgmt\nslave-type=bridge\n\
    [bridge-port]\nvlans=1 untagged, 100 pvid untagged\n";

const SSH: &str = "ip netns exec switch ssh -q -i /root/.ssh/id_ed25519 -o BatchMode=yes \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=2 \
    -o ServerAliveInterval=1 -o ServerAliveCountMax=3 root@10.50.1.12";

const SETUP: &str = "set -e
chmod 755 /root/switch.sh
chmod 600 /etc/NetworkManager/system-connections/*
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
ls /etc/ssh/ssh_host_ed25519_key >/dev/null 2>&1 || \
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
systemctl daemon-reload; systemctl enable -q --now lab-switch.service
systemctl enable -q NetworkManager; systemctl restart NetworkManager
for i in $(seq 100); do nmcli -t connection show 2>/dev/null | grep -q br-mgmt && break; sleep 0.2; done
nmcli -w 20 connection up br-mgmt; nmcli -w 20 connection up eth1
/usr/sbin/sshd -o UseDNS=no -o UsePAM=no";

/// The kernel's VLANs and addresses of the bridge.
const SEEN: &str = "bridge vlan show dev br-mgmt; bridge vlan show dev eth1; \
    ip -br address show dev br-mgmt; ip -4 route show dev br-mgmt";

fn put(machine: &Machine, path: &str, text: &str) {
    machine.put(path, text.as_bytes()).unwrap();
}

fn reaches(machine: &Machine) -> bool {
    let code = machine.run(&format!("{SSH} true"), RUN).unwrap().code;
    code == 0
}

/// Waits until SSH works again; gives the time since `began`.
fn way_back(machine: &Machine, began: Instant, limit: u64) -> f64 {
    while !reaches(machine) {
        let status = || machine.run(&format!("{NOFAIL} net status"), RUN);
        assert!(
            began.elapsed() < Duration::from_secs(limit),
            "no way back: {:?} {:?}",
            status(),
            machine.run(SEEN, RUN)
        );
    }
    began.elapsed().as_secs_f64()
}

/// Waits inside for a phase: the agent's own round trips would blur the times.
fn until(machine: &Machine, phase: &str, seconds: u32) {
    let line = format!(
        "for i in $(seq {}); do {NOFAIL} net status --format json 2>/dev/null | \
         grep -q '\"phase\": \"{phase}\"' && exit 0; sleep 0.1; done; {NOFAIL} net status; exit 1",
        seconds * 5
    );
    let output = machine.run(&line, RUN).unwrap();
    assert_eq!(output.code, 0, "never {phase}: {output:?}");
}

/// When the log says that something happened, in seconds.
fn logged(machine: &Machine, what: &str) -> f64 {
    let log = machine
        .ok("cat $(ls -d /var/lib/nofail/net/2* | tail -1)/log")
        .unwrap();
    let line = log
        .lines()
        .find(|l| l.split_once(' ').is_some_and(|(_, t)| t.starts_with(what)));
    let time = line
        .and_then(|l| l.split('T').nth(1))
        .and_then(|t| t.split('Z').next());
    let time = time.unwrap_or_else(|| panic_with(&log, what));
    let parts: Vec<f64> = time.split(':').map(|p| p.parse().unwrap()).collect();
    parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]
}

#[expect(clippy::panic, reason = "fails the test")]
fn panic_with(log: &str, what: &str) -> ! {
    panic!("the log does not say {what}: {log}")
}

fn restored_in(machine: &Machine, what: &str) {
    let took = logged(machine, "taken back") - logged(machine, "being taken back");
    println!("{what}: restoring took {took:.3} s");
}

/// No PVID that the uplink carries: the host's own frames go nowhere.
const WRONG: &str = "[bridges.br-mgmt]\npvid = 30\nuntagged = [30]\ntagged = []\n";
/// What was meant.
const RIGHT: &str = "[bridges.br-mgmt]\npvid = 100\nuntagged = [100]\ndefault_pvid = 0\n\
    [bridges.br-mgmt.ports.eth1]\npvid = 100\ntagged = [10, 20]\n";

#[test]
fn the_way_comes_back_whatever_is_killed_cut_or_reset() {
    let machine = Lab::host().unwrap();
    let path = std::env::var("NOFAIL_STATIC").expect("NOFAIL_STATIC names a static nofail");
    machine.put(NOFAIL, &std::fs::read(path).unwrap()).unwrap();
    machine
        .ok("hostname kvm-02; echo kvm-02 > /etc/hostname; mkdir -p -m 700 /root/.ssh")
        .unwrap();
    put(&machine, "/root/switch.sh", SWITCH);
    put(
        &machine,
        "/etc/systemd/system/lab-switch.service",
        SWITCH_UNIT,
    );
    let profiles = "/etc/NetworkManager/system-connections";
    put(
        &machine,
        &format!("{profiles}/br-mgmt.nmconnection"),
        BRIDGE,
    );
    put(&machine, &format!("{profiles}/eth1.nmconnection"), PORT);
    put(&machine, "/root/wrong.toml", WRONG);
    put(&machine, "/root/right.toml", RIGHT);
    machine.ok(SETUP).unwrap();
    way_back(&machine, Instant::now(), 60);
    let before = machine.ok(SEEN).unwrap();
    println!("{before}");
    let profile = machine.ok(&format!("cat {profiles}/*")).unwrap();

    session_cut(&machine, &before);
    killed(&machine, &before);
    reset(&machine, &before);
    assert_eq!(machine.ok(&format!("cat {profiles}/*")).unwrap(), profile);
    confirmed(&machine, profiles);
}

fn apply(machine: &Machine, file: &str, more: &str) -> lab::Running {
    let line = format!("{SSH} '{NOFAIL} net apply /root/{file} --yes --console {more}'");
    machine.start_command(&line).unwrap()
}

/// The change of the incident, over SSH: the session is cut, and the way comes back by itself.
fn session_cut(machine: &Machine, before: &str) {
    let running = apply(machine, "wrong.toml", "--confirm 30s --probe-for 3s");
    until(machine, "applied", 30);
    let began = Instant::now();
    assert!(!reaches(machine), "the way is not cut");
    let took = way_back(machine, began, 60);
    until(machine, "restored", 30);
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    let applied = logged(machine, "applied");
    println!(
        "session cut: old state back {:.1} s after the change (3 s of them for the probes), SSH \
         works {took:.1} s after it was seen cut",
        logged(machine, "taken back") - applied
    );
    restored_in(machine, "session cut");
    let _ = machine.wait(running, RUN);
}

/// kill -9 of the applying nofail, and of the process that stands by.
fn killed(machine: &Machine, before: &str) {
    // The unit stands in a cgroup of its own, so a kill of the session's does not reach it.
    let running = apply(machine, "right.toml", "--confirm 6s");
    until(machine, "waiting", 30);
    assert_ne!(machine.ok(SEEN).unwrap(), before);
    let unit = machine
        .ok("systemctl list-units --plain --no-legend 'nofail-net-*'")
        .unwrap();
    assert!(unit.contains("running"), "{unit}");
    machine
        .ok("pkill -9 -f '[n]et apply /root/right.toml'")
        .unwrap();
    until(machine, "restored", 30);
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    restored_in(machine, "nofail killed");
    let _ = machine.wait(running, RUN);

    let running = apply(machine, "right.toml", "--confirm 8s");
    until(machine, "waiting", 30);
    let main = "systemctl show -P MainPID $(systemctl list-units --plain --no-legend 'nofail-net-*' | cut -d' ' -f1)";
    machine
        .ok(&format!(
            "kill -9 $({main}); pkill -9 -f '[n]et apply /root/right.toml'"
        ))
        .unwrap();
    // systemd starts it again.
    until(machine, "restored", 30);
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    restored_in(machine, "nofail and the dead-man killed");
    let _ = machine.wait(running, RUN);
}

/// Power is gone in the middle.
fn reset(machine: &Machine, before: &str) {
    let _ = apply(machine, "wrong.toml", "--confirm 300s --probe-for 300s");
    until(machine, "applied", 30);
    assert!(!reaches(machine), "the way is not cut");
    machine
        .ok("ls /etc/systemd/system/nofail-net-restore-*.service; sync")
        .unwrap();
    let began = Instant::now();
    machine.power_cycle().unwrap();
    println!(
        "reset: the machine is back after {:.0} s",
        began.elapsed().as_secs_f64()
    );
    machine
        .ok("/usr/sbin/sshd -o UseDNS=no -o UsePAM=no")
        .unwrap();
    until(machine, "restored", 120);
    let took = way_back(machine, began, 180);
    println!("reset: the way is back {took:.0} s after it");
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    let left = machine
        .ok("ls /etc/systemd/system | grep nofail || true")
        .unwrap();
    assert_eq!(left, "", "the unit is still there");
}

/// Confirmed from a new connection: kernel and profile, and NetworkManager itself restores it.
fn confirmed(machine: &Machine, profiles: &str) {
    let running = apply(machine, "right.toml", "--confirm 60s");
    until(machine, "waiting", 30);
    let output = machine
        .run(&format!("{SSH} {NOFAIL} net confirm"), RUN)
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let output = machine.wait(running, RUN).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    println!("{}", output.stdout);
    let after = machine.ok(SEEN).unwrap();
    let kept = machine.ok(&format!("cat {profiles}/*")).unwrap();
    assert!(kept.contains("vlan-default-pvid=0"), "{kept}");
    assert!(
        kept.contains("vlans=10, 20, 100 pvid untagged") || kept.contains("100 pvid untagged, 10"),
        "{kept}"
    );
    machine
        .ok(
            "nmcli -w 20 connection down br-mgmt; ip link del br-mgmt 2>/dev/null; \
             nmcli -w 20 connection up br-mgmt && nmcli -w 20 connection up eth1",
        )
        .unwrap();
    let vlans = "bridge vlan show dev br-mgmt; bridge vlan show dev eth1";
    let again = machine.ok(vlans).unwrap();
    assert!(
        after.starts_with(&again),
        "{after}\n--- after NetworkManager:\n{again}"
    );
    way_back(machine, Instant::now(), 60);
}
