//! Tables that map devices: crypttab(5), `/proc/mdstat`, mdadm.conf(5), LVM's metadata backups.

use super::CryptEntry;
use crate::syntax::SyntaxError;

/// Reads `/etc/crypttab`: name, device, key, options, separated by blanks; only the first two are
/// demanded. Lines that lack one are errors.
pub fn parse_crypttab(text: &str) -> (Vec<CryptEntry>, Vec<SyntaxError>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1_u32..) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        match fields.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [name, source, rest @ ..] => entries.push(CryptEntry {
                line: number,
                name: (*name).to_owned(),
                source: (*source).to_owned(),
                key: (*rest.first().unwrap_or(&"none")).to_owned(),
                options: rest
                    .get(1)
                    .map(|o| {
                        o.split(',')
                            .filter(|o| !o.is_empty())
                            .map(str::to_owned)
                            .collect()
                    })
                    .unwrap_or_default(),
            }),
            [_] => {
                let end = line.trim_end().chars().count();
                errors.push(SyntaxError::new(
                    number,
                    u32::try_from(end).map_or(u32::MAX, |c| c.saturating_add(1)),
                    "the encrypted device (second field) is missing",
                ));
            }
        }
    }
    (entries, errors)
}

/// One array of `/proc/mdstat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MdArray {
    /// Kernel name without `/dev/`: `md0`.
    pub name: String,
    /// `active`, `inactive`, `degraded` (active with a member missing or failed).
    pub state: String,
    /// Members without `/dev/`: `sda1`.
    pub members: Vec<String>,
}

/// Reads `/proc/mdstat`, see md(4). What is no array is passed over.
pub fn parse_mdstat(text: &str) -> Vec<MdArray> {
    let mut arrays: Vec<MdArray> = Vec::new();
    for line in text.lines() {
        if let Some((name, rest)) = line.split_once(" : ")
            && name.starts_with("md")
        {
            let active = rest.split(' ').next() == Some("active");
            let failed = rest.contains("(F)");
            arrays.push(MdArray {
                name: name.trim().to_owned(),
                state: match (active, failed) {
                    (false, _) => "inactive",
                    (true, true) => "degraded",
                    (true, false) => "active",
                }
                .to_owned(),
                members: rest
                    .split(' ')
                    .filter_map(|m| m.split_once('[').map(|(name, _)| name.to_owned()))
                    .filter(|m| !m.is_empty())
                    .collect(),
            });
        } else if let Some(array) = arrays.last_mut()
            && array.state == "active"
            // `[2/1] [U_]`: an underscore is a member that is missing.
            && line.split(['[', ']']).any(|part| {
                part.contains('_') && part.chars().all(|c| c == 'U' || c == '_')
            })
        {
            array.state = "degraded".to_owned();
        }
    }
    arrays
}

/// Arrays that mdadm.conf(5) names: device path and UUID.
pub fn parse_mdadm_conf(text: &str) -> Vec<(String, Option<String>)> {
    // A line that begins with a blank continues the one before.
    let joined = text.replace("\n ", " ").replace("\n\t", " ");
    joined
        .lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_ascii_whitespace();
            // Keywords may be cut to three letters and are not case-sensitive.
            let keyword = words.next()?.to_ascii_lowercase();
            if keyword.len() < 3 || !"array".starts_with(&keyword) {
                return None;
            }
            let device = words.next()?;
            let uuid = words.find_map(|w| {
                let (key, value) = w.split_once('=')?;
                key.eq_ignore_ascii_case("uuid").then(|| value.to_owned())
            });
            let device = if device.starts_with('/') {
                device.to_owned()
            } else {
                format!("/dev/md/{device}")
            };
            (device != "/dev/md/<ignore>").then_some((device, uuid))
        })
        .collect()
}

/// The volume group and logical volumes of a file under `/etc/lvm/backup`, see
/// vgcfgbackup(8): sections in braces, `logical_volumes { NAME { … } }`.
pub fn parse_lvm_backup(text: &str) -> Option<(String, Vec<String>)> {
    let mut path: Vec<String> = Vec::new();
    let (mut group, mut volumes) = (None, Vec::new());
    for line in text.lines() {
        // A `#` in a quoted value hides nothing that is looked for: only braces count.
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(name) = line.strip_suffix('{') {
            let name = name.trim().to_owned();
            if path.is_empty() && group.is_none() {
                group = Some(name.clone());
            }
            if path.len() == 2 && path[1] == "logical_volumes" {
                volumes.push(name.clone());
            }
            path.push(name);
        } else if line == "}" {
            path.pop();
        }
    }
    group.map(|group| (group, volumes))
}

/// The name that device-mapper gives a logical volume: hyphens in either part are doubled.
pub fn lvm_mapper_name(group: &str, volume: &str) -> String {
    format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"))
}
