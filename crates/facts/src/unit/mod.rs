//! systemd units, earlier boots, libvirt's daemons.

pub mod boot;
pub mod escape;
pub mod ini;
pub mod journal;
pub mod keeper;
pub mod proc_stat;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod version;

pub use keeper::Keeper;

use serde::{Deserialize, Serialize};

/// The path that a mount, automount or swap unit stands for, by systemd's escaping
/// (systemd-escape(1)): `mnt-nas-vms.mount` is `/mnt/nas/vms`. `None` for other units.
pub fn path_of_unit(unit: &str) -> Option<String> {
    let (stem, suffix) = unit.rsplit_once('.')?;
    if !matches!(suffix, "mount" | "automount" | "swap") {
        return None;
    }
    if stem == "-" {
        return Some("/".to_owned());
    }
    let mut bytes = vec![b'/'];
    let mut rest = stem.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'\\' && after.first() == Some(&b'x'))
            .then(|| std::str::from_utf8(after.get(1..3)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, escaped) {
            (_, Some(value)) => {
                bytes.push(value);
                rest = &after[3..];
            }
            (b'-', None) => bytes.push(b'/'),
            (byte, None) => bytes.push(byte),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What systemd says, and the unit files of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Units {
    /// Units in state failed.
    pub failed: Vec<FailedUnit>,
    /// Native `.mount`, `.automount`, `.swap` units, the units and drop-ins of libvirt, and
    /// drop-ins of `local-fs.target`, `remote-fs.target`; of each every file, in order. Files of /etc and
    /// /run for the services between local and network mounts, `nfs-client.target` say.
    pub files: Vec<UnitFile>,
    /// `.wants` and `.requires` links that concern these units.
    pub links: Vec<UnitLink>,
    /// The default target, where a link in /etc names it.
    pub default_target: Option<String>,
    /// Monitoring services that start with the host ([`keeper::MONITORS`]); `None` in a snapshot
    /// of a nofail that did not look for them.
    pub monitors: Option<Vec<Keeper>>,
    /// What asks before the host goes down ([`keeper::GUARDS`]); `None` as above.
    pub guards: Option<Vec<Keeper>>,
}

/// One unit in state failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedUnit {
    /// Name with suffix.
    pub name: String,
    /// `result` of the unit: `exit-code`, `timeout`, …
    pub result: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// For a mount, where it would be mounted (`Where=`).
    pub mount_point: Option<String>,
}

/// One unit file or drop-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitFile {
    /// Unit it belongs to.
    pub unit: String,
    /// Path of the file.
    pub path: String,
    /// Its text; `None` where it is a link to `/dev/null` (masked).
    pub text: Option<String>,
}

/// A link that pulls a unit in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitLink {
    /// Unit that pulls.
    pub from: String,
    /// `wants` or `requires`.
    pub requirement: String,
    /// Unit that is pulled.
    pub to: String,
    /// Path of the link.
    pub path: String,
}

/// One boot in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Boot {
    /// 0 for the running one, -1 for the one before, …
    pub offset: i32,
    /// Boot ID.
    pub id: String,
    /// First entry, RFC 3339.
    pub began: Option<String>,
    /// `emergency` or `rescue` where it entered that mode.
    pub mode: Option<String>,
    /// The journal line that shows it.
    pub text: Option<String>,
}

/// libvirt's daemons on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemons {
    /// Running daemons: `libvirtd`, `virtqemud`, `virtnetworkd`, …
    pub running: Vec<Daemon>,
    /// Daemons enabled for the next boot (unit names).
    pub enabled: Vec<String>,
    /// `monolithic`, `modular`, `none`; `None` where not known.
    pub mode: Option<String>,
    /// Settings of libvirt-guests (`/etc/sysconfig` or `/etc/default`), and where they stand.
    pub guests_settings: Vec<Setting>,
    /// The file that the settings were read from.
    pub guests_file: Option<String>,
    /// Whether `libvirt-guests.service` is enabled.
    pub guests_enabled: Option<bool>,
}

/// One running daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemon {
    /// Name of the program.
    pub name: String,
    /// PID.
    pub pid: u32,
    /// When it started, seconds since 1970.
    pub started_at: Option<i64>,
    /// SELinux context it runs in (`system_u:system_r:virtqemud_t:s0`), where there is one.
    pub context: Option<String>,
}

/// One `NAME=value` setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// Name.
    pub name: String,
    /// Value, unquoted.
    pub value: String,
    /// Line in the file, 0 where it does not come from a file.
    pub line: u32,
    /// File or path it was read from.
    pub file: String,
}
