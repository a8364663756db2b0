//! The commands over the dependency graph, run on the incident's site.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

use serde_json::Value;
use std::process::{Command, Output};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

fn nofail(args: &str, site: &str) -> Output {
    let example = format!("incident-2026-04-13/{site}");
    Command::new(env!("CARGO_BIN_EXE_nofail"))
        .args(args.split_whitespace())
        .args(["--site", &example])
        .current_dir(EXAMPLES)
        // What this machine knows of its BMCs is none of the incident's.
        .env("NOFAIL_STATE_DIR", tempfile::tempdir().unwrap().path())
        .output()
        .unwrap()
}

fn human(args: &str, site: &str, code: i32) -> String {
    let output = nofail(args, site);
    assert_eq!(output.status.code(), Some(code), "{args}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{args}: too wide: {line}");
    }
    text
}

fn json(args: &str, site: &str, code: i32) -> Value {
    let output = nofail(&format!("{args} --format json"), site);
    assert_eq!(output.status.code(), Some(code), "{args}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn order_of_the_incident() {
    insta::assert_snapshot!(human("order", "site.toml", 1));
    let order = json("order", "mended/site.toml", 0);
    assert_eq!(order["schema"], "nofail.order/1");
    assert_eq!(order["starts_by_itself"], true);
}

#[test]
fn reboot_check_of_the_incident() {
    insta::assert_snapshot!(human("reboot-check kvm-01", "site.toml", 3));
    let check = json("reboot-check kvm-01", "mended/site.toml", 1);
    assert_eq!(check["verdict"], "losses");
    assert_eq!(check["stays_lost"], serde_json::json!([]));
}

#[test]
fn shared_of_the_controllers() {
    insta::assert_snapshot!(human("shared wlc", "site.toml", 1));
    let found = json("shared", "site.toml", 1);
    assert_eq!(found["schema"], "nofail.shared/1");
    let group = |name: &str| {
        let groups = found["groups"].as_array().unwrap();
        groups.iter().find(|g| g["group"] == name).unwrap().clone()
    };
    let has = |value: &Value, name: &str| value.as_array().unwrap().iter().any(|v| v == name);
    assert!(has(&group("group:wlc")["running"]["single"], "nas:nas-01"));
    assert_eq!(group("group:wlc")["cold"]["always"], true);
    assert!(has(
        &group("group:vault")["running"]["single"],
        "host:kvm-02"
    ));
    assert!(!has(&group("group:dns")["running"]["single"], "nas:nas-01"));
    // Mended, the controllers are off the NAS and come up by themselves.
    let found = json("shared wlc", "mended/site.toml", 1);
    let wlc = &found["groups"][0];
    assert!(!has(&wlc["running"]["single"], "nas:nas-01"));
    assert_eq!(wlc["cold"]["always"], false);
}

#[test]
fn blast_tells_lost_stays_and_twins() {
    let blast = json("blast kvm-01", "site.toml", 1);
    assert_eq!(blast["schema"], "nofail.blast/1");
    let stays = blast["stays_lost"].as_array().unwrap();
    assert!(
        stays
            .iter()
            .any(|s| s["component"] == "host:kvm-01" && s["reason"] == "held")
    );
    let lives = blast["survives"].as_array().unwrap();
    let dns = lives
        .iter()
        .find(|s| s["component"] == "group:dns")
        .unwrap();
    assert_eq!(dns["thanks_to"], serde_json::json!(["guest:bind-02"]));
    // As things stood, that twin was off: its group goes down with the host.
    let now = json("blast kvm-01 --now", "site.toml", 1);
    let lost = now["lost"].as_array().unwrap();
    assert!(lost.iter().any(|l| l["component"] == "group:dns"));
    assert!(human("blast nas-01 --why", "site.toml", 1).contains("/etc/fstab:12"));
}

#[test]
fn every_command_fits_the_page() {
    for (args, code) in [
        ("model", 0),
        ("model --why", 0),
        ("shared --why", 1),
        ("advise wireless --why", 0),
        ("cutsets wireless --why", 0),
        ("order --why", 1),
    ] {
        assert!(!human(args, "site.toml", code).is_empty(), "{args}");
    }
    let dot = String::from_utf8(nofail("model --format dot", "site.toml").stdout).unwrap();
    assert!(dot.starts_with("digraph") && dot.contains("style=dashed"));
    let mermaid = String::from_utf8(nofail("model --format mermaid", "site.toml").stdout).unwrap();
    assert!(mermaid.starts_with("flowchart LR") && mermaid.contains("-.->"));
    let cuts = json("cutsets wireless", "site.toml", 0);
    assert_eq!(cuts["top"], "service:wireless");
    let advice = json("advise wireless", "site.toml", 0);
    assert!(!advice["ranked"].as_array().unwrap().is_empty());
}

#[test]
fn a_wrong_name_is_met_with_a_better_one() {
    let error = |args: &str| {
        let output = nofail(args, "site.toml");
        assert_eq!(output.status.code(), Some(2), "{args}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error("advise wirless").contains("did you mean service:wireless?"));
    // Its BMC has the same name; a person who asks for the blast radius means the host.
    assert!(error("blast kvm01").contains("did you mean host:kvm-01?"));
    assert!(error("blast enp65s0f0x").contains("no component"));
    assert!(error("reboot-check nas-01").contains("kvm-01, kvm-02"));
}

#[test]
fn of_a_host_that_was_not_read_nothing_is_said_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("site.toml");
    let text = format!(
        "[hosts.kvm-01]\nsnapshot = \"{EXAMPLES}/incident-2026-04-13/kvm-01.json\"\n\
         [hosts.kvm-09]\nsnapshot = \"kvm-09.json\"\n"
    );
    std::fs::write(&site, text).unwrap();
    let run = |format: &str| {
        Command::new(env!("CARGO_BIN_EXE_nofail"))
            .args(["blast", "kvm-09", "--format", format, "--site"])
            .arg(&site)
            .output()
            .unwrap()
    };
    let output = run("human");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("what kvm-09 carries: it was not read"),
        "{text}"
    );
    assert!(!text.contains("comes back"), "{text}");
    let found: Value = serde_json::from_slice(&run("json").stdout).unwrap();
    assert_eq!(found["not_checked"][0]["host"], "kvm-09");
}
