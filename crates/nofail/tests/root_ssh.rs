//! Collection over SSH, from a real sshd on loopback. Needs root (sshd), sshd, ssh-keygen and
//! the static binary (`./test` builds it and names it in `NOFAIL_STATIC`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

mod sshd;

use serde_json::Value;
use sshd::{Sshd, sshd};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

fn audit(sshd: &Sshd, agent: &Path) -> Value {
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let site = sshd.dir.path().join("site.toml");
    let text = format!(
        "[hosts.alive]\naddress = \"root@127.0.0.1:{}\"\n[hosts.dead]\naddress = \"root@127.0.0.1:{dead}\"\n",
        sshd.port
    );
    std::fs::write(&site, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nofail"))
        .args(["audit", "--format", "json", "--fail-on", "never", "--site"])
        .arg(&site)
        .arg("--ssh-config")
        .arg(sshd.dir.path().join("ssh_config"))
        .arg("--agent")
        .arg(agent)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn static_nofail() -> std::path::PathBuf {
    std::env::var_os("NOFAIL_STATIC")
        .expect("NOFAIL_STATIC names the static binary; ./test builds it")
        .into()
}

#[test]
fn a_static_nofail_is_sent_and_a_dead_host_stops_nobody() {
    let sshd = sshd();
    let json = audit(&sshd, &static_nofail());
    assert_eq!(json["hosts"], serde_json::json!(["alive"]));
    let not_checked = json["not_checked"].as_array().unwrap();
    assert!(
        not_checked.iter().any(|n| n["host"] == "dead"),
        "{not_checked:?}"
    );
}

#[test]
fn how_it_was_read_is_said_and_nothing_is_left_behind() {
    let sshd = sshd();
    let before = leftovers();
    for (agent, reader) in [
        (static_nofail(), "ssh, nofail sent"),
        (
            "/bin/sh".into(),
            "ssh, files only: this nofail is not a static binary",
        ),
    ] {
        let site = sshd.dir.path().join("site.toml");
        let text = format!("[hosts.h]\naddress = \"root@127.0.0.1:{}\"\n", sshd.port);
        std::fs::write(&site, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_nofail"))
            .args(["collect", "--host", "h", "--site"])
            .arg(&site)
            .arg("--ssh-config")
            .arg(sshd.dir.path().join("ssh_config"))
            .arg("--agent")
            .arg(&agent)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let json: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
        assert_eq!(json["reader"], reader);
        assert_eq!(json["host"], "h");
    }
    assert_eq!(leftovers(), before, "a copy was left behind");
}

/// Copies of nofail in the remote side's temporary directories.
fn leftovers() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // mktemp(1)'s own template.
        if name.starts_with("tmp.") && entry.path().join("nofail").exists() {
            found.push(name);
        }
    }
    found
}
