//! `nofail fix` on another host over SSH, and at a terminal: shown, asked, done, taken back.
//!
//! A real sshd runs in namespaces of its own, on a copy of `/etc`: nothing of this machine is
//! touched. Needs root, sshd, ssh-keygen, script(1), and the static binary (`NOFAIL_STATIC`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

#[allow(dead_code, reason = "this test needs the namespaces and not libvirt")]
mod libvirt;
mod namespaces;
mod sshd;

use libvirt::ok;
use namespaces::in_namespaces;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const FSTAB: &str = "# kept\n192.0.2.70:/vms\t/mnt/vms\tnfs\tdefaults\t0 0\n";

#[test]
fn a_host_over_ssh_and_a_terminal() {
    in_namespaces("a_host_over_ssh_and_a_terminal", 150, inside);
}

struct Host {
    sshd: sshd::Sshd,
    agent: String,
}

impl Host {
    fn words(&self, extra: &[&str]) -> Vec<String> {
        let at = |name: &str| self.sshd.dir.path().join(name).display().to_string();
        let (site, config) = (at("site.toml"), at("ssh_config"));
        let mut words = vec!["fix", "fstab/missing-nofail", "--host", "kvm"];
        words.extend([
            "--site",
            &site,
            "--ssh-config",
            &config,
            "--agent",
            &self.agent,
        ]);
        words.extend(extra);
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    fn fix(&self, extra: &[&str]) -> Output {
        Command::new("/run/nofail")
            .args(self.words(extra))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The same at a pseudo-terminal, with an answer typed.
    fn at_terminal(&self, answer: &str) -> (Option<i32>, String) {
        let line = format!("/run/nofail {}", self.words(&[]).join(" "));
        let mut script = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        script
            .stdin
            .take()
            .unwrap()
            .write_all(answer.as_bytes())
            .unwrap();
        let output = script.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said)
    }
}

fn fstab() -> String {
    std::fs::read_to_string("/etc/fstab").unwrap()
}

fn inside() {
    ok("mount", &["--make-rprivate", "/"]);
    ok("ip", &["link", "set", "lo", "up"]);
    let agent = std::env::var("NOFAIL_STATIC").expect("NOFAIL_STATIC names the static binary");
    for script in [
        "d=$(mktemp -d) && mount -t tmpfs -o mode=755 none $d && cp -a /etc/. $d/ && mount --move $d /etc && rmdir $d",
        "mkdir -p /var/lib/nofail && mount -t tmpfs -o mode=755 none /var/lib/nofail",
        "mount -t tmpfs -o mode=755 none /run",
        "mount -t tmpfs -o mode=1777 none /tmp",
    ] {
        ok("sh", &["-c", script]);
    }
    std::fs::write("/etc/fstab", FSTAB).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_nofail"), "/run/nofail").unwrap();
    let host = Host {
        sshd: sshd::sshd(),
        agent,
    };
    let site = format!(
        "[hosts.kvm]\naddress = \"root@127.0.0.1:{}\"\n",
        host.sshd.port
    );
    std::fs::write(host.sshd.dir.path().join("site.toml"), site).unwrap();

    // No terminal, no --yes: shown only.
    let shown = host.fix(&["--format", "json"]);
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    let json: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(json["host"], "kvm");
    assert_eq!(json["applied"], false);
    assert_eq!(fstab(), FSTAB);

    let done = host.fix(&["--yes", "--reason", "it's a drill; $HOME"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(
        fstab().starts_with("# kept\n192.0.2.70:/vms\t/mnt/vms\tnfs\tdefaults,nofail\t0 0"),
        "{}",
        fstab()
    );
    let plans = Command::new("/run/nofail")
        .args(["plans", "--format", "json"])
        .output()
        .unwrap();
    let plans: Value = serde_json::from_slice(&plans.stdout).unwrap();
    let plan = &plans["plans"][0];
    assert_eq!(plan["reason"], "it's a drill; $HOME", "{plans:#}");
    assert!(
        plan["from"]
            .as_str()
            .unwrap()
            .starts_with("ssh 127.0.0.1 port"),
        "{plan:#}"
    );
    let again = host.fix(&["--yes"]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let back = Command::new("/run/nofail")
        .args(["rollback", "--yes"])
        .output()
        .unwrap();
    assert!(back.status.success(), "{back:?}");
    assert_eq!(fstab(), FSTAB);

    // At a terminal it asks, there as here.
    let (code, said) = host.at_terminal("n\n");
    assert!(said.contains("Do this? [y/N]"), "{said}");
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(fstab(), FSTAB);
    let (code, said) = host.at_terminal("y\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(fstab().contains("nofail"), "{said}");
    // What was sent is gone.
    let left = Command::new("sh")
        .args(["-c", "ls -d /tmp/tmp.*/nofail 2>/dev/null | wc -l"])
        .output()
        .unwrap();
    let left = String::from_utf8_lossy(&left.stdout).trim().to_owned();
    assert_eq!(left, "0");
}
