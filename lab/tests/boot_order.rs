//! Circles in the order of a boot: what `analysis::boot` says that systemd may leave out against what the
//! real systemd leaves out of the same transaction, over random fstabs.
//!
//! Which job goes is chance in systemd; what goes has to be among what was foretold, each time. The number
//! of fstabs comes from `NOFAIL_TEST_CASES`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use analysis::boot::{self, Transaction};
use collect::{LocalReader, Options};
use facts::Snapshot;
use lab::image::{Variant, rootfs};
use lab::random::Random;
use lab::transaction::transactions;

/// fstabs, and how often systemd makes the transaction of each.
const CASES: u64 = 10;
const TRIES: u32 = 6;

/// Units beside those of the fstab whose jobs are compared.
const FRAME: [&str; 8] = [
    "local-fs.target",
    "remote-fs.target",
    "swap.target",
    "network.target",
    "network-online.target",
    "NetworkManager.service",
    "sysinit.target",
    "basic.target",
];

/// Lines in which local mounts come to rest on network mounts more often than people write them.
fn fstab(random: &mut Random) -> String {
    let mut lines = String::new();
    let mut points = vec!["/mnt/nas".to_owned()];
    let first = random.pick(&[
        "10.50.1.70:/vms /mnt/nas nfs nofail",
        "10.50.1.70:/vms /mnt/nas nfs defaults",
        "tmpfs /mnt/nas tmpfs _netdev",
        "/srv/image.ext4 /mnt/nas ext4 loop,_netdev",
        "//10.50.1.70/vms /mnt/nas cifs guest",
    ]);
    lines.push_str(&format!("{first} 0 0\n"));
    for number in 0..1 + random.below(3) {
        let parent = points[random.below(points.len())].clone();
        let options = random.pick(&[
            "",
            ",nofail",
            ",_netdev",
            ",_netdev,nofail",
            ",noauto",
            ",x-systemd.automount",
            ",x-systemd.after=network-online.target",
            ",x-systemd.requires=remote-fs.target",
        ]);
        let below = format!("{parent}/in{number}");
        let beside = format!("/data/point{number}");
        let line = match random.below(4) {
            0 => format!("tmpfs {below} tmpfs rw{options}"),
            1 => format!("{parent} {beside} none bind{options}"),
            2 => format!("/srv/data {below} none rbind{options}"),
            _ => format!("{parent}/swapfile none swap sw{options}"),
        };
        points.extend([below, beside]);
        lines.push_str(&line);
        lines.push_str(" 0 0\n");
    }
    lines
}

/// What nofail reads of a root: nothing but the fstab differs from case to case.
fn read(root: &Path) -> Snapshot {
    let reader = LocalReader::rooted(root).expect("readable");
    collect::collect(&reader, &Options::default())
}

/// The root with this fstab.
fn snapshot(base: &Snapshot, fstab: &str) -> Snapshot {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    fs::write(dir.path().join("etc/fstab"), fstab).unwrap();
    let read = collect::collect(
        &LocalReader::rooted(dir.path()).unwrap(),
        &Options::default(),
    );
    Snapshot {
        fstab: read.fstab,
        ..base.clone()
    }
}

#[test]
fn what_systemd_leaves_out_of_a_circle_was_foretold() {
    compare(&rootfs(Variant::Plain).expect("the image's root"));
}

#[test]
fn so_does_the_systemd_of_the_next_release() {
    compare(&lab::next::root().expect("the next release's root"));
}

fn compare(root: &Path) {
    let base = read(root);
    let cases = std::env::var("NOFAIL_TEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(CASES);
    let (mut circles, mut usual, mut made) = (0, 0, 0);
    let mut wrong = Vec::new();
    for index in 0..cases {
        let lines = fstab(&mut Random::new(4, index));
        let snapshot = snapshot(&base, &lines);
        let foretold = Transaction::of(&snapshot);
        let mostly = foretold.mostly_left_out();
        // What decides the outcome: the mounts, their targets, the network.
        let plans = boot::plan::plan(&snapshot.fstab, &boot::Host::of(&snapshot));
        let compared: BTreeSet<String> = plans
            .iter()
            .flat_map(|plan| [plan.unit.clone(), plan.automount.clone()])
            .flatten()
            .chain(FRAME.map(str::to_owned))
            .filter(|unit| foretold.jobs().contains(unit))
            .collect();
        circles += usize::from(mostly.is_some());
        for real in transactions(root, &lines, TRIES).unwrap() {
            made += 1;
            let missing = &compared - &real.jobs;
            let told = foretold.left_out(&real.deleted);
            let told = told.map(|jobs| &jobs & &compared);
            if told.as_ref() != Ok(&missing) || real.deleted.is_empty() != mostly.is_none() {
                wrong.push(format!(
                    "case {index}: systemd left out {:?}, so that there is no {missing:?}; foretold {told:?}\n{lines}",
                    real.deleted
                ));
            }
            usual += usize::from(mostly.as_ref().map(|jobs| jobs & &compared) == Some(missing));
        }
    }
    println!(
        "{circles} of {cases} fstabs with a circle; {made} transactions, {usual} left out what mostly goes"
    );
    assert!(
        wrong.is_empty(),
        "{} of {made}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // A test that meets no circle proves nothing.
    assert!(circles * 4 >= usize::try_from(cases).unwrap());
}
