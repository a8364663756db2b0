//! kvm-02: a guest's port after a restart, the host's own PVID, the NAS that stops answering.

use std::time::{Duration, Instant};

use lab::frames::{Frame, Link};
use lab::{Cable, Machine, NfsServer};
use serde_json::Value;

use crate::{NOFAIL, RUN, about, ask, found, host};

/// The other end of kvm-02's uplink: a switch whose trunk has the native VLAN 100, and on it the
/// administrator's desk, 10.50.1.200.
const SWITCH: &str = "set -e
ip netns add switch; ip -n switch link set lo up
ip link set eth2 netns switch
ip -n switch link add sw0 type bridge vlan_filtering 1 vlan_default_pvid 0
ip -n switch link set eth2 master sw0 up
bridge -n switch vlan add dev eth2 vid 100 pvid untagged
bridge -n switch vlan add dev sw0 vid 100 pvid untagged self
ip -n switch address add 10.50.1.200/24 dev sw0
ip -n switch link set sw0 up";

/// kvm-02's bridge as it had been for long, harmlessly: the host speaks in VLAN 1 and hears in
/// VLAN 100 (`STATE.md` of the example).
const BRIDGE: &str = "set -e
ip link add br-mgmt type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set eth1 master br-mgmt up
bridge vlan add dev eth1 vid 100 pvid untagged
bridge vlan add dev eth1 vid 1 untagged
bridge vlan add dev br-mgmt vid 100 untagged self
ip address add 10.50.1.12/24 dev br-mgmt
ip link set br-mgmt up";

/// The guest's process: a stand-in with QEMU's way of naming its guest, in a namespace of its own.
const GUEST_PROCESS: &str = "ip netns add bind-02; mkdir -p /run/libvirt/qemu; \
    exec ip netns exec bind-02 bash -c 'echo $$ > /run/bind-02.pid; \
    exec -a \"qemu-system-x86_64 -name guest=bind-02 -uuid 0fa11000-0000-4000-8000-0000000000b2\" \
    sleep 3600'";

/// What libvirtd keeps of a guest that runs; and the definition of one whose disk is on the NAS.
const GUEST_FILES: &str = "set -e
for i in $(seq 100); do test -s /run/bind-02.pid && break; sleep 0.1; done
mkdir -p /etc/libvirt/qemu/autostart
domain() { cat <<END
<domain type='qemu'>
  <name>$1</name>
  <uuid>$2</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>$3</devices>
</domain>
END
}
card=\"<interface type='bridge'><mac address='52:54:00:00:02:5b'/><source bridge='br-mgmt'/>\"
card=\"$card<model type='virtio'/></interface>\"
live=$(echo \"$card\" | sed \"s|<model|<target dev='vnet0'/><model|\")
bind=0fa11000-0000-4000-8000-0000000000b2
domain bind-02 $bind \"$card\" > /etc/libvirt/qemu/bind-02.xml
ln -s /etc/libvirt/qemu/bind-02.xml /etc/libvirt/qemu/autostart/
{
    echo \"<domstatus state='running' reason='booted' pid='$(cat /run/bind-02.pid)'>\"
    domain bind-02 $bind \"$live\"
    echo '</domstatus>'
} > /run/libvirt/qemu/bind-02.xml
disk=\"<disk type='file' device='disk'><driver name='qemu' type='raw'/>\"
disk=\"$disk<source file='/mnt/nas/vms/9800-WLC-02.img'/><target dev='vda' bus='virtio'/></disk>\"
domain 9800-WLC-02 0fa11000-0000-4000-8000-0000000000c2 \"$disk\" > /etc/libvirt/qemu/9800-WLC-02.xml";

/// What a guest's start does to the bridge: a new port, with whatever VLANs new ports get.
const GUEST_START: &str = "set -e
ip link del vnet0 2>/dev/null || true
ip link add vnet0 type veth peer name eth0 netns bind-02
ip link set vnet0 master br-mgmt up
ip -n bind-02 link set eth0 address 52:54:00:00:02:5b
ip -n bind-02 address add 10.50.1.91/24 dev eth0
ip -n bind-02 link set eth0 up
for i in $(seq 100); do test $(cat /sys/class/net/vnet0/carrier) = 1 && break; sleep 0.05; done";

/// What the hook does, where it fires.
const HOOK: &str = "bridge vlan add dev vnet0 vid 100 pvid untagged";

const SITE: &str = "\
[bridges.br-mgmt]
pvid = 100
[hosts.kvm-02]
snapshot = \"kvm-02.json\"
addresses = [\"10.50.1.12\"]
[guests.bind-02]
host = \"kvm-02\"
addresses = [\"10.50.1.91\"]
critical = true
provides = [\"dns\"]
";

/// A key and a server for the administrator's SSH.
const SSH: &str = "set -e
mkdir -p /run/sshd /root/.ssh; chmod 700 /root/.ssh
ls /etc/ssh/ssh_host_ed25519_key >/dev/null 2>&1 || \
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
/usr/sbin/sshd -o UseDNS=no -o UsePAM=no";

const SSH_CLIENT: &str = "ip netns exec switch ssh -q -i /root/.ssh/id_ed25519 -o BatchMode=yes \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20 \
    -o ServerAliveInterval=1 -o ServerAliveCountMax=3 root@10.50.1.12";

/// Whether the desk reaches an address.
fn reaches(machine: &Machine, address: &str, seconds: u32) -> bool {
    let ping = format!("ip netns exec switch ping -q -c 1 -w {seconds} {address}");
    machine.run(&ping, RUN).unwrap().code == 0
}

/// Collects inside, then audits the snapshot against the site.
fn look(machine: &Machine) -> Value {
    machine
        .ok(&format!("{NOFAIL} collect -o /root/site/kvm-02.json"))
        .unwrap();
    ask(machine, "audit --site /root/site/site.toml --only bridge")
}

/// Whether a broadcast of the desk arrives at the guest. It is seen on the wire in either case.
fn hears(machine: &Machine, cable: &Cable, text: &str) -> bool {
    let link = |namespace, name| Link {
        machine,
        namespace: Some(namespace),
        name,
    };
    let guest = link("bind-02", "eth0");
    let capture = guest.capture().unwrap();
    drop(cable.take());
    let frame = Frame::broadcast(None, text);
    link("switch", "sw0").send(&[frame]).unwrap();
    let frames = capture.stop().unwrap();
    let wire = cable.take();
    assert!(
        wire.iter().any(|f| f.says(text) && f.vlan.is_none()),
        "{text} was never on the wire: {wire:?}"
    );
    frames.iter().any(|f| f.says(text))
}

#[test]
fn kvm_02_loses_guests_then_itself_then_the_nas_and_nofail_sees_it_each_time() {
    let nas = NfsServer::start(&["vms"]).unwrap();
    std::fs::write(nas.directory("vms").join("9800-WLC-02.img"), b"guest").unwrap();
    let machine = host("kvm-02");
    let mut cable = Cable::new().unwrap();
    for (slot, card) in [(1, "eth1"), (2, "eth2")] {
        let address = [0x52, 0x54, 0, 0, 2, u8::try_from(slot).unwrap()];
        assert_eq!(cable.plug(&machine, slot, address).unwrap(), card);
    }
    machine.ok(SWITCH).unwrap();
    machine.ok(BRIDGE).unwrap();
    machine.start_command(GUEST_PROCESS).unwrap();
    machine.ok(GUEST_FILES).unwrap();
    machine
        .put("/root/site/site.toml", SITE.as_bytes())
        .unwrap();
    machine.ok(GUEST_START).unwrap();
    machine.ok(HOOK).unwrap();

    guest_port_after_a_restart(&machine, &cable);
    host_pvid_with_a_way_back(&machine);
    host_pvid_over_ssh(&machine);
    nas_gone(&machine, &nas);
}

/// Item 5 of the incident: a guest restarts, the hook does not fire, its port has PVID 1.
fn guest_port_after_a_restart(machine: &Machine, cable: &Cable) {
    let plan = "bridge/pvid-differs-from-plan";
    let path = "bridge/pvid-differs-along-path";
    // Before: wrong and harmless, and said to be just that.
    assert!(reaches(machine, "10.50.1.12", 20), "the host before");
    assert!(reaches(machine, "10.50.1.91", 20), "the guest before");
    assert!(hears(machine, cable, "before the restart"));
    let audit = look(machine);
    let own = about(&audit, path, "br-mgmt");
    assert_eq!(own["severity"], "warning", "{own:#}");
    assert!(
        found(&audit, plan)
            .iter()
            .all(|f| f["subject"] != "bind-02")
    );

    machine.ok(GUEST_START).unwrap();
    assert!(!hears(machine, cable, "after the restart"));
    assert!(!reaches(machine, "10.50.1.91", 2), "the guest on VLAN 1");
    let audit = look(machine);
    let finding = about(&audit, plan, "bind-02");
    assert_eq!(finding["severity"], "error", "{finding:#}");
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("vnet0") && message.contains("VLAN 1,") && message.contains("VLAN 100"),
        "{message}"
    );

    // Its remedy is a command that one can type.
    machine.ok(finding["fix"].as_str().unwrap()).unwrap();
    assert!(hears(machine, cable, "after the remedy"));
    assert!(reaches(machine, "10.50.1.91", 20), "the guest mended");
    let audit = look(machine);
    assert!(
        found(&audit, plan)
            .iter()
            .all(|f| f["subject"] != "bind-02")
    );
}

/// The same "correction" as below, through `nofail net apply`: it says whom it cuts, refuses
/// without a proven way in, and, forced, gives the way back.
fn host_pvid_with_a_way_back(machine: &Machine) {
    machine.ok(SSH).unwrap();
    machine
        .put(
            "/root/correct.toml",
            b"[bridges.br-mgmt]\npvid = 0\nuntagged = [100]\n",
        )
        .unwrap();
    let apply = format!("{NOFAIL} net apply /root/correct.toml --yes --format json");
    let output = machine
        .run(&format!("{SSH_CLIENT} '{apply}'"), RUN)
        .unwrap();
    assert_eq!(output.code, 3, "{output:?}");
    let said: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        said["commands"],
        serde_json::json!(["bridge vlan del dev br-mgmt vid 1 self"])
    );
    assert_eq!(said["cuts"][0]["who"], "ssh", "{said:#}");
    assert_eq!(said["cuts"][0]["certain"], true, "{said:#}");
    let why = said["cuts"][0]["why"].as_str().unwrap();
    assert!(why.contains("no PVID"), "{why}");
    assert!(reaches(machine, "10.50.1.12", 20), "refused, and yet cut");

    let forced = format!("{SSH_CLIENT} '{apply} --console --probe-for 10s' > /root/forced.json");
    let running = machine.start_command(&forced).unwrap();
    let clock = Instant::now();
    while reaches(machine, "10.50.1.12", 1) {
        assert!(clock.elapsed() < RUN, "it never was cut");
    }
    let clock = Instant::now();
    while !reaches(machine, "10.50.1.12", 1) {
        assert!(clock.elapsed() < RUN, "no way back");
    }
    println!(
        "net apply: the way is back {:.0} s after the cut, 10 s of which the probes had",
        clock.elapsed().as_secs_f64()
    );
    let _ = machine.wait(running, RUN);
    let status = machine.ok(&format!("{NOFAIL} net status")).unwrap();
    assert!(status.contains("taken back"), "{status}");
    let shown = machine.ok("bridge vlan show dev br-mgmt").unwrap();
    assert!(shown.contains("1 PVID"), "{shown}");
}

/// Item 4 of the incident: the host's own PVID is "corrected" over SSH.
fn host_pvid_over_ssh(machine: &Machine) {
    let hello = machine.run(&format!("{SSH_CLIENT} hostname"), RUN).unwrap();
    assert_eq!(hello.stdout, "kvm-02\n", "{hello:?}");
    // The first of two commands; the session never gets to the second.
    let correct = "'bridge vlan del dev br-mgmt vid 1 self; bridge vlan show dev br-mgmt'";
    let output = machine
        .run(&format!("{SSH_CLIENT} {correct}"), RUN)
        .unwrap();
    assert_eq!((output.code, &*output.stdout), (255, ""), "{output:?}");
    assert!(!reaches(machine, "10.50.1.12", 3), "the way is not lost");
    assert!(reaches(machine, "10.50.1.91", 20), "guests live on");

    // At the console, which needs no network.
    let path = "bridge/pvid-differs-along-path";
    let audit = look(machine);
    let own = about(&audit, path, "br-mgmt");
    assert_eq!(own["severity"], "error", "{own:#}");
    assert!(
        own["message"].as_str().unwrap().contains("no PVID"),
        "{own:#}"
    );
    machine
        .ok("bridge vlan add dev br-mgmt vid 100 pvid untagged self")
        .unwrap();
    assert!(reaches(machine, "10.50.1.12", 20), "the host recovered");
    let hello = machine.run(&format!("{SSH_CLIENT} hostname"), RUN).unwrap();
    assert_eq!(hello.stdout, "kvm-02\n", "{hello:?}");
    let audit = look(machine);
    assert!(found(&audit, path).is_empty(), "{audit:#}");
}

/// Item 1 of the incident: the NAS stops answering. Who touches it hangs; nofail does not.
fn nas_gone(machine: &Machine, nas: &NfsServer) {
    let (source, options) = (nas.source("vms"), nas.options());
    machine
        .ok(&format!(
            "mkdir -p /mnt/nas/vms && \
             mount -t nfs -o {options},noac,actimeo=0,lookupcache=none {source} /mnt/nas/vms && \
             echo '{source} /mnt/nas/vms nfs {options},nofail 0 0' >> /etc/fstab"
        ))
        .unwrap();
    let audit = ask(machine, "audit --only mounts");
    assert!(found(&audit, "mounts/stale").is_empty(), "{audit:#}");

    nas.hang().unwrap();
    let listing = machine.start_command("ls -l /mnt/nas/vms").unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let clock = Instant::now();
    let audit = ask(machine, "audit");
    let collected = ask(machine, "collect");
    assert!(clock.elapsed() < RUN, "{:?}", clock.elapsed());
    let finding = about(&audit, "mounts/stale", "/mnt/nas/vms");
    assert_eq!(finding["severity"], "error", "{finding:#}");
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("does not answer") && message.contains("9800-WLC-02"),
        "{message}"
    );
    let mounts = collected["mounts"].as_array().unwrap();
    let mount = mounts.iter().find(|m| m["target"] == "/mnt/nas/vms");
    assert_eq!(mount.unwrap()["health"]["state"], "not-responding");
    // All this time nobody else got through.
    assert_eq!(machine.finished(listing).unwrap(), None, "ls did not hang");

    // Two children at most get stuck on one mount in one run; nothing else is left.
    let left = machine.ok("pgrep -ax nofail || true").unwrap();
    assert!(left.lines().count() <= 4, "{left}");
    assert!(
        left.lines().all(|l| l.ends_with("nofail probe-child")),
        "{left}"
    );
    nas.go_on().unwrap();
    let output = machine.wait(listing, RUN).unwrap();
    assert!(output.stdout.contains("9800-WLC-02.img"), "{output:?}");
    let gone = "for i in $(seq 100); do pgrep -x nofail >/dev/null || break; sleep 0.1; done; \
                pgrep -ax nofail || true";
    assert_eq!(machine.ok(gone).unwrap(), "");
    let audit = ask(machine, "audit --only mounts");
    assert!(found(&audit, "mounts/stale").is_empty(), "{audit:#}");
}
