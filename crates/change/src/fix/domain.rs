//! A guest's persistent definition: changed through libvirt where it runs, else in its file; and
//! what the guest does after its own reboot or crash.

use super::{Case, Remedy, write};
use crate::definition;
use crate::plan::Act;

/// Through libvirt. `mark` is what the new definition holds more often than the old one.
pub(super) fn define(file: &str, old: &str, new: &str, mark: &str, safe: bool) -> Remedy {
    let run = definition::define(file, old, new, &[mark]);
    Remedy::Do {
        acts: vec![Act::Run(run)],
        safe,
    }
}

/// `restart` where the guest would stay off (formatdomain, "Events configuration"). Asked for: a
/// cluster manager may be what restarts it.
pub(super) fn restarts(case: &Case<'_>) -> Remedy {
    let done = || -> Result<Remedy, String> {
        let name = &case.finding.subject;
        let guest = case.host.guests.iter().find(|g| &g.name == name);
        let guest = guest.ok_or_else(|| format!("{name} is no guest that was read"))?;
        let old = case.text(&guest.file)?;
        let text = case
            .finding
            .evidence
            .first()
            .and_then(|e| e.text.as_deref());
        let element = if text.is_some_and(|text| text.starts_with("<on_crash>")) {
            "on_crash"
        } else {
            "on_reboot"
        };
        let new = policy(&old, element).ok_or_else(|| {
            format!(
                "{}: its <{element}> stands in no line of its own",
                guest.file
            )
        })?;
        if !case.runs("virsh") {
            return Ok(write(&guest.file, &old, new, false));
        }
        let mark = format!("<{element}>restart</{element}>");
        Ok(define(&guest.file, &old, &new, &mark, false))
    };
    done().unwrap_or_else(Remedy::Refused)
}

/// The definition with `<element>restart</element>`, in place of the old one or before the
/// devices, where libvirt writes it.
fn policy(text: &str, element: &str) -> Option<String> {
    let new = format!("<{element}>restart</{element}>");
    if let Some(start) = text.find(&format!("<{element}>")) {
        let close = format!("</{element}>");
        let end = start + text.get(start..)?.find(&close)? + close.len();
        return Some(format!("{}{new}{}", text.get(..start)?, text.get(end..)?));
    }
    let devices = text.lines().find(|line| line.trim() == "<devices>")?;
    let indent = devices.len() - devices.trim_start().len();
    let at = text.find(&format!("{devices}\n"))?;
    let line = format!("{}{new}\n", " ".repeat(indent));
    Some(format!("{}{line}{}", text.get(..at)?, text.get(at..)?))
}

#[cfg(test)]
mod tests {
    use super::policy;

    #[test]
    fn in_place_or_before_the_devices() {
        let text =
            "<domain>\n  <on_reboot>destroy</on_reboot>\n  <devices>\n  </devices>\n</domain>\n";
        assert_eq!(
            policy(text, "on_reboot").unwrap(),
            text.replace("destroy", "restart")
        );
        let new = policy(text, "on_crash").unwrap();
        assert!(
            new.contains("\n  <on_crash>restart</on_crash>\n  <devices>"),
            "{new}"
        );
        assert_eq!(policy("<domain/>", "on_crash"), None);
    }
}
