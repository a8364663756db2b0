//! `nofail fix` on a running host with a real libvirtd: what is done through virsh is what virsh
//! then says, and a rollback gives the old definitions back.
//!
//! Runs in namespaces of its own, on a copy of `/etc`: nothing of this machine is touched. Needs
//! root and the packages libvirt-daemon-system, libvirt-clients, qemu-system-x86.

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

const SITE: &str = "[hosts.kvm]\n[guests.dc]\ncritical = true\n";

const GUEST: &str = "<domain type='qemu'><name>dc</name><memory unit='MiB'>64</memory>\
    <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>\
    <disk type='file' device='cdrom'><source file='/mnt/x.iso'/><target dev='sda' bus='sata'/></disk>\
    <disk type='volume' device='disk'><source pool='vms' volume='v'/><target dev='vda'/></disk>\
    <interface type='network'><source network='inside'/></interface></devices></domain>";

#[test]
fn libvirt_is_mended_through_virsh_and_comes_back() {
    in_namespaces(
        "libvirt_is_mended_through_virsh_and_comes_back",
        150,
        inside,
    );
}

/// A private copy of `/etc`, and nofail's own directory empty.
fn private_etc() {
    ok("mount", &["--make-rprivate", "/"]);
    for script in [
        "d=$(mktemp -d) && mount -t tmpfs -o mode=755 none $d && cp -a /etc/. $d/ && mount --move $d /etc && rmdir $d",
        "mkdir -p /var/lib/nofail && mount -t tmpfs -o mode=755 none /var/lib/nofail",
        "printf '# none\\n' > /etc/fstab",
    ] {
        ok("sh", &["-c", script]);
    }
}

fn nofail(args: &[&str]) -> Value {
    let output = run("/run/nofail", args);
    assert!(
        output.status.success(),
        "{args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn autostart(what: &str, name: &str) -> bool {
    let info = virsh(&[what, name]);
    let line = info.lines().find(|l| l.starts_with("Autostart:")).unwrap();
    matches!(line.split_whitespace().last(), Some("enable" | "yes"))
}

fn inside() {
    private_etc();
    start_libvirt();
    std::fs::copy(env!("CARGO_BIN_EXE_nofail"), "/run/nofail").unwrap();
    std::fs::write("/run/site.toml", SITE).unwrap();
    define(
        "pool-define",
        "<pool type='dir'><name>vms</name><target><path>/mnt/pool</path></target></pool>",
    );
    define(
        "net-define",
        "<network><name>inside</name><forward mode='bridge'/><bridge name='br-mgmt'/></network>",
    );
    define("define", GUEST);
    let definition = "/etc/libvirt/qemu/dc.xml";
    let before = std::fs::read_to_string(definition).unwrap();
    let mend = |extra: &[&str]| {
        let mut args = vec![
            "fix",
            "guests/autostart-off",
            "guests/network-not-autostarted",
        ];
        args.extend(["storage/cdrom-blocks-start", "storage/pool-not-autostarted"]);
        args.extend(["--site", "/run/site.toml", "--host", "kvm", "--here"]);
        args.extend(["--format", "json", "--reason", "test"]);
        args.extend(extra);
        args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()
    };
    let call = |extra: &[&str]| {
        let args = mend(extra);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        nofail(&args)
    };

    // Not a terminal, no --yes: shown, nothing changed, exit code 1.
    let args = mend(&[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let shown = run("/run/nofail", &args);
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    let planned: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(planned["applied"], false);
    assert!(!autostart("dominfo", "dc"));
    assert!(!std::path::Path::new("/var/lib/nofail/plans").exists());

    let done = call(&["--yes"]);
    assert_eq!(done["applied"], true, "{done:#}");
    let whats = |document: &Value| -> Vec<String> {
        let steps = document["steps"].as_array().unwrap().iter();
        steps
            .map(|s| s["what"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(whats(&planned), whats(&done), "what was shown is what ran");
    for line in [
        "virsh autostart dc",
        "virsh net-autostart inside",
        "virsh pool-autostart vms",
    ] {
        assert!(whats(&done).iter().any(|w| w == line), "{line}: {done:#}");
    }
    assert!(autostart("dominfo", "dc"));
    assert!(autostart("net-info", "inside"));
    assert!(autostart("pool-info", "vms"));
    let xml = virsh(&["dumpxml", "--inactive", "dc"]);
    assert!(xml.contains("startupPolicy='optional'"), "{xml}");
    let again = call(&["--yes"]);
    assert_eq!(
        again["steps"].as_array().map(Vec::len),
        Some(0),
        "{again:#}"
    );

    let back = nofail(&["rollback", "--yes", "--format", "json"]);
    assert_eq!(back["rolled_back"], true, "{back:#}");
    assert!(!autostart("dominfo", "dc"));
    assert!(!autostart("net-info", "inside"));
    assert!(!autostart("pool-info", "vms"));
    assert_eq!(std::fs::read_to_string(definition).unwrap(), before);
    let xml = virsh(&["dumpxml", "--inactive", "dc"]);
    assert!(!xml.contains("startupPolicy"), "{xml}");
    let plans = nofail(&["plans", "--format", "json"]);
    assert_eq!(plans["plans"][0]["status"], "rolled back", "{plans:#}");
    assert_eq!(plans["plans"][0]["reason"], "test");
}
