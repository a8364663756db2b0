//! `nofail.vlan-persist/1`.

use crate::cli::vlan::persist::Done;
use change::profile::{Item, Outcome};
use rules::bridge::persist::Wanted;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    hosts: Vec<One<'a>>,
}

#[derive(Debug, Serialize)]
struct One<'a> {
    host: &'a str,
    entries: Vec<Entry<'a>>,
    notes: &'a [String],
    /// Steps of the plan, as they are shown; `plan` is its name in the journal.
    plan: Option<String>,
    steps: Vec<&'a str>,
    applied: bool,
    /// `<vlan>` elements for guests, where libvirt knows them.
    libvirt: Vec<Element<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    bridge: &'a str,
    device: &'a str,
    kernel: State<'a>,
    boot: Option<State<'a>>,
    profile: Option<&'a str>,
    /// `same`, `differs`, `by-hand`.
    outcome: &'static str,
    by_hand: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct State<'a> {
    vlan_filtering: bool,
    default_pvid: u16,
    pvid: Option<u16>,
    untagged: &'a [u16],
    tagged: &'a [u16],
}

#[derive(Debug, Serialize)]
struct Element<'a> {
    interface: &'a str,
    xml: &'a str,
}

impl<'a> Document<'a> {
    /// Of hosts.
    pub fn of(all: &'a [Done]) -> Self {
        Self {
            schema: "nofail.vlan-persist/1",
            hosts: all.iter().map(one).collect(),
        }
    }
}

fn one(done: &Done) -> One<'_> {
    let steps = done.plan.iter().flat_map(|plan| &plan.steps);
    One {
        host: &done.host,
        entries: done.persist.items.iter().map(entry).collect(),
        notes: &done.persist.notes,
        plan: done.plan.as_ref().map(|plan| plan.id.to_string()),
        steps: steps.map(|s| s.what.as_str()).collect(),
        applied: done.applied,
        libvirt: done
            .guests
            .iter()
            .filter(|_| done.native_vlan.is_some())
            .map(|guest| Element {
                interface: &guest.who,
                xml: &guest.xml,
            })
            .collect(),
    }
}

fn entry(item: &Item) -> Entry<'_> {
    Entry {
        bridge: &item.bridge,
        device: &item.device,
        kernel: state(&item.kernel),
        boot: item.boot.as_ref().map(state),
        profile: item.file.as_deref(),
        outcome: match item.outcome {
            Outcome::Same => "same",
            Outcome::Written => "differs",
            Outcome::ByHand(_) => "by-hand",
        },
        by_hand: match &item.outcome {
            Outcome::ByHand(why) => Some(why),
            _ => None,
        },
    }
}

fn state(wanted: &Wanted) -> State<'_> {
    State {
        vlan_filtering: wanted.filtering,
        default_pvid: wanted.default_pvid,
        pvid: wanted.pvid,
        untagged: &wanted.untagged,
        tagged: &wanted.tagged,
    }
}
