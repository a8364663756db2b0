//! libvirt's records in the kernel's audit log (`/var/log/audit/audit.log`, or the journal's `audit`
//! transport): type VIRT_CONTROL, see libvirt's documentation "Audit log".

use super::{Trace, What};

/// Reads the log: `type=VIRT_CONTROL msg=audit(1763854252.604:123): pid=… msg='virt=kvm op=stop
/// reason=destroyed vm="bind-01" uuid=… res=success'`.
pub fn parse(file: &str, text: &str, guest: &str) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let stamp = line
            .split_once("msg=audit(")
            .and_then(|(_, rest)| rest.split([':', ')']).next());
        let Some(at) = stamp.and_then(micros) else {
            continue;
        };
        if let Some(what) = record(line, guest) {
            traces.push(Trace::of_line(at, what, file, index + 1, line));
        }
    }
    traces
}

/// Seconds with a fraction, as microseconds.
fn micros(seconds: &str) -> Option<i64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let fraction = format!("{fraction:0<6}");
    let whole: i64 = whole.parse().ok()?;
    whole
        .checked_mul(1_000_000)?
        .checked_add(fraction.get(..6)?.parse().ok()?)
}

/// What one such record tells of this guest.
pub fn record(text: &str, guest: &str) -> Option<What> {
    if !text.contains("VIRT_CONTROL") && !text.contains("op=st") {
        return None;
    }
    let field = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        Some(rest.split([' ', '\'']).next()?.trim_matches('"'))
    };
    if field(" vm=")? != guest {
        return None;
    }
    match (field(" op=").or_else(|| field("op="))?, field(" reason=")?) {
        ("stop", reason) => Some(What::Stopped {
            reason: reason.to_owned(),
        }),
        ("start", _) if field(" res=") == Some("success") => Some(What::Started {
            host: None,
            incoming: false,
        }),
        _ => None,
    }
}
