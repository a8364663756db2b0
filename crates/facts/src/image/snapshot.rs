//! libvirt's record of a snapshot (`/var/lib/libvirt/qemu/snapshot/GUEST/NAME.xml`), see
//! libvirt's formatsnapshot.

use super::GuestSnapshot;
use crate::domain;
use crate::syntax::SyntaxError;
use crate::xml::{Xml, attribute, child, child_attribute, children, text_of};

/// Reads one snapshot record. `guest` comes from the domain inside it and stays empty where there
/// is none (libvirt before 0.9.5); `path` stays empty.
///
/// # Errors
/// Where it is no XML, no `<domainsnapshot>`, has no name, or holds a broken domain.
pub fn parse(text: &str) -> Result<GuestSnapshot, SyntaxError> {
    let xml = Xml::parse(text)?;
    let root = xml.root();
    if !root.has_tag_name("domainsnapshot") {
        let found = root.tag_name().name();
        return Err(xml.error(
            root,
            format!("expected a <domainsnapshot>, found <{found}>"),
        ));
    }
    let Some(name) = text_of(root, "name") else {
        return Err(xml.error(root, "the snapshot has no <name>"));
    };
    let mut snapshot = GuestSnapshot {
        name,
        state: text_of(root, "state").map(|state| match state.as_str() {
            "shutoff" => "shut-off".to_owned(),
            _ => state,
        }),
        files: child_attribute(root, "memory", "file")
            .into_iter()
            .collect(),
        ..GuestSnapshot::default()
    };
    if child(root, "domain").is_some_and(|domain| domain.has_children()) {
        let guest = domain::parse(text)?;
        snapshot.disks = guest
            .disks
            .into_iter()
            .filter_map(|disk| disk.source)
            .collect();
        snapshot.guest = guest.name;
    }
    for disk in child(root, "disks")
        .iter()
        .flat_map(|disks| children(*disks, "disk"))
    {
        if attribute(disk, "snapshot").as_deref() == Some("external") {
            snapshot
                .files
                .extend(child_attribute(disk, "source", "file"));
        }
    }
    Ok(snapshot)
}
