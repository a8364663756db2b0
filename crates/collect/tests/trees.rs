//! Hosts' file trees, as a rescue shell sees them: names, hooks, units, kernel settings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use collect::{LocalReader, Options};
use facts::{Known, Snapshot, Source};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn put(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

fn mode(root: &Path, path: &str, mode: u32) {
    std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    symlink(target, file).unwrap();
}

/// A tree that counts as complete.
fn whole() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "etc/os-release", "ID=fedora\n");
    std::fs::create_dir(dir.path().join("usr")).unwrap();
    dir
}

fn read(root: &Path) -> Snapshot {
    collect::collect(&LocalReader::rooted(root).unwrap(), &Options::default())
}

fn items(snapshot: &Snapshot, source: Source) -> Vec<&str> {
    let of = snapshot.unread.iter().filter(|u| u.source == source);
    of.filter_map(|u| u.item.as_deref()).collect()
}

#[test]
fn a_tree_with_only_an_fstab_says_that_nothing_else_was_read() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "etc/fstab", "");
    let snapshot = read(dir.path());
    for source in [
        Source::Hooks,
        Source::HookTraces,
        Source::Units,
        Source::Boots,
        Source::Daemons,
        Source::Names,
        Source::Kernel,
        Source::Bmc,
    ] {
        assert!(snapshot.why_unread(source).is_some(), "{source}");
    }
}

#[test]
fn servers_behind_the_stub_come_from_configuration() {
    let dir = whole();
    let root = dir.path();
    link(
        root,
        "etc/resolv.conf",
        "../run/systemd/resolve/stub-resolv.conf",
    );
    assert_eq!(items(&read(root), Source::Names), ["/etc/resolv.conf"]);
    put(
        root,
        "etc/NetworkManager/system-connections/br-mgmt.nmconnection",
        "[ipv4]\nmethod=manual\ndns=10.50.1.53;10.50.1.54;\n",
    );
    put(
        root,
        "usr/lib/systemd/resolved.conf.d/a.conf",
        "[Resolve]\nDNS=9.9.9.9\n",
    );
    // Hides the packaged file of that name.
    link(root, "etc/systemd/resolved.conf.d/a.conf", "/dev/null");
    let snapshot = read(root);
    let servers: Vec<_> = snapshot
        .names
        .servers
        .iter()
        .map(|s| s.address.as_str())
        .collect();
    assert_eq!(servers, ["10.50.1.53", "10.50.1.54"]);
    assert_eq!(snapshot.names.servers[0].line, 3);
    assert_eq!(items(&snapshot, Source::Names), [] as [&str; 0]);
}

#[test]
fn hooks_in_the_order_in_which_libvirt_runs_them() {
    let dir = whole();
    let root = dir.path();
    let vlan = "#!/usr/bin/env bash\n[ \"$2\" = started ] && bridge vlan add vid 100 dev vnet0\n";
    for path in ["qemu.d/20-b", "qemu.d/10-a", "qemu"] {
        put(root, &format!("etc/libvirt/hooks/{path}"), vlan);
        mode(root, &format!("etc/libvirt/hooks/{path}"), 0o755);
    }
    put(
        root,
        "etc/libvirt/hooks/qemu.d/guest/prepare/begin/x.sh",
        vlan,
    );
    link(root, "etc/libvirt/hooks/network", "/nowhere");
    let unknown = read(root).hooks.scripts[0].interpreter_present.clone();
    assert!(
        unknown.unreadable().is_some(),
        "a tree of configuration only"
    );
    put(root, "usr/bin/sh", "x");
    put(root, "usr/bin/env", "x");
    mode(root, "usr/bin/env", 0o755);
    let snapshot = read(root);
    let scripts = &snapshot.hooks.scripts;
    let paths: Vec<_> = scripts.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/etc/libvirt/hooks/qemu",
            "/etc/libvirt/hooks/qemu.d/10-a",
            "/etc/libvirt/hooks/qemu.d/20-b",
        ]
    );
    assert!(scripts[0].sets_vlans);
    assert_eq!(scripts[0].mode, 0o755);
    assert!(
        scripts[0].label.unreadable().is_some(),
        "no labels in this tree"
    );
    assert_eq!(
        scripts[0].interpreter_present,
        Known::Known(false),
        "no bash in PATH"
    );
    assert_eq!(
        items(&snapshot, Source::Hooks),
        ["/etc/libvirt/hooks/network"]
    );
    put(root, "usr/local/bin/bash", "x");
    mode(root, "usr/local/bin/bash", 0o755);
    let again = read(root);
    assert_eq!(
        again.hooks.scripts[0].interpreter_present,
        Known::Known(true)
    );
}

#[test]
fn selinux_as_the_tree_will_have_it() {
    let dir = whole();
    let root = dir.path();
    put(root, "etc/libvirt/hooks/qemu", "#!/bin/sh\n");
    put(
        root,
        "etc/selinux/config",
        "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
    );
    put(
        root,
        "etc/selinux/targeted/contexts/files/file_contexts",
        "/etc/libvirt/hooks(/.*)?\tsystem_u:object_r:virt_hook_t:s0\n",
    );
    put(root, "var/lib/selinux/targeted/active/commit_num", "");
    let snapshot = read(root);
    assert_eq!(snapshot.hooks.selinux, Known::Known("enforcing".to_owned()));
    assert_eq!(
        snapshot.hooks.policy_type,
        Known::Known("virt_hook_t".to_owned())
    );
    assert_eq!(snapshot.hooks.virt_hooks_unconfined, Known::Known(false));
    put(
        root,
        "var/lib/selinux/targeted/active/booleans.local",
        "virt_hooks_unconfined=1\n",
    );
    assert_eq!(read(root).hooks.virt_hooks_unconfined, Known::Known(true));
}

#[test]
fn units_links_masks_daemons_and_versions() {
    let dir = whole();
    let root = dir.path();
    put(
        root,
        "etc/systemd/system/mnt-a.mount",
        "[Mount]\nWhat=nas:/a\nWhere=/mnt/a\n",
    );
    put(
        root,
        "etc/systemd/system/libvirtd.service.d/nas.conf",
        "[Unit]\nRequiresMountsFor=/mnt/a\n",
    );
    link(root, "etc/systemd/system/mnt-b.mount", "/dev/null");
    link(
        root,
        "etc/systemd/system/remote-fs.target.wants/mnt-a.mount",
        "../mnt-a.mount",
    );
    link(
        root,
        "etc/systemd/system/sockets.target.wants/virtqemud-ro.socket",
        "/usr/lib/systemd/system/virtqemud-ro.socket",
    );
    link(
        root,
        "etc/systemd/system/default.target",
        "/usr/lib/systemd/system/rescue.target",
    );
    put(root, "usr/lib64/libvirt.so.0.10005.0", "");
    put(
        root,
        "usr/lib/systemd/libsystemd-shared-257.9-1.fc42.so",
        "",
    );
    put(
        root,
        "etc/sysconfig/libvirt-guests",
        "ON_SHUTDOWN=suspend\n",
    );
    let snapshot = read(root);
    let files: Vec<_> = snapshot
        .units
        .files
        .iter()
        .map(|f| (f.unit.as_str(), f.text.is_some()))
        .collect();
    assert_eq!(
        files,
        [
            ("libvirtd.service", true),
            ("mnt-a.mount", true),
            ("mnt-b.mount", false)
        ]
    );
    assert_eq!(snapshot.units.links[0].from, "remote-fs.target");
    assert_eq!(
        snapshot.units.default_target.as_deref(),
        Some("rescue.target")
    );
    assert_eq!(snapshot.libvirt_version.as_deref(), Some("10.5.0"));
    assert_eq!(snapshot.systemd_version, Some(257));
    assert_eq!(snapshot.daemons.mode.as_deref(), Some("modular"));
    assert_eq!(snapshot.daemons.enabled, ["virtqemud-ro.socket"]);
    assert_eq!(snapshot.daemons.guests_settings[0].value, "suspend");
    assert_eq!(items(&snapshot, Source::Units), ["failed units"]);
}

#[test]
fn kernel_settings_and_rebooters() {
    let dir = whole();
    let root = dir.path();
    put(
        root,
        "usr/lib/sysctl.d/50-x.conf",
        "kernel.panic=5\nkernel.sysrq=16\n",
    );
    put(root, "etc/sysctl.d/50-x.conf", "kernel.panic=30\n");
    put(
        root,
        "etc/default/grub",
        "GRUB_CMDLINE_LINUX=\"console=ttyS0,115200 quiet\"\n",
    );
    put(
        root,
        "usr/local/sbin/check",
        "#!/bin/sh\nls /mnt/nas || reboot\n",
    );
    put(
        root,
        "etc/libvirt/qemu.conf",
        "#lock_manager = \"lockd\"\nlock_manager = \"sanlock\"\n",
    );
    put(
        root,
        "etc/systemd/system.conf",
        "[Manager]\nRuntimeWatchdogSec=30\n",
    );
    let snapshot = read(root);
    let sysctls: Vec<_> = snapshot
        .kernel
        .sysctls
        .iter()
        .map(|s| (s.name.as_str(), s.value.as_str()))
        .collect();
    assert_eq!(
        sysctls,
        [("kernel.panic", "30")],
        "the file in /etc hides its namesake"
    );
    let programs: Vec<_> = snapshot
        .kernel
        .rebooters
        .iter()
        .map(|r| (r.program.as_str(), r.line))
        .collect();
    assert_eq!(programs, [("sanlock", 2), ("systemd", 2), ("script", 2)]);
    assert_eq!(snapshot.bmc.serial_consoles, ["ttyS0"]);
}
