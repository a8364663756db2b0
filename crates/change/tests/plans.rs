//! Plans on real files: what they leave, what comes back, what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: the helpers outside #[test] functions too"
)]

use change::plan::Probe;
use change::undo::{Strictness, last, preview, rollback};
use change::{
    Act, Again, Draft, Error, Plan, Proposal, Root, Run, State, engine, journal, prepare,
};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

struct Tree {
    directory: tempfile::TempDir,
    root: Root,
}

fn tree() -> Tree {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("etc/libvirt/hooks")).unwrap();
    fs::write(directory.path().join("etc/fstab"), "old fstab\n").unwrap();
    let hook = directory.path().join("etc/libvirt/hooks/qemu");
    fs::write(&hook, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o600)).unwrap();
    let root = Root::rooted(directory.path()).unwrap();
    Tree { directory, root }
}

impl Tree {
    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn plan(&self, acts: Vec<Act>) -> Result<Plan, Error> {
        prepare(&self.root, draft(acts))
    }

    fn apply(&self, acts: Vec<Act>) -> Result<Plan, Error> {
        let mut plan = self.plan(acts)?;
        engine::apply(&self.root, &mut plan, &mut |_| {})?;
        Ok(plan)
    }

    fn back(&self, plan: &Plan) -> Result<(), Error> {
        let by = change::origin::Origin::default();
        rollback(&self.root, &plan.id, Strictness::Known, &by, &mut |_| {})
    }

    /// Everything under etc: path, kind, mode, owner, content.
    fn picture(&self) -> BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)> {
        let mut all = BTreeMap::new();
        let mut left = vec![self.at("etc")];
        while let Some(path) = left.pop() {
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
                Vec::new()
            } else if meta.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
                    .into_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            all.insert(path, (meta.mode(), meta.uid(), meta.gid(), content));
        }
        all
    }
}

fn draft(acts: Vec<Act>) -> Draft {
    Draft {
        host: "host".to_owned(),
        title: "test".to_owned(),
        origin: change::origin::Origin::here("", None),
        proposals: acts
            .into_iter()
            .map(|act| Proposal {
                act,
                rules: Vec::new(),
                safe: true,
            })
            .collect(),
        ..Draft::default()
    }
}

fn write(path: &str, content: &str) -> Act {
    Act::Write {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
        mode: 0o644,
    }
}

fn every_kind() -> Vec<Act> {
    vec![
        write("/etc/fstab", "new fstab\n"),
        Act::Attributes {
            path: "/etc/libvirt/hooks/qemu".to_owned(),
            mode: Some(0o755),
            owner: None,
            label: None,
        },
        write("/etc/systemd/network/a.d/b.conf", "made\n"),
        Act::Link {
            path: "/etc/libvirt/qemu/autostart/g.xml".to_owned(),
            target: "../g.xml".to_owned(),
        },
        write("/etc/fstab", "newer fstab\n"),
        Act::Remove {
            path: "/etc/libvirt/hooks/qemu".to_owned(),
        },
    ]
}

#[test]
fn every_kind_of_step_is_done_and_comes_back() {
    let tree = tree();
    let before = tree.picture();
    let plan = tree.apply(every_kind()).unwrap();
    assert_eq!(tree.text("etc/fstab"), "newer fstab\n");
    assert_eq!(tree.text("etc/systemd/network/a.d/b.conf"), "made\n");
    let link = fs::read_link(tree.at("etc/libvirt/qemu/autostart/g.xml")).unwrap();
    assert_eq!(link, Path::new("../g.xml"));
    assert!(!tree.at("etc/libvirt/hooks/qemu").exists());
    assert!(
        tree.picture()
            .keys()
            .all(|p| !p.to_string_lossy().contains(".nofail-"))
    );
    tree.back(&plan).unwrap();
    assert_eq!(tree.picture(), before);
    assert!(last(&tree.root).unwrap().is_none());
    // A second time there is nothing to do.
    tree.back(&plan).unwrap();
}

#[test]
fn a_plan_shows_what_a_person_could_type() {
    let tree = tree();
    let plan = tree.plan(every_kind()).unwrap();
    let what: Vec<&str> = plan
        .steps
        .iter()
        .map(|s| s.what.lines().next().unwrap())
        .collect();
    assert_eq!(
        what,
        [
            "--- a/etc/fstab",
            "chmod 0755 /etc/libvirt/hooks/qemu",
            "mkdir -m 0755 /etc/systemd",
            "mkdir -m 0755 /etc/systemd/network",
            "mkdir -m 0755 /etc/systemd/network/a.d",
            "--- /dev/null",
            "mkdir -m 0755 /etc/libvirt/qemu",
            "mkdir -m 0755 /etc/libvirt/qemu/autostart",
            "ln -sfn ../g.xml /etc/libvirt/qemu/autostart/g.xml",
            "--- a/etc/fstab",
            "rm /etc/libvirt/hooks/qemu",
        ]
    );
}

#[test]
fn what_is_already_so_is_no_step() {
    let tree = tree();
    let plan = tree.plan(vec![write("/etc/fstab", "old fstab\n")]).unwrap();
    assert!(plan.steps.is_empty());
}

#[test]
fn a_link_stays_and_the_file_behind_it_changes() {
    let tree = tree();
    fs::rename(tree.at("etc/fstab"), tree.at("etc/real")).unwrap();
    symlink("/etc/real", tree.at("etc/fstab")).unwrap();
    let plan = tree.apply(vec![write("/etc/fstab", "new\n")]).unwrap();
    assert!(tree.at("etc/fstab").is_symlink());
    assert_eq!(tree.text("etc/real"), "new\n");
    tree.back(&plan).unwrap();
    assert_eq!(tree.text("etc/real"), "old fstab\n");
}

#[test]
fn no_link_leads_out_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("fstab"), "outside\n").unwrap();
    let tree = tree();
    fs::remove_file(tree.at("etc/fstab")).unwrap();
    symlink(outside.path().join("fstab"), tree.at("etc/fstab")).unwrap();
    symlink(outside.path(), tree.at("etc/away")).unwrap();
    symlink("../../../../../../../../../..", tree.at("etc/up")).unwrap();
    // The absolute target does not exist inside the tree.
    assert!(tree.apply(vec![write("/etc/fstab", "x\n")]).is_err());
    assert!(tree.apply(vec![write("/etc/away/fstab", "x\n")]).is_err());
    tree.apply(vec![write("/etc/up/climbed", "x\n")]).unwrap();
    assert_eq!(tree.text("climbed"), "x\n");
    assert_eq!(
        fs::read_to_string(outside.path().join("fstab")).unwrap(),
        "outside\n"
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn the_journal_does_not_leave_the_root_either() {
    let outside = tempfile::tempdir().unwrap();
    let tree = tree();
    symlink(outside.path(), tree.at("var")).unwrap();
    assert!(tree.apply(vec![write("/etc/fstab", "x\n")]).is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(tree.text("etc/fstab"), "old fstab\n");
}

#[test]
fn hard_links_and_strange_kinds_are_refused() {
    let tree = tree();
    fs::hard_link(tree.at("etc/fstab"), tree.at("etc/other")).unwrap();
    let error = tree.plan(vec![write("/etc/fstab", "x\n")]).unwrap_err();
    assert!(
        matches!(error, Error::HardLinks { links: 2, .. }),
        "{error}"
    );
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.at("etc/fifo"), rustix::fs::Mode::RUSR).unwrap();
    let error = tree.plan(vec![write("/etc/fifo", "x\n")]).unwrap_err();
    assert!(matches!(error, Error::Kind { .. }), "{error}");
    assert!(tree.plan(vec![write("/etc", "x\n")]).is_err());
}

#[test]
fn a_world_that_changed_since_the_plan_is_left_alone() {
    let tree = tree();
    let mut plan = tree.plan(vec![write("/etc/fstab", "new\n")]).unwrap();
    fs::write(tree.at("etc/fstab"), "somebody's\n").unwrap();
    let error = engine::apply(&tree.root, &mut plan, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Stale { .. }), "{error}");
    assert_eq!(tree.text("etc/fstab"), "somebody's\n");
    assert!(journal::list(&tree.root).unwrap().is_empty());
}

#[test]
fn a_change_in_the_middle_stops_the_plan_and_takes_the_rest_back() {
    let tree = tree();
    let acts = vec![write("/etc/a", "a\n"), write("/etc/fstab", "new\n")];
    let mut plan = tree.plan(acts).unwrap();
    let fstab = tree.at("etc/fstab");
    let error = engine::apply(&tree.root, &mut plan, &mut |progress| {
        if *progress == (journal::Progress::Done { step: 0 }) {
            fs::write(&fstab, "somebody's\n").unwrap();
        }
    })
    .unwrap_err();
    assert!(matches!(error, Error::Undone { step: 1, .. }), "{error}");
    assert_eq!(tree.text("etc/fstab"), "somebody's\n");
    assert!(!tree.at("etc/a").exists());
    assert!(last(&tree.root).unwrap().is_none());
}

#[test]
fn a_rollback_does_not_destroy_what_came_later() {
    let tree = tree();
    let plan = tree.apply(vec![write("/etc/fstab", "new\n")]).unwrap();
    fs::write(tree.at("etc/fstab"), "somebody's\n").unwrap();
    let error = tree.back(&plan).unwrap_err();
    assert!(matches!(error, Error::ChangedSince { .. }), "{error}");
    assert_eq!(tree.text("etc/fstab"), "somebody's\n");
    let record = last(&tree.root).unwrap().unwrap();
    assert!(preview(&tree.root, &record, Strictness::Known).is_err());
    let by = change::origin::Origin::default();
    rollback(&tree.root, &plan.id, Strictness::Force, &by, &mut |_| {}).unwrap();
    assert_eq!(tree.text("etc/fstab"), "old fstab\n");
}

#[test]
fn what_somebody_put_into_a_new_directory_stays() {
    let tree = tree();
    let plan = tree.apply(vec![write("/etc/new/file", "x\n")]).unwrap();
    fs::write(tree.at("etc/new/theirs"), "y\n").unwrap();
    tree.back(&plan).unwrap();
    assert!(!tree.at("etc/new/file").exists());
    assert_eq!(tree.text("etc/new/theirs"), "y\n");
}

#[test]
fn two_plans_never_run_at_once() {
    let tree = tree();
    let first = change::origin::Origin {
        who: "alice".to_owned(),
        ..change::origin::Origin::here("", None)
    };
    let held = change::lock::Lock::take(&tree.root, "nofail fix", &first).unwrap();
    let error = tree.apply(vec![write("/etc/fstab", "x\n")]).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::Locked(_)) && text.contains("by alice"),
        "{text}"
    );
    drop(held);
    tree.apply(vec![write("/etc/fstab", "x\n")]).unwrap();
}

#[test]
fn extended_attributes_are_kept_and_come_back() {
    let tree = tree();
    let path = tree.at("etc/fstab");
    let set = rustix::fs::setxattr(
        &path,
        "user.note",
        b"kept\xff",
        rustix::fs::XattrFlags::empty(),
    );
    if set == Err(rustix::io::Errno::NOTSUP) {
        panic!("the directory for temporary files has no extended attributes: set TMPDIR");
    }
    let read = || {
        let mut value = vec![0; 64];
        let length = rustix::fs::getxattr(&path, "user.note", value.as_mut_slice()).unwrap();
        value.truncate(length);
        value
    };
    let plan = tree.apply(vec![write("/etc/fstab", "new\n")]).unwrap();
    assert_eq!(read(), b"kept\xff");
    rustix::fs::removexattr(&path, "user.note").unwrap();
    assert!(tree.back(&plan).is_err());
    let by = change::origin::Origin::default();
    rollback(&tree.root, &plan.id, Strictness::Force, &by, &mut |_| {}).unwrap();
    assert_eq!(read(), b"kept\xff");
}

#[test]
fn a_change_of_mode_alone_keeps_the_time_of_the_content() {
    let tree = tree();
    let hook = tree.at("etc/libvirt/hooks/qemu");
    let time = fs::metadata(&hook).unwrap().modified().unwrap();
    let act = Act::Attributes {
        path: "/etc/libvirt/hooks/qemu".to_owned(),
        mode: Some(0o755),
        owner: None,
        label: None,
    };
    tree.apply(vec![act]).unwrap();
    let meta = fs::metadata(&hook).unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o755);
    assert_eq!(meta.modified().unwrap(), time);
}

#[test]
fn commands_do_not_run_in_a_tree() {
    let tree = tree();
    let run = Run {
        command: change::Command::new(["true"]),
        undo: Again::Nothing,
        seconds: 5,
        ..Run::default()
    };
    let error = tree.plan(vec![Act::Run(run)]).unwrap_err();
    assert!(matches!(error, Error::CommandInTree(_)), "{error}");
}

#[test]
fn a_path_probe_does_not_ask_for_attributes_that_it_does_not_name() {
    let tree = tree();
    let state = State::read(&tree.root, "/etc/fstab", false).unwrap();
    let probe = Probe::Path {
        path: "/etc/fstab".to_owned(),
        state,
    };
    let text = serde_json::to_string(&probe).unwrap();
    assert_eq!(serde_json::from_str::<Probe>(&text).unwrap(), probe);
}
