//! A real libvirtd in namespaces of a test's own, on empty file systems over its directories:
//! nothing of this machine's libvirt is touched, and whatever was started ends with the namespace.

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
    String::from_utf8(output.stdout).unwrap()
}

pub fn virsh(args: &[&str]) -> String {
    ok("virsh", args)
}

/// Empty directories over libvirt's own, and the two daemons.
pub fn start_libvirt() {
    // No mount of ours may reach the machine's own namespace.
    ok("mount", &["--make-rprivate", "/"]);
    ok("ip", &["link", "set", "lo", "up"]);
    ok("ip", &["link", "add", "br-mgmt", "type", "bridge"]);
    for directory in [
        "/etc/libvirt",
        "/var/lib/libvirt",
        "/var/log/libvirt",
        "/var/cache/libvirt",
        "/run",
        "/mnt",
    ] {
        std::fs::create_dir_all(directory).unwrap();
        ok(
            "mount",
            &["-t", "tmpfs", "-o", "mode=755", "none", directory],
        );
    }
    for directory in [
        "/var/lib/libvirt/images",
        "/var/lib/libvirt/qemu",
        "/mnt/pool",
    ] {
        std::fs::create_dir_all(directory).unwrap();
    }
    // Neither a user for QEMU nor a security driver: the namespace has no AppArmor of its own.
    std::fs::write(
        "/etc/libvirt/qemu.conf",
        "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n",
    )
    .unwrap();
    std::fs::write("/etc/libvirt/libvirtd.conf", "").unwrap();
    ok("virtlogd", &["-d"]);
    ok("libvirtd", &["-d"]);
    let began = Instant::now();
    while !run("virsh", &["list"]).status.success() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "libvirtd does not answer"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn define(what: &str, xml: &str) {
    let file = "/run/definition.xml";
    std::fs::write(file, xml).unwrap();
    virsh(&[what, file]);
}
