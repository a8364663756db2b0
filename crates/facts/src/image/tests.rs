//! Cases of the image parsers that need no file; the headers of real images are compared with
//! `qemu-img` in `crates/collect/tests/qemu_img.rs`.

use super::backing::resolve;
use super::chain::{End, follow};
use super::header::{HeaderError, parse};
use super::*;
use crate::domain::Backing;

/// A qcow2 version 3 header with a backing name.
fn qcow2(backing: &str, extensions: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 104];
    bytes[..4].copy_from_slice(b"QFI\xfb");
    bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&16_u32.to_be_bytes());
    bytes[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
    bytes[100..104].copy_from_slice(&104_u32.to_be_bytes());
    for (kind, data) in extensions {
        bytes.extend(kind.to_be_bytes());
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(*data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes.extend([0; 8]);
    if !backing.is_empty() {
        let at = bytes.len() as u64;
        bytes[8..16].copy_from_slice(&at.to_be_bytes());
        bytes[16..20].copy_from_slice(&u32::try_from(backing.len()).unwrap().to_be_bytes());
        bytes.extend(backing.as_bytes());
    }
    bytes
}

#[test]
fn a_header_asks_for_what_it_misses_and_never_panics() {
    let whole = qcow2("base.qcow2", &[(0xE279_2ACA, b"qcow2")]);
    let header = parse(&whole).unwrap();
    assert_eq!(header.backing.as_deref(), Some("base.qcow2"));
    assert_eq!(header.backing_format.as_deref(), Some("qcow2"));
    assert_eq!(header.virtual_size, Some(1 << 30));
    for length in 4..whole.len() {
        match parse(&whole[..length]) {
            Err(HeaderError::Truncated { needed }) => {
                assert!(needed > length && needed <= whole.len())
            }
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn malformed_headers_are_refused_as_qemu_refuses_them() {
    let reason = |bytes: &[u8]| match parse(bytes) {
        Err(HeaderError::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let mut long = qcow2("x", &[]);
    long[16..20].copy_from_slice(&1024_u32.to_be_bytes());
    assert!(reason(&long).contains("1024"));
    let mut far = qcow2("x", &[]);
    far[8..16].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    assert!(reason(&far).contains("outside"));
    let mut clusters = qcow2("", &[]);
    clusters[23] = 63;
    assert!(reason(&clusters).contains("cluster_bits"));
    let mut version = qcow2("", &[]);
    version[7] = 9;
    assert!(reason(&version).contains("version 9"));
    let mut extension = qcow2("x", &[(7, b"12345678")]);
    extension[108..112].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(reason(&extension).contains("does not fit"));
}

#[test]
fn an_external_data_file_counts_only_with_its_feature_bit() {
    let mut bytes = qcow2("", &[(0x4441_5441, b"data.raw")]);
    assert_eq!(parse(&bytes).unwrap().data_file, None);
    bytes[79] = 4 | 2;
    let header = parse(&bytes).unwrap();
    assert_eq!(header.data_file.as_deref(), Some("data.raw"));
    assert!(header.corrupt);
}

#[test]
fn a_vmdk_descriptor_names_parent_and_extents() {
    let text = "# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\n\
                parentFileNameHint=\"/vms/base disk.vmdk\"\n\nRW 4192256 FLAT \"d-f001.vmdk\" 0\n\
                RW 2048 FLAT \"d f002.vmdk\" 0\n";
    let header = parse(text.as_bytes()).unwrap();
    assert_eq!(header.format, "vmdk");
    assert_eq!(header.backing.as_deref(), Some("/vms/base disk.vmdk"));
    assert_eq!(header.extents, ["d-f001.vmdk", "d f002.vmdk"]);
    assert_eq!(header.virtual_size, Some((4_192_256 + 2048) * 512));
    assert_eq!(
        parse(b"KDMV").unwrap_err(),
        HeaderError::Truncated { needed: 20 }
    );
}

#[test]
fn luks_is_encrypted_and_what_has_no_magic_is_raw() {
    let luks = parse(b"LUKS\xba\xbe\x00\x01").unwrap();
    assert_eq!((luks.format, luks.encrypted), ("luks", true));
    for bytes in [&b""[..], b"Q", b"# a comment\n", &[0; 4096]] {
        assert_eq!(parse(bytes).unwrap().format, "raw");
    }
}

#[test]
fn backing_names_of_every_kind() {
    let resolve = |name: &str| {
        let Backing {
            kind,
            source,
            format,
            hosts,
            read_from,
        } = resolve("/vms/a.qcow2", name).unwrap();
        assert_eq!(read_from, "/vms/a.qcow2");
        let format = format.unwrap_or_default();
        format!("{kind} {source} [{}] {format}", hosts.join(" "))
            .trim_end()
            .to_owned()
    };
    for (name, expected) in [
        ("base.qcow2", "file /vms/base.qcow2 []"),
        ("./base.qcow2", "file /vms/base.qcow2 []"),
        ("../b/base.qcow2", "file /vms/../b/base.qcow2 []"),
        ("/mnt/nas/b:1.qcow2", "file /mnt/nas/b:1.qcow2 []"),
        ("file:/x", "file /x []"),
        ("file:///x", "file /x []"),
        ("/dev/vg0/base", "block /dev/vg0/base []"),
        ("host_device:/dev/sdb", "block /dev/sdb []"),
        ("nbd://10.0.0.1:10809/e", "network nbd:e [10.0.0.1:10809]"),
        (
            "nbd+unix:///e?socket=/run/n.sock",
            "network nbd:e [unix:/run/n.sock]",
        ),
        (
            "nbd:10.0.0.1:10809:exportname=e",
            "network nbd:e [10.0.0.1:10809]",
        ),
        ("nbd:unix:/run/n", "network nbd: [unix:/run/n]"),
        (
            "rbd:pool/img:id=admin:mon_host=m1\\:6789;m2",
            "network rbd:pool/img [m1:6789 m2]",
        ),
        (
            "nfs://nas-01/volume1/b.img",
            "network nfs:/volume1/b.img [nas-01]",
        ),
        (
            "gluster+tcp://g1:24007/vol/b",
            "network gluster:vol/b [g1:24007]",
        ),
        ("https://user@h/p/b.iso", "network https:p/b.iso [h]"),
        ("sheepdog:vdi", "network sheepdog:vdi []"),
        (
            r#"json:{"driver":"qcow2","file":{"driver":"file","filename":"/n/b.qcow2"}}"#,
            "file /n/b.qcow2 [] qcow2",
        ),
        (
            r#"json:{"driver":"qcow2","file.driver":"file","file.filename":"b"}"#,
            "file /vms/b [] qcow2",
        ),
        (r#"json:{"file.filename":"nbd://h/e"}"#, "network nbd:e [h]"),
        (
            r#"json:{"driver":"raw","file":{"driver":"nbd","server":{"type":"inet","host":"h","port":"1"},"export":"e"}}"#,
            "network nbd:e [h:1] raw",
        ),
        (
            r#"json:{"driver":"nbd","host":"h","port":10809}"#,
            "network nbd: [h:10809]",
        ),
        (
            r#"json:{"driver":"rbd","pool":"p","image":"i","server":[{"host":"m","port":"6789"}]}"#,
            "network rbd:p/i [m:6789]",
        ),
        (
            r#"json:{"driver":"iscsi","portal":"h","target":"iqn.x","lun":3}"#,
            "network iscsi:iqn.x/3 [h]",
        ),
        (
            r#"json:{"driver":"nfs","server":{"type":"inet","host":"h"},"path":"/v/b"}"#,
            "network nfs:/v/b [h]",
        ),
        (
            r#"json:{"driver":"gluster","volume":"v","path":"/b","server.0.host":"h"}"#,
            "network gluster:v/b [h]",
        ),
        (
            r#"json:{"driver":"nvme","device":"0000:01:00.0","namespace":1}"#,
            "nvme 0000:01:00.0 []",
        ),
    ] {
        assert_eq!(resolve(name), expected, "{name}");
    }
}

#[test]
fn json_without_a_meaning_is_an_error() {
    let deep = format!("json:{{\"{}filename\":\"x\"}}", "file.".repeat(100_000));
    for name in [
        "json:",
        "json:[]",
        "json:{}",
        r#"json:{"driver":"file"}"#,
        r#"json:{"file":"node"}"#,
        &deep,
    ] {
        assert!(
            resolve("/a", name).is_err(),
            "{}",
            &name[..name.len().min(80)]
        );
    }
}

fn image(path: &str, format: &str, backing: Option<(&str, Option<&str>)>) -> Image {
    Image {
        path: path.to_owned(),
        size: Known::Known(1),
        format: Some(format.to_owned()),
        backing: backing.map(|(name, _)| name.to_owned()),
        backing_format: backing.and_then(|(_, format)| format).map(str::to_owned),
        ..Image::default()
    }
}

fn walk(images: &[Image], format: Option<&str>) -> (Vec<String>, End) {
    let chain = follow(&images[0].path, format, |path| {
        images.iter().find(|i| i.path == path)
    });
    (
        chain.links.into_iter().map(|link| link.source).collect(),
        chain.end,
    )
}

#[test]
fn chains_to_their_end() {
    let images = [
        image("/v/a", "qcow2", Some(("b", Some("qcow2")))),
        image("/v/b", "qcow2", Some(("/w/c", Some("raw")))),
        image("/w/c", "qcow2", Some(("never-followed", None))),
    ];
    // The last one is raw by its overlay's word, whatever its bytes look like.
    assert_eq!(
        walk(&images, Some("qcow2")),
        (vec!["/v/b".into(), "/w/c".into()], End::Complete)
    );
    // Without a format in the definition libvirt takes the image for raw.
    assert_eq!(walk(&images, None), (vec![], End::Complete));
    assert_eq!(
        walk(&images[..1], Some("qcow2")).1,
        End::NotRead("/v/b".into())
    );
}

#[test]
fn broken_chains_say_where() {
    let end = |second: Image| {
        let first = image("/v/a", "qcow2", Some(("b", Some("qcow2"))));
        walk(&[first, second], Some("qcow2")).1
    };
    let missing = Image {
        path: "/v/b".into(),
        ..Image::default()
    };
    assert_eq!(end(missing.clone()), End::Missing("/v/b".into()));
    let hung = Image {
        size: Known::Unreadable("did not answer".into()),
        ..missing
    };
    assert_eq!(
        end(hung),
        End::Unreadable("/v/b".into(), "did not answer".into())
    );
    assert_eq!(
        end(image("/v/b", "qcow2", Some(("a", Some("qcow2"))))),
        End::Loop("/v/a".into())
    );
    assert_eq!(
        end(image("/v/b", "qcow2", Some(("nbd://h/e", Some("qcow2"))))),
        End::Network("nbd:e".into())
    );
    assert_eq!(
        end(image("/v/b", "qcow2", Some(("nbd://h/e", Some("raw"))))),
        End::Complete
    );
}

#[test]
fn a_chain_deeper_than_libvirt_goes_is_said() {
    let images: Vec<_> = (0..300)
        .map(|n| {
            image(
                &format!("/v/{n}"),
                "qcow2",
                Some((&*format!("{}", n + 1), Some("qcow2"))),
            )
        })
        .collect();
    let (links, end) = walk(&images, Some("qcow2"));
    assert_eq!((links.len(), end), (chain::MAX_DEPTH, End::TooDeep));
}

const SAVE: &[u8] = include_bytes!("../../../../testdata/fixtures/libvirt/managed-save-head.bin");

#[test]
fn a_managed_save_as_libvirt_wrote_it() {
    let save = save::parse(SAVE).unwrap();
    assert_eq!(save.guest, "g one & ü");
    assert_eq!(save.uuid, "4e0f02ad-c5c6-4a9e-8133-7224004df7d7");
    assert_eq!(
        save.disks,
        ["/var/lib/libvirt/images/top.qcow2", "vms/v1.qcow2"]
    );
    assert_eq!(save.targets, ["vda", "vdb"]);
    assert_eq!((save.was_running, save.partial), (Some(false), false));
    for length in 0..SAVE.len().min(2000) {
        match save::parse(&SAVE[..length]) {
            Err(save::SaveError::Truncated { needed }) => {
                assert!(needed > length && needed < 10_000)
            }
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn a_save_of_the_other_byte_order_and_an_unfinished_one() {
    let mut swapped = SAVE.to_vec();
    for word in swapped[16..36].chunks_exact_mut(4) {
        word.reverse();
    }
    assert_eq!(save::parse(&swapped).unwrap(), save::parse(SAVE).unwrap());
    let mut partial = SAVE.to_vec();
    partial[..16].copy_from_slice(b"LibvirtQemudPart");
    assert!(save::parse(&partial).unwrap().partial);
    let mut wrong = SAVE.to_vec();
    wrong[0] = b'X';
    assert!(matches!(
        save::parse(&wrong),
        Err(save::SaveError::NotASave(_))
    ));
    let mut endless = SAVE.to_vec();
    endless[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    endless[32..36].copy_from_slice(&0_u32.to_le_bytes());
    assert!(matches!(
        save::parse(&endless),
        Err(save::SaveError::NotASave(_))
    ));
}

#[test]
fn snapshots_with_their_files() {
    let text = "<domainsnapshot><name>s1</name><state>shutoff</state>\
                <memory snapshot='external' file='/m.mem'/>\
                <disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/o.s1'/></disk>\
                <disk name='vdb' snapshot='no'/></disks>\
                <domain><name>g</name><devices><disk type='file'><source file='/o.qcow2'/><target dev='vda'/></disk></devices></domain>\
                </domainsnapshot>";
    let snapshot = snapshot::parse(text).unwrap();
    assert_eq!(
        (snapshot.guest.as_str(), snapshot.name.as_str()),
        ("g", "s1")
    );
    assert_eq!(snapshot.disks, ["/o.qcow2"]);
    assert_eq!(snapshot.files, ["/m.mem", "/o.s1"]);
    assert_eq!(snapshot.state.as_deref(), Some("shut-off"));
    let old = "<domainsnapshot><name>s</name><domain><uuid>x</uuid></domain></domainsnapshot>";
    assert!(snapshot::parse(old).is_err());
    assert!(
        snapshot::parse("<domain/>")
            .unwrap_err()
            .message
            .contains("<domain>")
    );
}
