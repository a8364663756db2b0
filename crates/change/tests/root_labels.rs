//! Owner, mode, ACL, SELinux label and other attributes on a real ext4 file system: a replaced file
//! keeps them, a rollback brings them back, and a new file gets the label that the tree's policy
//! names, else its neighbours'. The kernel need not run SELinux: a rescue system does not either.
//! Needs root, mkfs.ext4 and loop devices.
//!
//! The case's process is this test binary, started again in a mount namespace of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use change::origin::Origin;
use change::undo::{Strictness, rollback};
use change::{Act, Draft, Plan, Proposal, Root, engine, prepare};
use rustix::fs::{XattrFlags, getxattr, listxattr, setxattr};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

const LABEL: &str = "security.selinux";
const ACL: &str = "system.posix_acl_access";

/// The kernel's form of `u::rw-,u:1000:r--,g::r--,m::r--,o::---` (linux/posix_acl_xattr.h).
fn acl() -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    let none = u32::MAX;
    for (tag, rights, id) in [
        (1_u16, 6_u16, none),
        (2, 4, 1000),
        (4, 4, none),
        (0x10, 4, none),
        (0x20, 0, none),
    ] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn set(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = getxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

/// Content, mode, owner and every attribute.
type Picture = (Vec<u8>, u32, u32, u32, BTreeMap<String, Vec<u8>>);

fn picture(path: &Path) -> Picture {
    let stat = fs::metadata(path).unwrap();
    let mut list = vec![0; 4096];
    let length = listxattr(path, list.as_mut_slice()).unwrap();
    let names = list[..length].split(|b| *b == 0).filter(|n| !n.is_empty());
    let attributes = names
        .map(|name| String::from_utf8(name.to_vec()).unwrap())
        .map(|name| {
            let value = get(path, &name).unwrap();
            (name, value)
        })
        .collect();
    let content = fs::read(path).unwrap();
    (content, stat.mode(), stat.uid(), stat.gid(), attributes)
}

fn applied(root: &Root, acts: Vec<Act>) -> Plan {
    let proposals = acts.into_iter().map(|act| Proposal {
        act,
        rules: Vec::new(),
        safe: true,
    });
    let draft = Draft {
        origin: Origin::here("", None),
        proposals: proposals.collect(),
        ..Draft::default()
    };
    let mut plan = prepare(root, draft).unwrap();
    engine::apply(root, &mut plan, &mut |_| {}).unwrap();
    plan
}

fn write(path: &str, text: &str) -> Act {
    Act::Write {
        path: path.to_owned(),
        content: text.as_bytes().to_vec(),
        mode: 0o644,
    }
}

/// What the test process does when it was started for its case.
#[test]
fn case() {
    let Ok(directory) = std::env::var("NOFAIL_CASE") else {
        return;
    };
    let tree = Path::new(&directory);
    let etc = tree.join("etc");
    fs::create_dir_all(etc.join("selinux/targeted/contexts/files")).unwrap();
    set(&etc, LABEL, b"system_u:object_r:etc_t:s0\0");
    let fstab = etc.join("fstab");
    fs::write(&fstab, "old\n").unwrap();
    chown(&fstab, Some(3), Some(4)).unwrap();
    fs::set_permissions(&fstab, fs::Permissions::from_mode(0o640)).unwrap();
    set(&fstab, LABEL, b"unconfined_u:object_r:fstab_t:s0\0");
    set(&fstab, "user.note", b"by hand");
    set(&fstab, "trusted.note", &[0, 255]);
    set(&fstab, ACL, &acl());
    let before = picture(&fstab);
    assert_eq!(before.4.len(), 4, "{before:?}");
    let root = Root::rooted(tree).unwrap();

    // Replaced: only the content is new.
    let plan = applied(&root, vec![write("/etc/fstab", "new\n")]);
    let after = picture(&fstab);
    assert_eq!(after.0, b"new\n");
    assert_eq!((after.1, after.2, after.3), (before.1, before.2, before.3));
    assert_eq!(after.4, before.4);
    // Another owner, mode and label, and back again.
    let second = applied(
        &root,
        vec![Act::Attributes {
            path: "/etc/fstab".to_owned(),
            mode: Some(0o600),
            owner: Some((0, 0)),
            label: Some("system_u:object_r:etc_t:s0".to_owned()),
        }],
    );
    let label = get(&fstab, LABEL).unwrap();
    assert_eq!(label, b"system_u:object_r:etc_t:s0\0");
    let by = Origin::default();
    for plan in [&second, &plan] {
        rollback(&root, &plan.id, Strictness::Known, &by, &mut |_| {}).unwrap();
    }
    assert_eq!(picture(&fstab), before);

    // New, without a policy: as its neighbours, its directory as the one above.
    let plan = applied(
        &root,
        vec![write("/etc/new", "x\n"), write("/etc/new.d/one", "x\n")],
    );
    let label = |path: &str| get(&tree.join(path), LABEL).map(|v| String::from_utf8(v).unwrap());
    assert_eq!(
        label("etc/new").unwrap(),
        "unconfined_u:object_r:fstab_t:s0\0"
    );
    assert_eq!(label("etc/new.d").unwrap(), "system_u:object_r:etc_t:s0\0");
    rollback(&root, &plan.id, Strictness::Known, &by, &mut |_| {}).unwrap();
    assert!(!etc.join("new").exists() && !etc.join("new.d").exists());

    // New, with the policy that the tree's host loads.
    let config = "SELINUX=enforcing\nSELINUXTYPE=targeted\n";
    fs::write(etc.join("selinux/config"), config).unwrap();
    let contexts = "/etc/.*\tsystem_u:object_r:etc_t:s0\n\
                    /etc/hosts\t--\tsystem_u:object_r:net_conf_t:s0\n\
                    /etc/libvirt/hooks(/.*)?\tsystem_u:object_r:virt_hook_t:s0\n";
    let file = etc.join("selinux/targeted/contexts/files/file_contexts");
    fs::write(file, contexts).unwrap();
    applied(
        &root,
        vec![
            write("/etc/hosts", "x\n"),
            write("/etc/libvirt/hooks/qemu", "x\n"),
        ],
    );
    assert_eq!(
        label("etc/hosts").unwrap(),
        "system_u:object_r:net_conf_t:s0\0"
    );
    assert_eq!(
        label("etc/libvirt/hooks/qemu").unwrap(),
        "system_u:object_r:virt_hook_t:s0\0"
    );
}

#[test]
fn what_belongs_to_a_file_stays_with_it() {
    let me = std::env::current_exe().unwrap().display().to_string();
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().display().to_string();
    let script = format!(
        "set -e; truncate -s 16M {directory}/image; mkfs.ext4 -q {directory}/image; \
         mkdir {directory}/tree; mount -o loop,acl {directory}/image {directory}/tree; \
         NOFAIL_CASE={directory}/tree exec {me} case --exact --nocapture"
    );
    let args = ["-m", "sh", "-c", &script];
    let done = collect::command::run("unshare", &args, &[], Duration::from_secs(60)).unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &done.stderr;
    assert!(done.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
