//! Kernel and profile compared.

use super::boot::{heading, item};
use super::style::{Style, paint};
use crate::cli::vlan::persist::Done;
use change::profile::Outcome;
use facts::bridge::vid::short;
use rules::bridge::persist::Wanted;
use std::fmt::Write as _;

/// One host: every entry, then the files that would be written as differences.
pub fn text(done: &Done) -> String {
    let mut out = String::new();
    heading(&mut out, &done.host);
    if done.persist.items.is_empty() && !done.native {
        let _ = writeln!(out, "  no bridge with a profile or an uplink");
    }
    for entry in &done.persist.items {
        let state = match &entry.outcome {
            Outcome::Same => paint(Style::Green, "survives the next boot"),
            Outcome::Written => paint(Style::Yellow, "the profile says otherwise"),
            Outcome::ByHand(_) => paint(Style::Red, "by hand"),
        };
        let _ = writeln!(out, "  {} of {}: {state}", entry.device, entry.bridge);
        item(&mut out, "    kernel  ", &words(&entry.kernel));
        if entry.outcome != Outcome::Same {
            let boot = entry.boot.as_ref();
            item(
                &mut out,
                "    boot    ",
                &boot.map_or_else(|| "nothing makes it".to_owned(), words),
            );
        }
        if let Some(file) = &entry.file {
            item(&mut out, "    profile ", file);
        }
        if let Outcome::ByHand(why) = &entry.outcome {
            item(&mut out, "    do      ", why);
        }
    }
    for note in &done.persist.notes {
        item(&mut out, "  note    ", note);
    }
    match (&done.native_vlan, done.guests.as_slice()) {
        (_, []) | (None, _) => {}
        (Some(version), guests) => {
            item(
                &mut out,
                "  note    ",
                &format!(
                    "libvirt {version} sets VLANs on Linux bridges itself: with these elements in \
                     <interface> (`nofail vlan persist --native` writes them) no hook is needed; \
                     they act from the next start on"
                ),
            );
            for guest in guests {
                let _ = writeln!(out, "    {}: {}", guest.who, guest.xml);
            }
        }
    }
    if let Some(plan) = &done.plan {
        for step in &plan.steps {
            let _ = write!(out, "\n{}", step.what);
            if !out.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    out
}

fn words(state: &Wanted) -> String {
    if !state.filtering {
        return "does not filter by VLAN".to_owned();
    }
    let list = |vids: &[u16]| {
        if vids.is_empty() {
            "none".to_owned()
        } else {
            short(vids)
        }
    };
    let pvid = state
        .pvid
        .map_or_else(|| "none".to_owned(), |p| p.to_string());
    format!(
        "PVID {pvid}, untagged {}, tagged {}",
        list(&state.untagged),
        list(&state.tagged)
    )
}
