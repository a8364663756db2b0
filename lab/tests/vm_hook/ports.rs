//! Ports that look like guests', and the hook called as libvirt calls it.

use crate::{NOFAIL, RUN, SITE, carry, vlans};
use lab::{Lab, Machine, NfsServer};
use std::time::Instant;

const RIGHT: &str = "10,20,30,40,100 pvid untagged,110,120";

/// A bridge with `$1` ports as taps are when a guest starts, and the live XML of guests: ten ports
/// for `bind-01`, one each for g10, g11, ….
const SET_UP: &str = r#"set -e
cat > /root/ports <<'END'
set -e
ip link del br-mgmt 2>/dev/null || true
for v in $(ls /sys/class/net | grep ^vnet); do echo "link del $v"; done | ip -batch -
ip link add br-mgmt type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set br-mgmt up
for i in $(seq 0 $(($1 - 1))); do echo "link add vnet$i type veth peer name p$i"; done > /run/add
for i in $(seq 0 $(($1 - 1))); do echo "link set vnet$i master br-mgmt up"; done >> /run/add
ip -batch /run/add
END
cat > /root/reset <<'END'
for i in $(seq 0 $(($1 - 1))); do
    echo "link set vnet$i nomaster"; echo "link set vnet$i master br-mgmt"
done > /run/reset
ip -batch /run/reset
END
interface() { cat <<END
    <interface type='bridge'><mac address='52:54:00:00:00:$(printf %02x $1)'/>
      <source bridge='br-mgmt'/><target dev='vnet$1'/><model type='virtio'/>
    </interface>
END
}
domain() { # NAME FIRST LAST
    echo "<domain type='qemu' id='1'><name>$1</name><memory unit='KiB'>65536</memory>"
    echo "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
    for i in $(seq $2 $3); do interface $i; done
    echo "</devices></domain>"
}
domain bind-01 0 9 > /root/bind-01.xml
for i in $(seq 10 59); do domain g$i $i $i > /root/g$i.xml; done
"#;

/// The same job as hooks on the day did it: one `bridge` for each VLAN, one `logger` for each port.
const SHELL_HOOK: &str = r#"#!/bin/bash
[ "$2" = start ] || exit 0
for port in $(sed -n "s/.*<target dev='\(vnet[0-9]*\)'.*/\1/p"); do
    bridge vlan add dev "$port" vid 100 pvid untagged
    for vid in 10 20 30 40 110 120; do bridge vlan add dev "$port" vid "$vid"; done
    bridge vlan del dev "$port" vid 1
    logger -t "libvirt-hook[$1]" "set VLANs of $port: $(bridge vlan show dev "$port" | tr '\n' ' ')"
done
"#;

/// Microseconds that each takes on ten fresh ports, turn and turn about, so that whatever else this
/// machine does slows both: `ours TIME` three times a round, `shell TIME` once.
const TIMED: &str = r#"
timed() { # WORD COMMAND...
    word=$1; shift
    bash /root/reset 10
    from=$EPOCHREALTIME
    "$@" bind-01 start begin - < /root/bind-01.xml
    to=$EPOCHREALTIME
    echo $word $(( ${to/./} - ${from/./} ))
}
for round in 1 2 3 4 5; do
    for turn in 1 2 3; do
        timed ours "$@"
        [ $(bridge vlan show | grep -c '100 PVID Egress Untagged') = 10 ] || exit 7
    done
    timed shell bash /root/hook.sh
done"#;

fn expect_all(machine: &Machine, count: usize) {
    let now = vlans(machine);
    for port in 0..count {
        assert_eq!(now[&format!("vnet{port}")], RIGHT, "vnet{port}: {now:?}");
    }
}

#[test]
fn the_hook_sets_ports_in_time_whatever_hangs() {
    let nas = NfsServer::start(&["vms"]).unwrap();
    let machine = Lab::user_mode_host().unwrap();
    carry(&machine);
    machine.ok(SET_UP).unwrap();
    machine.put("/root/hook.sh", SHELL_HOOK.as_bytes()).unwrap();
    machine.put("/root/timed", TIMED.as_bytes()).unwrap();
    machine.ok("bash /root/ports 10").unwrap();
    sets_reads_back_and_logs(&machine);
    policies(&machine);
    hanging_input_journal_and_files(&machine, &nas);
    many_times_faster_than_a_shell(&machine);
    fifty_at_once(&machine);
}

/// What the hook left in the journal, once `count` ports are told of: it answers before it writes.
fn logged(machine: &Machine, count: usize) -> Vec<serde_json::Value> {
    let began = Instant::now();
    loop {
        let log = machine
            .ok("journalctl --sync; journalctl -t nofail-hook -o json --no-pager")
            .unwrap();
        let entries: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if entries.iter().filter(|e| e["RESULT"].is_string()).count() >= count {
            return entries;
        }
        assert!(began.elapsed() < RUN, "{log}");
    }
}

/// Events of a guest that the hook recorded, once there are `count`. No daemon runs.
fn recorded(machine: &Machine, guest: &str, count: usize) -> Vec<serde_json::Value> {
    let began = Instant::now();
    loop {
        let ask =
            format!("{NOFAIL} events --guest {guest} --kind guest.hook --limit 0 --format json");
        let output = machine.run(&ask, RUN).unwrap();
        if output.code == 0 {
            let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            let events = document["events"].as_array().unwrap().clone();
            if events.len() >= count {
                return events;
            }
        }
        assert!(began.elapsed() < RUN, "{output:?}");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

fn sets_reads_back_and_logs(machine: &Machine) {
    let before = vlans(machine);
    assert_eq!(before["vnet3"], "1 pvid untagged", "{before:?}");
    // Before there are devices, and after they are gone, nothing is touched.
    for phase in [
        "prepare begin",
        "restore begin",
        "stopped end",
        "release end",
    ] {
        let hook = format!("{NOFAIL} hook run bind-01 {phase} - < /root/bind-01.xml 2>&1");
        assert_eq!(machine.ok(&hook).unwrap(), "", "{phase}");
    }
    assert_eq!(vlans(machine), before);
    let hook = format!("{NOFAIL} hook run -- bind-01 start begin - < /root/bind-01.xml 2>&1");
    assert_eq!(machine.ok(&hook).unwrap(), "", "nothing on standard output");
    expect_all(machine, 10);
    let again = format!("{NOFAIL} hook run bind-01 started begin - < /root/bind-01.xml 2>&1");
    assert_eq!(machine.ok(&again).unwrap(), "");
    let entries = logged(machine, 20);
    let of = |phase: &str, result: &str| {
        let fits = |e: &&serde_json::Value| e["PHASE"] == phase && e["RESULT"] == result;
        entries.iter().filter(fits).collect::<Vec<_>>()
    };
    let changed = of("start", "changed");
    assert_eq!(changed.len(), 10, "{entries:#?}");
    let entry = changed.iter().find(|e| e["PORT"] == "vnet7").unwrap();
    assert_eq!(entry["GUEST"], "bind-01");
    assert_eq!(entry["BRIDGE"], "br-mgmt");
    assert_eq!(entry["BEFORE"], "1 pvid untagged");
    assert_eq!(entry["AFTER"], "100 pvid untagged, 10,20,30,40,110,120");
    assert_eq!(of("started", "already-so").len(), 10, "{entries:#?}");
    // What was changed is an event; what was as planned is none.
    let events = recorded(machine, "bind-01", 10);
    assert_eq!(events.len(), 10, "{events:#?}");
    let event = events.iter().find(|e| e["subject"] == "vnet7").unwrap();
    assert_eq!(event["before"], "1 pvid untagged");
    assert_eq!(event["after"], "100 pvid untagged, 10,20,30,40,110,120");
    assert_eq!(event["source"], "hook");
    // A plan of the guest's own.
    machine
        .ok(&format!(
            "sed s/bind-01/vyos-01/ /root/bind-01.xml | {NOFAIL} hook run vyos-01 started begin -"
        ))
        .unwrap();
    assert_eq!(vlans(machine)["vnet0"], "10,20,100 pvid untagged");
    // Typed by hand, in part wrong: what is too much goes, what is missing comes.
    machine
        .ok("bridge vlan add dev vnet0 vid 1 pvid untagged; bridge vlan add dev vnet0 vid 500-600")
        .unwrap();
    machine.ok(&hook).unwrap();
    expect_all(machine, 10);
}

fn many_times_faster_than_a_shell(machine: &Machine) {
    let output = machine
        .run(&format!("bash /root/timed {NOFAIL} hook run"), 2 * RUN)
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    expect_all(machine, 10);
    let median = |word: &str| {
        let mut times: Vec<u64> = output
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix(word)?.trim().parse().ok())
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (ours, shell) = (median("ours"), median("shell"));
    let ratio = shell as f64 / ours as f64;
    println!(
        "10 ports: nofail {ours} us, shell with bridge and logger {shell} us: {ratio:.0} times"
    );
    assert!(ratio >= 30.0, "{ours} us against {shell} us");
}

/// What comes of a plan that cannot be met.
fn policies(machine: &Machine) {
    let gone = "sed s/vnet3/vnet99/ /root/bind-01.xml";
    for (policy, operation, code) in [
        ("allow", "start", 0),
        ("block", "start", 1),
        // A guest that runs is never ended.
        ("block", "started", 0),
        ("block", "reconnect", 0),
    ] {
        let command =
            format!("{gone} | {NOFAIL} hook run --policy {policy} bind-01 {operation} begin -");
        let output = machine.run(&command, RUN).unwrap();
        assert_eq!(output.code, code, "{policy} {operation}: {output:?}");
        assert_eq!(output.stdout, "");
        assert_eq!(output.stderr.contains("vnet99"), code == 1, "{output:?}");
    }
    for (broken, word) in [
        ("[bridges", "site.toml:1:"),
        ("", "site.toml: No such file"),
    ] {
        if broken.is_empty() {
            machine.ok("rm /etc/nofail/site.toml").unwrap();
        } else {
            machine
                .put("/etc/nofail/site.toml", broken.as_bytes())
                .unwrap();
        }
        let command =
            format!("{NOFAIL} hook run --policy block bind-01 prepare begin - < /root/bind-01.xml");
        let output = machine.run(&command, RUN).unwrap();
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains(word), "{output:?}");
    }
    machine
        .put("/etc/nofail/site.toml", SITE.as_bytes())
        .unwrap();
}

/// Microseconds that a command takes inside, and its exit code.
fn timed(machine: &Machine, command: &str) -> (u64, String) {
    let output = machine
        .run(
            &format!("from=$EPOCHREALTIME; {command}; code=$?; to=$EPOCHREALTIME; echo $code $(( ${{to/./}} - ${{from/./}} ))"),
            RUN,
        )
        .unwrap();
    let last = output.stdout.lines().last().unwrap().to_owned();
    let (code, time) = last.split_once(' ').unwrap();
    (time.parse().unwrap(), code.to_owned())
}

fn hanging_input_journal_and_files(machine: &Machine, nas: &NfsServer) {
    let within = |what: &str, code: &str, command: &str| {
        let (time, ended) = timed(machine, command);
        println!("{what}: {time} us, exit code {ended}");
        assert_eq!(ended, code, "{what}");
        // One second of deadline, and what an emulated machine needs to start two processes.
        assert!(time < 1_700_000, "{what}: {time} us");
    };
    let run = format!("{NOFAIL} hook run --deadline 1");
    // Standard input that never ends.
    machine.ok("rm -f /run/never; mkfifo /run/never; nohup sh -c 'exec 3<>/run/never; sleep 600' >/dev/null 2>&1 & echo").unwrap();
    within(
        "endless input",
        "0",
        &format!("{run} bind-01 start begin - < /run/never"),
    );
    within(
        "endless input, blocking",
        "1",
        &format!("{run} --policy block bind-01 start begin - < /run/never 2>/dev/null"),
    );
    // A site.toml that cannot be opened: a pipe without a writer, then a NAS that is gone.
    machine.ok("mkfifo /run/no-writer").unwrap();
    within(
        "site.toml is a pipe",
        "0",
        &format!("{run} --site /run/no-writer bind-01 start begin - < /root/bind-01.xml"),
    );
    let (source, options) = (nas.source("vms"), nas.options());
    std::fs::write(nas.directory("vms").join("site.toml"), SITE).unwrap();
    machine
        .ok(&format!(
            "mkdir -p /mnt/nas && mount -t nfs -o {options},noac,actimeo=0,lookupcache=none {source} /mnt/nas"
        ))
        .unwrap();
    machine.ok("bash /root/reset 10").unwrap();
    // How long a NAS takes that works, on a busy machine, is not what is asked here.
    let patient = format!("{NOFAIL} hook run --deadline 60 --site /mnt/nas/site.toml");
    machine
        .ok(&format!(
            "{patient} bind-01 start begin - < /root/bind-01.xml"
        ))
        .unwrap();
    let on_nas = format!("{run} --site /mnt/nas/site.toml");
    expect_all(machine, 10);
    nas.hang().unwrap();
    within(
        "site.toml on a NAS that hangs",
        "1",
        &format!("{on_nas} --policy block bind-01 start begin - < /root/bind-01.xml 2>/dev/null"),
    );
    nas.go_on().unwrap();
    // A journal that takes nothing more: its queue is full. All in one command, since the machine's
    // own agent logs as well, and waits.
    machine.put("/root/full", FULL_JOURNAL.as_bytes()).unwrap();
    machine.ok("bash /root/reset 10").unwrap();
    let output = machine
        .run(&format!("NOFAIL='{run}' bash /root/full"), RUN)
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let time = machine.ok("cut -d ' ' -f 2 /run/full.time").unwrap();
    println!("journald stopped: {} us", time.trim());
    assert!(time.trim().parse::<u64>().unwrap() < 1_700_000, "{time}");
    expect_all(machine, 10);
    machine.ok("umount -l /mnt/nas").unwrap();
}

/// The journal is stopped and its queue filled; then the hook runs, and its time is taken anew.
const FULL_JOURNAL: &str = r#"
systemctl kill -s STOP systemd-journald
for i in $(seq 300); do timeout 1 logger -t x "filling" & done
sleep 3
from=$EPOCHREALTIME
$NOFAIL bind-01 start begin - < /root/bind-01.xml
code=$?
to=$EPOCHREALTIME
echo $code $(( ${to/./} - ${from/./} )) > /run/full.time
systemctl kill -s CONT systemd-journald
wait
exit $code
"#;

/// Holds the RTNL lock for seconds at a time, as no signal can end: devices with 4,096 queues each go
/// in one request, and each queue has a dozen files in sysfs. Meanwhile the hook runs, and beside it
/// a witness that shows how long the lock was held.
const HELD_RTNL: &str = r#"
systemctl stop systemd-udevd systemd-udevd-kernel.socket systemd-udevd-control.socket 2>/dev/null
modprobe dummy numdummies=0 2>/dev/null
make() { ip link add "hog$1" group 77 numtxqueues 4096 numrxqueues 4096 type dummy || exit 9; }
for i in $(seq 40); do make $i; done
bash /root/reset 10
ports() { bridge vlan show | grep -c '100 PVID'; }
from=$EPOCHREALTIME
$NOFAIL bind-01 stopped end - < /root/bind-01.xml
to=$EPOCHREALTIME
idle=$(( ${to/./} - ${from/./} ))
ip link del group 77 &
sleep 0.3
from=$EPOCHREALTIME
bridge vlan show dev vnet0 > /dev/null &
witness=$!
$NOFAIL bind-01 start begin - < /root/bind-01.xml 2> /run/rtnl.said
code=$?
to=$EPOCHREALTIME
wait $witness
end=$EPOCHREALTIME
first=$(ports)
sleep 2
echo $code $(( ${to/./} - ${from/./} )) $(( ${end/./} - ${from/./} )) $first $(ports) $idle > /run/rtnl
wait
systemctl start systemd-udevd 2>/dev/null
exit 0
"#;

#[test]
fn the_kernel_answers_nobody_and_the_hook_ends_in_time() {
    let machine = Lab::host().unwrap();
    carry(&machine);
    machine.ok(SET_UP).unwrap();
    machine.ok("bash /root/ports 10").unwrap();
    rtnl_is_held(&machine);
}

/// The hook ends in time, and what it leaves behind does nothing later.
fn rtnl_is_held(machine: &Machine) {
    machine.put("/root/held", HELD_RTNL.as_bytes()).unwrap();
    let command = format!("NOFAIL='{NOFAIL} hook run --deadline 1 --policy block' bash /root/held");
    let output = machine.run(&command, 3 * RUN).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let told = machine.ok("cat /run/rtnl /run/rtnl.said").unwrap();
    let numbers: Vec<u64> = told
        .lines()
        .next()
        .unwrap()
        .split(' ')
        .map(|n| n.parse().unwrap())
        .collect();
    let [code, hook, held, at_once, later, idle] = numbers[..] else {
        panic!("{told}");
    };
    println!(
        "RTNL held for {held} us: the hook ended after {hook} us, exit code {code}; a call that does nothing takes {idle} us"
    );
    assert!(held > 1_500_000, "the lock was not held: {told}");
    assert_eq!(code, 1, "{told}");
    // Its deadline, and what this machine needs just now for a call that does nothing.
    assert!(hook < 1_300_000 + 5 * idle, "{told}");
    assert!(told.contains("no answer within 1 s"), "{told}");
    assert_eq!((at_once, later), (0, 0), "set after the deadline: {told}");
    // The first process has it recorded.
    let event = &recorded(machine, "bind-01", 1)[0];
    assert!(
        event["message"].as_str().unwrap().contains("no answer"),
        "{event}"
    );
}

/// Fifty guests start at once: after a power cut, say.
fn fifty_at_once(machine: &Machine) {
    machine.ok("bash /root/ports 60").unwrap();
    let command = format!(
        "for i in $(seq 10 59); do {NOFAIL} hook run --deadline 60 --policy block g$i start begin - < /root/g$i.xml & \
         pids=\"$pids $!\"; done; bad=0; for p in $pids; do wait $p || bad=$((bad + 1)); done; echo $bad"
    );
    let output = machine.run(&command, RUN).unwrap();
    assert_eq!(output.stdout.trim(), "0", "{output:?}");
    let now = vlans(machine);
    for port in 10..60 {
        assert_eq!(now[&format!("vnet{port}")], RIGHT, "vnet{port}");
    }
    // Nobody touched the others.
    assert_eq!(now["vnet0"], "1 pvid untagged");
}
