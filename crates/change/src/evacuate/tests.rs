//! Judgements over snapshots, and the steps that come of them.

use super::*;
use crate::origin::Origin;
use crate::plan::{Act, Again, Probe, Run};
use facts::domain::{Backing, Disk, Guest};
use facts::image::{Image, ManagedSave};
use facts::{Known, Snapshot};

fn disk(path: &str, backing: &[&str]) -> Disk {
    let link = |path: &&str| Backing {
        kind: "file".to_owned(),
        source: (*path).to_owned(),
        ..Backing::default()
    };
    Disk {
        target: "vda".to_owned(),
        device: "disk".to_owned(),
        kind: "file".to_owned(),
        source: Some(path.to_owned()),
        format: Some("qcow2".to_owned()),
        backing: backing.iter().map(link).collect(),
        ..Disk::default()
    }
}

fn guest(name: &str, disk: Disk) -> Guest {
    Guest {
        name: name.to_owned(),
        state: Some("shut-off".to_owned()),
        persistent: true,
        disks: vec![disk],
        ..Guest::default()
    }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::new("kvm");
    snapshot.guests = vec![
        guest("g", disk("/n/g", &["/n/base"])),
        guest("h", disk("/n/h", &["/n/link-to-base"])),
    ];
    let image = |path: &str, identity: &str| Image {
        path: path.to_owned(),
        size: Known::Known(1),
        identity: Some(identity.to_owned()),
        ..Image::default()
    };
    snapshot.images.files = vec![
        image("/n/g", "0:1 1"),
        image("/n/h", "0:1 2"),
        image("/n/base", "0:1 3"),
        image("/n/link-to-base", "0:1 3"),
    ];
    snapshot
}

fn whys(snapshot: &Snapshot, request: &Request, mode: Mode) -> Vec<String> {
    let guest = &snapshot.guests[0];
    refuse::guest(guest, snapshot)
        .into_iter()
        .chain(refuse::disk(
            &guest.disks[0],
            guest,
            mode,
            request,
            snapshot,
        ))
        .map(|refusal| refusal.why)
        .collect()
}

#[test]
fn a_base_image_of_two_guests_is_found_under_any_name() {
    let mut snapshot = snapshot();
    let plain = Request::default();
    let flat = Request {
        flatten: true,
        ..Request::default()
    };
    assert_eq!(
        whys(&snapshot, &plain, Mode::Offline),
        ["it rests on /n/base, as h does"]
    );
    assert!(whys(&snapshot, &flat, Mode::Offline).is_empty());
    snapshot.guests[1].disks[0].live_source = Some("/n/g".to_owned());
    assert_eq!(
        whys(&snapshot, &flat, Mode::Offline),
        ["/n/g is also used by h"]
    );
}

#[test]
fn every_reason_is_told_at_once() {
    let mut snapshot = snapshot();
    snapshot.guests.truncate(1);
    snapshot.images.managed_saves = vec![ManagedSave {
        guest: "g".to_owned(),
        ..ManagedSave::default()
    }];
    snapshot.images.files[2].size = Known::Absent;
    let guest = &mut snapshot.guests[0];
    guest.hostdevs = vec!["pci 0000:01:00.0".to_owned()];
    guest.disks[0].readonly = true;
    guest.disks[0].mirror = Some("/x".to_owned());
    guest.disks[0].format = Some("vmdk".to_owned());
    let found = whys(&snapshot, &Request::default(), Mode::Live);
    for text in [
        "managed save",
        "passed through",
        "read-only",
        "a block job copies it already, to /x",
        "of the format vmdk",
        "/n/base does not exist",
    ] {
        assert_eq!(
            found.iter().filter(|w| w.contains(text)).count(),
            1,
            "{text}: {found:?}"
        );
    }
    assert!(
        !whys(&snapshot, &Request::default(), Mode::Offline)
            .iter()
            .any(|w| w.contains("read-only"))
    );
}

#[test]
fn only_a_guest_that_runs_or_is_off_is_moved() {
    let mut guest = guest("g", disk("/n/g", &[]));
    assert_eq!(refuse::mode(&guest), Ok(Mode::Offline));
    guest.state = Some("running".to_owned());
    assert_eq!(refuse::mode(&guest), Ok(Mode::Live));
    for state in [Some("paused".to_owned()), Some("crashed".to_owned()), None] {
        guest.state = state;
        assert!(refuse::mode(&guest).is_err());
    }
}

#[test]
fn space_has_a_margin() {
    let moved = |needs| Move {
        needs,
        virtual_size: 1 << 40,
        ..Move::default()
    };
    let moves = [moved(1 << 30), moved(1 << 30)];
    let needed = space::needed(&moves);
    assert!(needed > (2 << 30) + (100 << 20));
    assert!(space::refused(&moves, "/x", needed).is_none());
    assert!(space::refused(&moves, "/x", needed - 1).is_some());
    assert!(space::needed(&[moved(u64::MAX), moved(1)]) == u64::MAX);
    let note = space::overcommitted(&moves, "/x", needed).unwrap();
    assert!(note.contains("2.0 TiB"), "{note}");
}

#[test]
fn selinux_labels_files_unless_it_is_absent_or_disabled() {
    let mut snapshot = Snapshot::default();
    let mut on = |mode| {
        snapshot.hooks.selinux = mode;
        refuse::labelled(&snapshot)
    };
    for mode in ["enforcing", "permissive"] {
        assert!(on(Known::Known(mode.to_owned())), "{mode}");
    }
    assert!(on(Known::Unreadable("no permission".to_owned())));
    assert!(!on(Known::Known("disabled".to_owned())));
    assert!(!on(Known::Absent));
}

#[test]
fn the_user_of_qemu_is_the_configured_one_or_the_distributions() {
    let passwd =
        "root:x:0:0::/:\nqemu:x:107:107::/:\nlibvirt-qemu:x:64055:108::/:\nme:x:1000:1000::/:\n";
    let user = |conf: &str| target::qemu_user(conf, passwd).map(|u| u.0);
    assert_eq!(user("#user = \"root\"\n").as_deref(), Some("libvirt-qemu"));
    assert_eq!(user(" user = \"me\" \n").as_deref(), Some("me"));
    assert_eq!(user("user = \"+107\"\n").as_deref(), Some("qemu"));
    assert_eq!(user("user = \"nobody\"\n"), None);
    assert_eq!(
        target::qemu_user("", "qemu:x:107:107::/:\n").map(|u| u.1),
        Some(107)
    );
}

fn survey(mode: Mode) -> Survey {
    let moved = |disk: &str| Move {
        disk: disk.to_owned(),
        named: format!("/n/{disk}"),
        from: format!("/n/{disk}"),
        to: format!("/l/{disk}"),
        kept: Some(format!("/n/{disk}{KEPT}")),
        format: "raw".to_owned(),
        ..Move::default()
    };
    let xml = |disk: &str| {
        format!("<disk type='file'><source file='/n/{disk}'/><target dev='{disk}'/></disk>")
    };
    Survey {
        host: "kvm".to_owned(),
        guest: "g".to_owned(),
        mode,
        target: target::Target {
            directory: "/l".to_owned(),
            pool: Some("default".to_owned()),
            ..target::Target::default()
        },
        moves: vec![moved("vda"), moved("vdb")],
        left: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
        definition: format!(
            "<domain><name>g</name><devices>{}{}</devices></domain>",
            xml("vda"),
            xml("vdb")
        ),
        selinux: true,
        stall: 60,
    }
}

fn runs(mode: Mode) -> Vec<Run> {
    let draft = steps::draft(&survey(mode), Origin::default()).unwrap();
    let moved: Moved = serde_json::from_str(&draft.attachments[ATTACHMENT]).unwrap();
    assert_eq!(moved.disks.len(), 2);
    draft
        .proposals
        .into_iter()
        .map(|proposal| match proposal.act {
            Act::Run(run) => run,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn lines(runs: &[Run]) -> Vec<String> {
    runs.iter().map(|run| run.command.argv.join(" ")).collect()
}

#[test]
fn offline_everything_is_copied_and_compared_before_the_first_definition() {
    let runs = runs(Mode::Offline);
    let lines = lines(&runs);
    let last = |word: &str| lines.iter().rposition(|l| l.contains(word)).unwrap();
    let first = |word: &str| lines.iter().position(|l| l.contains(word)).unwrap();
    assert!(last("compare") < first("define") && last("convert") < first("sync"));
    assert!(last("restorecon") < first("define") && last("define") < first("mv"));
    assert_eq!(lines.last().unwrap(), "virsh pool-refresh default");
    let defined: Vec<&str> = runs
        .iter()
        .filter_map(|r| r.command.input.as_deref())
        .collect();
    assert!(defined[0].contains("/l/vda") && defined[0].contains("/n/vdb"));
    assert!(defined[1].contains("/l/vda") && defined[1].contains("/l/vdb"));
}

#[test]
fn live_no_disk_pivots_before_every_copy_follows() {
    let runs = runs(Mode::Live);
    let lines = lines(&runs);
    let pivot = lines.iter().position(|l| l.ends_with("--pivot")).unwrap();
    assert!(
        lines[..pivot]
            .iter()
            .filter(|l| l.contains("blockcopy"))
            .count()
            == 2
    );
    let follows = |probe: &&Probe| {
        matches!(
            probe,
            Probe::Disk {
                copying: Some(crate::plan::Copying::Follows),
                ..
            }
        )
    };
    assert_eq!(runs[pivot].before.iter().filter(follows).count(), 2);
    // The label of a running guest's image is libvirt's.
    assert!(
        !lines
            .iter()
            .any(|l| l.contains("restorecon") || l.contains("chown"))
    );
}

#[test]
fn a_copy_is_removed_only_where_the_definition_does_not_name_it() {
    for mode in [Mode::Offline, Mode::Live] {
        for run in runs(mode) {
            let Again::Cases(cases) = &run.undo else {
                continue;
            };
            for case in &cases.cases {
                for command in &case.commands {
                    let [program, .., path] = command.argv.as_slice() else {
                        panic!("{command:?}");
                    };
                    if program != "rm" {
                        continue;
                    }
                    let disk = path.trim_start_matches("/l/");
                    let old = format!("/n/{disk}");
                    assert!(case.when.iter().any(|probe| matches!(
                        probe,
                        Probe::Disk { definition: true, source, disk: of, .. } if *source == old && of == disk
                    )), "{case:?}");
                }
            }
        }
    }
}

#[test]
fn every_copy_is_flushed_and_the_way_home_keeps_the_file() {
    let copies = |runs: &[Run]| -> (Vec<String>, Vec<String>) {
        let undo = runs.iter().filter_map(|run| match &run.undo {
            Again::Cases(cases) => Some(cases.cases.iter().flat_map(|case| &case.commands)),
            _ => None,
        });
        let is_copy = |line: &String| line.starts_with("qemu-img convert");
        let home = undo.flatten().map(|command| command.argv.join(" "));
        let there = lines(runs).into_iter().filter(is_copy).collect();
        (there, home.filter(is_copy).collect())
    };
    let (there, home) = copies(&runs(Mode::Offline));
    assert_eq!(there.len(), 2);
    for copy in &there {
        let words = "qemu-img convert -p -t writeback -f ";
        assert!(copy.starts_with(words), "{copy}");
    }
    let (_, live) = copies(&runs(Mode::Live));
    assert!(!home.is_empty() && !live.is_empty());
    for copy in home.iter().chain(&live) {
        let words = "qemu-img convert -n -p -t writeback -f ";
        assert!(copy.starts_with(words), "{copy}");
        let mut paths = copy.rsplit(' ');
        let (to, from) = (paths.next().unwrap(), paths.next().unwrap());
        assert!(to.starts_with("/n/") && from.starts_with("/l/"), "{copy}");
    }
}
