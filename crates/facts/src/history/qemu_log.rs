//! QEMU's log of one guest, as libvirt keeps it under `/var/log/libvirt/qemu/NAME.log`: libvirt's own
//! lines (`starting up …`, `shutting down, reason=…`) between what QEMU writes to standard error.

use super::time::absolute;
use super::{Trace, What};

/// Reads such a log. Lines without a time (QEMU's command line, libraries' complaints) take the
/// time of the line before; those before any time are passed over.
pub fn parse(file: &str, text: &str) -> Vec<Trace> {
    let mut traces: Vec<Trace> = Vec::new();
    let mut last = None;
    // Within the command line that libvirt writes after "starting up": environment and options,
    // each line but the last ends in a backslash.
    let mut command_line = false;
    for (index, line) in text.lines().enumerate() {
        if command_line {
            if line.starts_with("-incoming")
                && let Some(Trace {
                    what: What::Started { incoming, .. },
                    ..
                }) = traces.last_mut()
            {
                *incoming = true;
            }
            command_line = line.ends_with('\\');
            continue;
        }
        let Some((at, rest)) = stamped(line) else {
            if let (Some(at), Some(what)) = (last, unstamped(line)) {
                traces.push(Trace::of_line(at, what, file, index + 1, line));
            }
            continue;
        };
        last = Some(at);
        if let Some(what) = libvirt_line(rest).or_else(|| qemu_line(rest)) {
            command_line = matches!(what, What::Started { .. });
            traces.push(Trace::of_line(at, what, file, index + 1, line));
        }
    }
    traces
}

/// Splits the time off: libvirt's ends in `+0000: `, QEMU's (`-msg timestamp=on`) in `Z `.
fn stamped(line: &str) -> Option<(i64, &str)> {
    if let Some((time, rest)) = line.split_once("+0000: ")
        && let Some(at) = absolute(&format!("{time}+0000"))
    {
        return Some((at, rest));
    }
    let (time, rest) = line.split_once(' ')?;
    time.ends_with('Z')
        .then(|| absolute(time))?
        .map(|at| (at, rest))
}

/// libvirt's own lines.
fn libvirt_line(rest: &str) -> Option<What> {
    if let Some(versions) = rest.strip_prefix("starting up") {
        let host = versions
            .split("hostname: ")
            .nth(1)
            .map(|name| name.trim().to_owned());
        return Some(What::Started {
            host,
            incoming: false,
        });
    }
    if let Some(after) = rest.strip_prefix("shutting down") {
        let reason = after.split_once("reason=").map_or("unknown", |(_, r)| r);
        return Some(What::Stopped {
            reason: reason.trim().to_owned(),
        });
    }
    (rest.starts_with("initiating migration")).then_some(What::MigrationBegan)
}

/// QEMU's lines: `qemu-system-x86_64: message`.
fn qemu_line(rest: &str) -> Option<What> {
    let (program, message) = rest.split_once(": ")?;
    if !(program.contains("qemu") || program == "kvm") {
        return None;
    }
    if let Some(signal) = message.strip_prefix("terminating on signal ") {
        // "15 from pid 1234 (/usr/sbin/libvirtd)", or "15" alone from the terminal.
        let number = signal.split_whitespace().next()?.parse().ok()?;
        let pid = signal
            .split_once("from pid ")
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        let process = signal
            .split_once('(')
            .map_or("", |(_, rest)| rest.trim_end().trim_end_matches(')'));
        let process = if process.contains("unknown process") {
            ""
        } else {
            process
        };
        return Some(What::Signal {
            number,
            pid,
            process: process.to_owned(),
        });
    }
    // What a guest's healthy life is full of.
    let noise = message.starts_with("warning:") || message.contains("char device redirected");
    (!noise).then(|| What::Qemu {
        text: message.trim_end().to_owned(),
    })
}

/// Lines without a time that tell of a break: assertions (assert(3), GLib), sanitizers, glibc.
fn unstamped(line: &str) -> Option<What> {
    let telling = [
        "Assertion `",
        "assertion failed",
        "ERROR:",
        "*** stack smashing",
        "double free",
        "corrupted",
        "Bail out!",
        "KVM: entry failed",
        "KVM internal error",
    ];
    let telling = telling.iter().any(|words| line.contains(words));
    telling.then(|| What::Qemu {
        text: line.trim_end().to_owned(),
    })
}
