//! `hook/phase-not-handled`: a VLAN hook that acts only when there is no port.

use super::{executable, mode_evidence};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/phase-not-handled",
    summary: "a hook that sets VLANs does not act in a phase in which the guest's port exists",
    needs: &[Source::Hooks],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A `qemu` hook that sets VLANs of bridge ports and tells phases apart (its second argument), but
names neither `start` nor `started`: it acts only at `prepare`, `stopped`, `release` or at other
moments.

## Why it matters
libvirt calls the script several times. At `prepare` the guest has no port yet; at `stopped` and
`release` it has none any more. The script then ends well, having done nothing, and the port keeps
the bridge's default PVID.

## Evidence
The phases that the script names outside comments and messages. A script that names none may act on
all of them, and is not reported.

## Example
    case \"$2\" in
    prepare) set_vlans \"$1\" ;;
    esac

## Remedy
Act at `started` (`\"$2\" = started`): the ports exist, their names stand in the XML on standard
input, and the guest has not yet spoken.

## When to ignore it
The script hands the work to another program that waits for the port.

## References
libvirt, \"Hooks for specific system management\", section on `/etc/libvirt/hooks/qemu`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for script in &host.snapshot.hooks.scripts {
        let acts = script.phases.iter().any(|p| p == "start" || p == "started");
        let silent = script.phases.is_empty() || script.runs_others;
        if script.hook != "qemu" || !script.sets_vlans || !executable(script) || acts || silent {
            continue;
        }
        let phases = script.phases.join(", ");
        let named = script
            .text
            .as_deref()
            .and_then(|text| first_line_with(text, &script.phases))
            .map(|(line, text, phase)| Evidence::line(&script.path, line, text).mark(phase));
        report.find(
            Finding::new(
                Severity::Error,
                host.name(),
                &script.path,
                format!("{} sets VLANs, but acts only at: {phases}", script.path),
            )
            .consequence("At none of these does the guest's port exist, so that it keeps the bridge's default PVID")
            .evidence(named.unwrap_or_else(|| mode_evidence(script)))
            .fix("act when the second argument is `started`"),
        );
    }
}

fn first_line_with<'a>(text: &'a str, phases: &'a [String]) -> Option<(u32, &'a str, &'a str)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let code = line.split('#').next().unwrap_or("");
        let phase = phases.iter().find(|p| code.contains(p.as_str()))?;
        Some((u32::try_from(index + 1).ok()?, line, phase.as_str()))
    })
}
