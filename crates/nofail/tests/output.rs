//! What becomes of a command whose standard output cannot be written: a full disk is told as one,
//! a reader that went away is no fault.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

const SITE: &str = "--site examples/incident-2026-04-13/site.toml";
const HOST: &str = "--snapshot examples/incident-2026-04-13/kvm-01.json";

fn nofail(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nofail"));
    command
        .args(args.split_whitespace())
        .env("RUST_BACKTRACE", "0")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null());
    command
}

/// Every command that prints without changing anything, in each of its ways to print.
fn commands(state: &Path) -> Vec<String> {
    let database = state.join("events.db");
    let mut recorder =
        watch::Recorder::open(&database, watch::recorder::Limits::default()).unwrap();
    let (now, kind) = (jiff::Timestamp::now(), watch::Kind::MountFailed);
    let event = watch::Event::new(now, "kvm", "test", kind, "/srv", "for the test");
    recorder.record(&[event]).unwrap();
    drop(recorder);
    let database = database.display();
    let mut all = vec![
        "--help".to_owned(),
        "audit --help".to_owned(),
        "--version".to_owned(),
        "completions bash".to_owned(),
        format!("collect {HOST}"),
        format!("collect {HOST} -o -"),
        format!("init {SITE}"),
        format!("audit {SITE} --format sarif"),
        format!("audit {SITE} --format markdown"),
        format!("model {SITE} --format dot"),
        format!("model {SITE} --format mermaid"),
        format!("incident examples/incident-2026-04-13/incident.toml {SITE} --format markdown"),
        format!("cutsets wlc {SITE} --list"),
        format!("cutsets wlc {SITE} --list --format json"),
        "read fstab examples/incident-2026-04-13/kvm-01/etc/fstab".to_owned(),
        "rules show fstab/missing-nofail".to_owned(),
        format!("events --db {database} --follow"),
        format!("events --db {database} --follow --format json"),
    ];
    for command in [
        "rules".to_owned(),
        format!("events --db {database}"),
        format!("audit {SITE}"),
        format!("boot {HOST}"),
        "explain bind-01 --root examples/incident-2026-04-13/kvm-01".to_owned(),
        format!("blast nas-01 {SITE}"),
        format!("reboot-check kvm-01 {SITE}"),
        format!("order {SITE}"),
        format!("shared wlc {SITE}"),
        format!("advise wlc {SITE}"),
        format!("cutsets wlc {SITE}"),
        format!("incident examples/incident-2026-04-13/incident.toml {SITE}"),
        format!("model {SITE}"),
        format!("vlan map {SITE}"),
        format!("vlan persist {HOST}"),
        format!("switch commands {SITE}"),
        format!("plans --root {}", state.display()),
    ] {
        all.push(format!("{command} --format json"));
        all.push(command);
    }
    all
}

#[test]
fn a_full_disk_is_told_and_a_reader_that_went_away_is_not() {
    let mut wrong = Vec::new();
    let state = tempfile::tempdir().unwrap();
    for args in commands(state.path()) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = nofail(&args).stdout(full).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        let told = "nofail: cannot write standard output: No space left on device (os error 28)\n";
        if ended.status.code() != Some(2) || said != told {
            wrong.push(format!("{args} >/dev/full: {}: {said}", ended.status));
        }

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = nofail(&args).stdout(writer).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        if ended.status.code() != Some(0) || !said.is_empty() {
            wrong.push(format!("{args} | head: {}: {said}", ended.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
