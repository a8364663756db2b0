//! The static binary where nothing of a distribution is: a kernel, a shell, and no C library.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{about, fstab, line, nofail_static};

/// Runs a command in `root` as its root directory, in namespaces of its own.
fn inside(root: &Path, command: &str) -> (i32, String) {
    let output = Command::new("/usr/bin/unshare")
        .args([
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--fork",
            "--kill-child=KILL",
        ])
        .arg(format!("--root={}", root.display()))
        .args(["--mount-proc", "/bin/sh", "-c", command])
        .env_clear()
        .env("PATH", "/bin")
        .output()
        .unwrap();
    let text = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy);
    (output.status.code().unwrap(), text.concat())
}

#[test]
fn the_static_binary_runs_where_there_is_no_libc_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for path in ["bin", "etc", "proc", "mnt/sysroot/etc"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    let busybox = Path::new("/bin/busybox");
    assert!(
        busybox.is_file(),
        "/bin/busybox is missing: package busybox-static"
    );
    std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    std::fs::copy(nofail_static(), root.join("bin/nofail")).unwrap();
    let rescued = fstab(
        "/dev/sdb1 /srv/scratch xfs defaults 0 0",
        "nas-01",
        "_netdev",
    );
    for (path, text) in [
        (
            "etc/fstab",
            "10.50.1.70:/volume1/isos /mnt/isos nfs _netdev 0 0\n",
        ),
        ("etc/os-release", "ID=busybox\nNAME=busybox\n"),
        ("etc/passwd", "root::0:0:root:/:/bin/sh\n"),
        ("etc/hostname", "rescue\n"),
        ("mnt/sysroot/etc/fstab", &rescued),
        ("mnt/sysroot/etc/hostname", "kvm-01\n"),
    ] {
        std::fs::write(root.join(path), text).unwrap();
    }
    // The program that any dynamic one would need is not there.
    assert!(!root.join("lib64").exists() && !root.join("lib").exists());

    let json = |command: &str, wanted: i32| -> Value {
        let (code, text) = inside(root, command);
        assert_eq!(code, wanted, "{command}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"))
    };
    // From a rescue shell: the dead host's disk.
    let audit = json("nofail audit --root /mnt/sysroot --format json", 1);
    assert_eq!(audit["hosts"][0], "kvm-01");
    let finding = about(&audit, "fstab/missing-nofail", "/srv/scratch");
    assert_eq!(finding["severity"], "error", "{finding:#}");
    assert_eq!(line(finding), ("/etc/fstab", 3), "{finding:#}");
    // The running system itself: kernel facts are there, tools and daemons are not, and it says so.
    let snapshot = json("nofail collect", 0);
    assert_eq!(snapshot["schema"], "nofail.snapshot/1");
    assert_eq!(snapshot["fstab"][0]["target"], "/mnt/isos");
    assert!(!snapshot["mounts"].as_array().unwrap().is_empty());
    let unread = snapshot["unread"].as_array().unwrap();
    assert!(!unread.is_empty(), "{snapshot:#}");
    assert!(
        unread
            .iter()
            .all(|u| !u["reason"].as_str().unwrap().is_empty())
    );
}
