//! `<disk>` elements: what a disk's source is, and the chain of images that the XML gives.

use super::{Backing, Disk};
use crate::xml::{Xml, attribute, child, child_attribute, children};
use roxmltree::Node;

/// Where a read chain ends even when the XML goes on: what libvirt itself refuses
/// (`VIR_STORAGE_MAX_CHAIN_DEPTH`: 200).
const MAX_DEPTH: usize = 200;

/// One disk. Nothing in a disk is refused: what cannot be told is left out.
pub(super) fn parse(xml: &Xml, node: Node) -> Disk {
    let kind = attribute(node, "type").unwrap_or_else(|| "file".to_owned());
    let source = child(node, "source");
    let (backing, chain_ends) = chain(node);
    Disk {
        target: child_attribute(node, "target", "dev").unwrap_or_default(),
        device: attribute(node, "device").unwrap_or_else(|| "disk".to_owned()),
        source: source.and_then(|source| name(&kind, source)),
        format: child_attribute(node, "driver", "type"),
        startup_policy: source.and_then(|source| attribute(source, "startupPolicy")),
        readonly: child(node, "readonly").is_some(),
        shareable: child(node, "shareable").is_some(),
        hosts: source.map(hosts).unwrap_or_default(),
        line: xml.line(node),
        source_line: source.map_or(0, |source| xml.line(source)),
        text: xml.line_text(source.unwrap_or(node)),
        data_file: source
            .and_then(|source| child(source, "dataStore"))
            .and_then(|store| image(store).map(|image| image.source)),
        mirror: child(node, "mirror").and_then(|mirror| {
            // Before libvirt 1.2.7 the file stood in an attribute of <mirror> itself.
            image(mirror)
                .map(|image| image.source)
                .or_else(|| attribute(mirror, "file"))
        }),
        mirror_ready: child_attribute(node, "mirror", "ready").as_deref() == Some("yes"),
        transient: child(node, "transient").is_some(),
        encrypted: child(node, "encryption").is_some()
            || source.is_some_and(|source| child(source, "encryption").is_some()),
        backing,
        chain_ends,
        kind,
        ..Disk::default()
    }
}

/// The nested `<backingStore>` elements, nearest first, and whether an empty one ends them.
fn chain(disk: Node) -> (Vec<Backing>, bool) {
    let mut links = Vec::new();
    let mut node = disk;
    while let Some(store) = child(node, "backingStore") {
        match image(store) {
            Some(link) if links.len() < MAX_DEPTH => links.push(link),
            _ => return (links, true),
        }
        node = store;
    }
    (links, false)
}

/// What a `<backingStore>`, `<mirror>` or `<dataStore>` points to; `None` for an empty one.
fn image(node: Node) -> Option<Backing> {
    let kind = attribute(node, "type").unwrap_or_else(|| "file".to_owned());
    let source = child(node, "source")?;
    Some(Backing {
        source: name(&kind, source)?,
        format: child_attribute(node, "format", "type"),
        read_from: "domain XML".to_owned(),
        hosts: hosts(source),
        kind,
    })
}

/// A source as one string: the path, `pool/volume`, or `protocol:name`.
fn name(kind: &str, source: Node) -> Option<String> {
    match kind {
        "file" => attribute(source, "file"),
        "block" | "vhostvdpa" => attribute(source, "dev"),
        "dir" => attribute(source, "dir"),
        "vhostuser" => attribute(source, "path"),
        "volume" => {
            let (pool, volume) = (attribute(source, "pool")?, attribute(source, "volume")?);
            Some(format!("{pool}/{volume}"))
        }
        "network" => {
            let protocol = attribute(source, "protocol")?;
            let name = attribute(source, "name").unwrap_or_default();
            Some(format!("{protocol}:{name}"))
        }
        "nvme" => {
            let address = super::interface::pci_address(child(source, "address")?);
            Some(match attribute(source, "namespace") {
                Some(namespace) => format!("{address}/{namespace}"),
                None => address,
            })
        }
        // A type that this nofail does not know: whatever names a place.
        _ => ["file", "dev", "path", "dir", "name"]
            .iter()
            .find_map(|attribute_name| attribute(source, attribute_name)),
    }
}

/// Hosts of a network source: `name`, `name:port`, `[v6]:port`, or `unix:/path`.
fn hosts(source: Node) -> Vec<String> {
    children(source, "host")
        .filter_map(|host| {
            if attribute(host, "transport").as_deref() == Some("unix") {
                return attribute(host, "socket").map(|path| format!("unix:{path}"));
            }
            let name = attribute(host, "name")?;
            Some(match attribute(host, "port") {
                Some(port) if name.contains(':') => format!("[{name}]:{port}"),
                Some(port) => format!("{name}:{port}"),
                None => name,
            })
        })
        .collect()
}
