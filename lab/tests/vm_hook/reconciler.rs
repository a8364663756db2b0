//! The reconciler follows a real kernel: whoever changes a guest's port, it is put right at once.

use crate::{NOFAIL, RUN, carry, vlans};
use lab::{Lab, Machine};
use serde_json::Value;
use std::time::{Duration, Instant};

const RIGHT: &str = "10,20,30,40,100 pvid untagged,110,120";

/// Three guests that run, by what libvirt keeps of them; bind-01's second interface is plugged in
/// later.
const SET_UP: &str = r#"set -e
mkdir -p /run/libvirt/qemu
ip link add br-mgmt type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set br-mgmt up
interface() {
    echo "<interface type='bridge'><mac address='52:54:00:00:00:0$1'/>"
    echo "<source bridge='br-mgmt'/><target dev='vnet$1'/></interface>"
}
cat > /root/plug <<'END'
ip link add vnet$1 address fe:54:00:00:00:0$1 type veth peer name p$1
ip link set vnet$1 master br-mgmt up
END
status() { # NAME PORT...
    name=$1; shift
    {
        echo "<domstatus state='running' pid='1'><domain type='qemu' id='1'><name>$name</name>"
        echo "<memory unit='KiB'>65536</memory><devices>"
        for port; do interface $port; done
        echo "</devices></domain></domstatus>"
    } > /run/libvirt/qemu/$name.new
    mv /run/libvirt/qemu/$name.new /run/libvirt/qemu/$name.xml
}
declare -f interface status > /root/lib
status bind-01 0; status vyos-01 1; status ise-01 2
for i in 0 1 2; do bash /root/plug $i; done
"#;

/// The same by a shell script, as one would write it.
const SHELL: &str = r#"
stdbuf -oL bridge monitor link | while read -r line; do
    for port in vnet0 vnet2; do
        bridge vlan show dev $port | grep -q '100 PVID Egress Untagged' && continue
        bridge vlan add dev $port vid 100 pvid untagged
        for vid in 10 20 30 40 110 120; do bridge vlan add dev $port vid $vid; done
        bridge vlan del dev $port vid 1
        bridge vlan show dev $port > /dev/null
        logger -t reconcile "$port was put right"
        echo $EPOCHREALTIME >> /run/shell.times
    done
done"#;

/// Waits until a port has these VLANs.
fn until(machine: &Machine, port: &str, wanted: &str) {
    let began = Instant::now();
    loop {
        let now = vlans(machine);
        if now.get(port).map(String::as_str) == Some(wanted) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{port}: {now:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn events(machine: &Machine) -> Vec<Value> {
    let text = machine.ok("cat /run/events").unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Microseconds since 1970 of the last event or line.
fn microseconds(text: &str) -> u64 {
    text.trim().replace(['.', ','], "").parse().unwrap()
}

/// Types a wrong PVID by hand; returns the time just after.
const BY_HAND: &str = "bridge vlan add dev vnet0 vid 1 pvid untagged; echo $EPOCHREALTIME";

#[test]
fn whoever_changes_a_port_it_is_put_right() {
    let machine = Lab::user_mode_host().unwrap();
    carry(&machine);
    machine.ok(SET_UP).unwrap();
    let once = |flags: &str| {
        machine
            .run(&format!("{NOFAIL} vlan reconcile --once {flags}"), RUN)
            .unwrap()
    };
    let seen = once("--dry-run");
    assert_eq!(seen.code, 1, "{seen:?}");
    assert!(
        seen.stdout.contains("vnet0 on br-mgmt has 1 pvid untagged"),
        "{seen:?}"
    );
    assert_eq!(vlans(&machine)["vnet0"], "1 pvid untagged");
    let done = once("");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(vlans(&machine)["vnet0"], RIGHT);
    assert_eq!(vlans(&machine)["vnet1"], "10,20,100 pvid untagged");
    assert!(once("").stdout.contains("every guest's port is as planned"));

    let shell = shell_takes(&machine);
    let running = machine
        .start_command(&format!(
            "exec {NOFAIL} vlan reconcile --format json > /run/events 2>&1"
        ))
        .unwrap();
    machine
        .ok("for i in $(seq 50); do pgrep -x nofail >/dev/null && break; sleep 0.1; done; sleep 1")
        .unwrap();
    let ours = ours_takes(&machine);
    println!(
        "a PVID typed by hand was put right after {ours} us by nofail, {shell} us by a shell script: {:.0} times",
        shell as f64 / ours as f64
    );
    assert!(ours * 20 < shell, "{ours} us against {shell} us");
    hot_plugged(&machine);
    network_manager(&machine);
    flooded(&machine);
    flapping(&machine);
    assert_eq!(
        machine.finished(running).unwrap(),
        None,
        "it ended by itself"
    );
    machine.ok("pkill -x nofail").unwrap();
}

/// Median of five, microseconds.
fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

fn shell_takes(machine: &Machine) -> u64 {
    machine.put("/root/shell", SHELL.as_bytes()).unwrap();
    let running = machine.start_command("exec bash /root/shell").unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let times = (1..=5).map(|round| {
        let from = microseconds(&machine.ok(BY_HAND).unwrap());
        let began = Instant::now();
        loop {
            let lines = machine
                .ok("cat /run/shell.times 2>/dev/null || true")
                .unwrap();
            if lines.lines().count() >= round {
                return microseconds(lines.lines().last().unwrap()) - from;
            }
            assert!(began.elapsed() < RUN, "the shell did nothing");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let times = times.collect();
    machine
        .ok("pkill -f '[b]ridge monitor'; pkill -f '/root/[s]hell'; true")
        .unwrap();
    let _ = machine.wait(running, RUN).unwrap();
    median(times)
}

fn ours_takes(machine: &Machine) -> u64 {
    let times = (1..=3).map(|round| {
        let from = microseconds(&machine.ok(BY_HAND).unwrap());
        until(machine, "vnet0", RIGHT);
        let all = events(machine);
        assert_eq!(all.len(), round, "{all:?}");
        let event = all.last().unwrap();
        assert_eq!(event["kind"], "vlan.repaired", "{event}");
        assert_eq!(event["guest"], "bind-01");
        assert_eq!(
            event["before"],
            "1 pvid untagged, 100 untagged, 10,20,30,40,110,120"
        );
        let time: String = event["time"].as_str().unwrap().to_owned();
        let command = format!("date -d {time} +%s.%N");
        let at = machine.ok(&command).unwrap();
        let at: f64 = at.trim().parse().unwrap();
        ((at * 1e6) as u64).saturating_sub(from)
    });
    median(times.collect())
}

/// A second interface for bind-01: no hook fires, and libvirt writes its status a little later.
fn hot_plugged(machine: &Machine) {
    machine
        .ok("bash /root/plug 5; sleep 0.3; . /root/lib; status bind-01 0 5")
        .unwrap();
    until(machine, "vnet5", RIGHT);
    // One of a guest with VLANs of its own never gets those of the bridge first.
    machine
        .ok("bash /root/plug 6; sleep 0.3; . /root/lib; status vyos-01 1 6; ip link set p6 up")
        .unwrap();
    until(machine, "vnet6", "10,20,100 pvid untagged");
    let of_6: Vec<Value> = events(machine)
        .into_iter()
        .filter(|e| e["subject"] == "vnet6")
        .collect();
    assert_eq!(of_6.len(), 1, "{of_6:?}");
    assert_eq!(of_6[0]["before"], "1 pvid untagged");
    // Nobody ever tells whose it is: as the bridge says.
    machine.ok("bash /root/plug 7").unwrap();
    until(machine, "vnet7", RIGHT);
}

/// NetworkManager holds another opinion of a port's VLANs, and applies it anew.
fn network_manager(machine: &Machine) {
    let output = machine
        .run(
            "set -e; systemctl start NetworkManager
nmcli connection add type bridge con-name br ifname br-nm bridge.vlan-filtering yes bridge.stp no ipv4.method disabled ipv6.method disabled
nmcli connection up br
nmcli connection add type veth con-name port ifname vnet8 veth.peer p8 master br-nm slave-type bridge bridge-port.vlans '1 pvid untagged'
nmcli connection up port
sed 's/br-mgmt/br-nm/' /etc/nofail/site.toml >> /run/more; sed 's/br-mgmt/br-nm/; /guests/,$d' /etc/nofail/site.toml > /run/nm; cat /run/nm >> /etc/nofail/site.toml",
            RUN,
        )
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    until(machine, "vnet8", RIGHT);
    let before = events(machine).len();
    machine
        .ok("nmcli connection modify port bridge-port.vlans '30 pvid untagged'; nmcli device reapply vnet8 || nmcli connection up port")
        .unwrap();
    let began = Instant::now();
    loop {
        let all = events(machine);
        let again = all.iter().skip(before).any(|e| e["subject"] == "vnet8");
        if again {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{all:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    until(machine, "vnet8", RIGHT);
}

/// More notifications than the socket holds, while nobody reads them.
fn flooded(machine: &Machine) {
    machine
        .ok("pkill -STOP -x nofail
for i in $(seq 2000); do echo \"vlan add dev vnet2 vid $((1000 + i))\"; done > /run/flood
bridge -batch /run/flood; bridge vlan add dev vnet2 vid 1 pvid untagged
pkill -CONT -x nofail")
        .unwrap();
    until(machine, "vnet2", RIGHT);
    let all = events(machine);
    assert!(
        all.iter().any(|e| e["message"]
            .as_str()
            .unwrap()
            .contains("all were read anew")),
        "{all:?}"
    );
}

/// Somebody sets it back each time.
fn flapping(machine: &Machine) {
    machine
        .ok("for i in $(seq 20); do bridge vlan add dev vnet7 vid 1 pvid untagged; sleep 0.5; done")
        .unwrap();
    let all = events(machine);
    let of = |kind: &str| {
        let fits = |e: &&Value| e["kind"] == kind && e["subject"] == "vnet7";
        all.iter().filter(fits).count()
    };
    assert_eq!(of("vlan.flapping"), 1, "{all:#?}");
    // Once when it was plugged in, then up to the limit.
    assert!(of("vlan.repaired") <= 6, "{all:#?}");
}
