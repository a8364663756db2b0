//! nofail against a real libvirtd: guests, pools and networks that virsh defined are read from
//! libvirt's files, and compared with what virsh itself says of them.
//!
//! The daemons run in mount, network and process namespaces of this test's own, on empty file
//! systems over their directories: nothing of this machine's libvirt is touched, and whatever was
//! started ends with the namespace. Needs root and the packages libvirt-daemon-system,
//! libvirt-clients, qemu-system-x86, qemu-utils; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod libvirt;
mod namespaces;

use libvirt::{define, ok, run, start_libvirt, virsh};
use namespaces::in_namespaces;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

use std::time::{Duration, Instant};

#[test]
fn libvirt_read_from_its_files_is_what_virsh_says() {
    in_namespaces(
        "libvirt_read_from_its_files_is_what_virsh_says",
        150,
        inside,
    );
}

fn domain(name: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>\
         <metadata><n:vlans xmlns:n='https://nofail.dev/xmlns/domain/1'>100 pvid, 10</n:vlans></metadata>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os><cpu mode='maximum'/>\
         <devices>{devices}</devices></domain>"
    )
}

fn disk(kind: &str, source: &str, target: &str) -> String {
    format!(
        "<disk type='{kind}'><driver name='qemu' type='qcow2'/><source {source}/>\
         <target dev='{target}' bus='virtio'/></disk>"
    )
}

fn populate() {
    let image = |name: &str, backing: &[&str]| {
        let path = format!("/var/lib/libvirt/images/{name}");
        let mut args = vec!["create", "-q", "-f", "qcow2"];
        args.extend(backing);
        args.push(&path);
        if backing.is_empty() {
            args.push("64M");
        }
        ok("qemu-img", &args);
    };
    image("base.qcow2", &[]);
    image("top.qcow2", &["-b", "base.qcow2", "-F", "qcow2"]);
    image("off.qcow2", &["-b", "base.qcow2", "-F", "qcow2"]);
    image("saved.qcow2", &[]);
    virsh(&["pool-define-as", "vms", "dir", "--target", "/mnt/pool"]);
    virsh(&["pool-start", "vms"]);
    virsh(&["pool-autostart", "vms"]);
    virsh(&[
        "pool-define-as",
        "nas",
        "netfs",
        "--source-host",
        "127.0.0.1",
        "--source-path",
        "/volume1/vms",
        "--target",
        "/mnt/nas",
    ]);
    virsh(&[
        "vol-create-as",
        "vms",
        "v.qcow2",
        "32M",
        "--format",
        "qcow2",
    ]);
    define(
        "net-define",
        "<network><name>trunk</name><forward mode='bridge'/><bridge name='br-mgmt'/></network>",
    );
    virsh(&["net-start", "trunk"]);
    define(
        "net-define",
        "<network><name>idle</name><forward mode='bridge'/><bridge name='br-none'/></network>",
    );
    virsh(&["net-autostart", "idle"]);
    let devices = [
        &disk("file", "file='/var/lib/libvirt/images/top.qcow2'", "vda"),
        &disk("volume", "pool='vms' volume='v.qcow2'", "vdb"),
        "<disk type='file' device='cdrom'><source file='/mnt/nas/isos/x.iso' startupPolicy='optional'/><target dev='sda' bus='sata'/></disk>",
        "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>",
        "<interface type='bridge'><source bridge='br-mgmt'/><model type='virtio'/></interface>",
        "<interface type='network'><source network='trunk'/><mac address='52:54:00:AA:BB:01'/></interface>",
    ]
    .concat();
    define("define", &domain("live &amp; ü", &devices));
    virsh(&["autostart", "live & ü"]);
    virsh(&["start", "--paused", "live & ü"]);
    define(
        "define",
        &domain(
            "off",
            &disk("file", "file='/var/lib/libvirt/images/off.qcow2'", "vda"),
        ),
    );
    virsh(&["snapshot-create-as", "off", "before"]);
    define(
        "define",
        &domain(
            "saved",
            &disk("file", "file='/var/lib/libvirt/images/saved.qcow2'", "vda"),
        ),
    );
    virsh(&["start", "--paused", "saved"]);
    virsh(&["managedsave", "saved"]);
    let moved = virsh(&["dumpxml", "--inactive", "saved"]).replace("saved.qcow2", "moved.qcow2");
    define("define", &moved);
    // A transient guest.
    define("create", &domain("passing", ""));
    define(
        "define",
        &domain(
            "remote",
            "<disk type='network'><driver name='qemu' type='raw'/><source protocol='rbd' name='p/img'><host name='mon1' port='6789'/></source><target dev='vda' bus='virtio'/></disk>",
        ),
    );
}

/// Runs nofail itself, as root or as somebody else.
fn nofail(args: &[&str], user: Option<&str>) -> Value {
    let program = "/run/nofail";
    if !Path::new(program).exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_nofail"), program).unwrap();
    }
    let output = match user {
        Some(user) => {
            let mut all = vec!["--reuid", user, "--regid", user, "--clear-groups", program];
            all.extend(args);
            run("setpriv", &all)
        }
        None => run(program, args),
    };
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&output.stderr));
    })
}

fn guests(snapshot: &Value) -> BTreeMap<&str, &Value> {
    let list = snapshot["guests"].as_array().unwrap();
    list.iter()
        .map(|guest| (guest["name"].as_str().unwrap(), guest))
        .collect()
}

fn inside() {
    start_libvirt();
    populate();
    let snapshot = nofail(&["collect"], None);
    compare_guests(&snapshot);
    compare_disks(&snapshot);
    compare_rest(&snapshot);
    compare_parsers(&snapshot);
    audit();
    somebody_else();
    a_hanging_libvirtd(&snapshot);
    a_gone_qemu();
    a_tree(&snapshot);
}

fn compare_guests(snapshot: &Value) {
    let guests = guests(snapshot);
    let names = virsh(&["list", "--all", "--name"]);
    let names: Vec<&str> = names.lines().filter(|name| !name.is_empty()).collect();
    assert_eq!(guests.len(), names.len(), "{:?}", guests.keys());
    for name in names {
        let guest = guests[name];
        assert_eq!(guest["uuid"], virsh(&["domuuid", name]).trim(), "{name}");
        let state = virsh(&["domstate", name]).trim().replace(' ', "-");
        assert_eq!(guest["state"], state, "{name}");
        let info = virsh(&["dominfo", name]);
        let field = |key: &str| {
            let line = info.lines().find(|line| line.starts_with(key));
            line.unwrap().split(':').nth(1).unwrap().trim().to_owned()
        };
        assert_eq!(guest["autostart"], field("Autostart") == "enable", "{name}");
        assert_eq!(guest["persistent"], field("Persistent") == "yes", "{name}");
        let memory = format!("{} KiB", guest["memory_kib"]);
        assert_eq!(memory, field("Max memory"), "{name}");
        assert_eq!(guest["metadata_vlans"], "100 pvid, 10", "{name}");
        if state == "paused" {
            let pid = std::fs::read_to_string(format!("/proc/{}/cmdline", guest["pid"])).unwrap();
            assert!(pid.contains(guest["uuid"].as_str().unwrap()), "{name}");
        }
    }
}

/// Against `domblklist`: the definition's disks, and for those that run the live ones.
fn compare_disks(snapshot: &Value) {
    for (name, guest) in guests(snapshot) {
        let listed = if guest["persistent"] == true {
            virsh(&["domblklist", "--details", "--inactive", name])
        } else {
            virsh(&["domblklist", "--details", name])
        };
        let mut told = Vec::new();
        for line in listed
            .lines()
            .skip(2)
            .filter(|line| !line.trim().is_empty())
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            told.push(words[..4].join(" "));
        }
        let mut found = Vec::new();
        for disk in guest["disks"].as_array().unwrap() {
            let text = |key: &str| disk[key].as_str().unwrap_or("-").to_owned();
            let kind = text("type");
            let source = text("source");
            // virsh leaves pool and protocol out.
            let source = match kind.as_str() {
                "volume" => source.split_once('/').unwrap().1.to_owned(),
                "network" => source.split_once(':').unwrap().1.to_owned(),
                _ => source,
            };
            found.push(format!(
                "{kind} {} {} {source}",
                text("device"),
                text("target")
            ));
        }
        told.sort();
        found.sort();
        assert_eq!(found, told, "{name}");
    }
    let guests = guests(snapshot);
    let live = guests["live & ü"];
    let disk = |at: usize| &live["disks"][at];
    assert_eq!(
        disk(0)["backing"][0]["source"],
        "/var/lib/libvirt/images/base.qcow2"
    );
    assert_eq!(disk(0)["chain_broken"], Value::Null);
    let target = |name: &str| {
        let disks = live["disks"].as_array().unwrap();
        disks.iter().find(|d| d["target"] == name).unwrap()
    };
    assert_eq!(target("vdb")["resolved"], "/mnt/pool/v.qcow2");
    assert_eq!(target("sda")["startup_policy"], "optional");
    // The bridge behind the network, and the taps, as virsh has them.
    let listed = virsh(&["domiflist", "live & ü"]);
    for interface in live["interfaces"].as_array().unwrap() {
        assert_eq!(interface["bridge"], "br-mgmt");
        let mac = interface["mac"].as_str().unwrap();
        let line = listed.lines().find(|line| line.contains(mac)).unwrap();
        assert!(
            line.contains(interface["target"].as_str().unwrap()),
            "{line}"
        );
    }
}

fn compare_rest(snapshot: &Value) {
    let find = |section: &str, name: &str| {
        let list = snapshot[section].as_array().unwrap();
        list.iter()
            .find(|item| item["name"] == name)
            .unwrap()
            .clone()
    };
    for name in ["vms", "nas"] {
        let info = virsh(&["pool-info", "--bytes", name]);
        let field = |key: &str| {
            let line = info.lines().find(|line| line.starts_with(key));
            line.map(|line| line.split(':').nth(1).unwrap().trim().to_owned())
        };
        let pool = find("pools", name);
        assert_eq!(pool["uuid"].as_str().map(str::to_owned), field("UUID"));
        assert_eq!(pool["autostart"], field("Autostart").unwrap() == "yes");
        assert_eq!(pool["active"], field("State").unwrap() == "running");
        if pool["active"] == true {
            assert_eq!(pool["capacity"].to_string(), field("Capacity").unwrap());
        }
    }
    assert_eq!(find("pools", "vms")["volumes"][0], "/mnt/pool/v.qcow2");
    assert_eq!(find("pools", "nas")["source"], "127.0.0.1:/volume1/vms");
    for (name, active, autostart) in [("trunk", true, false), ("idle", false, true)] {
        let network = find("networks", name);
        assert_eq!(
            (&network["active"], &network["autostart"]),
            (&active.into(), &autostart.into())
        );
        assert_eq!(network["uuid"], virsh(&["net-uuid", name]).trim());
    }
    let images = &snapshot["images"];
    let save = &images["managed_saves"][0];
    assert_eq!(save["guest"], "saved");
    assert_eq!(save["disks"][0], "/var/lib/libvirt/images/saved.qcow2");
    let record = &images["snapshots"][0];
    assert_eq!(
        (&record["guest"], &record["name"]),
        (&"off".into(), &"before".into())
    );
    let missing = images["files"].as_array().unwrap().iter();
    let missing: Vec<&Value> = missing
        .filter(|i| i["size"].is_null())
        .map(|i| &i["path"])
        .collect();
    assert_eq!(
        missing,
        ["/mnt/nas/isos/x.iso", "/var/lib/libvirt/images/moved.qcow2"]
    );
}

/// What virsh prints, read by `nofail read domain`, is what was collected.
fn compare_parsers(snapshot: &Value) {
    for (name, guest) in guests(snapshot) {
        let inactive = ["dumpxml", "--inactive", name];
        let live = ["dumpxml", name];
        let args: &[&str] = if guest["persistent"] == true {
            &inactive
        } else {
            &live
        };
        std::fs::write("/run/dump.xml", virsh(args)).unwrap();
        let read = nofail(
            &["read", "domain", "/run/dump.xml", "--format", "json"],
            None,
        );
        for key in [
            "name",
            "uuid",
            "memory_kib",
            "vcpus",
            "on_crash",
            "hostdevs",
        ] {
            assert_eq!(read["guest"][key], guest[key], "{name} {key}");
        }
        let sources = |guest: &Value| {
            let disks = guest["disks"].as_array().unwrap();
            disks
                .iter()
                .map(|disk| disk["source"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(sources(&read["guest"]), sources(guest), "{name}");
    }
}

fn audit() {
    let audit = nofail(
        &[
            "audit", "--only", "guests", "--only", "storage", "--format", "json",
        ],
        None,
    );
    let found: Vec<String> = audit["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            format!(
                "{} {}",
                f["rule"].as_str().unwrap(),
                f["subject"].as_str().unwrap()
            )
        })
        .collect();
    for wanted in [
        "guests/transient-definition passing",
        "guests/managed-save-holds-old-disk saved",
        "guests/network-not-autostarted live & ü",
        "storage/disk-missing saved",
    ] {
        assert!(found.iter().any(|f| f == wanted), "{wanted}: {found:?}");
    }
    let wrong = |f: &&String| f.starts_with("storage/cdrom") || f.ends_with(" off");
    assert_eq!(found.iter().find(wrong), None);
}

fn somebody_else() {
    let snapshot = nofail(&["collect"], Some("65534"));
    assert_eq!(snapshot["guests"].as_array().unwrap().len(), 0);
    let unread = snapshot["unread"].as_array().unwrap();
    for source in ["guests", "pools", "networks", "images"] {
        let whole = unread
            .iter()
            .find(|u| u["source"] == source && u["item"].is_null());
        let reason = whole.unwrap_or_else(|| panic!("{source}: {unread:?}"))["reason"].as_str();
        assert!(
            reason.unwrap().contains("permission denied (run as root)"),
            "{reason:?}"
        );
    }
    let audit = nofail(
        &["audit", "--only", "storage", "--format", "json"],
        Some("65534"),
    );
    assert_eq!(audit["findings"].as_array().unwrap().len(), 0);
    assert!(!audit["not_checked"].as_array().unwrap().is_empty());
}

/// The sections that come from libvirt's files.
fn sections(snapshot: &Value) -> Vec<Value> {
    ["guests", "pools", "networks"]
        .map(|key| snapshot[key].clone())
        .to_vec()
}

fn a_hanging_libvirtd(before: &Value) {
    let pid = std::fs::read_to_string("/run/libvirtd.pid").unwrap();
    let pid = pid.trim();
    ok("kill", &["-STOP", pid]);
    let began = Instant::now();
    let snapshot = nofail(&["collect"], None);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert!(
        !run("timeout", &["1", "virsh", "list"]).status.success(),
        "it was to hang"
    );
    ok("kill", &["-CONT", pid]);
    assert_eq!(sections(&snapshot), sections(before));
}

/// libvirtd is gone, and QEMU with it: the status file that is left over does not count.
fn a_gone_qemu() {
    let snapshot = nofail(&["collect"], None);
    let pid = guests(&snapshot)["live & ü"]["pid"].to_string();
    let daemon = std::fs::read_to_string("/run/libvirtd.pid").unwrap();
    ok("kill", &["-KILL", daemon.trim()]);
    ok("kill", &["-KILL", &pid]);
    let began = Instant::now();
    loop {
        let snapshot = nofail(&["collect"], None);
        if guests(&snapshot)["live & ü"]["state"] == "shut-off" {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it still counts as running"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(Path::new("/run/libvirt/qemu/live & ü.xml").exists());
}

/// The same files below a root: everything but the state is known.
fn a_tree(before: &Value) {
    for directory in [
        "/run/tree/etc",
        "/run/tree/usr",
        "/run/tree/var/lib",
        "/run/tree/mnt",
    ] {
        std::fs::create_dir_all(directory).unwrap();
    }
    ok("cp", &["-a", "/etc/libvirt", "/run/tree/etc/"]);
    ok("cp", &["-a", "/var/lib/libvirt", "/run/tree/var/lib/"]);
    ok("cp", &["-a", "/mnt/pool", "/run/tree/mnt/"]);
    std::fs::write("/run/tree/etc/os-release", "ID=debian\n").unwrap();
    let snapshot = nofail(&["collect", "--root", "/run/tree"], None);
    let (now, then) = (guests(&snapshot), guests(before));
    for (name, guest) in &now {
        assert_eq!(guest["state"], Value::Null, "{name}");
        for key in ["uuid", "autostart", "memory_kib"] {
            assert_eq!(guest[key], then[name][key], "{name} {key}");
        }
        let chains = |guest: &Value| {
            let disks = guest["disks"].as_array().unwrap();
            disks
                .iter()
                .map(|d| (d["source"].clone(), d["backing"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(chains(guest), chains(then[name]), "{name}");
    }
    // The transient one is the only one that a dead host's disk does not know.
    assert_eq!(now.len() + 1, then.len());
    let unread = snapshot["unread"].as_array().unwrap();
    assert!(unread.iter().any(|u| u["source"] == "guest-state"));
}
