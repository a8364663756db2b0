//! The incident of 2026-04-13 as one story on real machines, with the real static nofail in them:
//! what it names and foretells is compared with what then happens.
//!
//! Needs root, QEMU, nfs-ganesha, busybox-static, and `NOFAIL_STATIC`: the path of a static nofail,
//! which `./test` builds. It grows with the product: what is mended by hand here is the work of
//! `nofail fix` and of the hook.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lab::cold::{self, ROOT_LINE};
use lab::frames::{Frame, Link};
use lab::{Cable, Content, Disk, Lab, Machine, NfsServer, Outcome, Verdict};
use serde_json::Value;

/// Time for one real boot on a busy machine.
const BOOT: Duration = Duration::from_secs(300);

/// Time for one run of nofail in an emulated machine beside another busy one.
const RUN: Duration = Duration::from_secs(60);

/// Where nofail lies in a machine.
const NOFAIL: &str = "/root/nofail";

/// The static binary that `./test` built.
fn nofail_static() -> PathBuf {
    let path = std::env::var_os("NOFAIL_STATIC").map(PathBuf::from).expect(
        "NOFAIL_STATIC is not set: it names a static nofail, as ./test builds it with \
         RUSTFLAGS=\"-C target-feature=+crt-static\" cargo build --profile static \
         --target x86_64-unknown-linux-gnu",
    );
    assert!(
        path.is_file(),
        "NOFAIL_STATIC names {}, which is not there",
        path.display()
    );
    path
}

/// A machine with nofail in it.
fn host(name: &str) -> Machine {
    let machine = Lab::host().unwrap();
    machine
        .put(NOFAIL, &std::fs::read(nofail_static()).unwrap())
        .unwrap();
    machine
        .ok(&format!(
            "echo {name} > /etc/hostname && hostname {name} && \
             printf '127.0.0.1 localhost\\n127.0.1.1 {name}\\n' > /etc/hosts"
        ))
        .unwrap();
    machine
}

/// Runs nofail in a machine and reads its JSON: 0 and 1 are its exit codes for an answer.
fn ask(machine: &Machine, arguments: &str) -> Value {
    let clock = Instant::now();
    let output = machine
        .run(&format!("{NOFAIL} {arguments} --format json"), RUN)
        .unwrap();
    println!("nofail {arguments}: {:.1} s", clock.elapsed().as_secs_f64());
    assert!(matches!(output.code, 0 | 1), "{arguments}: {output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The findings of one rule.
fn found<'a>(audit: &'a Value, rule: &str) -> Vec<&'a Value> {
    let findings = audit["findings"].as_array().unwrap();
    findings.iter().filter(|f| f["rule"] == rule).collect()
}

/// The one finding of a rule about a subject.
fn about<'a>(audit: &'a Value, rule: &str, subject: &str) -> &'a Value {
    let findings = found(audit, rule);
    let mut fitting = findings.iter().filter(|f| f["subject"] == subject);
    let first = fitting
        .next()
        .unwrap_or_else(|| panic!("no {rule} about {subject}: {audit:#}"));
    assert!(fitting.next().is_none(), "{rule} twice about {subject}");
    first
}

/// The line of a file that a finding names first.
fn line(finding: &Value) -> (&str, u64) {
    let evidence = &finding["evidence"][0];
    let place = evidence["file"].as_str().zip(evidence["line"].as_u64());
    place.unwrap_or_else(|| panic!("no place: {finding:#}"))
}

// ---------------------------------------------------------------------------------- kvm-01

/// The NAS, and where its exports are mounted.
const NAS: &str = "10.50.1.70";
const EXPORTS: [&str; 3] = ["vms", "isos", "backups"];

/// A link of kvm-01's own in the NAS's network that drops all: nothing answers, nothing refuses.
const STORAGE: &str = "[connection]\nid=storage\ntype=dummy\ninterface-name=storage\n\
    autoconnect=true\n[ipv4]\nmethod=manual\naddress1=10.50.1.11/24\nnever-default=true\n\
    [ipv6]\nmethod=disabled\n";
const STORAGE_FILE: &str = "/etc/NetworkManager/system-connections/storage.nmconnection";

/// How long a mended NAS line may try; far above what a boot takes from there on.
const MOUNT_TIMEOUT: f64 = 25.0;

/// By how much the way to multi-user.target may exceed what was foretold. Below [`MOUNT_TIMEOUT`]:
/// a boot that waits for the NAS cannot pass.
const TOLERANCE: f64 = 15.0;

/// kvm-01's fstab: the disk's line, then the NAS.
fn fstab(disk: &str, nas: &str, options: &str) -> String {
    let mut text = format!("{ROOT_LINE}# scratch\n{disk}\n\n# NAS\n");
    for export in EXPORTS {
        text += &format!("{nas}:/volume1/{export} /mnt/nas/{export} nfs {options} 0 0\n");
    }
    text
}

/// kvm-01 as on that morning: the disk is ext4 and listed as xfs, the NAS stands there by a name
/// that only its own guests resolve, and is not mounted.
fn kvm_01(disks: &Path) -> Machine {
    let machine = host("kvm-01");
    // The kernel probes disks side by side: which of the two becomes sdb is not certain.
    for name in ["sda", "sdb"] {
        let disk = Disk::partitioned(Content::Ext4);
        machine.add_disk(&disk.make(disks, name).unwrap()).unwrap();
    }
    let text = fstab(
        "/dev/sdb1 /srv/scratch xfs defaults 0 0",
        "nas-01",
        "defaults,_netdev",
    );
    machine.put("/etc/fstab", text.as_bytes()).unwrap();
    machine
        .put(
            "/etc/resolv.conf",
            b"nameserver 10.50.1.90\nnameserver 10.50.1.91\n",
        )
        .unwrap();
    machine.put(STORAGE_FILE, STORAGE.as_bytes()).unwrap();
    machine
        .ok(&format!(
            "chmod 600 {STORAGE_FILE} && chmod 644 /etc/fstab /etc/resolv.conf && \
             mkdir -p /srv/scratch /mnt/nas/vms /mnt/nas/isos /mnt/nas/backups && \
             nmcli connection load {STORAGE_FILE} && nmcli connection up storage && \
             for i in $(seq 100); do test -b /dev/sdb1 && break; sleep 0.1; done; \
             udevadm settle && test -b /dev/sdb1"
        ))
        .unwrap();
    machine
}

/// Takes the power away, gives it back, and waits for what becomes of the boot.
fn boot(machine: &Machine) -> Verdict {
    machine.ok("sync").unwrap();
    let started = Instant::now();
    machine.power_cycle().unwrap();
    let verdict = cold::verdict(machine, started, BOOT).unwrap();
    println!("{:?} after {:.1} s", verdict.outcome, verdict.seconds);
    verdict
}

/// What a boot foretells of one mount point.
fn foretold<'a>(boot: &'a Value, target: &str) -> &'a Value {
    let mounts = boot["mounts"].as_array().unwrap();
    mounts
        .iter()
        .find(|mount| mount["target"] == target)
        .unwrap_or_else(|| panic!("nothing of {target}: {boot:#}"))
}

/// The targets that pull a mount in, and how.
fn pulled_in_by(mount: &Value) -> Vec<(&str, &str)> {
    let links = mount["pulled_in_by"].as_array().unwrap();
    links
        .iter()
        .map(|l| {
            (
                l["target"].as_str().unwrap(),
                l["requirement"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn kvm_01_stops_in_emergency_mode_as_foretold_and_boots_once_mended() {
    let disks = tempfile::tempdir().unwrap();
    let machine = kvm_01(disks.path());

    // The weaknesses, by name, on their lines.
    let audit = ask(&machine, "audit");
    assert_eq!(audit["hosts"][0], "kvm-01");
    for rule in ["fstab/wrong-fstype", "fstab/missing-nofail"] {
        let finding = about(&audit, rule, "/srv/scratch");
        assert_eq!(finding["severity"], "error", "{finding:#}");
        assert_eq!(line(finding), ("/etc/fstab", 3), "{finding:#}");
    }
    for (export, at) in EXPORTS.iter().zip(6..) {
        let target = format!("/mnt/nas/{export}");
        for rule in ["fstab/missing-nofail", "fstab/hostname-source"] {
            let finding = about(&audit, rule, &target);
            assert_eq!(finding["severity"], "warning", "{finding:#}");
            assert_eq!(line(finding), ("/etc/fstab", at), "{finding:#}");
        }
    }

    // The prediction, and that the disk is the cause and the NAS is not.
    let prediction = ask(&machine, "boot");
    assert_eq!(prediction["outcome"], "emergency", "{prediction:#}");
    let scratch = foretold(&prediction, "/srv/scratch");
    assert_eq!(scratch["result"], "failed", "{scratch:#}");
    assert_eq!(pulled_in_by(scratch), [("local-fs.target", "requires")]);
    for export in EXPORTS {
        let mount = foretold(&prediction, &format!("/mnt/nas/{export}"));
        assert_eq!(pulled_in_by(mount), [("remote-fs.target", "requires")]);
    }
    let said = machine.run(&format!("{NOFAIL} boot"), RUN).unwrap();
    let (before, nas) = (said.stdout.find("/srv/scratch"), said.stdout.find("nas"));
    assert!(before < nas, "the cause is not named first: {said:?}");

    // It really happens.
    let verdict = boot(&machine);
    assert_eq!(verdict.outcome, Outcome::Emergency, "{verdict:#?}");
    let scratch = verdict.unit("srv-scratch.mount");
    assert_eq!(scratch.active, "failed", "{verdict:#?}");
    assert!(
        !verdict
            .failed
            .iter()
            .any(|unit| unit.starts_with("mnt-nas"))
    );
    assert_eq!(verdict.unit("local-fs.target").active, "inactive");

    // Mended by hand, at the console of the emergency shell.
    let options =
        format!("defaults,_netdev,nofail,vers=4.2,x-systemd.mount-timeout={MOUNT_TIMEOUT}s");
    let text = fstab(
        "/dev/sdb1 /srv/scratch ext4 defaults,nofail 0 0",
        NAS,
        &options,
    );
    machine.put("/etc/fstab", text.as_bytes()).unwrap();
    machine.ok("chmod 644 /etc/fstab").unwrap();
    let audit = ask(&machine, "audit --only fstab");
    for rule in ["wrong-fstype", "missing-nofail", "hostname-source"] {
        let left = found(&audit, &format!("fstab/{rule}"));
        assert!(left.is_empty(), "{left:#?}");
    }
    let prediction = ask(&machine, &format!("boot --unreachable {NAS}"));
    assert_ne!(prediction["outcome"], "emergency", "{prediction:#}");
    let delay = prediction["delay_seconds"].as_f64().unwrap();

    // It really boots, without the NAS, within what was foretold.
    let verdict = boot(&machine);
    let real = serde_json::to_value(verdict.outcome).unwrap();
    assert_eq!(real, prediction["outcome"], "{prediction:#} {verdict:#?}");
    for target in [
        "/srv/scratch",
        "/mnt/nas/vms",
        "/mnt/nas/isos",
        "/mnt/nas/backups",
    ] {
        let mount = foretold(&prediction, target);
        let state = verdict.unit(mount["unit"].as_str().unwrap());
        let mounted = mount["result"] == "mounted";
        assert_eq!(mounted, state.active == "active", "{mount:#} {state:?}");
        assert_eq!(mounted, target == "/srv/scratch", "{mount:#}");
    }
    let nas = verdict.unit("mnt-nas-vms.mount");
    assert_eq!(nas.result, "timeout", "{nas:?}");
    // What the mounts can at most have added: all the time since they were first tried.
    let reached = verdict
        .reached("multi-user.target")
        .expect("no multi-user.target");
    let waited = reached - nas.started_after;
    println!(
        "foretold delay {delay} s; multi-user.target after {reached:.1} s, {waited:.1} s after \
         the NAS was first tried; all done after {:.1} s",
        verdict.finished
    );
    assert!(waited <= delay + TOLERANCE, "{verdict:#?}");
    // And the NAS's own limit is kept: systemd had nothing more to do soon after it.
    let end = nas.started_after + MOUNT_TIMEOUT + TOLERANCE;
    assert!(verdict.finished <= end, "{verdict:#?}");
}

// ---------------------------------------------------------------------------------- kvm-02

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

/// Item 4 of the incident: the host's own PVID is "corrected" over SSH.
fn host_pvid_over_ssh(machine: &Machine) {
    machine.ok(SSH).unwrap();
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

// ------------------------------------------------------------------------- another userland

/// Runs a command in `root` as its root directory, in namespaces of its own.
fn inside(root: &Path, command: &str) -> (i32, String) {
    let output = Command::new("/usr/bin/unshare")
        .args([
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--fork",
            "--kill-child=KILL",
        ])
        .arg(format!("--root={}", root.display()))
        .args(["--mount-proc", "/bin/sh", "-c", command])
        .env_clear()
        .env("PATH", "/bin")
        .output()
        .unwrap();
    let text = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy);
    (output.status.code().unwrap(), text.concat())
}

#[test]
fn the_static_binary_runs_where_there_is_no_libc_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for path in ["bin", "etc", "proc", "mnt/sysroot/etc"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    let busybox = Path::new("/bin/busybox");
    assert!(
        busybox.is_file(),
        "/bin/busybox is missing: package busybox-static"
    );
    std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    std::fs::copy(nofail_static(), root.join("bin/nofail")).unwrap();
    let rescued = fstab(
        "/dev/sdb1 /srv/scratch xfs defaults 0 0",
        "nas-01",
        "_netdev",
    );
    for (path, text) in [
        (
            "etc/fstab",
            "10.50.1.70:/volume1/isos /mnt/isos nfs _netdev 0 0\n",
        ),
        ("etc/os-release", "ID=busybox\nNAME=busybox\n"),
        ("etc/passwd", "root::0:0:root:/:/bin/sh\n"),
        ("etc/hostname", "rescue\n"),
        ("mnt/sysroot/etc/fstab", &rescued),
        ("mnt/sysroot/etc/hostname", "kvm-01\n"),
    ] {
        std::fs::write(root.join(path), text).unwrap();
    }
    // The program that any dynamic one would need is not there.
    assert!(!root.join("lib64").exists() && !root.join("lib").exists());

    let json = |command: &str, wanted: i32| -> Value {
        let (code, text) = inside(root, command);
        assert_eq!(code, wanted, "{command}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"))
    };
    // From a rescue shell: the dead host's disk.
    let audit = json("nofail audit --root /mnt/sysroot --format json", 1);
    assert_eq!(audit["hosts"][0], "kvm-01");
    let finding = about(&audit, "fstab/missing-nofail", "/srv/scratch");
    assert_eq!(finding["severity"], "error", "{finding:#}");
    assert_eq!(line(finding), ("/etc/fstab", 3), "{finding:#}");
    // The running system itself: kernel facts are there, tools and daemons are not, and it says so.
    let snapshot = json("nofail collect", 0);
    assert_eq!(snapshot["schema"], "nofail.snapshot/1");
    assert_eq!(snapshot["fstab"][0]["target"], "/mnt/isos");
    assert!(!snapshot["mounts"].as_array().unwrap().is_empty());
    let unread = snapshot["unread"].as_array().unwrap();
    assert!(!unread.is_empty(), "{snapshot:#}");
    assert!(
        unread
            .iter()
            .all(|u| !u["reason"].as_str().unwrap().is_empty())
    );
}
