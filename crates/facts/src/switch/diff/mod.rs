//! Two states of one switch, compared in meaning: a server left its group, a trunk lost a VLAN.
//!
//! Only what both states tell is compared; [`Diff::not_compared`] lists the rest. What the
//! configuration says beyond the facts that nofail knows is given line by line, so that no change
//! is hidden.

mod lines;
mod ports;
mod radius;
#[cfg(test)]
mod tests;
mod vlans;

use super::{Place, Switch, compare};

/// What a change does to those who use the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Something is gone: a VLAN, a server, a link.
    Loss,
    /// Something is another: native VLAN, mode.
    Change,
    /// Something came or came back.
    Gain,
}

impl Effect {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Change => "change",
            Self::Gain => "gain",
        }
    }
}

/// One change in meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is, in a word that stays the same: `trunk-lost-vlan`.
    pub kind: &'static str,
    /// What it does.
    pub effect: Effect,
    /// What it is about: a port, a group, a VLAN.
    pub subject: String,
    /// One sentence.
    pub message: String,
    /// Where the earlier state tells it.
    pub before: Option<Place>,
    /// Where the later state tells it.
    pub after: Option<Place>,
}

/// What two states of a switch differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Changes: losses first, then by subject.
    pub changes: Vec<Change>,
    /// What only one of the two tells, and which: `("show vlan brief", "only the earlier state has it")`.
    pub not_compared: Vec<(String, String)>,
}

/// Compares two states of one switch.
pub fn diff(before: &Switch, after: &Switch) -> Diff {
    let mut found = Diff::default();
    if let (Some(old), Some(new)) = (&before.name, &after.name)
        && old != new
    {
        found.push(
            "name-changed",
            Effect::Change,
            new,
            format!("{old} is now called {new}, or these are two switches"),
        );
    }
    radius::diff(before, after, &mut found);
    ports::diff(before, after, &mut found);
    vlans::diff(before, after, &mut found);
    lines::diff(before, after, &mut found);
    saved(before, after, &mut found);
    for (one, other, which) in [(before, after, "earlier"), (after, before, "later")] {
        for command in one.commands.iter().filter(|c| !other.commands.contains(c)) {
            // The saved configuration of one time and the running one of another: compared above.
            if is_config(command) && other.commands.iter().any(|c| is_config(c)) {
                continue;
            }
            let reason = format!("only the {which} state has it");
            found.not_compared.push((command.clone(), reason));
        }
    }
    found
        .changes
        .sort_by(|a, b| (a.effect, &a.subject, a.kind).cmp(&(b.effect, &b.subject, b.kind)));
    found
}

fn is_config(command: &str) -> bool {
    ["show running-config", "show startup-config"].contains(&command)
}

/// Whether the running configuration is the saved one.
fn saved(before: &Switch, after: &Switch, found: &mut Diff) {
    let (Ok(old), Ok(new)) = (compare::unsaved(before), compare::unsaved(after)) else {
        return;
    };
    match (old.is_empty(), new.is_empty()) {
        (true, false) => found.push(
            "configuration-unsaved",
            Effect::Loss,
            "startup-config",
            format!(
                "the running configuration is no longer saved: {} lines differ",
                new.len()
            ),
        ),
        (false, true) => found.push(
            "configuration-saved",
            Effect::Gain,
            "startup-config",
            "the running configuration is saved again".to_owned(),
        ),
        _ => {}
    }
}

impl Diff {
    fn push(&mut self, kind: &'static str, effect: Effect, subject: &str, message: String) {
        self.placed(kind, effect, subject, message, None, None);
    }

    fn placed(
        &mut self,
        kind: &'static str,
        effect: Effect,
        subject: &str,
        message: String,
        before: Option<&Place>,
        after: Option<&Place>,
    ) {
        self.changes.push(Change {
            kind,
            effect,
            subject: subject.to_owned(),
            message,
            before: before.cloned(),
            after: after.cloned(),
        });
    }
}

/// Whether a state holds a whole running configuration: then what it does not say is not so.
fn whole(switch: &Switch) -> bool {
    switch
        .running_capture
        .as_ref()
        .is_some_and(|capture| capture.complete)
}
