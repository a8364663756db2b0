//! `nofail evacuate` with a real libvirtd, real QEMU guests and a real network mount: a guest that
//! writes and checks what it wrote moves while it is off and while it runs, and everything that may
//! come between is made to.
//!
//! Runs in namespaces of its own. Needs root and the packages libvirt-daemon-system,
//! libvirt-clients, qemu-system-x86, qemu-utils, sshfs, openssh-server, binutils.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod evacuate;
mod guests;
mod namespaces;

use evacuate::{
    LOCAL, PROGRAM, as_before, definition, evacuate, goes_on, guest, images, nas, nofail, refusal,
    said, spawn, start, writes,
};
use guests::{define_with, exists, ok, run, sh, until, virsh};
use namespaces::in_namespaces;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

#[test]
fn a_guest_that_is_off_moves_and_comes_back_with_what_it_wrote() {
    in_namespaces(
        "a_guest_that_is_off_moves_and_comes_back_with_what_it_wrote",
        600,
        offline,
    );
}

#[test]
fn a_guest_that_writes_moves_live_and_comes_back() {
    in_namespaces("a_guest_that_writes_moves_live_and_comes_back", 300, live);
}

#[test]
fn killed_anywhere_it_is_old_or_new_or_one_rollback_away() {
    in_namespaces(
        "killed_anywhere_it_is_old_or_new_or_one_rollback_away",
        2400,
        killed,
    );
}

#[test]
fn trouble_in_the_middle_of_a_copy_leaves_the_guest_where_it_was() {
    in_namespaces(
        "trouble_in_the_middle_of_a_copy_leaves_the_guest_where_it_was",
        900,
        trouble,
    );
}

fn offline() {
    start(200);
    images(20);
    guest(
        "<disk type='file' device='cdrom'><source file='/mnt/nas/base.img'/><target dev='sda' bus='sata'/><readonly/></disk>",
    );
    let before = definition();

    // Shown only.
    let (code, shown, _) = evacuate(&["--dry-run"]);
    assert_eq!((code, &shown["applied"]), (1, &false.into()), "{shown:#}");
    assert_eq!(shown["mode"], "offline");
    assert_eq!(shown["left"][0]["disk"], "sda", "{shown:#}");
    as_before(&before);
    refusals();
    guest("");
    let before = definition();

    let (code, done, errors) = evacuate(&["--yes", "--reason", "test"]);
    assert_eq!(code, 0, "{done:#} {errors}");
    let expected = before
        .replace("/mnt/nas/a.qcow2", "/mnt/local/a.qcow2")
        .replace("type='volume'", "type='file'")
        .replace("pool='vms' volume='v.img'", "file='/mnt/local/v.img'");
    assert_eq!(definition(), expected);
    let kept = "/mnt/nas/a.qcow2.evacuated";
    ok("qemu-img", &["compare", kept, "/mnt/local/a.qcow2"]);
    let chain = ok("qemu-img", &["info", "/mnt/local/a.qcow2"]);
    assert!(!chain.contains("backing file"), "{chain}");
    let meta = |path| {
        let meta = std::fs::metadata(path).unwrap();
        (meta.mode(), meta.uid(), meta.gid(), meta.mtime())
    };
    assert_eq!(meta(kept), meta("/mnt/local/a.qcow2"));
    assert_eq!(meta(kept).0 & 0o7777, 0o640);
    let note = std::fs::read_to_string(format!("{kept}.txt")).unwrap();
    assert!(note.contains("/mnt/local/a.qcow2"), "{note}");
    let (code, again, _) = evacuate(&["--yes"]);
    assert_eq!(
        (code, again["moves"].as_array().map(Vec::len)),
        (0, Some(0))
    );

    // It runs on the copy, alone: the NAS may hang.
    nas(false);
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/local/a.qcow2", 150);
    nas(true);
    virsh(&["destroy", "g"]);
    let wrote = writes("qcow2", "/mnt/local/a.qcow2");
    sh("cp /mnt/local/a.qcow2 /run/newest.qcow2");

    // Back, with what it wrote.
    let (code, back, errors) = nofail(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{back:#} {errors}");
    as_before(&before);
    ok(
        "qemu-img",
        &["compare", "/run/newest.qcow2", "/mnt/nas/a.qcow2"],
    );
    assert_eq!(writes("qcow2", "/mnt/nas/a.qcow2"), wrote);
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 150);
    virsh(&["destroy", "g"]);

    removal();
}

fn refusals() {
    let refuses = |more: &[&str], text: &str| {
        let why = refusal(more);
        assert!(why.contains(text), "{text}: {why}");
    };
    let to = |place: &str| {
        let (code, json, errors) = nofail(&["evacuate", "g", "--to", place, "--yes"]);
        assert_eq!(code, 2, "{json:#}");
        json["refused"].to_string() + &errors
    };
    sh("mkdir -p /mnt/nas/dir /mnt/small; ln -s /mnt/nas/dir /mnt/local/link
        truncate -s 8M /mnt/d/small; mkfs.ext4 -q /mnt/d/small; mount -o loop /mnt/d/small /mnt/small");
    for (place, text) in [
        ("/mnt/nas/dir", "lies on /mnt/nas itself"),
        ("/mnt/local/link", "lies on /mnt/nas itself"),
        ("vms", "lies on /mnt/nas itself"),
        ("/run", "lies in memory"),
        ("/mnt/local/none", "/mnt/local/none"),
        ("nowhere", "there is no pool nowhere: this host has vms"),
        ("./here", "relative path"),
        ("/mnt/small", "/mnt/small has"),
    ] {
        let why = to(place);
        assert!(why.contains(text), "{place}: {why}");
    }
    sh("rm /mnt/local/link; rmdir /mnt/nas/dir; umount /mnt/small");

    ok("qemu-img", &["snapshot", "-c", "old", "/mnt/nas/a.qcow2"]);
    refuses(&["--yes"], "internal snapshots (old)");
    ok("qemu-img", &["snapshot", "-d", "old", "/mnt/nas/a.qcow2"]);

    sh("mkdir -p /var/lib/libvirt/qemu/save; echo x > /var/lib/libvirt/qemu/save/g.save");
    refuses(&["--yes"], "managed save");
    sh("rm /var/lib/libvirt/qemu/save/g.save");

    define_with(
        "g",
        &format!(
            "{}<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
            evacuate::DISKS
        ),
    );
    refuses(&["--yes"], "passed through");
    for (disk, text) in [
        (
            "<disk type='block' device='lun'><source dev='/dev/null'/><target dev='sdb' bus='scsi'/></disk>",
            "SCSI device",
        ),
        (
            "<disk type='network' device='disk'><source protocol='nbd' name='x'><host name='127.0.0.1'/></source><target dev='sdb' bus='scsi'/></disk>",
            "over the network",
        ),
        (
            "<disk type='file' device='disk'><source file='/mnt/nas/v.img'/><target dev='sdb' bus='scsi'/><shareable/></disk>",
            "shared by several guests",
        ),
    ] {
        guest(disk);
        refuses(&["--yes"], text);
    }
    guest("");

    // Another guest on the same base image, then on the same image.
    sh("cd /mnt/local; qemu-img create -q -f qcow2 -b /mnt/nas/base.img -F raw h.qcow2");
    let other = |path: &str| {
        define_with(
            "h",
            &format!(
                "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/><target dev='vda'/></disk>"
            ),
        );
    };
    other("/mnt/local/h.qcow2");
    refuses(&["--yes"], "it rests on /mnt/nas/base.img, as h does");
    let (code, flat, _) = evacuate(&["--flatten", "--dry-run"]);
    assert_eq!(code, 1, "{flat:#}");
    other("/mnt/nas/a.qcow2");
    refuses(&["--yes", "--flatten"], "also used by h");
    virsh(&["undefine", "h"]);
    sh("rm /mnt/local/h.qcow2; echo x > /mnt/local/v.img");
    refuses(&["--yes"], "/mnt/local/v.img exists already");
    sh("rm /mnt/local/v.img");

    // A user that cannot enter the target.
    sh("chmod 0700 /mnt/local; sed -i 's/^user = .*/user = \"nobody\"/' /etc/libvirt/qemu.conf");
    refuses(&["--yes"], "QEMU's user nobody cannot enter /mnt/local");
    sh("chmod 0755 /mnt/local; sed -i 's/^user = .*/user = \"root\"/' /etc/libvirt/qemu.conf");

    // SELinux, and nothing here that labels the copy.
    sh("mount -t tmpfs none /sys/fs; mkdir /sys/fs/selinux; echo 1 > /sys/fs/selinux/enforce
        mkdir -p /etc/selinux; mount -t tmpfs none /etc/selinux; echo SELINUX=enforcing > /etc/selinux/config");
    refuses(&["--yes"], "restorecon");
    sh("umount /sys/fs /etc/selinux");

    // A server that does not answer: bounded, and said.
    nas(false);
    let began = Instant::now();
    refuses(&["--yes"], "/mnt/nas");
    nas(true);
    assert!(began.elapsed() < Duration::from_secs(60));

    let (code, _, errors) = nofail(&["evacuate", "nobody", "--to", LOCAL]);
    assert_eq!(code, 2);
    assert!(errors.contains("there is no guest nobody"), "{errors}");
}

fn removal() {
    let (code, done, errors) = evacuate(&["--yes"]);
    assert_eq!(code, 0, "{done:#} {errors}");
    let plan = done["plan"].as_str().unwrap();
    let remove = |more: &[&str]| nofail(&[&["evacuate", "g", "--remove-source"], more].concat());
    let (code, shown, _) = remove(&[]);
    assert_eq!(code, 1, "{shown:#}");
    assert!(exists("/mnt/nas/a.qcow2.evacuated"));

    // Somebody else's guest uses a kept original: it stays.
    define_with(
        "h",
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/mnt/nas/a.qcow2.evacuated'/><target dev='vda'/></disk>",
    );
    let (code, refused, _) = remove(&["--yes"]);
    assert_eq!(code, 2, "{refused:#}");
    assert!(
        refused["refused"].to_string().contains("used by h"),
        "{refused:#}"
    );
    virsh(&["undefine", "h"]);

    let (code, removed, errors) = remove(&["--yes"]);
    assert_eq!(code, 0, "{removed:#} {errors}");
    assert_eq!(removed["unused_backing"][0], "/mnt/nas/base.img");
    assert_eq!(sh("ls -A /mnt/nas"), "base.img\n");
    let (code, none, _) = remove(&["--yes"]);
    assert_eq!((code, none["kept"].as_array().map(Vec::len)), (0, Some(0)));

    // What is gone cannot come back: said, before anything is changed.
    let moved = definition();
    let (code, _, errors) = nofail(&["rollback", plan, "--yes"]);
    assert_eq!(code, 2);
    assert!(errors.contains("cannot be taken back"), "{errors}");
    assert_eq!(definition(), moved);
    assert!(exists("/mnt/local/a.qcow2"));
}

fn live() {
    start(300);
    images(40);
    guest("");
    let before = definition();
    virsh(&["start", "g"]);
    // Once round: from now on every sector is read and checked before it is written.
    goes_on("qcow2", "/mnt/nas/a.qcow2", 150);

    let (code, done, errors) = evacuate(&["--yes"]);
    assert_eq!(code, 0, "{done:#} {errors}");
    assert_eq!(done["mode"], "live");
    let expected = before
        .replace("/mnt/nas/a.qcow2", "/mnt/local/a.qcow2")
        .replace("type='volume'", "type='file'")
        .replace("pool='vms' volume='v.img'", "file='/mnt/local/v.img'");
    assert_eq!(definition(), expected);
    let running = virsh(&["dumpxml", "g"]);
    assert!(
        running.contains("<source file='/mnt/local/a.qcow2'"),
        "{running}"
    );
    assert!(
        running.contains("<source file='/mnt/local/v.img'"),
        "{running}"
    );
    assert!(
        !running.contains("/mnt/nas/") && !running.contains("<mirror"),
        "{running}"
    );
    // Twice round its sectors on the copy, while the NAS hangs.
    nas(false);
    goes_on("qcow2", "/mnt/local/a.qcow2", 300);
    nas(true);

    // Back while it runs.
    let (code, back, errors) = nofail(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{back:#} {errors}");
    as_before(&before);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 150);
    virsh(&["destroy", "g"]);
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 150);

    // Again; this time it is off when it is taken back.
    let (code, done, errors) = evacuate(&["--yes"]);
    assert_eq!(code, 0, "{done:#} {errors}");
    goes_on("qcow2", "/mnt/local/a.qcow2", 150);
    virsh(&["destroy", "g"]);
    let wrote = writes("qcow2", "/mnt/local/a.qcow2");
    let (code, back, errors) = nofail(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{back:#} {errors}");
    as_before(&before);
    assert_eq!(writes("qcow2", "/mnt/nas/a.qcow2"), wrote);
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 150);
    virsh(&["destroy", "g"]);
}

/// Kills nofail at every so-manieth place where the engine may be killed, rolls back, and looks.
fn killed() {
    start(100);
    images(2);
    guest("");
    let before = definition();
    let every = std::env::var("NOFAIL_TEST_KILLS").map_or(29, |n| n.parse().unwrap());
    for running in [false, true] {
        if running {
            virsh(&["start", "g"]);
            goes_on("qcow2", "/mnt/nas/a.qcow2", 16);
        }
        let mut kills = 0;
        let mut at = 1;
        loop {
            let output = std::process::Command::new(PROGRAM)
                .args(["evacuate", "g", "--to", LOCAL, "--yes", "--format", "json"])
                .env("LIBVIRT_DEFAULT_URI", "qemu:///system")
                .env("NOFAIL_KILL_AT", at.to_string())
                .output()
                .unwrap();
            let (code, json, errors) = said(output);
            let (back, _, why) = nofail(&["rollback", "--yes"]);
            assert_eq!(back, 0, "killed at {at}, running {running}: {why}");
            as_before(&before);
            if code == 0 {
                break;
            }
            assert_eq!(code, -1, "{at}: {json:#} {errors}");
            kills += 1;
            at += every;
            if running {
                restart();
            }
        }
        println!(
            "running {running}: killed {kills} times, the last time at {}",
            at - every
        );
        assert!(kills * every > 60, "{kills}");
    }
    // The rollback itself killed, and rolled back again.
    let mut at = 1;
    loop {
        restart();
        let (code, json, errors) = evacuate(&["--yes"]);
        assert_eq!(code, 0, "{json:#} {errors}");
        let output = std::process::Command::new(PROGRAM)
            .args(["rollback", "--yes"])
            .env("LIBVIRT_DEFAULT_URI", "qemu:///system")
            .env("NOFAIL_KILL_AT", at.to_string())
            .output()
            .unwrap();
        let (code, _, errors) = said(output);
        assert!(matches!(code, 0 | -1), "killed at {at}: {errors}");
        let (back, _, why) = nofail(&["rollback", "--yes"]);
        assert_eq!(back, 0, "rollback killed at {at}: {why}");
        as_before(&before);
        if code == 0 {
            break;
        }
        at += every;
    }
    virsh(&["destroy", "g"]);
}

/// A volume that came home from its copy runs under its path; a second live evacuation is refused
/// until the guest was off once.
fn restart() {
    virsh(&["destroy", "g"]);
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 8);
}

/// Ends a run in the background, which must fail within a minute.
fn fails(child: std::process::Child, text: &str) {
    let began = Instant::now();
    let (code, json, errors) = said(child.wait_with_output().unwrap());
    assert_eq!(code, 2, "{json:#} {errors}");
    assert!(errors.contains(text), "{text}: {errors}");
    assert!(began.elapsed() < Duration::from_secs(90));
}

/// Holds an offline copy once it has begun: it takes a second in all, so this looks often and acts at once.
fn hold_offline() {
    let server = evacuate::nas_pids();
    let began = Instant::now();
    while !std::fs::metadata("/mnt/local/a.qcow2").is_ok_and(|m| m.blocks() > 2000) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "no copy within 30 s"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    evacuate::signal(&server, false);
}

/// Slows a live copy down to a crawl once it has begun.
fn hold_live() {
    until("the block job runs", || {
        run("virsh", &["blockjob", "g", "vda", "--bandwidth", "1"])
            .status
            .success()
            && virsh(&["blockjob", "g", "vda", "--raw"]).contains("cur=")
    });
}

fn trouble() {
    start(250);
    images(60);
    guest("");
    let before = definition();

    // Offline: the NAS hangs; kill -9 meanwhile; an interruption; a full disk.
    let child = spawn(&["--stall", "6"]);
    hold_offline();
    fails(child, "did not get on");
    nas(true);
    as_before(&before);

    let mut child = spawn(&[]);
    hold_offline();
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, _, errors) = evacuate(&["--yes"]);
    assert_eq!(code, 2);
    assert!(errors.contains("nofail rollback"), "{errors}");
    nas(true);
    let (code, _, errors) = nofail(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{errors}");
    as_before(&before);

    let child = spawn(&[]);
    hold_offline();
    ok("kill", &["-INT", &child.id().to_string()]);
    fails(child, "interrupted");
    nas(true);
    as_before(&before);

    let child = spawn(&[]);
    hold_offline();
    let _ = run("dd", &["if=/dev/zero", "of=/mnt/local/fill", "bs=1M"]);
    nas(true);
    fails(child, "No space left");
    sh("rm /mnt/local/fill");
    as_before(&before);

    // Live: libvirtd goes and comes back; the guest goes off; a full disk; an interruption.
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 150);
    let child = spawn(&[]);
    hold_live();
    sh(
        "kill $(cat /run/libvirtd.pid); while [ -e /run/libvirtd.pid ]; do sleep 0.1; done; sleep 2; libvirtd -d",
    );
    until("libvirtd answers", || {
        run("virsh", &["list"]).status.success()
    });
    let _ = run("virsh", &["blockjob", "g", "vda", "--bandwidth", "0"]);
    let (code, json, errors) = said(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{json:#} {errors}");
    goes_on("qcow2", "/mnt/local/a.qcow2", 150);
    let (code, _, errors) = nofail(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{errors}");
    as_before(&before);
    virsh(&["destroy", "g"]);
    virsh(&["start", "g"]);
    goes_on("qcow2", "/mnt/nas/a.qcow2", 16);

    let child = spawn(&[]);
    hold_live();
    ok("kill", &["-INT", &child.id().to_string()]);
    fails(child, "interrupted");
    as_before(&before);

    let mut child = spawn(&[]);
    hold_live();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(virsh(&["dumpxml", "g"]).contains("<mirror"));
    let (code, _, errors) = nofail(&["rollback", "--yes"]);
    assert_eq!(code, 0, "{errors}");
    as_before(&before);

    let child = spawn(&[]);
    hold_live();
    let _ = run("dd", &["if=/dev/zero", "of=/mnt/local/fill", "bs=1M"]);
    let _ = run("virsh", &["blockjob", "g", "vda", "--bandwidth", "0"]);
    fails(child, "is full");
    sh("rm /mnt/local/fill");
    as_before(&before);

    let child = spawn(&[]);
    hold_live();
    virsh(&["destroy", "g"]);
    fails(child, "the guest was shut down meanwhile");
    as_before(&before);
}
