//! VRRP as keepalived really speaks it, versions 2 and 3, over IPv4 and IPv6: the daemon hears who
//! is master, a takeover, a farewell (priority 0), two masters, and silence.
//!
//! Two routers in network namespaces of their own, joined by a bridge in a third where the daemon
//! listens. Needs root and the package keepalived; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
mod namespaces;

use daemon::{Daemon, all_but, sh};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use watch::Kind;

#[test]
fn version_2_is_heard() {
    namespaces::in_namespaces("version_2_is_heard", 100, || inside(2));
}

#[test]
fn version_3_is_heard() {
    namespaces::in_namespaces("version_3_is_heard", 100, || inside(3));
}

/// One keepalived in the namespace of its router.
struct Router {
    number: u8,
    directory: PathBuf,
    process: Option<Child>,
}

impl Router {
    fn start(&mut self, version: u8, priority: u8) {
        let n = self.number;
        // Version 3 alone knows IPv6 and intervals below a second.
        let (interval, six) = if version == 3 {
            let six = format!(
                "vrrp_instance SIX {{\n state BACKUP\n interface eth0\n virtual_router_id 9\n priority {priority}\n\
                 \x20advert_int 0.5\n virtual_ipaddress {{ fe80::1:1 }}\n}}\n"
            );
            ("0.5", six)
        } else {
            ("1", String::new())
        };
        let text = format!(
            "global_defs {{\n vrrp_version {version}\n vrrp_garp_master_repeat 1\n}}\n\
             vrrp_instance FOUR {{\n state BACKUP\n interface eth0\n virtual_router_id 7\n priority {priority}\n\
             \x20advert_int {interval}\n virtual_ipaddress {{ 10.50.1.1/24 }}\n}}\n{six}"
        );
        let file = self.directory.join(format!("keepalived-{n}.conf"));
        std::fs::write(&file, text).unwrap();
        let pid = |name: &str| self.directory.join(format!("{name}-{n}.pid"));
        let child = Command::new("ip")
            .args([
                "netns",
                "exec",
                &format!("r{n}"),
                "keepalived",
                "--dont-fork",
                "--vrrp",
                "-f",
            ])
            .arg(&file)
            .arg("-p")
            .arg(pid("main"))
            .arg("-r")
            .arg(pid("vrrp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(child);
    }

    /// Ends it with a signal: TERM says farewell (priority 0), KILL says nothing.
    fn end(&mut self, signal: &str) {
        let mut child = self.process.take().unwrap();
        let n = self.number;
        if signal == "KILL" {
            // The supervisor first: it would start its child again.
            sh(&format!(
                "kill -KILL {} $(cat {1}/vrrp-{n}.pid); rm -f {1}/*-{n}.pid",
                child.id(),
                self.directory.display()
            ));
        } else {
            sh(&format!("kill -{signal} {}", child.id()));
        }
        child.wait().unwrap();
        // What a killed one leaves, as the reboot of a router would take it away.
        sh(&format!(
            "ip -n r{n} address flush dev eth0; ip -n r{n} address add 10.50.1.{n}/24 dev eth0; ip -n r{n} address add fe80::{n}/64 dev eth0 nodad"
        ));
    }
}

fn inside(version: u8) {
    sh(
        "mount -t tmpfs none /run; mkdir -p /run/netns; ip link set lo up; ip link add br0 type bridge; ip link set br0 up",
    );
    for n in [2, 3] {
        sh(&format!(
            "ip netns add r{n}; ip link add p{n} type veth peer name eth0 netns r{n}; ip link set p{n} master br0 up
             ip -n r{n} link set lo up; ip -n r{n} link set eth0 addrgenmode none; ip -n r{n} link set eth0 up
             ip -n r{n} address add 10.50.1.{n}/24 dev eth0; ip -n r{n} address add fe80::{n}/64 dev eth0 nodad"
        ));
    }
    let dir = tempfile::tempdir().unwrap();
    let others = all_but(&["vrrp"]);
    let text = format!("host = \"kvm-01\"\nwithout = {others}\n[vrrp]\nlisten = true\n");
    std::fs::write(dir.path().join("watch.toml"), text).unwrap();
    let mut daemon = Daemon::start(dir.path(), &[]);
    hear(version, dir.path(), &mut daemon);
}

fn hear(version: u8, directory: &Path, heard: &mut Daemon) {
    const GROUP: &str = "10.50.1.1 (VRID 7)";
    let router = |number| Router {
        number,
        directory: directory.to_owned(),
        process: None,
    };
    let (mut two, mut three) = (router(2), router(3));
    two.start(version, 200);
    let master = heard.next(Kind::VrrpMaster, GROUP);
    assert!(
        master
            .message
            .starts_with("10.50.1.2 is master, priority 200"),
        "{master:?}"
    );
    if version == 3 {
        // It may have come before the other one.
        let after = std::mem::take(&mut heard.after);
        let six = heard.next(Kind::VrrpMaster, "fe80::1:1 (VRID 9)");
        assert!(six.message.starts_with("fe80::2 is master"), "{six:?}");
        heard.after = after;
    }
    // A backup keeps quiet: it would have spoken three intervals and a skew after its start. Then the master
    // is lost without a word, and the backup takes over.
    three.start(version, 100);
    let interval = Duration::from_millis(if version == 3 { 500 } else { 1_000 });
    std::thread::sleep(interval * 4 + Duration::from_secs(1));
    two.end("KILL");
    let master = heard.next(Kind::VrrpMaster, GROUP);
    assert!(
        master
            .message
            .starts_with("10.50.1.3 is master, priority 100"),
        "{master:?}"
    );
    // It comes back and takes over, then leaves with a farewell.
    two.start(version, 200);
    let master = heard.next(Kind::VrrpMaster, GROUP);
    assert!(master.message.starts_with("10.50.1.2"), "{master:?}");
    two.end("TERM");
    let left = heard.next(Kind::VrrpResigned, GROUP);
    assert!(left.message.starts_with("10.50.1.2"), "{left:?}");
    let master = heard.next(Kind::VrrpMaster, GROUP);
    assert!(master.message.starts_with("10.50.1.3"), "{master:?}");
    // They no longer hear each other: two masters.
    sh("for p in p2 p3; do bridge link set dev $p isolated on; done");
    two.start(version, 200);
    let both = heard.next(Kind::VrrpTwoMasters, GROUP);
    assert!(
        both.message.contains("10.50.1.2 (priority 200)")
            && both.message.contains("10.50.1.3 (priority 100)"),
        "{both:?}"
    );
    // They do again, and one gives way; then both are lost.
    sh("for p in p2 p3; do bridge link set dev $p isolated off; done");
    let master = heard.next(Kind::VrrpMaster, GROUP);
    assert!(master.message.starts_with("10.50.1.2"), "{master:?}");
    three.end("KILL");
    two.end("KILL");
    heard.next(Kind::VrrpSilent, GROUP);
}
