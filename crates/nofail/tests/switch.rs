//! `nofail switch` and `nofail read ios`, run on the incident's own captures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

use serde_json::Value;
use std::process::{Command, Output};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/incident-2026-04-13"
);

fn nofail(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nofail"))
        .args(args)
        .output()
        .unwrap()
}

fn json(args: &[&str], code: i32) -> Value {
    let mut all = args.to_vec();
    all.extend(["--format", "json"]);
    let output = nofail(&all);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn captures(state: &str) -> String {
    format!("{EXAMPLE}/{state}switch")
}

#[test]
fn the_diff_tells_who_left_the_group() {
    let (mended, incident) = (captures("mended/"), captures(""));
    let diff = json(&["switch", "diff", &mended, &incident], 1);
    assert_eq!(diff["schema"], "nofail.switch-diff/1");
    assert_eq!(diff["switch"], "sw-01");
    let first = &diff["changes"][0];
    assert_eq!(first["kind"], "radius-server-left-group");
    assert_eq!(first["effect"], "loss");
    assert_eq!(first["subject"], "ISE-RADIUS");
    assert!(
        first["after"]["file"]
            .as_str()
            .unwrap()
            .ends_with("sw-01-running-config.txt")
    );
    assert!(first["after"]["line"].as_u64().unwrap() > 1);

    let same = json(&["switch", "diff", &incident, &incident], 0);
    assert_eq!(same["changes"], serde_json::json!([]));
    let output = nofail(&["switch", "diff", &incident, "/dev/null"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("the text is empty")
    );
}

#[test]
fn the_commands_put_the_server_back_and_wait_with_the_rest() {
    let incident = captures("");
    let found = json(&["switch", "commands", "--capture", &incident], 1);
    assert_eq!(found["schema"], "nofail.switch-commands/1");
    let switch = &found["switches"][0];
    assert_eq!(switch["switch"], "sw-01");
    let of = |rule: &str| {
        let findings = switch["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|f| f["rule"] == rule)
            .unwrap_or_else(|| panic!("{rule}"))
            .clone()
    };
    let radius = of("switch/radius-group-member-missing");
    assert_eq!(
        radius["configure"],
        serde_json::json!(["aaa group server radius ISE-RADIUS", "server name ISE-01"])
    );
    assert!(radius["caution"].is_null());
    let save = of("switch/unsaved-configuration");
    assert_eq!(
        save["execute"],
        serde_json::json!(["copy running-config startup-config"])
    );
    assert!(save["caution"].is_string());

    // What a person pastes: every line that must wait is a comment.
    let output = nofail(&["switch", "commands", "--capture", &incident]);
    let text = String::from_utf8(output.stdout).unwrap();
    let typed: Vec<&str> = text.lines().filter(|line| !line.starts_with('!')).collect();
    assert_eq!(
        typed,
        [
            "configure terminal",
            " aaa group server radius ISE-RADIUS",
            "  server name ISE-01",
            "end"
        ]
    );

    let mended = json(
        &["switch", "commands", "--capture", &captures("mended/")],
        0,
    );
    assert_eq!(mended["switches"], serde_json::json!([]));
}

#[test]
fn the_commands_need_a_site_or_captures() {
    let output = nofail(&["switch", "commands"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--capture")
    );
}

#[test]
fn read_ios_prints_what_the_parser_makes_of_a_capture() {
    let file = format!("{EXAMPLE}/switch/sw-01-state.txt");
    let read = json(&["read", "ios", &file], 0);
    let port = &read["switch"]["ports"]["TenGigabitEthernet1/0/2"];
    assert_eq!(port["crc_errors"], 386);
    assert_eq!(port["counters_cleared"], "never");
    let host = &read["switch"]["ports"]["TenGigabitEthernet1/0/8"];
    assert_eq!(host["native_vlan"], 100);
    assert_eq!(
        host["allowed_vlans"],
        serde_json::json!([10, 20, 30, 40, 100, 110, 120])
    );
}
