//! `net apply` writes the profile that is in charge, of systemd-networkd, netplan and ifupdown: in
//! namespaces of its own, with a layer over /etc, so that nothing of this machine is touched. Not a
//! byte before the confirmation, the new address after it, and every byte back by `net rollback`.
//! Needs root, ip, overlayfs. (VLANs, and the services themselves: `lab/tests/vm_vlan_change.rs`.)

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

mod namespaces;

use namespaces::in_namespaces;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn sh(line: &str) {
    let status = Command::new("sh").args(["-e", "-c", line]).status();
    assert!(status.unwrap().success(), "{line}");
}

/// A bridge with an address, a layer over /etc, and nothing in /run that leads to this machine's
/// systemd.
fn host(scratch: &Path) {
    let scratch = scratch.display();
    sh(&format!(
        "mount --make-rprivate /; mount -t tmpfs none /run; mount -t tmpfs none {scratch}; mkdir {scratch}/up {scratch}/work; \
         mount -t overlay overlay -o lowerdir=/etc,upperdir={scratch}/up,workdir={scratch}/work /etc; \
         ip link set lo up; ip link add up0 type veth peer name sw0; ip link add br0 type bridge; \
         ip link set up0 master br0 up; ip address add 10.77.0.2/24 dev br0; \
         ip link set br0 up; ip link set sw0 up"
    ));
}

fn write(path: &str, text: &str) {
    std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Makes a service part of the boot.
fn enable(unit: &str) {
    let wants = "/etc/systemd/system/multi-user.target.wants";
    sh(&format!(
        "mkdir -p {wants}; ln -sf /lib/systemd/system/{unit} {wants}/{unit}"
    ));
}

/// Every file of a directory with its text.
fn texts(directory: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let files = entries.filter(|e| e.path().is_file());
    files
        .map(|e| {
            let text = std::fs::read_to_string(e.path()).unwrap();
            (e.file_name().to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn addresses() -> String {
    let output = Command::new("ip")
        .args(["-br", "-4", "address", "show", "dev", "br0"])
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

struct Nofail<'a>(&'a Path);

impl Nofail<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nofail"));
        command
            .args(words)
            .env("NOFAIL_STATE_DIR", self.0.join("state"));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }
}

/// Applies another address, looks, confirms, looks, and takes it back.
fn round(scratch: &Path, directory: &str) {
    let nofail = Nofail(scratch);
    let before = texts(directory);
    let file = scratch.join("c.toml").display().to_string();
    write(&file, "[bridges.br0]\naddresses = [\"10.77.1.9/24\"]\n");
    let apply = [
        "net",
        "apply",
        &file,
        "--yes",
        "--confirm",
        "60s",
        "--probe-for",
        "2s",
    ];
    let child = nofail
        .command(&apply)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let status = String::from_utf8(nofail.run(&["net", "status"]).stdout).unwrap();
        if status
            .lines()
            .next()
            .is_some_and(|l| l.ends_with("waiting for its confirmation"))
        {
            break;
        }
        assert!(Instant::now() < end, "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(texts(directory), before, "written before it was confirmed");
    let confirmed = nofail.run(&["net", "confirm", "--console"]);
    assert_eq!(confirmed.status.code(), Some(0), "{confirmed:?}");
    let applied = child.wait_with_output().unwrap();
    let shown = String::from_utf8(applied.stdout).unwrap();
    assert!(shown.contains("the profile says otherwise"), "{shown}");
    assert!(!shown.contains("by hand:"), "{shown}");
    let after = texts(directory);
    let changed: Vec<&String> = after
        .keys()
        .filter(|n| after.get(*n) != before.get(*n))
        .collect();
    assert_eq!(changed.len(), 1, "{after:#?}");
    let text = &after[changed[0]];
    assert!(
        text.contains("10.77.1.9/24") && !text.contains("10.77.0.2"),
        "{text}"
    );
    assert!(text.contains("# by hand"), "a comment is gone: {text}");
    assert!(addresses().contains("10.77.1.9/24"));
    // One history; what was done last is what a rollback without a name means, and it says so.
    let history = String::from_utf8(nofail.run(&["plans"]).stdout).unwrap();
    assert!(history.contains("nofail net apply (br0)"), "{history}");
    let other = nofail.run(&["rollback", "--yes"]);
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    // Somebody edits the profile since, or the kernel: neither is overwritten unasked.
    let profile = format!("{directory}/{}", changed[0]);
    let edited = format!("{text}# edited since\n");
    std::fs::write(&profile, &edited).unwrap();
    let refused = nofail.run(&["net", "rollback"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains(&format!("{profile}: edited since")), "{said}");
    assert!(said.contains("--force"), "{said}");
    assert_eq!(std::fs::read_to_string(&profile).unwrap(), edited);
    assert!(addresses().contains("10.77.1.9/24"));
    std::fs::write(&profile, text).unwrap();
    sh("ip address add 10.77.2.1/24 dev br0");
    let refused = nofail.run(&["net", "rollback"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("br0: addresses [10.77.1.9/24], now [10.77.1.9/24, 10.77.2.1/24]"),
        "{said}"
    );
    assert!(addresses().contains("10.77.2.1/24"));
    std::fs::write(&profile, &edited).unwrap();
    let back = nofail.run(&["net", "rollback", "--force"]);
    assert_eq!(back.status.code(), Some(0), "{back:?}");
    assert_eq!(texts(directory), before);
    assert!(addresses().contains("10.77.0.2/24") && !addresses().contains("10.77.1.9"));
}

fn with_host(test: fn(&Path)) {
    let scratch = tempfile::tempdir().unwrap();
    host(scratch.path());
    test(scratch.path());
}

#[test]
fn networkd() {
    in_namespaces("networkd", 120, || {
        with_host(|scratch| {
            let directory = "/etc/systemd/network";
            write(
                &format!("{directory}/br0.netdev"),
                "[NetDev]\nName=br0\nKind=bridge\n",
            );
            write(
                &format!("{directory}/br0.network"),
                "[Match]\nName=br0\n\n[Network]\n# by hand\nAddress=10.77.0.2/24\nDNS=10.77.0.53\n",
            );
            write(
                &format!("{directory}/up0.network"),
                "[Match]\nName=up0\n[Network]\nBridge=br0\n",
            );
            enable("systemd-networkd.service");
            round(scratch, directory);
        });
    });
}

#[test]
fn netplan() {
    in_namespaces("netplan", 120, || {
        with_host(|scratch| {
            write(
                "/etc/netplan/1.yaml",
                "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    up0: {}\n  bridges:\n    \
                 br0:\n      # by hand\n      interfaces: [up0]\n      addresses:\n        - 10.77.0.2/24\n",
            );
            enable("systemd-networkd.service");
            round(scratch, "/etc/netplan");
        });
    });
}

#[test]
fn interfaces() {
    in_namespaces("interfaces", 120, || {
        with_host(|scratch| {
            write(
                "/etc/network/interfaces",
                "auto br0\niface br0 inet static\n    # by hand\n    address 10.77.0.2\n    netmask \
                 255.255.255.0\n    bridge-ports up0\n",
            );
            enable("networking.service");
            round(scratch, "/etc/network");
        });
    });
}
