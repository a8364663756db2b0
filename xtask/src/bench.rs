//! `cargo xtask bench-hosts DIR`: a large host to measure with, and a site of such hosts.
//!
//! Written are `DIR/root` (a tree: 500 definitions as libvirt writes them, an fstab of 60 lines,
//! profiles, pools), `DIR/host.json` (the same host as a live collection would give it: the tree's
//! facts, with mounts and a bridge of 1,000 guest ports) and, where hosts are asked for,
//! `DIR/hosts/*.json` with `DIR/site.toml`. Nothing in it is random: two runs write the same.

use anyhow::Context;
use clap::Args as ClapArgs;
use collect::{LocalReader, Options};
use facts::bridge::{Bridge, Port, Role};
use facts::{Snapshot, Source, mount};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Guests of one host; each has two interfaces in the bridge.
const GUESTS: u32 = 500;
/// Lines of its fstab that are entries.
const LINES: u32 = 60;
/// A definition that libvirt itself wrote.
const DOMAIN: &str = include_str!("../../testdata/fixtures/libvirt/domain-definition.xml");
const BRIDGE: &str = "br-mgmt";

/// What to write, and where.
#[derive(ClapArgs)]
pub struct Args {
    /// A directory; made where it is missing.
    directory: PathBuf,
    /// How many such hosts the site has.
    #[arg(long, default_value_t = 0)]
    hosts: u32,
}

/// Writes the host, and the site.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let directory = &args.directory;
    let root = directory.join("root");
    tree(&root)?;
    let snapshot = snapshot(&root)?;
    write(directory, "host.json", &serde_json::to_string(&snapshot)?)?;
    if args.hosts > 0 {
        site(directory, &serde_json::to_string(&snapshot)?, args.hosts)?;
    }
    Ok(())
}

fn write(root: &Path, file: &str, text: &str) -> anyhow::Result<()> {
    let path = root.join(file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

fn tree(root: &Path) -> anyhow::Result<()> {
    write(root, "etc/hostname", "kvm-0000\n")?;
    write(root, "etc/fstab", &fstab())?;
    write(root, "etc/resolv.conf", "nameserver 10.50.1.90\n")?;
    write(root, "etc/nsswitch.conf", "hosts: files dns\n")?;
    write(
        root,
        "etc/hosts",
        "127.0.0.1 localhost\n10.50.1.70 nas-01\n",
    )?;
    for (name, settings) in [
        (
            BRIDGE,
            "type=bridge\ninterface-name=br-mgmt\n\n[bridge]\nvlan-filtering=true\nvlan-default-pvid=0\nvlans=100 pvid untagged, 10, 20\n",
        ),
        (
            "enp65s0f0",
            "type=ethernet\ninterface-name=enp65s0f0\ncontroller=br-mgmt\nport-type=bridge\n\n[bridge-port]\nvlans=100 pvid untagged, 10, 20\n",
        ),
    ] {
        let file = format!("etc/NetworkManager/system-connections/{name}.nmconnection");
        let text = format!("[connection]\nid={name}\nautoconnect=true\n{settings}");
        write(root, &file, &text)?;
    }
    let links = root.join("etc/libvirt/qemu/autostart");
    std::fs::create_dir_all(&links)?;
    for guest in 0..GUESTS {
        let name = name(guest);
        write(
            root,
            &format!("etc/libvirt/qemu/{name}.xml"),
            &definition(guest),
        )?;
        // Every tenth guest would stay off after a reboot.
        if guest % 10 != 0 {
            let link = links.join(format!("{name}.xml"));
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(format!("/etc/libvirt/qemu/{name}.xml"), &link)?;
        }
    }
    Ok(())
}

fn name(guest: u32) -> String {
    format!("kvm-0000-g{guest:03}")
}

/// A root file system, then shares, disks and binds in turn, some without `nofail`.
fn fstab() -> String {
    let mut text = String::from("UUID=59dd0576-0487-574f-b376-68e8dc801ea2 / xfs defaults 0 0\n");
    for line in 1..LINES {
        let _ = match line % 4 {
            0 => writeln!(
                text,
                "nas-01:/volume{line} /srv/share{line} nfs4 _netdev 0 0"
            ),
            1 => writeln!(
                text,
                "10.50.1.70:/volume{line} /srv/share{line} nfs nofail,_netdev 0 0"
            ),
            2 => writeln!(
                text,
                "UUID=b2420a41-3638-5971-b23a-{line:012} /srv/disk{line} ext4 defaults 0 2"
            ),
            _ => writeln!(
                text,
                "/srv/share{} /srv/bind{line} none bind,nofail 0 0",
                line - 2
            ),
        };
    }
    text
}

/// The definition, with names, addresses and disks of its own; every fifth guest lies on a share.
fn definition(guest: u32) -> String {
    let name = name(guest);
    let folder = match guest % 5 {
        0 => "/srv/share4",
        _ => "/var/lib/libvirt/images",
    };
    DOMAIN
        .replace("g one &amp; ü", &name)
        .replace("4e0f02ad-c5c6-4a9e-8133-7224004df7d7", &uuid(guest))
        .replace(
            "/var/lib/libvirt/images/top.qcow2",
            &format!("{folder}/{name}.qcow2"),
        )
        .replace("v1.qcow2", &format!("{name}-data.qcow2"))
        .replace(
            "52:54:00:2b:a3:2d",
            &format!("52:54:01:00:{:02x}:{:02x}", guest / 256, guest % 256),
        )
        .replace(
            "52:54:00:aa:bb:01",
            &format!("52:54:02:00:{:02x}:{:02x}", guest / 256, guest % 256),
        )
        .replace(
            "<source network='br'/>",
            &format!("<source network='{BRIDGE}'/>"),
        )
}

fn uuid(guest: u32) -> String {
    format!("4e0f02ad-c5c6-4a9e-8133-{guest:012}")
}

/// The tree as collected, with what only a running kernel has.
fn snapshot(root: &Path) -> anyhow::Result<Snapshot> {
    let reader = LocalReader::rooted(root).with_context(|| root.display().to_string())?;
    let mut snapshot = collect::collect(&reader, &Options::default());
    snapshot.reader = "live".to_owned();
    snapshot.mounts = mounts(&snapshot)?;
    snapshot.bridges = vec![bridge(&snapshot)];
    for (guest, index) in snapshot.guests.iter_mut().zip(0..) {
        guest.state = Some("running".to_owned());
        for (interface, port) in guest.interfaces.iter_mut().zip(0..) {
            interface.target = Some(tap(index, port));
            interface.bridge = Some(BRIDGE.to_owned());
        }
    }
    let read = [Source::Mounts, Source::Bridges];
    snapshot.unread.retain(|u| !read.contains(&u.source));
    Ok(snapshot)
}

fn mounts(snapshot: &Snapshot) -> anyhow::Result<Vec<mount::Mount>> {
    let mut table = String::new();
    for (entry, id) in snapshot.fstab.iter().zip(22..) {
        writeln!(
            table,
            "{id} 21 0:{id} / {} rw,relatime - {} {} rw",
            entry.target, entry.fstype, entry.source
        )?;
    }
    Ok(mount::parse_mountinfo(&table)?)
}

fn tap(guest: u32, interface: u32) -> String {
    format!("vnet{}", guest * 2 + interface)
}

fn bridge(snapshot: &Snapshot) -> Bridge {
    let port = |name: String, role: Role, guest: Option<String>| Port {
        name,
        role,
        guest,
        pvid: Some(100),
        untagged: vec![100],
        tagged: vec![10, 20],
        state: Some("up".to_owned()),
        ..Port::default()
    };
    let mut ports = vec![
        port(BRIDGE.to_owned(), Role::Own, None),
        port("enp65s0f0".to_owned(), Role::Uplink, None),
    ];
    for (guest, index) in snapshot.guests.iter().zip(0..) {
        for interface in 0..2 {
            ports.push(port(
                tap(index, interface),
                Role::Guest,
                Some(guest.name.clone()),
            ));
        }
    }
    Bridge {
        name: BRIDGE.to_owned(),
        vlan_filtering: Some(true),
        default_pvid: Some(0),
        state: Some("up".to_owned()),
        ports,
        ..Bridge::default()
    }
}

/// The same host many times, with names and identities of its own, and the intent for all.
fn site(directory: &Path, host: &str, hosts: u32) -> anyhow::Result<()> {
    let mut text = format!("[bridges.{BRIDGE}]\npvid = 100\ntagged = [10, 20]\ndefault_pvid = 0\n");
    for number in 0..hosts {
        let name = format!("kvm-{number:04}");
        let own = host
            .replace("kvm-0000", &name)
            .replace("4e0f02ad-c5c6", &format!("4e0f02ad-{number:04}"))
            .replace("52:54:01:00", &format!("52:54:01:{:02x}", number % 256));
        write(directory, &format!("hosts/{name}.json"), &own)?;
        write!(text, "\n[hosts.{name}]\nsnapshot = \"hosts/{name}.json\"\n")?;
        for twin in [10, 11] {
            let guest = format!("{name}-g{twin:03}");
            write!(
                text,
                "\n[guests.{guest}]\ncritical = true\ngroup = \"{name}\"\n"
            )?;
        }
    }
    write(directory, "site.toml", &text)
}
