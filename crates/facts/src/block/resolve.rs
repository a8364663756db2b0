//! Finds the device that a source of fstab names.

use super::{BlockDevice, BlockDevices};
use crate::fstab::{SourceKind, Tag, classify};

/// The device of a source: by kernel name, by link, or by tag. Tags are compared as mount(8)
/// and udev do: labels exactly, UUIDs without regard to case. Of several devices with one tag
/// (members of a mirror, clones) the first counts; a member of an array, volume group or pool never
/// stands for what it is part of: udev makes no `by-uuid` link for it.
pub fn resolve<'a>(devices: &'a BlockDevices, source: &str) -> Option<&'a BlockDevice> {
    matching(devices, source).into_iter().next()
}

/// All devices that carry the source's name; more than one for tags that are not unique.
pub fn matching<'a>(devices: &'a BlockDevices, source: &str) -> Vec<&'a BlockDevice> {
    let all = devices.devices.iter();
    let same =
        |a: &Option<String>, b: &str| a.as_deref().is_some_and(|a| a.eq_ignore_ascii_case(b));
    match classify(source, "auto", &[]) {
        SourceKind::Tag(tag, value) => all
            .filter(|d| match tag {
                Tag::Uuid => same(&d.uuid, &value) && !d.is_member(),
                Tag::Label => d.label.as_deref() == Some(&value) && !d.is_member(),
                Tag::PartUuid => same(&d.partuuid, &value),
                Tag::PartLabel => d.partlabel.as_deref() == Some(&value),
                Tag::Id => d.links.contains(&format!("/dev/disk/by-id/{value}")),
            })
            .collect(),
        SourceKind::Device(path) | SourceKind::Iscsi { device: path, .. } => {
            let by_path = all.filter(|d| d.name == path || d.links.contains(&path));
            let found: Vec<_> = by_path.collect();
            if !found.is_empty() {
                return found;
            }
            // `/dev/disk/by-uuid/X` is what systemd makes of `UUID=X`, also where the link is
            // not known.
            let tag = |directory: &str, name: &str| {
                path.strip_prefix(directory)
                    .map(|value| matching(devices, &format!("{name}={}", unescape(value))))
            };
            tag("/dev/disk/by-uuid/", "UUID")
                .or_else(|| tag("/dev/disk/by-label/", "LABEL"))
                .or_else(|| tag("/dev/disk/by-partuuid/", "PARTUUID"))
                .or_else(|| tag("/dev/disk/by-partlabel/", "PARTLABEL"))
                .unwrap_or_default()
        }
        SourceKind::Loop(path) => all.filter(|d| d.name == path).collect(),
        _ => Vec::new(),
    }
}

/// udev writes a blank in a link's name as `\x20`.
fn unescape(value: &str) -> String {
    value.replace("\\x20", " ").replace("\\x2f", "/")
}

impl BlockDevice {
    /// Whether it is a part of something larger: of an md array, a volume group, a ZFS pool.
    pub fn is_member(&self) -> bool {
        self.fstype
            .known()
            .is_some_and(|t| t == "drbd" || t.ends_with("_member"))
    }
}
