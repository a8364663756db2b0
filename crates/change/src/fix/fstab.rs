//! Lines of fstab: only the fields concerned change; comments, columns and order stay.

use super::{Case, Remedy, write};
use facts::fstab::{Document, EditError, Entry, Field, SourceKind, parse};

const FSTAB: &str = "/etc/fstab";

/// How long a mount may keep the boot waiting.
const TIMEOUT: &str = "x-systemd.mount-timeout=30s";

/// Mount points of the host itself, where `nofail` is asked for one by one.
const SYSTEM: [&str; 4] = ["/", "/usr", "/boot", "/var"];

/// Edits the line that a finding's evidence names.
pub(super) fn edit(
    case: &Case<'_>,
    safe: bool,
    change: impl FnOnce(&mut Document, &Entry) -> Result<(), String>,
) -> Remedy {
    let done = || -> Result<Remedy, String> {
        let line = case
            .finding
            .evidence
            .iter()
            .find(|e| e.file == FSTAB)
            .and_then(|e| e.line)
            .ok_or("the finding names no line of /etc/fstab")?;
        let old = case.text(FSTAB)?;
        let mut document = parse(&old);
        let entry = document
            .entries()
            .into_iter()
            .find(|entry| entry.line == line)
            .ok_or_else(|| format!("line {line} of /etc/fstab holds no entry"))?;
        change(&mut document, &entry)?;
        Ok(write(FSTAB, &old, document.to_string(), safe))
    };
    done().unwrap_or_else(Remedy::Refused)
}

fn wrong(error: EditError) -> String {
    error.to_string()
}

/// Sets the options; says why where they cannot be written.
fn set(document: &mut Document, entry: &Entry, options: &[String]) -> Result<(), String> {
    document.set_options(entry.line, options).map_err(wrong)
}

/// The options with others added behind them, each once.
fn with(entry: &Entry, added: &[&str]) -> Vec<String> {
    let mut options = entry.options.clone();
    for option in added {
        if !options.iter().any(|o| o == option) {
            options.push((*option).to_owned());
        }
    }
    options
}

/// With `nofail`: an opposite behind it would win.
fn with_nofail(entry: &Entry, added: &[&str]) -> Vec<String> {
    let mut options = with(entry, added);
    options.retain(|o| o != "fail");
    if !options.iter().any(|o| o == "nofail") {
        options.push("nofail".to_owned());
    }
    options
}

/// `nofail`.
pub(super) fn nofail(case: &Case<'_>) -> Remedy {
    let system = SYSTEM.contains(&case.finding.subject.trim_end_matches('/'));
    let root = case.finding.subject == "/";
    edit(case, !system && !root, |document, entry| {
        set(document, entry, &with_nofail(entry, &[]))
    })
}

/// `_netdev`.
pub(super) fn netdev(case: &Case<'_>) -> Remedy {
    edit(case, true, |document, entry| {
        set(document, entry, &with(entry, &["_netdev"]))
    })
}

/// `_netdev` and `nofail`: what lies on or behind a network mount.
pub(super) fn netdev_and_nofail(case: &Case<'_>) -> Remedy {
    edit(case, true, |document, entry| {
        set(document, entry, &with_nofail(entry, &["_netdev"]))
    })
}

/// The order before libvirt that `nofail` loses, and a bound for the wait.
pub(super) fn ordering(case: &Case<'_>) -> Remedy {
    let added: &[&str] = if case.host.daemons.mode.as_deref() == Some("modular") {
        &[
            "x-systemd.before=virtqemud.service",
            "x-systemd.before=virtstoraged.service",
        ]
    } else {
        &["x-systemd.before=libvirtd.service"]
    };
    edit(case, true, |document, entry| {
        let mut added = added.to_vec();
        if entry.is_network() && entry.option("x-systemd.mount-timeout").is_none() {
            added.push(TIMEOUT);
        }
        set(document, entry, &with(entry, &added))
    })
}

/// A bounded wait, in place of one without end.
pub(super) fn mount_timeout(case: &Case<'_>) -> Remedy {
    edit(case, true, |document, entry| {
        let endless = |option: &str| {
            option
                .split_once("systemd.")
                .and_then(|(_, rest)| rest.split_once("-timeout="))
                .is_some_and(|(_, value)| matches!(value, "infinity" | "0" | ""))
        };
        let mut options = entry.options.clone();
        let mut replaced = false;
        for option in options.iter_mut().filter(|o| endless(o)) {
            let name = option.split('=').next().unwrap_or_default();
            *option = format!("{name}=30s");
            replaced = true;
        }
        if !replaced {
            options.push(TIMEOUT.to_owned());
        }
        set(document, entry, &options)
    })
}

/// The time-out that systemd heeds for what is no device, with the same value.
pub(super) fn device_timeout(case: &Case<'_>) -> Remedy {
    edit(case, true, |document, entry| {
        let bounded = entry.option("x-systemd.mount-timeout").is_some();
        let mut options: Vec<String> = Vec::new();
        for option in &entry.options {
            match option.split_once("systemd.device-timeout=") {
                // Of several the last counts.
                Some((_, value)) if !bounded => {
                    options.retain(|o| !o.starts_with("x-systemd.mount-timeout="));
                    options.push(format!("x-systemd.mount-timeout={value}"));
                }
                Some(_) => {}
                None => options.push(option.clone()),
            }
        }
        set(document, entry, &options)
    })
}

/// No check by fsck. Safe on the network, where there is none; elsewhere asked for.
pub(super) fn no_check(case: &Case<'_>) -> Remedy {
    let safe = case.finding.rule == "fstab/fsck-pass-on-network";
    edit(case, safe, |document, entry| {
        document
            .set_field(entry.line, Field::Pass, "0")
            .map_err(wrong)
    })
}

/// `UUID=…` instead of a name that the kernel may give to another disk.
pub(super) fn uuid(case: &Case<'_>) -> Remedy {
    edit(case, true, |document, entry| {
        let SourceKind::Device(path) = entry.kind() else {
            return Err(format!("{} is no device", entry.source));
        };
        let devices = &case.host.block_devices;
        let uuid = facts::block::resolve(devices, &path).and_then(|d| d.uuid.clone());
        let Some(uuid) = uuid else {
            return Err(format!(
                "the UUID of {path} is not known here; `blkid -s UUID -o value {path}` tells it on the host"
            ));
        };
        let twice = devices
            .devices
            .iter()
            .filter(|d| d.uuid.as_ref() == Some(&uuid));
        if twice.count() > 1 {
            return Err(format!("more than one device has the UUID {uuid}"));
        }
        let source = format!("UUID={uuid}");
        document
            .set_field(entry.line, Field::Source, &source)
            .map_err(wrong)
    })
}

/// The type that is really there. Asked for: perhaps it is the device that is wrong.
pub(super) fn fstype(case: &Case<'_>) -> Remedy {
    edit(case, false, |document, entry| {
        let kind = match entry.kind() {
            SourceKind::Nfs { .. } => "nfs".to_owned(),
            SourceKind::Cifs { .. } => "cifs".to_owned(),
            _ => {
                let device = facts::block::resolve(&case.host.block_devices, &entry.source);
                let real = device.and_then(|d| d.fstype.known().cloned());
                match real.as_deref() {
                    None => return Err(format!("what lies on {} is not known", entry.source)),
                    Some("crypto_LUKS" | "LVM2_member" | "linux_raid_member") => {
                        return Err(format!(
                            "{} holds no file system but another layer: the source is wrong, not the type",
                            entry.source
                        ));
                    }
                    Some(real) => real.to_owned(),
                }
            }
        };
        document
            .set_field(entry.line, Field::Fstype, &kind)
            .map_err(wrong)
    })
}
