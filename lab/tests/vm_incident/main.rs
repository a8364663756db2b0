//! The incident of 2026-04-13 as one story on real machines, with the real static nofail in them:
//! what it names and foretells is compared with what then happens.
//!
//! Needs root, QEMU, nfs-ganesha, busybox-static, and `NOFAIL_STATIC`: the path of a static nofail,
//! which `./test` builds. kvm-01 is mended by `nofail fix`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod kvm_01;
mod kvm_02;
mod userland;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lab::Machine;
use lab::cold::ROOT_LINE;
use serde_json::Value;

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

/// Puts nofail into a machine and gives it its name.
fn named(machine: Machine, name: &str) -> Machine {
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

/// The NAS's exports, each mounted under `/mnt/nas`.
const EXPORTS: [&str; 3] = ["vms", "isos", "backups"];

/// kvm-01's fstab: the disk's line, then the NAS.
fn fstab(disk: &str, nas: &str, options: &str) -> String {
    let mut text = format!("{ROOT_LINE}# scratch\n{disk}\n\n# NAS\n");
    for export in EXPORTS {
        text += &format!("{nas}:/volume1/{export} /mnt/nas/{export} nfs {options} 0 0\n");
    }
    text
}
