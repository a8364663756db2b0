//! `nofail explain` against guests of a real libvirtd that really went down: each cause is
//! produced, and the answer read. What needs a host of its own (shutdown, reset, libvirt-guests,
//! SSH) is in lab/tests/vm_explain.rs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod guests;
mod namespaces;

use guests::{
    Program, booted, define, define_with, nofail, ok, pid, raw_disk, run, sh, start_libvirt, state,
    until, virsh,
};
use serde_json::Value;

#[test]
fn every_cause_is_told_from_the_others() {
    namespaces::in_namespaces("every_cause_is_told_from_the_others", 280, inside);
}

fn inside() {
    start_libvirt("log_outputs = \"3:file:/var/log/libvirt/libvirtd.log\"\n");
    shut_down_inside_without_a_log_of_calls();
    destroyed();
    killed();
    crashed();
    out_of_memory();
    io_error();
    failed_starts();
    migrated();
    with_a_log_of_calls();
    a_tree();
}

/// Asks, prints the head of the answer, and checks the first cause.
fn explain(guest: &str, cause: &str, least: u64) -> Value {
    let answer = nofail(&["explain", guest]);
    let first = &answer["causes"][0];
    println!(
        "{guest}: {} {} %: {}",
        first["cause"], first["confidence"], first["text"]
    );
    assert_eq!(first["cause"], cause, "{answer:#}");
    assert!(first["confidence"].as_u64().unwrap() >= least, "{answer:#}");
    assert!(
        !first["evidence"].as_array().unwrap().is_empty(),
        "{answer:#}"
    );
    answer
}

fn off(name: &str) {
    until("the guest is off", || state(name).starts_with("shut off"));
}

fn shut_down_inside_without_a_log_of_calls() {
    define("inside", Program::PowersOff, "");
    virsh(&["start", "inside"]);
    off("inside");
    // The same words stand in the log after `virsh shutdown`: it must not claim to know.
    let answer = explain("inside", "shut-down-inside", 50);
    assert!(answer["causes"][0]["confidence"].as_u64().unwrap() < 90);
    assert_eq!(answer["causes"][1]["cause"], "virsh-shutdown");
    assert!(
        answer["next_time"][0]
            .as_str()
            .unwrap()
            .contains("log_filters")
    );
    assert_eq!(answer["state"], "shut-off");
}

fn destroyed() {
    define("destroyed", Program::Idles, "");
    virsh(&["start", "destroyed"]);
    virsh(&["destroy", "destroyed"]);
    explain("destroyed", "virsh-destroy", 90);
    virsh(&["start", "destroyed"]);
    let answer = nofail(&["explain", "destroyed"]);
    assert_eq!(answer["state"], "running");
    assert_eq!(answer["causes"][0]["cause"], "virsh-destroy");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let output = run(
        env!("CARGO_BIN_EXE_nofail"),
        &["explain", "destroyed", "--since", "1s"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    virsh(&["managedsave", "destroyed"]);
    explain("destroyed", "saved", 90);
}

fn killed() {
    define("killed", Program::Idles, "");
    virsh(&["start", "killed"]);
    // The sender must live on for QEMU to name it.
    sh(&format!(
        "kill -TERM {0}; while kill -0 {0} 2>/dev/null; do sleep 0.05; done",
        pid("killed")
    ));
    off("killed");
    let answer = explain("killed", "qemu-killed", 90);
    assert!(
        answer["causes"][0]["text"]
            .as_str()
            .unwrap()
            .contains("signal 15 from sh"),
        "{answer:#}"
    );
    virsh(&["start", "killed"]);
    sh(&format!("kill -KILL {}", pid("killed")));
    off("killed");
    // The kernel does not log a SIGKILL: likely, not certain.
    let answer = explain("killed", "qemu-killed", 60);
    assert!(answer["causes"][0]["confidence"].as_u64().unwrap() < 90);
}

/// QEMU runs into an instruction that is none: the code of GLib's main loop is overwritten in
/// its memory.
fn crashed() {
    define("crashed", Program::Idles, "");
    virsh(&["start", "crashed"]);
    booted("crashed");
    let pid = pid("crashed");
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let code = maps
        .lines()
        .find(|l| l.contains("r-xp") && l.contains("libglib-2.0"));
    let (from, to) = code
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .split_once('-')
        .unwrap();
    let address = |hex: &str| u64::from_str_radix(hex, 16).unwrap();
    let length = usize::try_from(address(to) - address(from)).unwrap();
    let memory = std::fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/{pid}/mem"))
        .unwrap();
    let broken: Vec<u8> = [0x0F, 0x0B].into_iter().cycle().take(length).collect();
    std::os::unix::fs::FileExt::write_all_at(&memory, &broken, address(from)).unwrap();
    run("virsh", &["domblkstat", "crashed", "vda"]);
    off("crashed");
    let answer = explain("crashed", "qemu-crash", 90);
    let text = answer["causes"][0]["evidence"].to_string();
    assert!(
        text.contains("invalid opcode") || text.contains("segfault"),
        "{text}"
    );
}

/// In a memory cgroup of this test's own: every page that the guest touches from then on counts.
fn out_of_memory() {
    define("hungry", Program::TouchesMemory, "");
    virsh(&["start", "--paused", "hungry"]);
    let group = format!("nofail-test-{}", pid("hungry"));
    sh(&format!(
        "mkdir -p /mnt/cgroup
         if mount -t cgroup -o memory none /mnt/cgroup 2>/dev/null; then limit=memory.limit_in_bytes
         else mount -t cgroup2 none /mnt/cgroup; echo +memory > /mnt/cgroup/cgroup.subtree_control; limit=memory.max; fi
         mkdir /mnt/cgroup/{group}
         echo 4M > /mnt/cgroup/{group}/$limit
         echo 0 > /mnt/cgroup/{group}/memory.swap.max 2>/dev/null || true
         echo {} > /mnt/cgroup/{group}/cgroup.procs",
        pid("hungry")
    ));
    virsh(&["resume", "hungry"]);
    off("hungry");
    sh(&format!("rmdir /mnt/cgroup/{group}; umount /mnt/cgroup"));
    explain("hungry", "out-of-memory", 90);
}

/// Its disk lies on a file system that fills up.
fn io_error() {
    guests::full("full");
    virsh(&["start", "full"]);
    until("the guest is paused", || {
        state("full").starts_with("paused")
    });
    let answer = explain("full", "io-error-pause", 95);
    assert_eq!(answer["state_reason"], "ioerror");
    virsh(&["destroy", "full"]);
}

fn failed_starts() {
    define_with(
        "no-disk",
        &raw_disk("/var/lib/libvirt/images/gone.img", "vda"),
    );
    define_with(
        "no-bridge",
        "<interface type='bridge'><source bridge='br-none'/></interface>",
    );
    define_with(
        "no-port",
        "<graphics type='vnc' port='5999' autoport='no' listen='127.0.0.1'/>",
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:5999").unwrap();
    for (guest, cause, told) in [
        ("no-disk", "failed-start-missing-disk", "gone.img"),
        ("no-bridge", "failed-start-missing-bridge", "br-none"),
        (
            "no-port",
            "failed-start-port-in-use",
            "Address already in use",
        ),
    ] {
        assert!(!run("virsh", &["start", guest]).status.success());
        let answer = explain(guest, cause, 90);
        assert!(
            answer["causes"][0]["text"].as_str().unwrap().contains(told),
            "{answer:#}"
        );
    }
    drop(taken);
}

/// To a second libvirtd in a mount namespace of its own, over UNIX sockets.
fn migrated() {
    sh("mkdir -p /mnt/two /mnt/shared
        unshare --mount sh -euc '
            for d in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run; do mount -t tmpfs -o mode=755 none $d; done
            mkdir -p /var/lib/libvirt/qemu
            printf \"user = \\\"root\\\"\\ngroup = \\\"root\\\"\\nsecurity_driver = \\\"none\\\"\\n\" > /etc/libvirt/qemu.conf
            printf \"unix_sock_dir = \\\"/mnt/two\\\"\\nhost_uuid = \\\"6695eb01-f6a4-8304-79aa-97f2502e1930\\\"\\n\" > /etc/libvirt/libvirtd.conf
            virtlogd -d; libvirtd -d'");
    define("mover", Program::Idles, "");
    sh("mv /var/lib/libvirt/images/mover.img /mnt/shared/");
    let xml = virsh(&["dumpxml", "mover"])
        .replace("/var/lib/libvirt/images/mover.img", "/mnt/shared/mover.img");
    std::fs::write("/run/mover.xml", xml).unwrap();
    virsh(&["define", "/run/mover.xml"]);
    virsh(&["start", "mover"]);
    let there = "qemu+unix:///system?socket=/mnt/two/libvirt-sock";
    until("the second libvirtd answers", || {
        run("virsh", &["-c", there, "list"]).status.success()
    });
    ok(
        "virsh",
        &[
            "migrate",
            "--live",
            "--unsafe",
            "mover",
            there,
            "--migrateuri",
            "unix:///mnt/shared/m.sock",
        ],
    );
    explain("mover", "migrated", 95);
    ok("virsh", &["-c", there, "destroy", "mover"]);
}

/// With the daemon's log of calls, what could only be guessed before is known.
fn with_a_log_of_calls() {
    std::fs::write(
        "/etc/libvirt/libvirtd.conf",
        "log_filters = \"1:libvirt.domain\"\nlog_outputs = \"1:file:/var/log/libvirt/libvirtd.log\"\n",
    )
    .unwrap();
    sh("kill $(cat /run/libvirtd.pid)");
    until("libvirtd ended", || !guests::exists("/run/libvirtd.pid"));
    ok("libvirtd", &["-d"]);
    until("libvirtd answers", || {
        run("virsh", &["list"]).status.success()
    });
    define("asked", Program::WaitsForButton, "");
    virsh(&["start", "asked"]);
    booted("asked");
    virsh(&["shutdown", "asked"]);
    off("asked");
    explain("asked", "virsh-shutdown", 90);
    virsh(&["start", "inside"]);
    off("inside");
    explain("inside", "shut-down-inside", 90);
}

/// The files alone, as from a rescue shell.
fn a_tree() {
    sh(
        "mkdir -p /mnt/tree/var/log /mnt/tree/etc; cp -r /var/log/libvirt /mnt/tree/var/log/; cp -r /etc/libvirt /mnt/tree/etc/",
    );
    let answer = nofail(&["explain", "destroyed", "--root", "/mnt/tree"]);
    assert_eq!(answer["causes"][0]["cause"], "saved");
    let not_checked = answer["not_checked"].to_string();
    assert!(
        not_checked.contains("no var/log/journal in this tree"),
        "{not_checked}"
    );
    let output = run(env!("CARGO_BIN_EXE_nofail"), &["explain", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("destroyed"),
        "{output:?}"
    );
    print!("{}", guests::nofail_text(&["explain", "killed"]));
}
