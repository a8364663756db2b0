//! `analysis::boot::plan` against the real systemd-fstab-generator, over random fstabs.
//!
//! Agreement must be complete: the links, the units, their order and their limits. The number of
//! cases comes from `PROPTEST_CASES` (thousands take a minute).

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};

use analysis::boot::plan::{Host, NoUnit, UnitPlan, plan};
use analysis::boot::timespan::{self, Limit};
use facts::fstab::Entry;
use facts::unit::escape;
use lab::generator::{Chroot, Generated};
use proptest::prelude::*;

/// What is compared, from either side.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    links: BTreeSet<(String, String, String)>,
    units: BTreeMap<String, BTreeSet<String>>,
    device_limits: BTreeMap<String, String>,
}

fn entries(fstab: &str) -> Vec<Entry> {
    fstab
        .lines()
        .zip(1..)
        .filter(|(text, _)| {
            let text = text.trim_matches([' ', '\t']);
            !text.is_empty() && !text.starts_with('#')
        })
        .map(|(text, line)| Entry {
            line,
            text: text.to_owned(),
            ..Entry::default()
        })
        .collect()
}

fn limit(span: Option<Limit>) -> String {
    match span {
        Some(Limit::After(time)) => format!("{}", time.as_micros()),
        Some(Limit::Infinite) => "infinity".to_owned(),
        None => "unreadable".to_owned(),
    }
}

fn predicted(plans: &[UnitPlan]) -> Verdict {
    let mut verdict = Verdict::default();
    for plan in plans {
        for link in &plan.pulled_in_by {
            verdict.links.insert((
                link.target.clone(),
                link.requirement.name().to_owned(),
                link.unit.clone(),
            ));
        }
        if let Some(span) = plan.device_timeout {
            // The last line to name a device has its drop-in.
            let device = escape::unit_from_path(&plan.what, ".device").unwrap_or_default();
            verdict.device_limits.insert(device, limit(Some(span)));
        }
        let Some(unit) = &plan.unit else { continue };
        let mut lines = BTreeSet::new();
        // A unit that the generator gave up on is half written.
        if plan.no_unit.is_none() {
            for (key, values) in [
                ("Before", &plan.before),
                ("After", &plan.after),
                ("Requires", &plan.requires),
                ("Wants", &plan.wants),
                ("RequiresMountsFor", &plan.requires_mounts_for),
            ] {
                lines.extend(values.iter().map(|value| format!("{key}={value}")));
            }
            if let Some(span) = plan.timeout {
                lines.insert(format!("TimeoutSec={}", limit(Some(span))));
            }
            lines.insert(format!("What={}", plan.what));
            if plan.mount_point.is_empty() {
                assert!(unit.ends_with(".swap"));
            } else {
                lines.insert(format!("Where={}", plan.mount_point));
                if !plan.fstype.is_empty() {
                    lines.insert(format!("Type={}", plan.fstype));
                }
            }
        }
        verdict.units.insert(unit.clone(), lines);
        if let Some(automount) = &plan.automount {
            verdict.units.insert(
                automount.clone(),
                [format!("Where={}", plan.mount_point)].into(),
            );
        }
    }
    verdict
}

fn ours(unit: &str) -> bool {
    [".mount", ".automount", ".swap"]
        .iter()
        .any(|suffix| unit.ends_with(suffix))
}

fn real(generated: &Generated, half: &BTreeSet<String>) -> Verdict {
    let mut verdict = Verdict {
        links: generated
            .links
            .iter()
            .filter(|(_, _, unit)| ours(unit))
            .cloned()
            .collect(),
        ..Verdict::default()
    };
    for (name, text) in &generated.units {
        if let Some(device) = name.strip_suffix(".d/50-device-timeout.conf") {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix("JobRunningTimeoutSec="))
                .unwrap_or("");
            verdict
                .device_limits
                .insert(device.to_owned(), limit(timespan::parse(value)));
        }
        if !ours(name) {
            continue;
        }
        let mut lines = BTreeSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.replace("%%", "%");
            match key {
                "Before" | "After" | "Requires" | "Wants" | "RequiresMountsFor" => {
                    lines.extend(value.split(' ').map(|v| format!("{key}={v}")));
                }
                "TimeoutSec" => {
                    lines.insert(format!("{key}={}", limit(timespan::parse(&value))));
                }
                // Written as it stands by 257, and simplified where the unit is read.
                "Where" => {
                    lines.insert(format!("{key}={}", facts::path::simplify(&value)));
                }
                "What" | "Type" => {
                    lines.insert(format!("{key}={value}"));
                }
                _ => {}
            }
        }
        if half.contains(name) {
            lines.clear();
        }
        verdict.units.insert(name.clone(), lines);
    }
    verdict
}

fn host(version: u32) -> Host {
    Host {
        version,
        debian: true,
        checkers: ["ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "minix"]
            .map(str::to_owned)
            .to_vec(),
        ..Host::default()
    }
}

fn chroot() -> Chroot {
    furnished(Chroot::new().expect("a chroot with the generator"))
}

fn furnished(chroot: Chroot) -> Chroot {
    let var = chroot.root().join("var");
    std::fs::create_dir_all(&var).unwrap();
    for (link, to) in [
        ("var/run", "/run"),
        ("var/lock", "/run/lock"),
        ("bin", "usr/bin"),
        ("sbin", "usr/sbin"),
    ] {
        let _ = std::os::unix::fs::symlink(to, chroot.root().join(link));
    }
    chroot
}

fn compare(chroot: &Chroot, version: u32, fstab: &str) -> Result<(), String> {
    let plans = plan(&entries(fstab), &host(version));
    let half = plans
        .iter()
        .filter(|plan| plan.no_unit.is_some())
        .filter_map(|plan| plan.unit.clone())
        .collect();
    let generated = chroot.run(fstab).map_err(|error| error.to_string());
    let generated = match generated {
        Ok(generated) => generated,
        // Killed by its own assertion: what it wrote until then stands.
        Err(error)
            if plans
                .iter()
                .any(|p| matches!(p.no_unit, Some(NoUnit::Aborts(_)))) =>
        {
            if !error.contains("Assertion") {
                return Err(error);
            }
            let before = plans
                .iter()
                .find(|p| matches!(p.no_unit, Some(NoUnit::Aborts(_))))
                .map_or(0, |p| p.line as usize - 1);
            let before: String = fstab
                .lines()
                .take(before)
                .map(|l| format!("{l}\n"))
                .collect();
            return compare(chroot, version, &before);
        }
        Err(error) => return Err(format!("{fstab}\n{error}")),
    };
    let (real, predicted) = (real(&generated, &half), predicted(&plans));
    if real == predicted {
        return Ok(());
    }
    Err(format!(
        "{fstab}\nsystemd: {real:#?}\nnofail: {predicted:#?}\n{}",
        generated.stderr
    ))
}

fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(all).prop_map(str::to_owned)
}

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => one_of(&[
            "/dev/sdb1", "/dev/sdc1", "/dev/mapper/vg-data", "UUID=0a1b-2c3d", "UUID=\"quoted\"",
            "LABEL=my\\040data", "PARTUUID=12-34", "PARTLABEL='boot part'", "ID=abc", "/dev/../x",
            "nas-01:/volume1/vms", "10.50.1.70:/volume1/isos", "[fd00::1]:/x", "//nas/share",
            "user@host:/x", "tmpfs", "none", "/srv/images/disk.img", "/mnt/nas/vms/sub", "/swapfile",
            "overlay", "/sys/x", "relative/file", "/dev/disk/by-id/a%b@c", "/dev//sdd", "LABEL=",
        ]),
        1 => "/[a-z]{1,6}(/[a-zA-Z0-9._@:%é-]{1,8}){0,3}",
    ]
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => one_of(&[
            "/", "/usr", "/boot", "/boot/efi", "/var", "/data", "/data/", "/data//x", "/data/./x",
            "/mnt/nas/vms", "/mnt/nas/isos", "/mnt/nas", "/srv/a\\040b", "/srv/a\\134b", "none",
            "swap", "/var/run/x", "/var/lock", "/run/lock", "/tmp", "/proc", "/sys/fs/cgroup/x",
            "/dev/shm", "/run/host/y", "/sys/kernel/debug", "/etc", "./rel", "rel/x", "/.dot",
            "/bin/x", "//", "/usr/", "/run/initramfs/z", "/x/é", "/srv/\\054comma", "\"/quoted\"",
        ]),
        1 => "/[a-z]{1,6}(/[a-zA-Z0-9._@:%+=~-]{1,8}){0,3}",
        1 => "/[a-z]{80,100}/[b-]{20,100}/[c]{60,100}",
    ]
}

fn fstype() -> impl Strategy<Value = String> {
    one_of(&[
        "ext4",
        "ext4",
        "xfs",
        "auto",
        "btrfs",
        "vfat",
        "nfs",
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smb",
        "ceph",
        "glusterfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "9p",
        "tmpfs",
        "none",
        "bind",
        "overlay",
        "swap",
        "swap",
        "autofs",
        "ocfs2",
        "iso9660",
        "fuse.nfs",
        "ext3",
    ])
}

fn option() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => one_of(&[
            "defaults", "nofail", "nofail", "fail", "noauto", "auto", "_netdev", "bind", "rbind",
            "loop", "ro", "bg", "fg", "soft", "retry=0", "x-systemd.automount",
            "comment=systemd.automount", "x-initrd.mount", "x-systemd.makefs", "x-systemd.growfs",
            "x-systemd.rw-only", "pri=5", "nofail=1", "usrquota", "a\\,nofail", "x\\\\", "",
        ]),
        4 => (
            one_of(&[
                "x-systemd.requires", "x-systemd.after", "x-systemd.before",
                "x-systemd.requires-mounts-for",
            ]),
            one_of(&[
                "libvirtd.service", "multi-user.target", "/mnt/nas", "/dev/sdb1", "foo", "a@b.service",
                "network-online.target", "/data//x/", "x.target",
            ]),
        )
            .prop_map(|(name, value)| format!("{name}={value}")),
        // Unlike the others these take unit names only: a path would name a link in a folder.
        2 => one_of(&[
            "x-systemd.wanted-by=foo.target", "x-systemd.required-by=libvirtd.service",
            "x-systemd.wanted-by=a@b.service", "x-systemd.required-by=foo",
        ]),
        1 => one_of(&["x-systemd.mount-timeout", "x-systemd.device-timeout", "x-systemd.requires"]),
        4 => (
            one_of(&[
                "x-systemd.device-timeout", "x-systemd.mount-timeout", "x-systemd.idle-timeout",
                "comment=systemd.device-timeout",
            ]),
            one_of(&[
                "5", "10s", "1min30s", "0", "infinity", "1.5min", "bad", "-3", "90.5", "2h", "5x",
                "1ms", "",
            ]),
        )
            .prop_map(|(name, value)| format!("{name}={value}")),
    ]
}

fn line() -> impl Strategy<Value = String> {
    (
        source(),
        target(),
        fstype(),
        prop::collection::vec(option(), 0..5),
        one_of(&[
            "0 0", "0 2", "0 1", "0", "", "0 -1", "1 2x", "x 2", "0 2 more",
        ]),
        one_of(&[" ", "\t", "  \t "]),
    )
        .prop_map(|(source, target, fstype, options, numbers, blank)| {
            let mut options = options.join(",");
            if options.trim_matches(',').is_empty() {
                options = "defaults".to_owned();
            }
            [source, target, fstype, options, numbers].join(&blank)
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    })]

    #[test]
    fn units_and_links_are_those_of_the_real_generator(
        lines in prop::collection::vec(line(), 1..7)
    ) {
        thread_local! { static CHROOT: Chroot = chroot(); }
        let fstab = lines.join("\n") + "\n";
        CHROOT.with(|chroot| compare(chroot, 252, &fstab)).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn so_are_those_of_the_next_release(lines in prop::collection::vec(line(), 1..7)) {
        thread_local! {
            static CHROOT: Chroot = furnished(
                Chroot::of(&lab::next::root().expect("the next release's root"))
                    .expect("its generator"),
            );
        }
        let fstab = lines.join("\n") + "\n";
        CHROOT.with(|chroot| compare(chroot, 257, &fstab)).map_err(TestCaseError::fail)?;
    }
}

/// Cases that taught something: an fstab each, and what systemd 252 made of it, kept for readers.
#[test]
fn kept_cases_still_agree() {
    let chroot = chroot();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/boot");
    let mut count = 0;
    for case in std::fs::read_dir(&folder).expect("testdata/boot") {
        let case = case.unwrap().path();
        let Ok(fstab) = std::fs::read_to_string(case.join("etc/fstab")) else {
            continue;
        };
        if let Err(difference) = compare(&chroot, 252, &fstab) {
            panic!("{}: {difference}", case.display());
        }
        let generated = chroot.run(&fstab);
        if let Ok(generated) = generated {
            let links: String = generated
                .links
                .iter()
                .map(|(target, requirement, unit)| format!("{target} {requirement} {unit}\n"))
                .collect();
            let kept = case.join("links");
            if std::env::var_os("NOFAIL_BLESS").is_some() {
                std::fs::write(&kept, &links).unwrap();
            }
            let expected = std::fs::read_to_string(&kept).unwrap_or_default();
            assert_eq!(links, expected, "{}", case.display());
        }
        count += 1;
    }
    assert!(count > 0, "no case in {}", folder.display());
}
