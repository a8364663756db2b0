//! The list of remedies, and each fstab remedy on random lines.

use super::*;
use facts::fstab::{self, Field};
use proptest::prelude::*;
use rules::registry;

#[test]
fn the_list_is_sorted_and_agrees_with_the_rules() {
    for pair in REMEDIES.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} / {}", pair[0].0, pair[1].0);
    }
    for (id, _) in REMEDIES {
        assert!(registry::find(id).is_some(), "no rule {id}");
    }
    // What a rule's page calls mended by machine has a remedy, but for what no file or command
    // of this host mends alone; each with its reason.
    let elsewhere = [
        (
            "guests/transient-definition",
            "only libvirtd holds the definition",
        ),
        (
            "hook/newer-than-daemon",
            "nothing to undo: systemctl reload",
        ),
        (
            "hook/selinux-boolean-off",
            "setsebool -P rebuilds the policy",
        ),
        (
            "mounts/expected-but-absent",
            "a mount is no change of the configuration",
        ),
        ("storage/backing-file-on-network-mount", "nofail evacuate"),
        ("storage/guest-disk-on-network-mount", "nofail evacuate"),
        ("storage/ha-disks-share-storage", "nofail evacuate"),
    ];
    for rule in registry::ALL {
        let listed = REMEDIES.iter().any(|(id, _)| *id == rule.id);
        let by_machine = rule.remedy != rules::Remedy::Shown;
        let known = elsewhere.iter().any(|(id, _)| *id == rule.id);
        assert!(listed || !by_machine || known, "{} has no remedy", rule.id);
        assert!(
            by_machine || !listed,
            "{} has a remedy and says none",
            rule.id
        );
    }
}

struct Files(BTreeMap<String, String>);

impl HostReader for Files {
    fn kind(&self) -> &'static str {
        "root"
    }
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let text = self.0.get(path).map(|text| text.clone().into_bytes());
        text.ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
    fn read_at(&self, path: &str, _: u64, _: usize) -> std::io::Result<Vec<u8>> {
        self.read(path)
    }
    fn list(&self, _: &str) -> std::io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn stat(&self, _: &str) -> std::io::Result<collect::Stat> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn lstat(&self, path: &str) -> std::io::Result<collect::Stat> {
        self.stat(path)
    }
    fn read_link(&self, _: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn xattr(&self, _: &str, _: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn complete(&self) -> bool {
        false
    }
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("nas-01:/volume1/vms".to_owned()),
        Just("/dev/sdb1".to_owned()),
        Just("UUID=1-2".to_owned()),
        "[a-z]{1,6}:/[a-z]{1,6}",
    ]
}

/// A file with comments, blanks, odd columns and CR LF among its lines.
fn file() -> impl Strategy<Value = String> {
    let options = prop::collection::vec(
        prop_oneof![
            Just("defaults"),
            Just("ro"),
            Just("nofail"),
            Just("fail"),
            Just("noauto"),
            Just("x-systemd.device-timeout=5"),
            Just("x-systemd.mount-timeout=infinity"),
            Just("comment=\"a,b\""),
        ],
        1..4,
    );
    let kind = prop_oneof![Just("nfs"), Just("xfs"), Just("ext4"), Just("auto")];
    let gap = prop_oneof![Just(" "), Just("\t"), Just("   "), Just("\t\t")];
    let entry = (field(), "/[a-z]{1,5}", kind, options, gap, 0..3_i32).prop_map(
        |(source, target, kind, options, gap, pass)| {
            let options = options.join(",");
            format!("{source}{gap}{target}{gap}{kind}{gap}{options}{gap}0 {pass}")
        },
    );
    let line = prop_oneof![
        4 => entry,
        1 => Just(String::new()),
        1 => "# [a-z ]{0,20}",
        1 => Just("broken".to_owned()),
    ];
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    (prop::collection::vec(line, 1..8), end).prop_map(|(lines, end)| lines.join(end) + end)
}

proptest! {
    #[test]
    fn only_the_fields_concerned_change(text in file(), which in 0..7_usize, at in 0..8_usize) {
        let document = fstab::parse(&text);
        let entries = document.entries();
        prop_assume!(!entries.is_empty());
        let entry = &entries[at % entries.len()];
        let (rule, field): (&'static str, Field) = [
            ("fstab/missing-nofail", Field::Options),
            ("fstab/missing-netdev", Field::Options),
            ("fstab/unbounded-mount-timeout", Field::Options),
            ("fstab/device-timeout-ignored", Field::Options),
            ("fstab/fsck-pass-on-network", Field::Pass),
            ("fstab/nofail-loses-ordering", Field::Options),
            ("fstab/hostname-source", Field::Source),
        ][which];
        let mut finding = Finding::new(rules::Severity::Warning, "host", &entry.target, "m")
            .evidence(facts::Evidence::line("/etc/fstab", entry.line, &entry.text));
        finding.rule = rule;
        let mut host = Snapshot::new("host");
        host.fstab = entries.clone();
        let estate = Estate::of(host.clone());
        let reader = Files([("/etc/fstab".to_owned(), text.clone())].into());
        let addresses = entry.network_hosts().into_iter();
        let addresses = addresses.map(|name| (name, "192.0.2.7".to_owned())).collect();
        let case = Case {
            finding: &finding,
            host: &host,
            estate: &estate,
            reader: &reader,
            addresses: &addresses,
        };
        let Remedy::Do { acts, .. } = mend(&case) else { return Ok(()) };
        let [Act::Write { path, content, .. }] = acts.as_slice() else {
            return Err(TestCaseError::fail("one file was to change"));
        };
        prop_assert_eq!(path, "/etc/fstab");
        let new = String::from_utf8(content.clone()).unwrap();
        let (old_lines, new_lines): (Vec<&str>, Vec<&str>) =
            (text.split('\n').collect(), new.split('\n').collect());
        prop_assert_eq!(old_lines.len(), new_lines.len());
        for (number, (old, new)) in old_lines.iter().zip(&new_lines).enumerate() {
            if number + 1 != usize::try_from(entry.line).unwrap() {
                prop_assert_eq!(old, new);
            }
        }
        let after = fstab::parse(&new).entries();
        prop_assert_eq!(after.len(), entries.len());
        let changed = after.iter().find(|e| e.line == entry.line).unwrap();
        let same = |f: Field, equal: bool| f == field || equal;
        prop_assert!(same(Field::Source, changed.source == entry.source));
        prop_assert!(same(Field::Target, changed.target == entry.target));
        prop_assert!(same(Field::Fstype, changed.fstype == entry.fstype));
        prop_assert!(same(Field::Options, changed.options == entry.options));
        prop_assert!(same(Field::Dump, changed.dump == entry.dump));
        prop_assert!(same(Field::Pass, changed.pass == entry.pass));
        match rule {
            "fstab/missing-nofail" => prop_assert!(changed.nofail()),
            "fstab/missing-netdev" => prop_assert!(changed.is_network()),
            "fstab/fsck-pass-on-network" => prop_assert_eq!(changed.pass, 0),
            "fstab/hostname-source" => prop_assert!(changed.source.contains("192.0.2.7")),
            "fstab/device-timeout-ignored" => {
                prop_assert!(!changed.has_option("x-systemd.device-timeout"));
            }
            _ => {}
        }
    }
}
