//! Tests of the fstab parser; those against the real findmnt and generator are in
//! `crates/collect/tests/fstab_peers.rs`, since no command runs from here.

use super::*;
use proptest::prelude::*;

fn one(text: &str) -> Entry {
    let document = parse(text);
    assert_eq!(document.errors(), &[], "{text:?}");
    document.entries().remove(0)
}

fn kind(source: &str, fstype: &str, options: &str) -> SourceKind {
    classify(source, fstype, &split_options(options))
}

#[test]
fn the_incident_fstab() {
    let text = "# /etc/fstab\nUUID=0a-1 / xfs defaults 0 0\n/dev/sdb1\t/data xfs defaults 0 2\n\nnas-01:/volume1/vms /mnt/nas/vms nfs rw,hard 0 0\n";
    let document = parse(text);
    assert_eq!(document.to_string(), text);
    let entries = document.entries();
    assert_eq!(
        entries.iter().map(|e| e.line).collect::<Vec<_>>(),
        [2, 3, 5]
    );
    assert_eq!(entries[1].kind(), SourceKind::Device("/dev/sdb1".into()));
    assert_eq!(entries[2].network_hosts(), ["nas-01"]);
    assert!(entries[2].is_network() && !entries[1].is_network());
    assert_eq!(entries[2].options, ["rw", "hard"]);
}

#[test]
fn lines_that_libmount_rejects_have_a_place() {
    for (text, column) in [
        ("/dev/sda1", 10),
        ("/dev/sda1 /mnt", 15),
        ("a /b ext4 ro # why", 14),
        ("a /b ext4 ro x", 14),
        ("a /b ext4 ro 0 1x", 16),
        ("LABEL=\"a b\" /mnt ext4 ro 0 0", 23),
        ("ä /b\0 ext4", 5),
    ] {
        let document = parse(text);
        assert_eq!(document.entries(), [], "{text:?}");
        assert_eq!(document.errors().len(), 1, "{text:?}");
        assert_eq!(
            (document.errors()[0].line, document.errors()[0].column),
            (1, column),
            "{text:?}"
        );
    }
}

#[test]
fn remarks_tell_where_systemd_differs() {
    assert_eq!(remarks("a /b ext4 ro 0 0 # comment", 1), []);
    assert_eq!(remarks("a /b ext4 ro 0 0\r", 1), []);
    for (text, column) in [
        ("a /b ext4 ro\r", 13),
        ("a /b\\043c ext4 ro", 5),
        ("a /b ext4 ro 0 0 0", 18),
        ("a b ext4 ro", 3),
        ("a /b ext4 context=\"x", 11),
    ] {
        let found = remarks(text, 7);
        assert_eq!(found.len(), 1, "{text:?} {found:?}");
        assert_eq!((found[0].line, found[0].column), (7, column), "{text:?}");
    }
    assert_eq!(
        remarks(&format!("a /b ext4 {} 0 0", "x".repeat(5000)), 1).len(),
        1
    );
}

#[test]
fn escapes_and_numbers() {
    let e = one("a\\040\\011\\134x /b\\0401 e\\101 r\\054o -1 +2");
    assert_eq!(
        (e.source.as_str(), e.target.as_str(), e.fstype.as_str()),
        ("a \t\\x", "/b 1", "eA")
    );
    assert_eq!((e.dump, e.pass), (-1, 2));
    assert_eq!(decode("\\303\\274\\9\\1"), "ü\\9\\1");
    assert_eq!(one("c /d ext4 ro 99999999999 2").dump, 1_215_752_191);
    assert_eq!(one("c /d ext4").options, ["defaults"]);
}

#[test]
fn quoted_commas_do_not_split() {
    assert_eq!(
        split_options("rw,context=\"system_u:object_r:nfs_t:s0:c1,c2\",,nofail,"),
        [
            "rw",
            "context=\"system_u:object_r:nfs_t:s0:c1,c2\"",
            "nofail"
        ]
    );
    assert_eq!(split_options("a\\,b,c"), ["a\\,b", "c"]);
}

#[test]
fn options_in_force() {
    let e = one("a /b ext4 nofail,auto,fail,x-systemd.requires=a,x-systemd.requires=b");
    assert!(!e.nofail() && !e.noauto());
    assert_eq!(e.option("x-systemd.requires"), Some("b"));
    assert!(e.has_option("x-systemd.requires") && !e.has_option("x-systemd"));
}

#[test]
fn kinds_of_sources() {
    use SourceKind as K;
    let s = |v: &[&str]| v.iter().map(|x| (*x).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        kind("LABEL=\"a b\"", "ext4", ""),
        K::Tag(Tag::Label, "a b".into())
    );
    assert_eq!(
        kind("PARTUUID='12-01'", "auto", ""),
        K::Tag(Tag::PartUuid, "12-01".into())
    );
    assert_eq!(
        kind("nas:/x", "nfs4", ""),
        K::Nfs {
            hosts: s(&["nas"]),
            path: "/x".into()
        }
    );
    assert_eq!(
        kind("[fe80::1%eth0]:/x:y", "nfs", ""),
        K::Nfs {
            hosts: s(&["fe80::1%eth0"]),
            path: "/x:y".into()
        }
    );
    assert_eq!(
        kind("a,10.0.0.2:/x", "nfs", ""),
        K::Nfs {
            hosts: s(&["a", "10.0.0.2"]),
            path: "/x".into()
        }
    );
    assert_eq!(
        kind("nas:/x", "ext4", ""),
        K::Nfs {
            hosts: s(&["nas"]),
            path: "/x".into()
        }
    );
    assert_eq!(kind("nas:x", "ext4", ""), K::Other("nas:x".into()));
    assert_eq!(
        kind("//srv/a b/c", "cifs", ""),
        K::Cifs {
            host: "srv".into(),
            share: "a b/c".into()
        }
    );
    assert_eq!(
        kind("root@h:/x", "fuse.sshfs", ""),
        K::Sshfs {
            host: "h".into(),
            path: "/x".into()
        }
    );
    assert_eq!(
        kind("sshfs#u@h:", "fuse", ""),
        K::Sshfs {
            host: "h".into(),
            path: String::new()
        }
    );
    assert_eq!(
        kind("m1:6789,[fd00::1]:6789,10.0.0.3:/vol", "ceph", ""),
        K::Ceph {
            monitors: s(&["m1", "fd00::1", "10.0.0.3"]),
            path: "/vol".into()
        }
    );
    assert_eq!(
        kind(
            "admin@abc.fs=/vol",
            "ceph",
            "mon_addr=10.0.0.1:6789/10.0.0.2:6789"
        ),
        K::Ceph {
            monitors: s(&["10.0.0.1", "10.0.0.2"]),
            path: "/vol".into()
        }
    );
    assert_eq!(
        kind("g1:/v", "glusterfs", ""),
        K::GlusterFs {
            hosts: s(&["g1"]),
            volume: "/v".into()
        }
    );
    assert_eq!(
        kind(
            "/dev/disk/by-path/ip-10.0.0.9:3260-iscsi-iqn.2000-01.x:y-lun-1",
            "xfs",
            ""
        ),
        K::Iscsi {
            portal: "10.0.0.9".into(),
            device: "/dev/disk/by-path/ip-10.0.0.9:3260-iscsi-iqn.2000-01.x:y-lun-1".into()
        }
    );
    assert_eq!(kind("/a", "none", "bind"), K::Bind("/a".into()));
    assert_eq!(
        kind("/swapfile", "swap", "sw"),
        K::SwapFile("/swapfile".into())
    );
    assert_eq!(
        kind("/srv/a.iso", "iso9660", "loop"),
        K::Loop("/srv/a.iso".into())
    );
    assert_eq!(kind("tmpfs", "tmpfs", ""), K::Pseudo("tmpfs".into()));
    assert_eq!(kind("tank/vm:/x", "zfs", ""), K::Other("tank/vm:/x".into()));
    assert_eq!(
        kind("https://dav.example/x", "davfs", ""),
        K::WebDav {
            host: "dav.example".into()
        }
    );
}

#[test]
fn addresses_are_no_names() {
    for a in ["10.50.1.70", "::1", "fe80::1%eth0"] {
        assert!(is_address(a), "{a}");
    }
    for n in ["nas-01", "10.50.1", "nas.example"] {
        assert!(!is_address(n), "{n}");
    }
}

#[test]
fn an_edit_keeps_columns_and_comments() {
    let text =
        "# top\n/dev/sdb1        /data   xfs   defaults   0 2 # keep\r\nnas:/x /y nfs hard 0 0";
    let mut d = parse(text);
    d.set_field(2, Field::Fstype, "ext4").unwrap();
    d.set_options(2, &["defaults".into(), "nofail".into()])
        .unwrap();
    d.set_options(3, &["hard".into(), "nofail".into()]).unwrap();
    assert_eq!(
        d.to_string(),
        "# top\n/dev/sdb1        /data   ext4  defaults,nofail 0 2 # keep\r\nnas:/x /y nfs hard,nofail 0 0"
    );
    let mut tabs = parse("a\t\t/b\t\text4\tro\t\t\t0\t0\n");
    tabs.set_options(1, &["ro".into(), "nofail".into()])
        .unwrap();
    assert_eq!(tabs.to_string(), "a\t\t/b\t\text4\tro,nofail\t\t0\t0\n");
}

#[test]
fn missing_fields_are_added_and_bad_edits_refused() {
    let mut d = parse("a /b ext4\nc\n");
    d.set_field(1, Field::Pass, "2").unwrap();
    assert_eq!(d.to_string(), "a /b ext4 defaults 0 2\nc\n");
    assert_eq!(d.set_field(2, Field::Pass, "2"), Err(EditError::NoEntry(2)));
    assert!(matches!(
        d.set_field(1, Field::Source, ""),
        Err(EditError::Value(_))
    ));
    assert_eq!(d.append_line("x\ny"), Err(EditError::LineBreak));
    d.comment_out(1).unwrap();
    assert_eq!(d.entries(), []);
    let mut bare = parse("a /b ext4");
    bare.append_line("c /d ext4").unwrap();
    assert_eq!(bare.to_string(), "a /b ext4\nc /d ext4\n");
}

#[test]
fn options_that_would_not_be_read_back_are_refused() {
    // Found by fuzzing: behind an open quotation mark no comma splits, so `nofail` would be lost.
    let text = "/dev/sda1 /mnt ext4 context=\"a,ro 0 0\n";
    let mut document = parse(text);
    let mut options = document.entries()[0].options.clone();
    options.push("nofail".to_owned());
    assert!(matches!(
        document.set_options(1, &options),
        Err(EditError::Value(_))
    ));
    assert_eq!(document.to_string(), text);
}

/// Text that looks like an fstab, with everything awkward in it.
fn fstab_like() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        "[a-z/:=,.\"#-]{1,6}",
        Just("\\040".to_owned()),
        Just("\\".to_owned()),
        Just("\\777".to_owned()),
        Just("ü".to_owned()),
        Just("\0".to_owned()),
        "[0-9+-]{1,3}",
        Just(" ".to_owned()),
        Just("\t".to_owned()),
        Just("  ".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
    ];
    proptest::collection::vec(atom, 0..60).prop_map(|v| v.concat())
}

proptest! {
    #[test]
    fn parsing_is_lossless(text in prop_oneof![fstab_like(), ".*", any::<String>()]) {
        let document = parse(&text);
        prop_assert_eq!(document.to_string(), text);
        for entry in document.entries() {
            let _ = (entry.kind(), entry.network_hosts(), remarks(&entry.text, entry.line));
        }
    }

    #[test]
    fn an_edit_changes_one_field_only(text in fstab_like(), value in "[a-z \t\\\\\",=ü]{1,12}", which in 0..4_usize) {
        let mut document = parse(&text);
        let field = [Field::Source, Field::Target, Field::Fstype, Field::Options][which];
        for before in document.entries() {
            let old: Vec<_> = document.lines().to_vec();
            document.set_field(before.line, field, &value).unwrap();
            let after = document.entries().into_iter().find(|e| e.line == before.line).unwrap();
            let mut expected = before.clone();
            match field {
                Field::Source => expected.source = value.clone(),
                Field::Target => expected.target = value.clone(),
                Field::Fstype => expected.fstype = value.clone(),
                _ => expected.options = split_options(&value),
            }
            expected.text = after.text.clone();
            prop_assert_eq!(&after, &expected);
            for (index, line) in document.lines().iter().enumerate() {
                if index + 1 != before.line as usize {
                    prop_assert_eq!(line, &old[index]);
                }
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(value in any::<String>()) {
        if let Some(field) = encode(&value) {
            prop_assert!(!field.contains([' ', '\t', '\n']));
            prop_assert_eq!(decode(&field), value);
        }
    }
}
