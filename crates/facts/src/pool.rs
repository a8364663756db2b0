//! libvirt storage pools, see libvirt's formatstorage
//! (<https://libvirt.org/formatstorage.html>).

use crate::syntax::SyntaxError;
use crate::xml::{Xml, attribute, child, child_attribute, children, text_of};
use roxmltree::Node;
use serde::{Deserialize, Serialize};

/// One storage pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// `dir`, `fs`, `netfs`, `logical`, `disk`, `iscsi`, `rbd`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Target path.
    pub target: Option<String>,
    /// Host and path or device it comes from, as `host:/path` or `device`.
    pub source: Option<String>,
    /// Whether it autostarts.
    pub autostart: Option<bool>,
    /// The file of the definition.
    pub file: String,
    /// Bytes of the file system behind a directory pool.
    pub capacity: Option<u64>,
    /// Bytes free for an ordinary user there.
    pub available: Option<u64>,
    /// Volumes found in a directory pool (paths).
    pub volumes: Vec<String>,
    /// UUID, lower case; empty where the definition has none.
    pub uuid: String,
    /// Whether it runs; `None` where it could not be read.
    pub active: Option<bool>,
    /// Line of `<target><path>` in the definition, else of `<pool>`.
    pub line: u32,
    /// That line as it stands in the file.
    pub text: String,
    /// Why the fill ([`Pool::capacity`]) or the volumes were not read, where that is so.
    pub unread: Option<String>,
}

impl Pool {
    /// The path of a volume of this pool, for pools whose volumes are files or device nodes under
    /// the target: `dir`, `fs`, `netfs`, `logical`, `disk`, …; `None` where volumes have no path
    /// (`rbd`, `gluster`, `sheepdog`) or the definition names no target.
    pub fn volume_path(&self, volume: &str) -> Option<String> {
        if matches!(
            self.kind.as_str(),
            "rbd" | "gluster" | "sheepdog" | "iscsi-direct"
        ) {
            return None;
        }
        let target = self.target.as_deref()?.trim_end_matches('/');
        Some(format!("{target}/{volume}"))
    }

    /// Whether the volumes are files in a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind.as_str(), "dir" | "fs" | "netfs" | "vstorage")
    }
}

/// Reads one pool: a definition (`/etc/libvirt/storage/NAME.xml`) or a state
/// (`<poolstate>` of `/run/libvirt/storage/NAME.xml`).
///
/// Left to the caller: `file`, `autostart`, `active`, fill and volumes. The numbers in the XML are
/// those of the moment when it was written (0 in a definition) and are not used.
///
/// # Errors
/// Where it is no XML, or no pool with a name.
pub fn parse(text: &str) -> Result<Pool, SyntaxError> {
    let xml = Xml::parse(text)?;
    let root = xml.root();
    let pool = match root.tag_name().name() {
        "pool" => Some(root),
        "poolstate" => child(root, "pool"),
        _ => None,
    };
    let Some(pool) = pool else {
        let found = root.tag_name().name();
        return Err(xml.error(root, format!("expected a storage <pool>, found <{found}>")));
    };
    let source = child(pool, "source");
    // libvirt takes the source's name where the pool has none of its own.
    let name = text_of(pool, "name").or_else(|| source.and_then(|s| text_of(s, "name")));
    let Some(name) = name else {
        return Err(xml.error(pool, "the pool has no <name>"));
    };
    let path = child(pool, "target").and_then(|target| child(target, "path"));
    let place = path.unwrap_or(pool);
    Ok(Pool {
        name,
        kind: attribute(pool, "type").unwrap_or_default(),
        target: child(pool, "target").and_then(|target| text_of(target, "path")),
        source: source.and_then(source_of),
        uuid: text_of(pool, "uuid")
            .unwrap_or_default()
            .to_ascii_lowercase(),
        line: xml.line(place),
        text: xml.line_text(place),
        ..Pool::default()
    })
}

/// Host and path, device, or name that a pool comes from.
fn source_of(source: Node) -> Option<String> {
    let place = child_attribute(source, "dir", "path")
        .or_else(|| child_attribute(source, "device", "path"))
        .or_else(|| text_of(source, "name"))
        .or_else(|| child_attribute(source, "adapter", "name"));
    let hosts: Vec<String> = children(source, "host")
        .filter_map(|host| {
            let name = attribute(host, "name")?;
            let name = if name.contains(':') {
                format!("[{name}]")
            } else {
                name
            };
            Some(match attribute(host, "port") {
                Some(port) => format!("{name}:{port}"),
                None => name,
            })
        })
        .collect();
    match (hosts.is_empty(), place) {
        (true, place) => place,
        (false, None) => Some(hosts.join(",")),
        (false, Some(place)) => Some(format!("{}:{place}", hosts.join(","))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_as_libvirt_wrote_them() {
        let nas = parse(include_str!(
            "../../../testdata/fixtures/libvirt/pool-netfs.xml"
        ))
        .unwrap();
        assert_eq!((nas.name.as_str(), nas.kind.as_str()), ("nas", "netfs"));
        assert_eq!(nas.source.as_deref(), Some("127.0.0.1:/volume1/vms"));
        assert_eq!(nas.target.as_deref(), Some("/mnt/nas/vms"));
        assert_eq!(nas.text.trim(), "<path>/mnt/nas/vms</path>");
        assert_eq!(nas.volume_path("a.qcow2").unwrap(), "/mnt/nas/vms/a.qcow2");
        assert_eq!(
            (nas.capacity, nas.autostart, nas.active),
            (None, None, None)
        );
        let state = parse(include_str!(
            "../../../testdata/fixtures/libvirt/poolstate-dir.xml"
        ));
        assert_eq!(state.unwrap().name, "vms");
    }

    #[test]
    fn sources_of_other_kinds() {
        for (xml, source) in [
            (
                "<pool type='rbd'><name>p</name><source><name>images</name><host name='m1' port='6789'/><host name='fd00::1'/></source></pool>",
                Some("m1:6789,[fd00::1]:images"),
            ),
            (
                "<pool type='logical'><source><name>vg0</name><device path='/dev/sda3'/></source></pool>",
                Some("/dev/sda3"),
            ),
            (
                "<pool type='iscsi'><name>p</name><source><host name='h'/><device path='iqn.x'/></source></pool>",
                Some("h:iqn.x"),
            ),
            ("<pool type='dir'><name>p</name></pool>", None),
        ] {
            assert_eq!(parse(xml).unwrap().source.as_deref(), source, "{xml}");
        }
        assert!(
            parse("<pool type='rbd'><name>p</name></pool>")
                .unwrap()
                .volume_path("x")
                .is_none()
        );
    }

    #[test]
    fn what_is_no_pool_is_named() {
        for text in [
            "",
            "<domain/>",
            "<pool/>",
            "<pool><name/></pool>",
            "<poolstate/>",
            "<pool>",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("<volume/>").unwrap_err().message.contains("<volume>"));
    }
}
