//! Whether a host may be rebooted now.

use super::blast::{Blast, Reason, blast_from};
use super::spread::{Spread, spread};
use crate::boot::{Boot, Outcome};
use facts::bmc::Check as BmcCheck;
use facts::mount::HealthState;
use model::Estate;
use model::graph::{Graph, Index, Kind};
use std::collections::HashSet;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing of weight is lost.
    Safe,
    /// Something is lost for the time of the reboot, or must be started by hand.
    Losses,
    /// The host may not come back, or a service is lost for good.
    Unsafe,
}

/// A reason, with the verdict that it alone leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighty {
    /// The verdict.
    pub verdict: Verdict,
    /// In words.
    pub text: String,
}

/// What is to be said of a reboot.
#[derive(Debug)]
pub struct Check {
    /// The verdict: that of the weightiest reason.
    pub verdict: Verdict,
    /// Reasons, the weightiest first.
    pub reasons: Vec<Weighty>,
    /// What to do instead, or first.
    pub instead: Vec<String>,
    /// The blast radius of the reboot.
    pub blast: Blast,
}

/// Guests that do not run now, by their snapshots.
pub fn down_now(graph: &Graph, estate: &Estate) -> Vec<Index> {
    let mut down = Vec::new();
    for snapshot in &estate.hosts {
        for guest in &snapshot.guests {
            let index = graph.find(&format!("guest:{}", guest.name));
            let runs = guest.state.as_deref().is_none_or(|s| s == "running");
            let here = |i: &Index| graph.component(*i).host.as_deref() == Some(&snapshot.host);
            if let Some(index) = index.filter(here).filter(|_| !runs) {
                down.push(index);
            }
        }
    }
    down
}

/// Judges the reboot of `host`, whose next boot `boot` foretells, as things stand now.
pub fn check(graph: &Graph, estate: &Estate, host: Index, boot: &Boot) -> Check {
    let name = &graph.component(host).name;
    let mut held = HashSet::new();
    if boot.outcome == Outcome::Emergency {
        held.insert(host);
    }
    let down = down_now(graph, estate);
    let blast = blast_from(graph, &[host], &down, &held);
    let mut judge = Judge {
        graph,
        estate,
        down,
        reasons: Vec::new(),
        instead: Vec::new(),
    };
    judge.boot(name, boot);
    judge.services(&blast);
    judge.guests(name, &blast, boot);
    judge.storage(name);
    judge.console(name);
    let mut reasons = judge.reasons;
    reasons.sort_by_key(|r| std::cmp::Reverse(r.verdict));
    Check {
        verdict: reasons.first().map_or(Verdict::Safe, |r| r.verdict),
        reasons,
        instead: judge.instead,
        blast,
    }
}

/// Why nothing that lies on a mount in this state can be opened; `None` where it can.
fn ails(state: HealthState) -> Option<&'static str> {
    match state {
        HealthState::NotResponding => Some("does not answer"),
        HealthState::Stale => Some("is stale"),
        HealthState::Failed => Some("fails"),
        HealthState::Empty => Some("is empty"),
        HealthState::Ok | HealthState::ReadOnly | HealthState::NoPermission => None,
    }
}

struct Judge<'a> {
    graph: &'a Graph,
    estate: &'a Estate,
    down: Vec<Index>,
    reasons: Vec<Weighty>,
    instead: Vec<String>,
}

impl Judge<'_> {
    fn say(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.reasons.push(Weighty {
            verdict,
            text: text.into(),
        });
    }

    fn boot(&mut self, host: &str, boot: &Boot) {
        match boot.outcome {
            Outcome::Emergency => {
                let cause = boot
                    .causes
                    .first()
                    .map_or("see `nofail boot`", String::as_str);
                self.say(
                    Verdict::Unsafe,
                    format!("{host} would stop in emergency mode: {cause}"),
                );
                self.instead.push(format!(
                    "mend the boot of {host} first: nofail audit --only fstab"
                ));
            }
            Outcome::Degraded => {
                let cause = boot.causes.first().map_or("", String::as_str);
                self.say(
                    Verdict::Losses,
                    format!("{host} would boot degraded: {cause}"),
                );
            }
            Outcome::Normal => {}
        }
        if boot.delay_seconds >= 30 {
            let text = format!("mounts would delay its boot by {} s", boot.delay_seconds);
            self.say(Verdict::Losses, text);
        }
    }

    fn services(&mut self, blast: &Blast) {
        for fall in blast.lost.falls() {
            let component = self.graph.component(fall.index);
            if !matches!(component.kind, Kind::Service | Kind::Group) {
                continue;
            }
            // A group behind a service of its own is told once, by the service's name.
            let told = |of: &Index| {
                let above = self.graph.component(*of);
                above.kind == Kind::Service && self.graph.clauses(*of).len() == 1
            };
            if component.kind == Kind::Group && self.graph.dependents(fall.index).iter().any(told) {
                continue;
            }
            let stays = blast.stays_lost.iter().any(|(i, _)| *i == fall.index);
            let (verdict, how) = if stays {
                (Verdict::Unsafe, "and would not come back by itself")
            } else {
                (Verdict::Losses, "until the host is back")
            };
            let name = component.full_name();
            let off = self.twins_off(fall.index);
            let off = if off.is_empty() {
                String::new()
            } else {
                format!("; off already: {}", off.join(", "))
            };
            self.say(verdict, format!("{name} would be lost, {how}{off}"));
        }
    }

    /// Members of a group, or of the group behind a service, that do not run now.
    fn twins_off(&self, index: Index) -> Vec<String> {
        let members = |i: Index| {
            let clauses = self.graph.clauses(i).iter();
            clauses.flat_map(|c| c.members.iter().copied())
        };
        let mut all: Vec<Index> = members(index).collect();
        for group in members(index).filter(|m| self.graph.component(*m).kind == Kind::Group) {
            all.extend(members(group));
        }
        let off = |i: &&Index| self.down.contains(i);
        let name = |i: &Index| self.graph.component(*i).name.clone();
        all.iter().filter(off).map(name).collect()
    }

    fn guests(&mut self, host: &str, blast: &Blast, boot: &Boot) {
        let running: Vec<&str> = self
            .estate
            .host(host)
            .map(|h| h.guests.as_slice())
            .unwrap_or_default()
            .iter()
            .filter(|g| g.state.as_deref() == Some("running"))
            .map(|g| g.name.as_str())
            .collect();
        if !running.is_empty() {
            let guests = if running.len() == 1 {
                "guest"
            } else {
                "guests"
            };
            let text = format!(
                "{} running {guests} would die: {}",
                running.len(),
                running.join(", ")
            );
            self.say(Verdict::Losses, text);
            self.instead.push(format!(
                "is it one guest that is ill? Restart that one: virsh reset GUEST; {host} need not be rebooted"
            ));
        }
        for (index, reason) in &blast.stays_lost {
            let component = self.graph.component(*index);
            if component.kind != Kind::Guest || boot.outcome == Outcome::Emergency {
                continue;
            }
            let critical = self.estate.is_important(&component.name);
            let verdict = if critical {
                Verdict::Unsafe
            } else {
                Verdict::Losses
            };
            let why = match reason {
                Reason::NeedsPerson => "it has no autostart".to_owned(),
                Reason::Held => "it is held down".to_owned(),
                Reason::Waits(at) => {
                    let clause = &self.graph.clauses(*index)[*at];
                    let names: Vec<String> = clause
                        .members
                        .iter()
                        .map(|m| self.graph.component(*m).full_name())
                        .collect();
                    format!("it waits for {}", names.join(" or "))
                }
            };
            let name = component.name.clone();
            self.say(
                verdict,
                format!("{name} would not come back by itself: {why}"),
            );
        }
    }

    /// Guests with a disk on a mount that serves nobody now: while they run they may live on in
    /// their memory, but they would not start again.
    fn storage(&mut self, host: &str) {
        let Some(snapshot) = self.estate.host(host) else {
            return;
        };
        for mount in &snapshot.mounts {
            let Some(ails) = mount.health.as_ref().and_then(|h| ails(h.state)) else {
                continue;
            };
            let name = format!("mount:{host}:{}", mount.target);
            let Some(index) = self.graph.find(&name) else {
                continue;
            };
            let fallen = spread(self.graph, &[index]);
            let on_it: Vec<&str> = snapshot
                .guests
                .iter()
                .filter(|guest| {
                    let index = self.graph.find(&format!("guest:{}", guest.name));
                    index.is_some_and(|i| fallen.is_down(i) && self.has_disk_on(i, &fallen))
                })
                .map(|guest| guest.name.as_str())
                .collect();
            if on_it.is_empty() {
                continue;
            }
            let important = on_it.iter().any(|guest| self.estate.is_important(guest));
            let verdict = if important {
                Verdict::Unsafe
            } else {
                Verdict::Losses
            };
            let text = format!(
                "{} would not start again: disks on {}, which {ails} now",
                on_it.join(", "),
                mount.target
            );
            self.say(verdict, text);
            self.instead.push(format!(
                "see to {} first ({}); what lies on it cannot be started until it serves",
                mount.target, mount.source
            ));
        }
    }

    /// Whether one of a guest's own disks is among what fell, not only a service that it uses.
    fn has_disk_on(&self, guest: Index, fallen: &Spread) -> bool {
        let members = self.graph.clauses(guest).iter().flat_map(|c| &c.members);
        members
            .into_iter()
            .any(|m| self.graph.component(*m).kind == Kind::Disk && fallen.is_down(*m))
    }

    fn console(&mut self, host: &str) {
        let Some(intent) = self.estate.site.as_ref().and_then(|s| s.hosts.get(host)) else {
            return;
        };
        if intent.console.is_some() {
            return;
        }
        let promised = intent.bmc.as_ref().and_then(|b| b.verified.as_deref());
        let kept = self.estate.bmc_checks.get(host);
        // Both begin with the day, as RFC 3339 writes it; a person may have seen to it since.
        let later = |check: &BmcCheck, day: &str| day.get(..10) >= check.at.get(..10);
        let refused = kept.filter(|c| !c.lets_in() && !promised.is_some_and(|day| later(c, day)));
        if let Some(check) = refused {
            let text = format!("the BMC of {host} lets nobody in: {}", check.summary());
            self.say(Verdict::Unsafe, text);
            self.instead.push(format!(
                "see to the BMC of {host}, then: nofail bmc check {host}"
            ));
        } else if kept.is_none() && promised.is_none() {
            let text = format!("nobody has seen the BMC of {host} work: there may be no way in");
            self.say(Verdict::Unsafe, text);
            self.instead.push(format!(
                "look at the BMC of {host} first, from another machine"
            ));
        }
    }
}

#[cfg(test)]
#[path = "reboot_tests.rs"]
mod tests;
