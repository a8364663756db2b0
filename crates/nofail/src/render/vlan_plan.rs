//! A plan of VLAN changes: the steps for a person, and as change files for `nofail net apply`.

use super::boot::{heading, item};
use super::style::{Style, paint};
use analysis::vlan::plan::{Act, NoPlan, Plan, Step};
use change::net::declare::{Entry, key, table};
use model::Estate;
use std::fmt::Write as _;

/// Every plan with its steps.
pub fn text(plans: &[Plan], refused: &[NoPlan], estate: &Estate) -> String {
    let mut out = String::new();
    for plan in plans {
        one(&mut out, plan);
    }
    for refused in refused {
        item(&mut out, "no plan: ", &refused.to_string());
    }
    for missing in &estate.not_read {
        item(
            &mut out,
            "not read: ",
            &format!("{} ({}): {}", missing.host, missing.source, missing.reason),
        );
    }
    out
}

fn one(out: &mut String, plan: &Plan) {
    heading(out, &format!("{}: {}", plan.host, plan.bridge));
    if plan.steps.is_empty() {
        let _ = writeln!(out, "  as planned: nothing to change");
        return;
    }
    let verdict = match (plan.keeps_all, plan.overlap, plan.exhausted) {
        (true, false, _) => paint(Style::Green, "nobody is cut off on the way"),
        (true, true, _) => paint(
            Style::Green,
            "nobody is cut off on the way, thanks to steps that are taken back at the end",
        ),
        (false, _, true) => paint(
            Style::Red,
            "no order keeps everybody: whoever is cut off meanwhile is named at the step",
        ),
        (false, _, false) => paint(
            Style::Red,
            "no order was found that keeps everybody (not every one was tried)",
        ),
    };
    let _ = writeln!(out, "  {} steps: {verdict}", plan.steps.len());
    for (number, step) in plan.steps.iter().enumerate() {
        let label = format!("  {:>3}  ", number + 1);
        let place = if step.act.is_switch() {
            format!("on the switch, {}: ", step.device)
        } else {
            String::new()
        };
        item(out, &label, &format!("{place}{}", step.command));
        for remark in remarks(step) {
            item(out, "       ", &remark);
        }
    }
    for moved in &plan.moved {
        item(
            out,
            "  moves  ",
            &format!("{moved}: its partners must be there"),
        );
    }
    for ended in &plan.ended {
        item(
            out,
            "  ends   ",
            &format!("{ended}: the plan has no place for it"),
        );
    }
    if !plan.guests.is_empty() {
        item(
            out,
            "  note   ",
            &format!(
                "a guest's port is new at each start: hook or libvirt must set it for {} (`nofail hook \
                 verify`)",
                plan.guests.join(", ")
            ),
        );
    }
    item(
        out,
        "  note   ",
        "kernel only: `nofail vlan persist` writes the result into the network profile",
    );
}

fn remarks(step: &Step) -> Vec<String> {
    let mut remarks = Vec::new();
    if step.temporary {
        remarks.push("for the time of the change only".to_owned());
    }
    match (step.cuts_host_alone, step.own_path) {
        (true, _) => remarks.push(paint(
            Style::Yellow,
            "the host's own path: this step alone would cut it off; only in this order, with the \
             console at hand",
        )),
        (false, true) => remarks.push("the host's own path runs here".to_owned()),
        _ => {}
    }
    if !step.cut.is_empty() {
        remarks.push(paint(
            Style::Red,
            &format!("cut off after it: {}", step.cut.join("; ")),
        ));
    }
    remarks
}

/// A change file for each step, by name.
pub fn files(plan: &Plan) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (number, step) in plan.steps.iter().enumerate() {
        let mut text = format!(
            "# Step {} of {} on {}, {}.\n# {}\n# undo: {}\n",
            number + 1,
            plan.steps.len(),
            plan.host,
            plan.bridge,
            step.command,
            step.undo
        );
        for remark in remarks(step) {
            let _ = writeln!(text, "# {remark}");
        }
        let what = match &step.act {
            Act::DefaultPvid(pvid) => {
                let _ = write!(
                    text,
                    "\n[bridges.{}]\ndefault_pvid = {pvid}\n",
                    key(&plan.bridge)
                );
                plan.bridge.clone()
            }
            act if act.is_switch() => {
                let _ = writeln!(
                    text,
                    "# On the switch, by hand: {} there. Nothing for this host.",
                    step.device
                );
                "switch".to_owned()
            }
            _ => {
                if let Some(entry) = &step.after {
                    let entry = Entry {
                        device: (!step.own).then(|| step.device.clone()),
                        pvid: entry.pvid,
                        untagged: entry.list(true),
                        tagged: entry.list(false),
                    };
                    let table = table(&plan.bridge, &entry);
                    let _ = write!(text, "\n[{table}]\n{}", entry.lines());
                }
                step.device.clone()
            }
        };
        let safe: String = what
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        files.push((format!("{:02}-{safe}.toml", number + 1), text));
    }
    files
}
