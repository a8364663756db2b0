//! `facts::fstab` beside the programs that really read fstab: findmnt (libmount),
//! systemd-fstab-generator and systemd-escape, where they are installed.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the failure of the test"
)]

use collect::command::{output, run};
use facts::fstab::{self, SourceKind};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

/// What findmnt makes of a text: source, target, type, options, freq, passno of each good line.
fn findmnt(text: &str) -> Vec<[String; 6]> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fstab");
    std::fs::write(&file, text).unwrap();
    let args = [
        "--tab-file",
        file.to_str().unwrap(),
        "--json",
        "-o",
        "SOURCE,TARGET,FSTYPE,OPTIONS,FREQ,PASSNO",
    ];
    let done = run("findmnt", &args, &[], DEADLINE).unwrap();
    if done.stdout.is_empty() {
        return Vec::new();
    }
    let value: Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout)).unwrap();
    let mut rows = Vec::new();
    collect_rows(&value["filesystems"], &mut rows);
    rows
}

fn collect_rows(list: &Value, rows: &mut Vec<[String; 6]>) {
    for item in list.as_array().into_iter().flatten() {
        rows.push(
            ["source", "target", "fstype", "options", "freq", "passno"].map(|key| {
                match &item[key] {
                    Value::String(text) => text.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                }
            }),
        );
        collect_rows(&item["children"], rows);
    }
}

/// A small generator of the same numbers in every run (xorshift): no seed to lose.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

const ATOMS: &[&str] = &[
    "/dev/sda1",
    "nas:/x",
    "[fd00::1]:/y",
    "/mnt",
    "/b",
    "ext4",
    "nfs",
    "ro",
    ",",
    "nofail",
    "\"",
    "\\040",
    "\\011",
    "\\134",
    "\\043",
    "\\",
    "\\7",
    "ü",
    "#",
    "LABEL=",
    "UUID=\"a\"",
    "0",
    "1",
    "-2",
    "+3",
    "9999999999",
    "1x",
    " ",
    " ",
    " ",
    " ",
    "\t",
    "  ",
    "=",
];

#[test]
fn every_line_is_read_as_findmnt_reads_it() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut compared = 0;
    for round in 0..60 {
        let mut text = "first /first ext4 ro 0 0\n".to_owned();
        for _ in 0..40 {
            // Half of the lines begin like real ones, so that many are good.
            if numbers.next(2) == 0 {
                text.push_str("/dev/sdb1 /m ext4 ");
            }
            for _ in 0..numbers.next(12) {
                text.push_str(ATOMS[numbers.next(ATOMS.len())]);
            }
            text.push_str(if numbers.next(8) == 0 { "\r\n" } else { "\n" });
        }
        let document = fstab::parse(&text);
        assert_eq!(document.to_string(), text);
        let mut ours: Vec<[String; 6]> = document
            .entries()
            .into_iter()
            .map(|e| {
                // The options as findmnt prints them: not split, nothing where none stand.
                let options = e
                    .text
                    .split([' ', '\t', '\r'])
                    .filter(|f| !f.is_empty())
                    .nth(3);
                [
                    e.source,
                    e.target,
                    e.fstype,
                    options.map(fstab::decode).unwrap_or_default(),
                    e.dump.to_string(),
                    e.pass.to_string(),
                ]
            })
            .collect();
        let mut theirs = findmnt(&text);
        compared += theirs.len();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "round {round}:\n{text}");
    }
    assert!(compared > 500, "only {compared} good lines were compared");
}

#[test]
fn network_types_are_those_of_systemd() {
    let generator = "/usr/lib/systemd/system-generators/systemd-fstab-generator";
    if !Path::new(generator).exists() {
        eprintln!("skipped: no {generator}");
        return;
    }
    let types = "nfs nfs4 cifs smb3 smbfs sshfs fuse.sshfs ncpfs ncp glusterfs fuse.glusterfs gfs \
        gfs2 ocfs2 pvfs2 orangefs ceph fuse.ceph davfs fuse.davfs afs lustre 9p virtiofs beegfs \
        fuse.s3fs fuse.rclone zfs auto coda nfs,nfs4 fuse ext4 fuse.nfs";
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (index, fstype) in types.split_whitespace().enumerate() {
        text.push_str(&format!("x{index} /t/a{index} {fstype} defaults 0 0\n"));
        text.push_str(&format!("y{index} /t/b{index} {fstype} _netdev 0 0\n"));
    }
    std::fs::write(dir.path().join("fstab"), &text).unwrap();
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let (fstab_file, out) = (dir.path().join("fstab"), out.to_str().unwrap());
    let variable = format!("SYSTEMD_FSTAB={}", fstab_file.display());
    output("env", &[&variable, generator, out, out, out], DEADLINE).unwrap();
    for entry in fstab::parse(&text).entries() {
        let unit = facts::unit::escape::unit_from_path(&entry.target, ".mount").unwrap();
        let link = |target: &str| Path::new(out).join(format!("{target}.requires/{unit}"));
        assert!(link("remote-fs.target").exists() ^ link("local-fs.target").exists());
        assert_eq!(
            entry.is_network(),
            link("remote-fs.target").exists(),
            "{}",
            entry.text
        );
    }
}

#[test]
fn paths_are_escaped_as_systemd_does() {
    if run("systemd-escape", &["x"], &[], DEADLINE).is_err() {
        eprintln!("skipped: no systemd-escape");
        return;
    }
    for path in [
        "/",
        "/mnt/nas/vms",
        "//mnt//nas/",
        "/a-b/c d",
        "/.hidden/x",
        "/x/.y",
        "/ü",
        "/a\\b",
        "/a:b_c.d",
        "/a@b",
        "/a/../b",
        "/a+b=c",
    ] {
        let done = run("systemd-escape", &["--path", path], &[], DEADLINE).unwrap();
        let theirs = done.status.success().then(|| {
            String::from_utf8(done.stdout)
                .unwrap()
                .trim_end()
                .to_owned()
        });
        assert_eq!(facts::unit::escape::escape_path(path), theirs, "{path}");
    }
}

#[test]
fn a_nas_source_keeps_its_kind_whatever_the_type() {
    let entry = &fstab::parse("nas-01:/volume1/vms /mnt/x ext4 defaults 0 0\n").entries()[0];
    assert!(matches!(entry.kind(), SourceKind::Nfs { .. }));
    assert!(!entry.is_network());
}
