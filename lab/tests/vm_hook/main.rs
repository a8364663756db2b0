//! The hook on real machines: a kernel with VLAN filtering, then a real libvirtd with real guests.
//!
//! Needs root, QEMU, nfs-ganesha, and `NOFAIL_STATIC`: the path of a static nofail, which `./test`
//! builds.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod guests;
mod ports;
mod reconciler;

use lab::Machine;
use std::path::PathBuf;
use std::time::Duration;

/// Time for one command in an emulated machine beside another busy one.
const RUN: Duration = Duration::from_secs(120);

/// Where nofail lies in a machine.
const NOFAIL: &str = "/usr/local/bin/nofail";

/// The VLAN map of the incident's site.
const SITE: &str = "\
[bridges.br-mgmt]
pvid = 100
tagged = [10, 20, 30, 40, 110, 120]
[guests.vyos-01]
tagged = [10, 20]
";

/// Puts the static nofail that `./test` built into a machine.
fn carry(machine: &Machine) {
    let path = std::env::var_os("NOFAIL_STATIC")
        .map(PathBuf::from)
        .expect("NOFAIL_STATIC is not set: it names a static nofail, as ./test builds it");
    machine.ok("mkdir -p /usr/local/bin /etc/nofail").unwrap();
    machine.put(NOFAIL, &std::fs::read(path).unwrap()).unwrap();
    machine.ok(&format!("chmod 755 {NOFAIL}")).unwrap();
    machine
        .put("/etc/nofail/site.toml", SITE.as_bytes())
        .unwrap();
}

/// VLANs of each port as `bridge -j vlan show` tells them: `100 pvid untagged,10,20`.
fn vlans(machine: &Machine) -> std::collections::BTreeMap<String, String> {
    let shown: serde_json::Value =
        serde_json::from_str(&machine.ok("bridge -j vlan show").unwrap()).unwrap();
    let one = |vlan: &serde_json::Value| {
        let mut text = vlan["vlan"].to_string();
        if let Some(end) = vlan["vlanEnd"].as_u64() {
            text += &format!("-{end}");
        }
        for flag in vlan["flags"].as_array().into_iter().flatten() {
            text += match flag.as_str().unwrap() {
                "PVID" => " pvid",
                "Egress Untagged" => " untagged",
                other => panic!("{other}"),
            };
        }
        text
    };
    let ports = shown.as_array().unwrap().iter().map(|port| {
        let vlans: Vec<String> = port["vlans"].as_array().unwrap().iter().map(one).collect();
        (port["ifname"].as_str().unwrap().to_owned(), vlans.join(","))
    });
    ports.collect()
}
