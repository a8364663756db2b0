//! Superblocks read by `facts::block` beside what blkid says, on images made by the real mkfs
//! programs. A program that is not installed is named and its case skipped; the common ones must be
//! there for the test to count.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure of the test"
)]

use collect::command::{output, run};
use facts::block::Damage;
use facts::block::superblock::{Image, PartitionTable, Signature, partition_table, probe};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);

fn with_image<T>(path: &Path, look: impl FnOnce(&Image<'_>) -> T) -> T {
    let file = std::fs::File::open(path).unwrap();
    let read = |offset: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).ok().map(|()| bytes)
    };
    look(&Image::new(file.metadata().unwrap().len(), &read))
}

fn signatures(path: &Path) -> Vec<Signature> {
    with_image(path, probe)
}

fn table(path: &Path) -> Option<PartitionTable> {
    with_image(path, partition_table)
}

fn blkid(path: &Path) -> BTreeMap<String, String> {
    let args = ["-p", "-o", "export", path.to_str().unwrap()];
    let done = run("blkid", &args, &[], DEADLINE).unwrap();
    String::from_utf8_lossy(&done.stdout)
        .lines()
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.replace('\\', "")))
        .collect()
}

/// Makes one image; `false` where the program is missing.
fn make(path: &Path, size: u64, line: &str) -> bool {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    let words: Vec<&str> = line.split('|').collect();
    let mut args: Vec<&str> = words[1..].to_vec();
    for arg in &mut args {
        if *arg == "IMG" {
            *arg = path.to_str().unwrap();
        }
    }
    match output(words[0], &args, DEADLINE) {
        Ok(_) => true,
        Err(collect::command::CommandError::Start { .. }) => {
            eprintln!("skipped: {} is not installed", words[0]);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn types_uuids_and_labels_are_those_of_blkid() {
    let m = 1 << 20;
    let cases = [
        (8 * m, "mkfs.ext2|-q|-L|two|IMG"),
        (16 * m, "mkfs.ext3|-q|-L|three|IMG"),
        (16 * m, "mkfs.ext4|-q|-L|vier a|IMG"),
        (16 * m, "mkfs.ext4|-q|-O|^has_journal|IMG"),
        (16 * m, "mke2fs|-q|-O|journal_dev|IMG"),
        (320 * m, "mkfs.xfs|-q|-L|vms|IMG"),
        (128 * m, "mkfs.btrfs|-q|-L|pool one|IMG"),
        (4 * m, "mkfs.vfat|-n|EFI|IMG"),
        (64 * m, "mkfs.vfat|-F|32|-n|BOOT DISK|-i|00ab12cd|IMG"),
        (64 * m, "mkfs.vfat|-F|16|IMG"),
        (16 * m, "mkfs.exfat|-L|card|IMG"),
        (16 * m, "mkntfs|-q|-F|-L|Windows C|IMG"),
        (4 * m, "mkswap|-L|swap1|IMG"),
        (128 * m, "mkfs.f2fs|-q|-l|flash|IMG"),
        (
            32 * m,
            "cryptsetup|-q|luksFormat|--type|luks1|--pbkdf-force-iterations|1000|IMG|KEY",
        ),
        (
            32 * m,
            "cryptsetup|-q|luksFormat|--type|luks2|--label|geheim|--pbkdf|pbkdf2|--pbkdf-force-iterations|1000|IMG|KEY",
        ),
        (m, "mksquashfs|DIR|IMG|-noappend|-quiet|-no-progress"),
        (m, "genisoimage|-quiet|-V|INSTALL_CD|-o|IMG|DIR"),
    ];
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("content")).unwrap();
    std::fs::write(dir.path().join("content/file"), "x").unwrap();
    std::fs::write(dir.path().join("key"), "password").unwrap();
    let (mut made, mut wrong) = (0, Vec::new());
    for (index, (size, line)) in cases.iter().enumerate() {
        let path = dir.path().join(format!("{index}.img"));
        let line = line
            .replace("KEY", dir.path().join("key").to_str().unwrap())
            .replace(
                "|DIR",
                &format!("|{}", dir.path().join("content").display()),
            );
        if !make(&path, *size, &line) {
            continue;
        }
        made += 1;
        let theirs = blkid(&path);
        let ours = signatures(&path);
        let get = |key: &str| theirs.get(key).cloned();
        let mine = ours
            .first()
            .map(|s| (Some(s.fstype.to_owned()), s.uuid.clone(), s.label.clone()));
        let blkids = Some((get("TYPE"), get("UUID"), get("LABEL")));
        if mine != blkids || ours.len() != 1 {
            wrong.push(format!("{line}\n  ours  {ours:?}\n  blkid {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(made >= 8, "only {made} kinds of images could be made");
}

#[test]
fn partition_tables_are_those_of_blkid() {
    let dir = tempfile::tempdir().unwrap();
    let scripts = [
        (
            "gpt",
            "label: gpt\nsize=2MiB, name=\"EFI System\"\nsize=3MiB, name=data\n",
        ),
        (
            "dos",
            "label: dos\nlabel-id: 0x1234abcd\nsize=2MiB, type=83\nsize=5MiB, type=5\nsize=1MiB, type=83\nsize=1MiB, type=82\n",
        ),
    ];
    for (kind, script) in scripts {
        let path = dir.path().join(kind);
        std::fs::File::create(&path)
            .unwrap()
            .set_len(16 << 20)
            .unwrap();
        let file = path.to_str().unwrap();
        match run("sfdisk", &["-q", file], script.as_bytes(), DEADLINE) {
            Ok(done) => assert!(done.status.success(), "{}", done.stderr),
            Err(error) => {
                eprintln!("skipped: {error}");
                return;
            }
        }
        let ours = table(&path).unwrap();
        assert_eq!(ours.kind, kind);
        assert_eq!(ours.uuid, blkid(&path).get("PTUUID").cloned());
        let json = output("sfdisk", &["--json", file], DEADLINE).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let theirs = json["partitiontable"]["partitions"].as_array().unwrap();
        assert_eq!(ours.partitions.len(), theirs.len(), "{ours:?} {theirs:?}");
        for (mine, theirs) in ours.partitions.iter().zip(theirs) {
            assert_eq!(mine.start / 512, theirs["start"].as_u64().unwrap());
            assert_eq!(mine.size / 512, theirs["size"].as_u64().unwrap());
            assert_eq!(
                theirs["node"].as_str().unwrap(),
                format!("{file}{}", mine.number)
            );
            assert_eq!(mine.label.as_deref(), theirs["name"].as_str());
            if let Some(uuid) = theirs["uuid"].as_str() {
                assert_eq!(mine.uuid.as_deref(), Some(uuid.to_lowercase().as_str()));
            }
        }
    }
}

#[test]
fn the_first_70_kib_are_enough_for_the_common_ones() {
    let dir = tempfile::tempdir().unwrap();
    for (line, fstype) in [("mkfs.ext4|-q|IMG", "ext4"), ("mkfs.xfs|-q|IMG", "xfs")] {
        let path = dir.path().join(fstype);
        if make(&path, 320 << 20, line) {
            let head = std::fs::read(&path).unwrap()[..70 * 1024].to_vec();
            std::fs::write(&path, head).unwrap();
            assert_eq!(signatures(&path)[0].fstype, fstype);
        }
    }
}

/// An md superblock by hand (making a real array needs the kernel's md driver); blkid judges it.
/// As the kernel and e2fsck leave them: errors noted in the superblock, and the root directory's inode cleared.
#[test]
fn damage_of_ext_file_systems() {
    let dir = tempfile::tempdir().unwrap();
    for (number, (mkfs, commands, damage)) in [
        ("mkfs.ext4|-q|IMG", "", None),
        ("mkfs.ext2|-q|-b|1024|IMG", "", None),
        ("mkfs.ext4|-q|-O|^64bit|IMG", "", None),
        ("mkfs.ext4|-q|IMG", "ssv state 2\n", Some(Damage::Errors)),
        ("mkfs.ext4|-q|IMG", "clri <2>\n", Some(Damage::NoRoot)),
        (
            "mkfs.ext3|-q|-I|128|IMG",
            "clri <2>\n",
            Some(Damage::NoRoot),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.path().join(number.to_string());
        assert!(make(&path, 16 << 20, mkfs));
        let script = path.with_extension("debugfs");
        std::fs::write(&script, commands).unwrap();
        let (commands_in, image) = (script.to_str().unwrap(), path.to_str().unwrap());
        output("debugfs", &["-w", "-f", commands_in, image], DEADLINE).unwrap();
        assert_eq!(signatures(&path)[0].damage, damage, "{mkfs} {commands}");
    }
}

#[test]
fn members_of_md_arrays() {
    let dir = tempfile::tempdir().unwrap();
    let size: u64 = 16 << 20;
    let id: Vec<u8> = (1..=16).collect();
    // Version 1.0 lies 8 KiB before the end, rounded down to 4 KiB; 1.1 at 0; 1.2 at 4 KiB.
    for at in [(size / 512 - 16) & !7, 0, 8] {
        let mut bytes = vec![0_u8; usize::try_from(size).unwrap()];
        let block = &mut bytes[usize::try_from(at * 512).unwrap()..];
        block[0..4].copy_from_slice(&0xa92b_4efc_u32.to_le_bytes());
        block[4..8].copy_from_slice(&1_u32.to_le_bytes());
        block[16..32].copy_from_slice(&id);
        block[32..41].copy_from_slice(b"kvm-01:vm");
        block[144..152].copy_from_slice(&at.to_le_bytes());
        compare(&dir.path().join(format!("md{at}")), &bytes);
    }
    let mut bytes = vec![0_u8; usize::try_from(size).unwrap()];
    let block = &mut bytes[usize::try_from(size - 65_536).unwrap()..];
    block[0..4].copy_from_slice(&0xa92b_4efc_u32.to_le_bytes());
    block[8..12].copy_from_slice(&90_u32.to_le_bytes());
    block[20..24].copy_from_slice(&id[..4]);
    block[52..64].copy_from_slice(&id[4..]);
    compare(&dir.path().join("md090"), &bytes);
}

fn compare(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    let (ours, theirs) = (signatures(path), blkid(path));
    assert_eq!(ours.len(), 1, "{path:?}");
    assert_eq!(
        Some(ours[0].fstype),
        theirs.get("TYPE").map(String::as_str),
        "{path:?}"
    );
    assert_eq!(ours[0].uuid.as_ref(), theirs.get("UUID"), "{path:?}");
    assert_eq!(ours[0].label.as_ref(), theirs.get("LABEL"), "{path:?}");
}

#[test]
fn a_physical_volume_of_lvm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pv");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    // pvcreate wants a block device; a loop device needs root.
    let Ok(device) = output(
        "losetup",
        &["-f", "--show", path.to_str().unwrap()],
        DEADLINE,
    ) else {
        eprintln!("skipped: no loop device (needs root)");
        return;
    };
    let device = String::from_utf8(device).unwrap();
    let made = run("pvcreate", &["-q", device.trim()], &[], DEADLINE);
    output("losetup", &["-d", device.trim()], DEADLINE).unwrap();
    match made {
        Ok(done) if done.status.success() => {
            let bytes = std::fs::read(&path).unwrap();
            compare(&path, &bytes);
        }
        _ => eprintln!("skipped: no working pvcreate"),
    }
}
