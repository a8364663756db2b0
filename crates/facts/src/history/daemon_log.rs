//! The log of libvirt's daemons (libvirtd, virtqemud) in the form that they write to files:
//! `2026-11-22 23:31:03.154+0000: 23: error : virFunction:1283 : message`. The journal holds the
//! messages alone; [`message`](super::message) reads those.

use super::time::absolute;
use super::{Trace, What};

/// Reads such a log, for one guest: errors, and the calls that clients made on it (logged with
/// `log_filters="1:libvirt.domain"` in libvirtd.conf).
pub fn parse(file: &str, text: &str, guest: &str) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((time, rest)) = line.split_once("+0000: ") else {
            continue;
        };
        let Some(at) = absolute(&format!("{time}+0000")) else {
            continue;
        };
        // "23: error : function:line : message"
        let mut parts = rest.splitn(4, ": ");
        let (Some(_thread), Some(level), Some(function), Some(message)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let function = function.split(':').next().unwrap_or("").trim();
        let what = match level.trim() {
            "error" => error(message),
            "debug" => call(function, message, guest),
            _ => None,
        };
        if let Some(what) = what {
            traces.push(Trace::of_line(at, what, file, index + 1, line));
        }
    }
    traces
}

/// An error that may concern a guest. What every start of the daemon complains about in a machine
/// without some device is left out.
pub fn error(message: &str) -> Option<What> {
    let of_others = [
        "ethtool ioctl",
        "dmidecode",
        "system bus connection",
        "udev device",
        "nwfilter",
        "Domain not found",
        "End of file while reading data",
    ];
    if of_others.iter().any(|words| message.contains(words)) {
        return None;
    }
    Some(What::DaemonError {
        text: message.trim_end().to_owned(),
    })
}

/// A call on this guest: `dom=0x…, (VM: name=NAME, uuid=…)`, from the function that clients'
/// requests arrive in.
fn call(function: &str, message: &str, guest: &str) -> Option<What> {
    let name = message
        .split_once("(VM: name=")
        .and_then(|(_, rest)| rest.split_once(", uuid="))?
        .0;
    if name != guest {
        return None;
    }
    let act = match function {
        "virDomainShutdown" | "virDomainShutdownFlags" => "shutdown",
        "virDomainDestroy" | "virDomainDestroyFlags" => "destroy",
        "virDomainReboot" => "reboot",
        "virDomainReset" => "reset",
        "virDomainSuspend" => "suspend",
        "virDomainManagedSave" | "virDomainSave" | "virDomainSaveFlags" => "save",
        "virDomainCreate" | "virDomainCreateWithFlags" => "start",
        _ if function.starts_with("virDomainMigratePerform") => "migrate",
        _ => return None,
    };
    Some(What::Asked {
        act: act.to_owned(),
    })
}
