//! Remedies: what a machine does about a finding. One file per family; [`REMEDIES`] says which
//! rule has which. A remedy proposes acts and changes nothing; [`search`] collects them until the
//! host, as it would then be, has nothing left that may be mended.
//!
//! **To add one**: a function `fn(&Case) -> Remedy` in the family's file, a line in [`REMEDIES`],
//! and a case in `tests.rs`.

mod attach;
mod autostart;
mod cdrom;
mod domain;
mod fstab;
mod hook;
mod libvirt_guests;
mod name;
mod profile;
pub mod running;
pub mod search;
pub mod verify;

#[cfg(test)]
mod tests;

use crate::plan::Act;
use collect::HostReader;
use facts::Snapshot;
use model::Estate;
use rules::Finding;
use std::collections::BTreeMap;

/// What a remedy sees: one finding, and the host as it is or will be by then.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What is to be mended.
    pub finding: &'a Finding,
    /// The host.
    pub host: &'a Snapshot,
    /// All that is known.
    pub estate: &'a Estate,
    /// The host's files.
    pub reader: &'a dyn HostReader,
    /// Addresses that the user gave for names.
    pub addresses: &'a BTreeMap<String, String>,
}

/// What can be done about a finding.
#[derive(Clone, Debug)]
pub enum Remedy {
    /// These acts, in order.
    Do {
        /// What.
        acts: Vec<Act>,
        /// Whether without being asked for.
        safe: bool,
    },
    /// The running state of a bridge must change: declared for `nofail net apply`.
    Net(Vec<running::Piece>),
    /// A person must do it: numbered steps.
    ByHand(Vec<String>),
    /// A machine could, but not here: why, and what would help.
    Refused(String),
}

/// A remedy.
pub type Mend = fn(&Case<'_>) -> Remedy;

/// Which rule is mended by which function, sorted by rule. A test compares it with the rules'
/// own `remedy`.
#[rustfmt::skip] // one line per rule
pub const REMEDIES: &[(&str, Mend)] = &[
    ("bridge/default-pvid-1", running::default_pvid),
    ("bridge/filtering-off-with-vlans", running::filtering),
    ("bridge/not-persistent", profile::vlans),
    ("bridge/profile-ignored", profile::readable),
    ("bridge/pvid-differs-from-plan", running::as_planned),
    ("bridge/uplink-not-attached", attach::uplink),
    ("bridge/vlan-missing-on-uplink", running::missing_vlan),
    ("fstab/circular-name-resolution", name::address),
    ("fstab/device-timeout-ignored", fstab::device_timeout),
    ("fstab/fsck-can-stop-boot", fstab::no_check),
    ("fstab/fsck-pass-on-network", fstab::no_check),
    ("fstab/hostname-source", name::address),
    ("fstab/missing-netdev", fstab::netdev),
    ("fstab/missing-nofail", fstab::nofail),
    ("fstab/network-behind-local", fstab::netdev_and_nofail),
    ("fstab/nofail-loses-ordering", fstab::ordering),
    ("fstab/unbounded-mount-timeout", fstab::mount_timeout),
    ("fstab/unstable-device-name", fstab::uuid),
    ("fstab/wrong-fstype", fstab::fstype),
    ("guests/autostart-link-broken", autostart::guest),
    ("guests/autostart-off", autostart::guest),
    ("guests/crash-policy", domain::restarts),
    ("guests/libvirt-guests-off", libvirt_guests::on),
    ("guests/libvirt-guests-suspend-without-space", libvirt_guests::shutdown),
    ("guests/network-not-autostarted", autostart::network),
    ("hook/bad-interpreter", hook::interpreter),
    ("hook/misplaced", hook::moved),
    ("hook/not-executable", hook::executable),
    ("hook/writable-by-others", hook::owner),
    ("hook/wrong-selinux-label", hook::label),
    ("storage/cdrom-blocks-start", cdrom::optional),
    ("storage/pool-not-autostarted", autostart::pool),
];

/// What can be done about a finding; what has no remedy is told to a person.
pub fn mend(case: &Case<'_>) -> Remedy {
    let found = REMEDIES.iter().find(|(rule, _)| *rule == case.finding.rule);
    match found {
        Some((_, mend)) => mend(case),
        None => by_hand(case.finding),
    }
}

/// The finding's own advice as steps for a person.
fn by_hand(finding: &Finding) -> Remedy {
    let mut steps: Vec<String> = Vec::new();
    steps.extend(finding.caution.iter().map(|c| format!("first: {c}")));
    if finding.commands.is_empty() {
        steps.extend(finding.fix.clone());
    } else {
        steps.extend(finding.commands.iter().cloned());
    }
    steps.push(format!(
        "then look again: nofail audit --only {}",
        finding.rule
    ));
    steps.push(format!("more about it: nofail rules show {}", finding.rule));
    Remedy::ByHand(steps)
}

impl Case<'_> {
    /// A file as text that may be edited and written back.
    fn text(&self, path: &str) -> Result<String, String> {
        let bytes = self
            .reader
            .read(path)
            .map_err(|error| format!("{path} cannot be read: {error}"))?;
        String::from_utf8(bytes).map_err(|_| {
            format!("{path} is not UTF-8: edit it with an editor that knows its encoding")
        })
    }

    /// Whether the host runs and has this program; of `systemctl`, whether systemd is its first
    /// process (sd_booted(3)).
    fn runs(&self, program: &str) -> bool {
        if program == "systemctl" && self.reader.stat("/run/systemd/system").is_err() {
            return false;
        }
        let places = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
        self.reader.live()
            && places
                .iter()
                .any(|place| self.reader.stat(&format!("{place}/{program}")).is_ok())
    }
}

/// A file with new content; `Refused` where nothing would change.
fn write(path: &str, old: &str, new: String, safe: bool) -> Remedy {
    if old == new {
        return Remedy::Refused(format!("{path} says so already"));
    }
    Remedy::Do {
        acts: vec![Act::Write {
            path: path.to_owned(),
            content: new.into_bytes(),
            mode: 0o644,
        }],
        safe,
    }
}
