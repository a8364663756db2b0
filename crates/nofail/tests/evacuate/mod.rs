//! A NAS (sshfs from a real sftp-server), a disk to evacuate to, and a guest that writes and
//! checks what it wrote. All inside the test's own namespaces.

use crate::guests::{define_with, ok, run, sh, start_libvirt, until, virsh};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};

pub const NAS: &str = "/mnt/nas";
pub const LOCAL: &str = "/mnt/local";
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_nofail");

/// libvirt, the NAS mounted, a local ext4 of so many MiB, nofail's directory empty.
pub fn start(megabytes: u32) {
    start_libvirt("");
    sh(&format!(
        "mkdir -p /var/lib/nofail {NAS} {LOCAL} /mnt/export /mnt/d
         mount -t tmpfs -o mode=755 none /var/lib/nofail
         truncate -s {megabytes}M /mnt/d/disk; mkfs.ext4 -q /mnt/d/disk; mount -o loop /mnt/d/disk {LOCAL}
         mkfifo /run/up /run/down
         (sshfs :/mnt/export {NAS} -f -o passive,allow_other </run/down >/run/up 2>/run/sshfs.log &)
         (/usr/lib/openssh/sftp-server >/run/down </run/up 2>/run/sftp.log &)"
    ));
    until("the NAS is mounted", || {
        std::fs::read_to_string("/proc/mounts").is_ok_and(|t| t.contains("fuse.sshfs"))
    });
    sh(&format!(
        "as --32 -o /run/w.o {}/tests/evacuate/writer.S; objcopy -O binary -j .text /run/w.o /run/w.bin",
        env!("CARGO_MANIFEST_DIR")
    ));
}

/// The NAS stops answering, or answers again.
pub fn nas(answers: bool) {
    signal(&nas_pids(), answers);
}

/// Stops processes or lets them go on.
pub fn signal(pids: &[Pid], go_on: bool) {
    for pid in pids {
        let signal = if go_on { Signal::CONT } else { Signal::STOP };
        kill_process(*pid, signal).unwrap();
    }
}

/// The processes of the file server.
pub fn nas_pids() -> Vec<Pid> {
    let pids = sh("for p in /proc/[0-9]*; do
        if grep -qa sftp-server $p/cmdline; then
            case $(tr '\\0' ' ' <$p/cmdline) in /usr/lib/openssh/sftp-server*) basename $p;; esac
        fi
    done 2>/dev/null || true");
    let pids = pids.split_whitespace().map(|pid| pid.parse().unwrap());
    pids.map(|pid| Pid::from_raw(pid).unwrap()).collect()
}

/// A base image with the writer and some random MiB, an overlay on it, a raw data disk.
pub fn images(random: u32) {
    let size = random + 8;
    sh(&format!(
        "cd {NAS}
         qemu-img create -q -f raw base.img {size}M
         dd if=/run/w.bin of=base.img conv=notrunc 2>/dev/null
         printf '\\125\\252' | dd of=base.img bs=1 seek=510 conv=notrunc 2>/dev/null
         dd if=/dev/urandom of=base.img bs=1M seek=1 count={random} conv=notrunc 2>/dev/null
         qemu-img create -q -f qcow2 -b base.img -F raw a.qcow2
         qemu-img create -q -f raw v.img 4M
         chmod 0640 a.qcow2; chown 7:9 a.qcow2"
    ));
    if !run("virsh", &["pool-info", "vms"]).status.success() {
        virsh(&["pool-define-as", "vms", "dir", "--target", NAS]);
        virsh(&["pool-start", "vms"]);
    }
    virsh(&["pool-refresh", "vms"]);
}

pub const DISKS: &str = "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>\
    <source file='/mnt/nas/a.qcow2'/><target dev='vda' bus='virtio'/></disk>\
    <disk type='volume' device='disk'><driver name='qemu' type='raw'/>\
    <source pool='vms' volume='v.img'/><target dev='vdb' bus='virtio'/></disk>\
    <graphics type='vnc' passwd='secret'/>";

pub fn guest(more: &str) {
    define_with("g", &format!("{DISKS}{more}"));
}

pub fn definition() -> String {
    virsh(&["dumpxml", "--inactive", "--security-info", "g"])
}

/// Runs nofail; its exit code and its JSON.
pub fn nofail(args: &[&str]) -> (i32, Value, String) {
    said(run(PROGRAM, &[args, &["--format", "json"]].concat()))
}

pub fn said(output: Output) -> (i32, Value, String) {
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), json, errors)
}

pub fn evacuate(more: &[&str]) -> (i32, Value, String) {
    nofail(&[&["evacuate", "g", "--to", LOCAL], more].concat())
}

/// The same in the background.
pub fn spawn(more: &[&str]) -> Child {
    Command::new(PROGRAM)
        .args(["evacuate", "g", "--to", LOCAL, "--yes", "--format", "json"])
        .args(more)
        .env("LIBVIRT_DEFAULT_URI", "qemu:///system")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Every reason of a refusal, as text; it must have changed nothing and ended with 2.
pub fn refusal(more: &[&str]) -> String {
    let (code, json, errors) = evacuate(more);
    assert_eq!(code, 2, "{json:#} {errors}");
    assert!(!std::path::Path::new("/mnt/local/a.qcow2").exists());
    json["refused"].to_string() + &errors
}

/// What the guest says of itself on an image: how often it wrote. Panics where it found its data
/// damaged.
pub fn writes(format: &str, image: &str) -> u32 {
    let mut bytes = Vec::new();
    // Bytes 512 to 519 as the image holds them; the guest may write at the same time.
    let text = ok(
        "qemu-io",
        &["-U", "-r", "-f", format, "-c", "read -v 512 16", image],
    );
    let line = text.lines().find(|l| l.starts_with("00000200:"));
    for byte in line.unwrap().split_whitespace().skip(1).take(8) {
        bytes.push(u8::from_str_radix(byte, 16).unwrap());
    }
    assert_ne!(&bytes[..4], b"BAD!", "the guest found its data damaged");
    if bytes.iter().all(|b| *b == 0) {
        return 0;
    }
    assert_eq!(&bytes[..4], b"OK!!");
    u32::from_le_bytes(bytes[4..8].try_into().unwrap())
}

/// Waits until the guest wrote `more` times on this image from now on; it went round its sectors
/// then, and read each of them.
pub fn goes_on(format: &str, image: &str, more: u32) {
    let before = writes(format, image);
    let began = std::time::Instant::now();
    while writes(format, image) < before + more {
        assert!(
            began.elapsed().as_secs() < 60,
            "the guest does not go on on {image}: {before}, {}",
            writes(format, image)
        );
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// Everything is as before the evacuation; and where the guest runs it goes on.
pub fn as_before(definition: &str) {
    assert_eq!(self::definition(), definition);
    assert_eq!(sh("ls -A /mnt/local | grep -v lost+found || true"), "");
    let names = sh("ls -A /mnt/nas");
    assert_eq!(names, "a.qcow2\nbase.img\nv.img\n");
    if virsh(&["domstate", "g"]).trim() == "running" {
        assert!(!virsh(&["dumpxml", "g"]).contains("<mirror"));
        goes_on("qcow2", "/mnt/nas/a.qcow2", 16);
    }
}
