//! `nofail triage` on guests of a real libvirtd that really ail: paused, a QEMU that was stopped, a full
//! disk, processors that never rest, no agent, a link that was set down, a mount that hangs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod guests;
mod namespaces;

use guests::{
    Program, booted, define, full, nofail, nofail_text, pid, sh, start_libvirt, state, until, virsh,
};
use serde_json::Value;
use std::time::{Duration, Instant};

#[test]
fn each_ailment_gets_its_least_harmful_step() {
    namespaces::in_namespaces("each_ailment_gets_its_least_harmful_step", 280, inside);
}

fn triage(guest: &str, ailment: &str) -> Value {
    let began = Instant::now();
    let answer = nofail(&["triage", guest, "--deadline", "2"]);
    println!(
        "{guest}: {} ({:.1} s)",
        answer["summary"],
        began.elapsed().as_secs_f64()
    );
    assert_eq!(answer["ailment"], ailment, "{answer:#}");
    assert!(began.elapsed() < Duration::from_secs(40));
    let not = answer["not"][0]["what"].as_str().unwrap();
    assert!(not.starts_with("reboot "), "{answer:#}");
    answer
}

fn has_step(answer: &Value, command: &str) {
    let steps = answer["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|s| s["command"].as_str().unwrap().contains(command)),
        "{command}: {answer:#}"
    );
}

fn finding<'a>(answer: &'a Value, check: &str) -> &'a str {
    let checks = answer["checks"].as_array().unwrap();
    checks.iter().find(|c| c["check"] == check).unwrap()["finding"]
        .as_str()
        .unwrap()
}

fn inside() {
    start_libvirt("");
    let port = "<interface type='bridge'><source bridge='br-mgmt'/><model type='virtio'/></interface>\
                <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
    define("ill", Program::Idles, port);
    define("spins", Program::Spins, "");
    define("off", Program::Idles, "");
    for guest in ["ill", "spins"] {
        virsh(&["start", guest]);
        booted(guest);
    }

    // It looks well from outside, and its agent does not run.
    let answer = triage("ill", "silent");
    assert_eq!(finding(&answer, "agent"), "odd");
    has_step(&answer, "virsh console ill");
    let why = answer["not"][0]["why"].as_str().unwrap();
    assert!(
        why.contains("1 healthy guest would die to cure 1: spins"),
        "{why}"
    );

    triage("spins", "spins");
    triage("off", "off");

    virsh(&["suspend", "ill"]);
    has_step(&triage("ill", "paused"), "virsh resume ill");
    virsh(&["resume", "ill"]);

    let device = virsh(&["domiflist", "ill"]);
    let device = device
        .split_whitespace()
        .find(|w| w.starts_with("vnet"))
        .unwrap()
        .to_owned();
    virsh(&["domif-setlink", "ill", &device, "down"]);
    sh(&format!("ip link set {device} down"));
    let answer = triage("ill", "network");
    assert_eq!(finding(&answer, "link"), "bad");
    has_step(&answer, &format!("virsh domif-setlink ill {device} up"));
    virsh(&["domif-setlink", "ill", &device, "up"]);
    sh(&format!("ip link set {device} up"));

    // A stopped QEMU: neither virsh nor nofail may hang.
    sh(&format!("kill -STOP {}", pid("ill")));
    let answer = triage("ill", "qemu-stopped");
    has_step(&answer, &format!("kill -CONT {}", pid("ill")));
    assert_eq!(finding(&answer, "process"), "bad");
    sh(&format!("kill -CONT {}", pid("ill")));
    until("it answers again", || {
        guests::run("virsh", &["domblklist", "ill"])
            .status
            .success()
    });
    triage("ill", "silent");

    full("full");
    virsh(&["start", "full"]);
    until("the guest is paused", || {
        state("full").starts_with("paused")
    });
    let answer = triage("full", "io-error");
    has_step(&answer, "virsh resume full");
    let disks = answer["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["check"] == "disks")
        .unwrap();
    assert_eq!(disks["text"], "vda: no space", "{answer:#}");
    print!("{}", nofail_text(&["triage", "full"]));
    on_its_network(&device);
}

/// A neighbour in a namespace of its own plays the guest's network card.
fn on_its_network(_: &str) {
    let mac = virsh(&["domiflist", "ill"]);
    let mac = mac
        .split_whitespace()
        .find(|w| w.len() == 17 && w.contains(':'))
        .unwrap()
        .to_owned();
    sh(&format!(
        "ip netns add inner; ip link add veth-out type veth peer name veth-in netns inner
         ip link set veth-out master br-mgmt up; ip addr add 192.0.2.1/24 dev br-mgmt
         ip -n inner link set veth-in address {mac} up; ip -n inner addr add 192.0.2.20/24 dev veth-in; sleep 2
         ping -c 1 -W 5 192.0.2.20"
    ));
    let answer = nofail(&["triage", "ill", "--ping"]);
    let checks = answer["checks"].as_array().unwrap();
    let reach = checks.iter().find(|c| c["check"] == "reach").unwrap();
    assert_eq!(reach["finding"], "good", "{answer:#}");
    assert!(
        reach["text"]
            .as_str()
            .unwrap()
            .starts_with("192.0.2.20 through br-mgmt"),
        "{reach}"
    );
    sh("ip netns del inner; ip neigh flush all");
    let answer = nofail(&["triage", "ill", "--ping", "192.0.2.20"]);
    let checks = answer["checks"].as_array().unwrap();
    assert_eq!(
        checks.iter().find(|c| c["check"] == "reach").unwrap()["finding"],
        "bad",
        "{answer:#}"
    );
}
