//! `switch/unsaved-configuration`: the switch would come back as another.

use super::link::{evidence, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::switch::compare::{Difference, NotComparable, unsaved};
use facts::switch::{Switch, canonical_port_name, short_port_name};
use facts::{Evidence, Snapshot};
use model::Estate;
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/unsaved-configuration",
    summary: "the running configuration of a switch is not the one it starts with",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

/// Lines shown as evidence.
const SHOWN: usize = 6;

const DOC: &str = "\
## What it finds
Lines that the running and the start-up configuration of a switch do not share. Time stamps, sizes,
certificates and what the switch tunes by itself are left out of the comparison. An error where
the running configuration of a host's uplink is not saved, else a warning. With only the running
configuration at hand: a header that tells of a change after the last save (warning).

## Why it matters
After the next power cut the switch is another one: what was done in a hurry is gone (a moved
uplink becomes a dead port), and what was taken out is back.

## Evidence
`show running-config` and `show startup-config`, both up to their `end`.

## Example
    interface TenGigabitEthernet1/0/8
     switchport mode trunk            (running only)
     shutdown                         (start-up only)

## Remedy
Look at the lines. If the running configuration is what you want: `copy running-config
startup-config`. If not, mend it first: saving makes a temporary change permanent.

## When to ignore it
A change made on purpose without saving, so that a reload undoes it; not for longer than that
change lasts.

## References
Cisco IOS, `copy`; `show archive config differences nvram:startup-config system:running-config`
tells the same on the switch.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for (name, switch) in &estate.switches {
        match unsaved(switch) {
            Ok(differences) if differences.is_empty() => {}
            Ok(differences) => report.find(finding(estate, name, switch, &differences)),
            Err(NotComparable::Missing("show startup-config")) if switch.last_saved.is_some() => {
                by_header(name, switch, report);
            }
            Err(NotComparable::Missing(command)) => {
                report.not_checked(name, format!("no capture of `{command}`"));
            }
            Err(NotComparable::CutOff(command)) => {
                report.not_checked(
                    name,
                    format!("the capture of `{command}` is cut off before its end"),
                );
            }
        }
    }
}

fn finding(estate: &Estate, name: &str, switch: &Switch, differences: &[Difference]) -> Finding {
    // An uplink whose lines only the running configuration has is cut by a reload.
    let cut = links(estate).into_iter().find(|link| {
        std::ptr::eq(link.switch, switch)
            && link.port.is_some_and(|port| {
                differences
                    .iter()
                    .any(|d| d.running && interface(d).as_deref() == Some(port.name.as_str()))
            })
    });
    let running = differences.iter().filter(|d| d.running).count();
    let startup = differences.len() - running;
    let mut finding = Finding::new(
        if cut.is_some() { Severity::Error } else { Severity::Warning },
        name,
        "startup-config",
        format!("the running configuration is not saved: {running} of its lines would be lost and {startup} old ones come back ({})", blocks(differences)),
    )
    .consequence(match &cut {
        Some(link) => format!("When {name} restarts, {} comes back without the configuration of {}", link.subject(), link.whose()),
        None => "A restart of the switch undoes the one and brings back the other".to_owned(),
    })
    .fix(format!("look at the lines, then on {name}: copy running-config startup-config"))
    .commands(["copy running-config startup-config".to_owned()]).caution("after a look at the lines that differ: saving makes every one of them permanent");
    for difference in telling(differences) {
        finding = finding.evidence(shown(difference));
    }
    finding
}

/// The lines to show: the first two of each block and side, so that one long block hides no other.
fn telling(differences: &[Difference]) -> Vec<&Difference> {
    let mut seen: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for difference in differences {
        let block = difference.under.first().unwrap_or(&difference.place.text);
        let count = seen.entry((block, difference.running)).or_default();
        *count += 1;
        if *count <= 2 && chosen.len() < SHOWN {
            chosen.push(difference);
        }
    }
    chosen
}

/// The line, with the block it stands under.
fn shown(difference: &Difference) -> Evidence {
    let mut evidence = evidence(&difference.place);
    let side = if difference.running {
        "running only"
    } else {
        "start-up only"
    };
    let under = difference
        .under
        .last()
        .map(|under| format!("{under}: "))
        .unwrap_or_default();
    evidence.text = Some(format!("{under}{} ({side})", difference.place.text));
    evidence
}

/// The interface that a line stands under, or opens.
fn interface(difference: &Difference) -> Option<String> {
    let block = difference.under.first().unwrap_or(&difference.place.text);
    canonical_port_name(block.strip_prefix("interface ")?)
}

/// Names of the blocks that differ, each once, in order.
fn blocks(differences: &[Difference]) -> String {
    let mut names: Vec<String> = Vec::new();
    for difference in differences {
        let block = difference.under.first().unwrap_or(&difference.place.text);
        let name =
            interface(difference).map_or_else(|| block.clone(), |port| short_port_name(&port));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

fn by_header(name: &str, switch: &Switch, report: &mut Report) {
    let (Some(change), Some(save)) = (&switch.last_change, &switch.last_saved) else {
        report.not_checked(name, "no capture of `show startup-config`");
        return;
    };
    if change.parts <= save.parts {
        return;
    }
    report.find(
        Finding::new(
            Severity::Warning,
            name,
            "startup-config",
            format!("the configuration was changed after it was last saved ({})", save.text),
        )
        .consequence("A restart of the switch undoes what was done since")
        .evidence(evidence(&change.place))
        .evidence(evidence(&save.place))
        .fix(format!("save `show startup-config` too to see the lines, then on {name}: copy running-config startup-config"))
        .commands(["copy running-config startup-config".to_owned()]).caution("after a look at the lines that differ: saving makes every one of them permanent"),
    );
}
