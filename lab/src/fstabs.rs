//! Random fstabs over a fixed set of disks and servers, to measure predictions of a boot by.
//!
//! Each case has the same hardware (see [`DISKS`]), so that a source is present, of another type,
//! broken or absent by its name alone. Most waits are bounded by options to some seconds; a few
//! keep systemd's 90 seconds.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::disk::{Content, Disk};
use crate::random::Random;

/// The disks of every case, `/dev/sda` first: content, UUID, label.
pub const DISKS: [(Content, &str, &str); 6] = [
    (
        Content::Ext4,
        "0fa11000-0000-4000-8000-00000000000a",
        "alpha",
    ),
    (Content::Xfs, "0fa11000-0000-4000-8000-00000000000b", "beta"),
    (
        Content::Swap,
        "0fa11000-0000-4000-8000-00000000000c",
        "gamma",
    ),
    (
        Content::BrokenExt4,
        "0fa11000-0000-4000-8000-00000000000d",
        "delta",
    ),
    (
        Content::Btrfs,
        "0fa11000-0000-4000-8000-00000000000e",
        "epsilon",
    ),
    (
        Content::Ext4,
        "0fa11000-0000-4000-8000-00000000000f",
        "zeta",
    ),
];

/// A server that never answers, on the link that [`crate::ColdBoot::empty_network`] makes.
pub const UNREACHABLE: &str = "10.50.1.70";

/// Devices that no case has.
pub const ABSENT: [&str; 3] = [
    "/dev/sdx1",
    "UUID=0fa11000-0000-4000-8000-0000000000ff",
    "LABEL=nowhere",
];

/// A loop image on the root of every case, an ext4 of 2 MiB.
pub const IMAGE: &str = "/srv/image.ext4";

/// An image that no case has.
pub const NO_IMAGE: &str = "/srv/missing.ext4";

/// A directory on the root of every case.
pub const DIRECTORY: &str = "/srv/data";

/// Where a case is booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A machine with the disks of [`DISKS`] and a network.
    Machine,
    /// A container: binds, images and file systems without a source, see [`crate::nspawn`].
    Container,
}

/// One random fstab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The lines, without the root's.
    pub fstab: String,
    /// Whether some line names a disk or an image: without any, no disk is needed.
    pub disks: bool,
    /// Whether some line names an NFS server.
    pub network: bool,
}

/// The disks of [`DISKS`] to put into a machine.
#[must_use]
pub fn disks() -> Vec<Disk> {
    DISKS
        .iter()
        .map(|(content, uuid, label)| Disk::whole(*content).uuid(uuid).label(label))
        .collect()
}

/// Case `index` of `seed` for this place. `reachable` is a mounted-by-everyone source (`10.0.2.2:/vms`) with the
/// options that reach it.
#[must_use]
pub fn case(seed: u64, index: u64, reachable: (&str, &str), place: Place) -> Case {
    let mut random = Random::new(seed, index);
    let mut case = Case {
        fstab: String::new(),
        disks: false,
        network: false,
    };
    let mut targets: Vec<String> = Vec::new();
    let mut on_server: Vec<String> = Vec::new();
    // Each disk is mounted at most once, but for duplicates that are meant.
    let mut free: Vec<usize> = (0..DISKS.len()).collect();
    // And so is the image: of two mount(8) that make a loop device of one file at the same time,
    // either may find the other's device just going.
    let mut image_is_taken = false;
    let lines = 1 + random.below(4);
    for _ in 0..lines {
        let mut line = match place {
            Place::Machine => line(
                &mut random,
                &mut case,
                (&mut targets, &mut on_server),
                &mut free,
                reachable,
            ),
            Place::Container => container_line(&mut random, &mut targets),
        };
        if image_is_taken {
            line = line.replace(IMAGE, NO_IMAGE);
        }
        image_is_taken |= line.starts_with(IMAGE);
        if random.chance(8) {
            case.fstab.push_str("# a comment\n\n");
        }
        case.fstab.push_str(&line);
        if random.chance(6) {
            // The same line twice: systemd's generator reports it and goes on.
            case.fstab.push_str(&line);
        }
    }
    case
}

/// One line, ended.
fn line(
    random: &mut Random,
    case: &mut Case,
    (targets, on_server): (&mut Vec<String>, &mut Vec<String>),
    free: &mut Vec<usize>,
    (server, server_options): (&str, &str),
) -> String {
    let mut options: Vec<String> = Vec::new();
    let mut pass = 0;
    let mut kind;
    let source;
    match random.below(100) {
        0..45 if !free.is_empty() => {
            case.disks = true;
            let number = free.swap_remove(random.below(free.len()));
            let (content, uuid, label) = DISKS[number];
            source = match random.below(3) {
                0 => format!("/dev/sd{}", char::from(b'a' + number as u8)),
                1 => format!("UUID={uuid}"),
                _ => format!("LABEL={label}"),
            };
            kind = type_of(content).to_owned();
            if random.chance(20) {
                kind = random.pick(&["ext4", "xfs", "auto", "btrfs"]).to_owned();
            }
            if kind != "swap" && random.chance(60) {
                pass = 2;
            }
        }
        45..55 => {
            case.disks = true;
            source = random.pick(&ABSENT).to_owned();
            kind = random.pick(&["ext4", "xfs", "swap"]).to_owned();
            if !random.chance(10) {
                options.push(format!(
                    "x-systemd.device-timeout={}",
                    random.pick(&["3", "6s"])
                ));
            }
        }
        55..65 => {
            case.network = true;
            source = server.to_owned();
            kind = random.pick(&["nfs", "nfs4", "nfs", "ext4"]).to_owned();
            options.push(server_options.to_owned());
        }
        65..80 => {
            case.network = true;
            source = format!("{UNREACHABLE}:/volume1/{}", random.pick(&["vms", "isos"]));
            kind = random.pick(&["nfs", "nfs", "nfs4"]).to_owned();
            if !random.chance(5) {
                options.push(format!(
                    "x-systemd.mount-timeout={}",
                    random.pick(&["4s", "8"])
                ));
            }
        }
        80..88 => {
            let on_top = targets
                .iter()
                .rev()
                .find(|target| target.starts_with("/mnt"));
            source = match on_top {
                Some(target) if random.chance(50) => target.clone(),
                _ => random.pick(&[DIRECTORY, "/srv/missing"]).to_owned(),
            };
            kind = "none".to_owned();
            options.push(random.pick(&["bind", "rbind"]).to_owned());
        }
        88..94 => {
            case.disks = true;
            // The server that answers exports such an image, and of the other nobody can tell.
            source = match on_server.last() {
                Some(target) if random.chance(40) => format!("{target}/image.ext4"),
                _ => random.pick(&[IMAGE, NO_IMAGE]).to_owned(),
            };
            kind = random.pick(&["ext4", "ext4", "xfs"]).to_owned();
            options.push("loop".to_owned());
        }
        _ => {
            source = "tmpfs".to_owned();
            kind = "tmpfs".to_owned();
            options.push("size=1m".to_owned());
        }
    }
    if kind != "swap" && random.chance(8) {
        options.push("x-systemd.automount".to_owned());
    }
    general_options(random, &mut options, targets, kind == "swap");
    let target = if kind == "swap" {
        "none".to_owned()
    } else {
        target(random, targets)
    };
    if source.contains(":/") && kind.starts_with("nfs") {
        on_server.push(target.clone());
    }
    write_line(random, &source, &target, &kind, &options, pass)
}

/// One line of a container's fstab, ended: nothing in it needs a device, a server or an automount.
fn container_line(random: &mut Random, targets: &mut Vec<String>) -> String {
    let mut options: Vec<String> = Vec::new();
    let (source, kind) = match random.below(100) {
        0..30 => {
            options.push("loop".to_owned());
            let source = random.pick(&[IMAGE, IMAGE, NO_IMAGE]).to_owned();
            (source, random.pick(&["ext4", "ext4", "auto", "xfs"]))
        }
        30..65 => {
            options.push(random.pick(&["bind", "rbind"]).to_owned());
            let earlier =
                (!targets.is_empty()).then(|| targets[random.below(targets.len())].clone());
            let source = match earlier {
                Some(target) if random.chance(50) => {
                    format!("{target}{}", random.pick(&["", "/in"]))
                }
                _ => random.pick(&[DIRECTORY, "/srv/missing", "/usr"]).to_owned(),
            };
            (source.replace(' ', "\\040"), "none")
        }
        65..90 => {
            // Only here: whether a mount point exists on a read-only file system that holds
            // something, no tree tells.
            if random.chance(15) {
                options.push("ro".to_owned());
            }
            let source = random.pick(&["tmpfs", "none"]).to_owned();
            (source, random.pick(&["tmpfs", "ramfs"]))
        }
        // No file system of a disk has such a source: the mount fails.
        _ => (
            random.pick(&["none", "data"]).to_owned(),
            random.pick(&["ext4", "xfs"]),
        ),
    };
    general_options(random, &mut options, targets, false);
    let target = target(random, targets);
    write_line(random, &source, &target, kind, &options, 0)
}

/// The type that a disk's own content has.
fn type_of(content: Content) -> &'static str {
    match content {
        Content::Ext4 | Content::BrokenExt4 | Content::Blank => "ext4",
        Content::Xfs => "xfs",
        Content::Btrfs => "btrfs",
        Content::Vfat => "vfat",
        Content::Swap => "swap",
    }
}

/// Options that any line may have.
fn general_options(random: &mut Random, options: &mut Vec<String>, targets: &[String], swap: bool) {
    if random.chance(35) {
        options.push("nofail".to_owned());
    }
    if random.chance(8) {
        options.push("noauto".to_owned());
    }
    if swap {
        return;
    }
    if random.chance(8) {
        options.push("_netdev".to_owned());
    }
    let plain = |target: &&String| !target.contains(' ');
    if let Some(target) = targets.iter().find(plain).filter(|_| random.chance(5)) {
        options.push(format!("x-systemd.requires-mounts-for={target}"));
    }
    if random.chance(10) {
        options.push(random.pick(&["noatime", "nosuid", "user"]).to_owned());
    }
    if random.chance(5) {
        options.push("x-systemd.before=ssh.service".to_owned());
    }
}

/// A target: a new one, one below an earlier one, seldom an earlier one again or a strange one.
fn target(random: &mut Random, targets: &mut Vec<String>) -> String {
    let earlier = (!targets.is_empty()).then(|| targets[random.below(targets.len())].clone());
    let target = match (earlier, random.below(100)) {
        (Some(earlier), 0..20) => format!(
            "{}/{}",
            earlier.trim_end_matches('/'),
            random.pick(&["in", "sub"])
        ),
        (Some(earlier), 20..24) => earlier,
        (_, 24..30) => "/mnt/with space".to_owned(),
        (_, 30..34) => "/mnt/dash-and_under".to_owned(),
        (_, 34..38) => "/mnt//double/".to_owned(),
        _ => {
            let top = random.pick(&["/mnt", "/data", "/var/lib/libvirt", "/mnt/nas"]);
            format!(
                "{top}/{}",
                random.pick(&["one", "two", "three", "four", "five", "six"])
            )
        }
    };
    targets.push(target.clone());
    target
}

/// The line's text, with the white space and escapes that administrators and tools write.
fn write_line(
    random: &mut Random,
    source: &str,
    target: &str,
    kind: &str,
    options: &[String],
    pass: u8,
) -> String {
    let gap = |random: &mut Random| random.pick(&[" ", " ", "\t", "   ", " \t"]);
    let escaped = target.replace(' ', "\\040");
    let options = if options.is_empty() {
        random.pick(&["defaults", "rw", "defaults"]).to_owned()
    } else {
        options.join(",")
    };
    let mut line = String::new();
    if random.chance(5) {
        line.push_str(gap(random));
    }
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        "{source}{}{escaped}{}{kind}{}{options}",
        gap(random),
        gap(random),
        gap(random)
    );
    if pass != 0 || random.chance(70) {
        let _ = write!(line, "{}0 {pass}", gap(random));
    }
    if random.chance(5) {
        line.push_str("  ");
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(count: u64) -> Vec<Case> {
        (0..count)
            .map(|index| {
                case(
                    1,
                    index,
                    ("10.0.2.2:/vms", "vers=4.2,port=12049"),
                    Place::Machine,
                )
            })
            .collect()
    }

    #[test]
    fn the_cases_are_reproducible_and_varied() {
        let cases = cases(400);
        assert_eq!(
            cases[7],
            case(
                1,
                7,
                ("10.0.2.2:/vms", "vers=4.2,port=12049"),
                Place::Machine
            )
        );
        let all: String = cases.iter().map(|case| case.fstab.as_str()).collect();
        for part in [
            "nofail",
            "noauto",
            "x-systemd.automount",
            "swap",
            "loop",
            "bind",
            "\\040",
            "UUID=",
            "LABEL=",
            "/dev/sdx1",
            "10.50.1.70",
            "10.0.2.2",
            "tmpfs",
            "# a comment",
            "\t",
            "_netdev",
            "device-timeout",
        ] {
            assert!(all.contains(part), "no case has {part}");
        }
        assert!(cases.iter().any(|case| !case.disks && !case.network));
    }

    #[test]
    fn systemds_generator_reads_them_all_in_short_time() {
        let chroot = crate::generator::Chroot::new().unwrap();
        let clock = std::time::Instant::now();
        let mut units = 0;
        for case in cases(60) {
            units += chroot.run(&case.fstab).unwrap().units.len();
        }
        assert!(units > 60, "{units} units of 60 fstabs");
        println!("60 fstabs in {:?}", clock.elapsed());
    }
}
