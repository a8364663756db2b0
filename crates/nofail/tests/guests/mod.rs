//! Real guests for tests: a libvirtd in namespaces of the test's own, and boot sectors of a few
//! bytes that do one thing each. Nothing of this machine's libvirt is touched, and whatever was
//! started ends with the namespace. Needs root, libvirt and QEMU.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .env("LIBVIRT_DEFAULT_URI", "qemu:///system")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"))
}

/// Runs a command that must succeed.
pub fn ok(program: &str, args: &[&str]) -> String {
    let output = run(program, args);
    assert!(
        output.status.success(),
        "{program} {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn virsh(args: &[&str]) -> String {
    ok("virsh", args)
}

/// Runs a shell script that must succeed.
pub fn sh(script: &str) -> String {
    ok("sh", &["-euc", script])
}

/// Waits until something holds, half a minute at most.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "not within 30 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Empty directories over libvirt's own, and the two daemons.
pub fn start_libvirt(libvirtd_conf: &str) {
    // /sys shows the devices of the network namespace in which it was mounted.
    sh("mount --make-rprivate /
        kept=$(mktemp -d); mount --rbind /sys/fs/cgroup $kept; mount -t sysfs none /sys
        mount --rbind $kept /sys/fs/cgroup; umount -l $kept; rmdir $kept
        ip link set lo up; ip link add br-mgmt type bridge; ip link set br-mgmt up
        for d in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run /mnt; do
            mkdir -p $d; mount -t tmpfs -o mode=755 none $d
        done
        mkdir -p /var/lib/libvirt/images /var/lib/libvirt/qemu");
    // Neither a user for QEMU nor a security driver: the namespace has no AppArmor of its own.
    let qemu = "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n";
    std::fs::write("/etc/libvirt/qemu.conf", qemu).unwrap();
    std::fs::write("/etc/libvirt/libvirtd.conf", libvirtd_conf).unwrap();
    ok("virtlogd", &["-d"]);
    ok("libvirtd", &["-d"]);
    until("libvirtd answers", || {
        run("virsh", &["list"]).status.success()
    });
}

/// What a guest of a few bytes does.
#[derive(Clone, Copy)]
pub enum Program {
    /// Powers itself off at once (ACPI, PM1a control).
    PowersOff,
    /// Waits for the power button, then powers itself off.
    WaitsForButton,
    /// Halts and waits.
    Idles,
    /// Never rests.
    Spins,
    /// Touches every page from 1 to 30 MiB, then halts.
    TouchesMemory,
    /// Writes to its disk for ever, through the BIOS.
    Writes,
}

impl Program {
    /// 16-bit code for address 0x7c00.
    fn code(self) -> &'static [u8] {
        match self {
            // mov dx,0x604; mov ax,0x2000; out dx,ax; hlt; jmp -3
            Self::PowersOff => b"\xBA\x04\x06\xB8\x00\x20\xEF\xF4\xEB\xFD",
            // mov dx,0x602; mov ax,0x100; out dx,ax; mov dx,0x600; mov al,0xff; out 0xa1,al: no interrupt from
            // the button; l: sti; hlt; in ax,dx; test ah,1; jz l; …
            Self::WaitsForButton => {
                b"\xBA\x02\x06\xB8\x00\x01\xEF\xBA\x00\x06\xB0\xFF\xE6\xA1\xFB\xF4\xED\xF6\xC4\x01\x74\xF8\xBA\x04\x06\xB8\x00\x20\xEF\xF4\xEB\xFD"
            }
            Self::Idles => b"\xF4\xEB\xFD",
            Self::Spins => b"\xEB\xFE",
            // cli; lgdt; protected mode; a store to every page; hlt. The GDT at 0x38, its pointer at 0x50.
            Self::TouchesMemory => {
                b"\xFA\x31\xC0\x8E\xD8\x0F\x01\x16\x50\x7C\x0F\x20\xC0\x0C\x01\x0F\x22\xC0\xEA\x17\x7C\x08\x00\
                  \x66\xB8\x10\x00\x8E\xD8\xBF\x00\x00\x10\x00\x89\x3F\x81\xC7\x00\x10\x00\x00\x81\xFF\x00\x00\xE0\x01\x72\xF0\
                  \xF4\xEB\xFD\0\0\0\0\0\0\0\0\0\0\0\
                  \xFF\xFF\0\0\0\x9A\xCF\0\xFF\xFF\0\0\0\x92\xCF\0\x17\0\x38\x7C\0\0"
            }
            // xor ax,ax; mov es,ax; mov bx,0x7c00; mov ax,0x301; mov cx,41; mov dx,0x80; int 0x13; jmp start
            Self::Writes => b"\x31\xC0\x8E\xC0\xBB\x00\x7C\xB8\x01\x03\xB9\x29\x00\xBA\x80\x00\xCD\x13\xEB\xEC",
        }
    }
}

/// Defines a guest with such a program on its first disk.
pub fn define(name: &str, program: Program, devices: &str) {
    let mut sector = vec![0_u8; 1 << 20];
    sector[..program.code().len()].copy_from_slice(program.code());
    sector[510..512].copy_from_slice(b"\x55\xAA");
    let image = format!("/var/lib/libvirt/images/{name}.img");
    std::fs::write(&image, sector).unwrap();
    define_with(name, &format!("{}{devices}", raw_disk(&image, "vda")));
}

/// Defines a guest that writes to a sparse image on a file system without space (`/mnt/small`).
pub fn full(name: &str) {
    define(name, Program::Writes, "");
    sh(&format!(
        "mkdir -p /mnt/small; mount -t tmpfs -o size=64k none /mnt/small
         cp --sparse=always /var/lib/libvirt/images/{name}.img /mnt/small/
         dd if=/dev/zero of=/mnt/small/fill bs=1k count=100 2>/dev/null || true"
    ));
    define_with(name, &raw_disk(&format!("/mnt/small/{name}.img"), "vda"));
}

pub fn raw_disk(path: &str, target: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>\
         <target dev='{target}' bus='virtio'/></disk>"
    )
}

pub fn define_with(name: &str, devices: &str) {
    // A definition that is there keeps its UUID.
    let known = run("virsh", &["domuuid", name]);
    let uuid = if known.status.success() {
        format!(
            "<uuid>{}</uuid>",
            String::from_utf8_lossy(&known.stdout).trim()
        )
    } else {
        String::new()
    };
    let xml = format!(
        "<domain type='qemu'><name>{name}</name>{uuid}<memory unit='MiB'>32</memory>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>\
         <devices>{devices}</devices></domain>"
    );
    let file = format!("/run/{name}.xml");
    std::fs::write(&file, xml).unwrap();
    virsh(&["define", &file]);
}

pub fn pid(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/run/libvirt/qemu/{name}.pid")).unwrap();
    text.trim().to_owned()
}

pub fn state(name: &str) -> String {
    virsh(&["domstate", "--reason", name]).trim().to_owned()
}

/// Waits until a guest's program runs: its firmware has read the first disk.
pub fn booted(name: &str) {
    until("the guest read its disk", || {
        let stats = String::from_utf8_lossy(&run("virsh", &["domblkstat", name, "vda"]).stdout)
            .into_owned();
        let reads = stats.lines().find_map(|l| l.strip_prefix("vda rd_req "));
        reads.is_some_and(|n| n.trim().parse::<u64>().unwrap_or(0) > 0)
    });
    // From the sector's first byte to its effect.
    std::thread::sleep(Duration::from_millis(300));
}

/// Runs nofail itself and gives its JSON.
pub fn nofail(args: &[&str]) -> Value {
    let output = run(
        env!("CARGO_BIN_EXE_nofail"),
        &[args, &["--format", "json"]].concat(),
    );
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What nofail prints for a person.
pub fn nofail_text(args: &[&str]) -> String {
    let output = run(env!("CARGO_BIN_EXE_nofail"), args);
    assert!(
        output.stderr.is_empty() || output.status.code() != Some(2),
        "{output:?}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
