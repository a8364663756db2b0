//! `nofail net apply` on a real host: VLAN filtering, NetworkManager, systemd, sshd; sessions
//! really cut, processes really killed, the host really reset. Times from the cut to the way back
//! are printed.
//!
//! Needs root, QEMU and `NOFAIL_STATIC` (see `./test`).

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::time::{Duration, Instant};

use lab::{Lab, Machine};

const RUN: Duration = Duration::from_secs(60);
/// Emulated, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
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
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20 \
    -o ServerAliveInterval=1 -o ServerAliveCountMax=5 root@10.50.1.12";

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

/// A command that must succeed, with the patience that a busy machine needs.
fn ok(machine: &Machine, command: &str) -> String {
    let output = machine.run(command, PATIENCE).unwrap();
    assert_eq!(output.code, 0, "{command}: {output:?}");
    output.stdout
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

/// Waits until the log of the `number`th change says something: `applied`, `waiting`, `taken back`.
fn until(machine: &Machine, number: u32, what: &str) {
    let line = format!(
        "for i in $(seq 600); do d=$(ls -d /var/lib/nofail/net/2* 2>/dev/null | sed -n {number}p); \
         test -n \"$d\" && grep -q 'Z {what}' $d/log && exit 0; sleep 0.2; done; \
         cat /root/out.{number} /var/lib/nofail/net/2*/log; exit 1"
    );
    let output = machine.run(&line, PATIENCE).unwrap();
    assert_eq!(output.code, 0, "change {number}, never {what}: {output:?}");
}

/// Whether the way is cut, told by one echo.
fn is_cut(machine: &Machine) -> bool {
    let ping = "ip netns exec switch ping -q -c 1 -W 1 10.50.1.12";
    machine.run(ping, RUN).unwrap().code != 0
}

/// When the log says that something happened, in seconds.
fn logged(machine: &Machine, number: u32, what: &str) -> f64 {
    let log = machine
        .ok(&format!(
            "cat $(ls -d /var/lib/nofail/net/2* | sed -n {number}p)/log"
        ))
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

fn restored_in(machine: &Machine, number: u32, what: &str) {
    let took = logged(machine, number, "taken back") - logged(machine, number, "being taken back");
    println!("{what}: restoring took {took:.3} s");
}

/// No PVID that the uplink carries: the host's own frames go nowhere.
const WRONG: &str = "[bridges.br-mgmt]\npvid = 30\nuntagged = [30]\ntagged = []\n";
/// What was meant.
const RIGHT: &str = "[bridges.br-mgmt]\npvid = 100\nuntagged = [100]\ndefault_pvid = 0\n\
    [bridges.br-mgmt.ports.eth1]\npvid = 100\ntagged = [10, 20]\n";

#[test]
fn the_way_comes_back_whatever_is_killed_cut_or_reset() {
    let machine = Lab::user_mode_host().unwrap();
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
    ok(&machine, SETUP);
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

/// Applies over SSH, as the `number`th change.
fn apply(machine: &Machine, number: u32, file: &str, more: &str) -> lab::Running {
    let line = format!(
        "{SSH} '{NOFAIL} net apply /root/{file} --yes --console {more} 2>&1' > /root/out.{number}"
    );
    machine.start_command(&line).unwrap()
}

/// The change of the incident, over SSH: the session is cut, and the way comes back by itself.
fn session_cut(machine: &Machine, before: &str) {
    let running = apply(machine, 1, "wrong.toml", "--confirm 60s --probe-for 10s");
    until(machine, 1, "applied");
    let began = Instant::now();
    assert!(is_cut(machine), "the way is not cut");
    let took = way_back(machine, began, 120);
    until(machine, 1, "taken back");
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    let applied = logged(machine, 1, "applied");
    println!(
        "session cut: old state back {:.1} s after the change (10 s of them for the probes), SSH \
         works {took:.1} s after it was seen cut",
        logged(machine, 1, "taken back") - applied
    );
    restored_in(machine, 1, "session cut");
    println!("{}", machine.ok("cat /root/out.1").unwrap());
    let _ = machine.wait(running, PATIENCE);
}

/// kill -9 of the applying nofail, and of the process that stands by.
fn killed(machine: &Machine, before: &str) {
    // The unit stands in a cgroup of its own, so a kill of the session's does not reach it.
    let running = apply(machine, 2, "right.toml", "--confirm 15s");
    until(machine, 2, "waiting");
    assert_ne!(machine.ok(SEEN).unwrap(), before);
    let unit = machine
        .ok("systemctl list-units --plain --no-legend 'nofail-net-*'")
        .unwrap();
    assert!(unit.contains("running"), "{unit}");
    machine
        .ok("pkill -9 -f '[n]et apply /root/right.toml'")
        .unwrap();
    until(machine, 2, "taken back");
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    restored_in(machine, 2, "nofail killed");
    let _ = machine.wait(running, PATIENCE);

    let running = apply(machine, 3, "right.toml", "--confirm 15s");
    until(machine, 3, "waiting");
    let main = "systemctl show -P MainPID $(systemctl list-units --plain --no-legend \
                'nofail-net-*' | cut -d' ' -f1)";
    machine
        .ok(&format!(
            "kill -9 $({main}); pkill -9 -f '[n]et apply /root/right.toml'"
        ))
        .unwrap();
    // systemd starts it again.
    until(machine, 3, "taken back");
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    restored_in(machine, 3, "nofail and the dead-man killed");
    let _ = machine.wait(running, PATIENCE);
}

/// Power is gone in the middle.
fn reset(machine: &Machine, before: &str) {
    let _ = apply(machine, 4, "wrong.toml", "--confirm 300s --probe-for 300s");
    until(machine, 4, "applied");
    assert!(is_cut(machine), "the way is not cut");
    machine
        .ok("ls /etc/systemd/system/nofail-net-restore-*.service; sync")
        .unwrap();
    let began = Instant::now();
    machine.power_cycle().unwrap();
    println!(
        "reset: the machine is back after {:.0} s",
        began.elapsed().as_secs_f64()
    );
    // The agent answers long before the boot has ended.
    ok(
        machine,
        "for i in $(seq 600); do ip netns exec switch true 2>/dev/null && break; sleep 0.2; done; \
         mkdir -p /run/sshd; /usr/sbin/sshd -o UseDNS=no -o UsePAM=no",
    );
    until(machine, 4, "taken back");
    let took = way_back(machine, began, 240);
    println!("reset: the way is back {took:.0} s after it");
    assert_eq!(machine.ok(SEEN).unwrap(), before);
    let left = machine
        .ok("ls /etc/systemd/system | grep nofail || true")
        .unwrap();
    assert_eq!(left, "", "the unit is still there");
}

/// Confirmed from a new connection: kernel and profile, and NetworkManager itself restores it.
fn confirmed(machine: &Machine, profiles: &str) {
    let running = apply(machine, 5, "right.toml", "--confirm 120s");
    until(machine, 5, "waiting");
    let output = machine
        .run(&format!("{SSH} {NOFAIL} net confirm"), PATIENCE)
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let output = machine.wait(running, PATIENCE).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    println!("{}", machine.ok("cat /root/out.5").unwrap());
    let after = machine.ok(SEEN).unwrap();
    let kept = machine.ok(&format!("cat {profiles}/*")).unwrap();
    assert!(kept.contains("vlan-default-pvid=0"), "{kept}");
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
