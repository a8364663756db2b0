//! Finds what to do: audit, mend on a copy, audit the copy, until nothing that may be mended is
//! left. What mends one thing may need another (`nofail` loses an order): both come in one plan.
//!
//! The result is judged before anyone runs it: a remedy after which its finding is still there is
//! left out and told; a plan that brings in a new finding as weighty as what it mends, or makes
//! the next boot worse, is refused whole.

use super::running::Piece;
use super::{Case, Remedy, mend};
use crate::overlay::Overlay;
use crate::plan::{Act, Proposal};
use analysis::boot::{Boot, GuestResult, Outcome, predict};
use collect::HostReader;
use facts::Snapshot;
use model::Estate;
use rules::{Audit, Finding, Rule, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of audit and mending; each mends what the one before brought up.
const ROUNDS: usize = 6;

/// What is asked for.
pub struct Wish<'a> {
    /// The rules whose findings are to be mended.
    pub rules: &'a [&'static Rule],
    /// Remedies that must be asked for, too.
    pub also_unsafe: bool,
    /// Addresses that the user gave for names.
    pub addresses: &'a BTreeMap<String, String>,
    /// Reads a host into an estate: the same way for the host as it is and as it will be.
    pub look: &'a dyn Fn(&dyn HostReader) -> Estate,
    /// The next boot, with these servers not answering.
    pub boot: &'a dyn Fn(&Estate, &Snapshot, &[String]) -> Boot,
}

impl std::fmt::Debug for Wish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wish")
            .field("also_unsafe", &self.also_unsafe)
            .finish_non_exhaustive()
    }
}

/// One finding that is not mended, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The rule.
    pub rule: &'static str,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// Why it is not mended, or the steps for a person.
    pub steps: Vec<String>,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The host's name.
    pub host: String,
    /// What to do.
    pub proposals: Vec<Proposal>,
    /// What could be mended if it were asked for (`--unsafe`).
    pub on_request: Vec<Left>,
    /// What could be mended, but not here.
    pub refused: Vec<Left>,
    /// What a person must do.
    pub by_hand: Vec<Left>,
    /// What is wrong in the running state of bridges, for `nofail net apply`.
    pub network: Vec<Left>,
    /// The declared state that mends it.
    pub pieces: Vec<Piece>,
    /// What the plan brings in, lesser than what it mends.
    pub new: Vec<String>,
    /// What was not checked.
    pub not_checked: Vec<String>,
    /// The next boot, as it would be now and after the plan.
    pub boot: Option<(Boot, Boot)>,
    /// The same while no server of a network mount answers; `None` where there is none.
    pub boot_alone: Option<(Boot, Boot)>,
    /// The text of fstab now and after the plan, where it changes.
    pub fstab: Option<(String, String)>,
}

/// Why no plan may be made at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The host could not be read.
    #[error("the host could not be read: {0}")]
    NotRead(String),
    /// The mended host would have a new, weighty finding.
    #[error("mending would bring in: {0}. Mend one rule at a time: nofail fix RULE")]
    NewFinding(String),
    /// The next boot would be worse.
    #[error(
        "mending would make the next boot worse: {0}. Mend one rule at a time: nofail fix RULE"
    )]
    WorseBoot(String),
}

/// What names a finding from one audit to the next: not its line, which an edit moves.
type Key = (&'static str, String, String);

fn key(finding: &Finding) -> Key {
    let line = finding.evidence.first().and_then(|e| e.line);
    let place = line.map_or_else(String::new, |l| l.to_string());
    (finding.rule, finding.subject.clone(), place)
}

/// What one round of mending after another came to.
struct Mended<'a> {
    overlay: Overlay<'a>,
    acts: Vec<(Act, &'static str, bool)>,
    done: BTreeSet<Key>,
    on_request: BTreeMap<Key, Left>,
    refused: BTreeMap<Key, Left>,
    by_hand: BTreeMap<Key, Left>,
    network: BTreeMap<Key, (Left, Vec<Piece>)>,
}

/// Searches for a plan.
///
/// # Errors
/// [`Refusal`].
pub fn search(reader: &dyn HostReader, wish: &Wish<'_>) -> Result<Found, Refusal> {
    let before = (wish.look)(reader);
    let Some(host) = before.hosts.first() else {
        let why = before
            .not_read
            .first()
            .map_or("no reason given", |n| &n.reason);
        return Err(Refusal::NotRead(why.to_owned()));
    };
    let audit_before = rules::audit(&before, rules::registry::ALL);
    let mut without: BTreeSet<Key> = BTreeSet::new();
    loop {
        let (mended, after) = rounds(reader, wish, &before, &audit_before, &without);
        let audit_after = rules::audit(&after, rules::registry::ALL);
        let left: BTreeSet<Key> = audit_after.findings.iter().map(key).collect();
        let in_vain: Vec<Key> = mended.done.intersection(&left).cloned().collect();
        if !in_vain.is_empty() && without.len() < audit_before.findings.len() + ROUNDS {
            without.extend(in_vain);
            continue;
        }
        let new = new_findings(&audit_before, &audit_after, &mended.done)?;
        let boots = Boots {
            usual: boots(wish, &before, &after, &[])?,
            alone: match servers(&before, &after) {
                servers if servers.is_empty() => None,
                servers => boots(wish, &before, &after, &servers)?,
            },
        };
        return Ok(found(
            reader,
            host.host.clone(),
            mended,
            new,
            boots,
            &audit_before,
            &without,
        ));
    }
}

/// Audits and mends on a copy, again and again.
fn rounds<'a>(
    reader: &'a dyn HostReader,
    wish: &Wish<'_>,
    before: &Estate,
    audit_before: &Audit,
    without: &BTreeSet<Key>,
) -> (Mended<'a>, Estate) {
    let mut mended = Mended {
        overlay: Overlay::new(reader),
        acts: Vec::new(),
        done: BTreeSet::new(),
        on_request: BTreeMap::new(),
        refused: BTreeMap::new(),
        by_hand: BTreeMap::new(),
        network: BTreeMap::new(),
    };
    let mut estate = None;
    let mut findings = audit_before.findings.clone();
    for _ in 0..ROUNDS {
        let now = estate.as_ref().unwrap_or(before);
        let mut changed = false;
        // What was left in the round before may be mended by now, or stand on another line.
        mended.on_request.clear();
        mended.refused.clear();
        mended.by_hand.clear();
        mended.network.clear();
        for finding in &findings {
            let wanted = wish.rules.iter().any(|rule| rule.id == finding.rule);
            if wanted && !mended.done.contains(&key(finding)) {
                changed |= mended.try_one(finding, now, wish, without);
            }
        }
        if !changed {
            break;
        }
        let next = (wish.look)(&mended.overlay);
        findings = rules::audit(&next, rules::registry::ALL).findings;
        estate = Some(next);
    }
    let estate = estate.unwrap_or_else(|| (wish.look)(&mended.overlay));
    (mended, estate)
}

impl Mended<'_> {
    /// Mends one finding on the copy; whether something changed.
    fn try_one(
        &mut self,
        finding: &Finding,
        estate: &Estate,
        wish: &Wish<'_>,
        without: &BTreeSet<Key>,
    ) -> bool {
        let Some(host) = estate.hosts.iter().find(|h| h.host == finding.host) else {
            let steps = vec![format!("it stands on {}, not on this host", finding.host)];
            self.by_hand.insert(key(finding), left(finding, steps));
            return false;
        };
        let case = Case {
            finding,
            host,
            estate,
            reader: &self.overlay,
            addresses: wish.addresses,
        };
        let remedy = if without.contains(&key(finding)) {
            Remedy::Refused("the remedy was tried on a copy, and the finding stayed".to_owned())
        } else {
            mend(&case)
        };
        match remedy {
            Remedy::Do { safe, .. } if !safe && !wish.also_unsafe => {
                let steps = finding.fix.clone().into_iter().collect();
                self.on_request.insert(key(finding), left(finding, steps));
                false
            }
            Remedy::Do { acts, safe } => {
                for act in acts {
                    self.overlay.lay(&act);
                    self.acts.push((act, finding.rule, safe));
                }
                self.done.insert(key(finding));
                true
            }
            Remedy::Net(pieces) => {
                let steps = finding.fix.clone().into_iter().collect();
                let left = left(finding, steps);
                self.network.insert(key(finding), (left, pieces));
                false
            }
            Remedy::ByHand(steps) => {
                self.by_hand.insert(key(finding), left(finding, steps));
                false
            }
            Remedy::Refused(why) => {
                self.refused.insert(key(finding), left(finding, vec![why]));
                false
            }
        }
    }
}

fn left(finding: &Finding, steps: Vec<String>) -> Left {
    Left {
        rule: finding.rule,
        subject: finding.subject.clone(),
        message: finding.message.clone(),
        steps,
    }
}

/// Findings that were not there before. Those as weighty as the worst that is mended stop all.
fn new_findings(
    before: &Audit,
    after: &Audit,
    done: &BTreeSet<Key>,
) -> Result<Vec<String>, Refusal> {
    // The line of a finding may move: rule and subject tell whether it is new.
    let known: BTreeSet<(&str, &str)> = before
        .findings
        .iter()
        .map(|f| (f.rule, f.subject.as_str()))
        .collect();
    let worst = before.findings.iter().filter(|f| done.contains(&key(f)));
    let worst = worst.map(|f| f.severity).max().unwrap_or(Severity::Info);
    let mut new = Vec::new();
    for finding in &after.findings {
        if known.contains(&(finding.rule, finding.subject.as_str())) {
            continue;
        }
        let text = format!("{} ({})", finding.message, finding.rule);
        if finding.severity >= worst && !done.is_empty() {
            return Err(Refusal::NewFinding(text));
        }
        new.push(text);
    }
    Ok(new)
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Normal => 0,
        Outcome::Degraded => 1,
        Outcome::Emergency => 2,
    }
}

/// Foretold boots, each before and after.
struct Boots {
    usual: Option<(Boot, Boot)>,
    alone: Option<(Boot, Boot)>,
}

/// The servers of all network mounts, by the names and addresses of both fstabs.
fn servers(before: &Estate, after: &Estate) -> Vec<String> {
    let hosts = before.hosts.iter().chain(&after.hosts);
    let names: BTreeSet<String> = hosts
        .flat_map(|host| &host.fstab)
        .flat_map(facts::fstab::Entry::network_hosts)
        .collect();
    names.into_iter().collect()
}

/// The next boot before and after; never worse.
fn boots(
    wish: &Wish<'_>,
    before: &Estate,
    after: &Estate,
    unreachable: &[String],
) -> Result<Option<(Boot, Boot)>, Refusal> {
    let read = |estate: &Estate| {
        let host = estate.hosts.first()?;
        let fstab = host.why_unread(facts::Source::Fstab).is_none();
        fstab.then(|| (wish.boot)(estate, host, unreachable))
    };
    let (Some(before), Some(after)) = (read(before), read(after)) else {
        return Ok(None);
    };
    let when = if unreachable.is_empty() {
        ""
    } else {
        ", while no server of a network mount answers"
    };
    if rank(after.outcome) > rank(before.outcome) {
        return Err(Refusal::WorseBoot(format!(
            "{} instead of {}{when}",
            word(after.outcome),
            word(before.outcome)
        )));
    }
    let starts = |boot: &Boot| -> BTreeSet<String> {
        let guests = boot.guests.iter();
        let starts = guests.filter(|g| g.result == GuestResult::Starts);
        starts.map(|g| g.name.clone()).collect()
    };
    if let Some(guest) = starts(&before).difference(&starts(&after)).next() {
        return Err(Refusal::WorseBoot(format!("{guest} would not start{when}")));
    }
    Ok(Some((before, after)))
}

/// An outcome in a word.
pub fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Normal => "normal",
        Outcome::Degraded => "degraded",
        Outcome::Emergency => "emergency",
    }
}

/// The next boot of a host that nothing beyond it is known of.
pub fn plain_boot(snapshot: &Snapshot, unreachable: &[String]) -> Boot {
    let conditions = analysis::boot::Conditions {
        unreachable: unreachable.to_vec(),
        ..analysis::boot::Conditions::default()
    };
    predict(snapshot, &conditions)
}

fn found(
    reader: &dyn HostReader,
    host: String,
    mended: Mended<'_>,
    new: Vec<String>,
    boots: Boots,
    audit: &Audit,
    without: &BTreeSet<Key>,
) -> Found {
    let text = |reader: &dyn HostReader| reader.text("/etc/fstab").ok();
    let fstab = text(reader)
        .zip(text(&mended.overlay))
        .filter(|(old, new)| old != new);
    let values = |map: BTreeMap<Key, Left>| -> Vec<Left> {
        let open = map
            .into_iter()
            .filter(|(key, _)| !mended.done.contains(key));
        open.map(|(_, left)| left).collect()
    };
    let mut refused = values(mended.refused);
    refused.sort_by_key(|left| !without.iter().any(|key| key.0 == left.rule));
    let (network, pieces): (Vec<Left>, Vec<Vec<Piece>>) = mended.network.into_values().unzip();
    Found {
        host,
        on_request: values(mended.on_request),
        refused,
        by_hand: values(mended.by_hand),
        network,
        pieces: pieces.concat(),
        proposals: merged(mended.acts),
        new,
        not_checked: audit
            .not_checked
            .iter()
            .map(|n| format!("{}: {}", n.source, n.reason))
            .collect(),
        boot: boots.usual,
        boot_alone: boots.alone,
        fstab,
    }
}

/// One step per file, with all its edits; commands that repeat (reload) once, at the end.
fn merged(acts: Vec<(Act, &'static str, bool)>) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = Vec::new();
    for (mut act, rule, mut safe) in acts {
        let same = |other: &Proposal| match (&act, &other.act) {
            (Act::Write { path: a, .. }, Act::Write { path: b, .. })
            | (Act::Attributes { path: a, .. }, Act::Attributes { path: b, .. }) => a == b,
            (Act::Run(a), Act::Run(b)) => a.command == b.command,
            _ => false,
        };
        let mut rules = vec![rule.to_owned()];
        let earlier = proposals.iter().position(same);
        if let Some(at) = earlier {
            let earlier = proposals.remove(at);
            rules.splice(0..0, earlier.rules);
            safe &= earlier.safe;
            act = both(earlier.act, act);
        }
        rules.dedup();
        proposals.push(Proposal { act, rules, safe });
    }
    proposals
}

/// A later act on the same path, with what the earlier one set and it does not.
fn both(earlier: Act, later: Act) -> Act {
    match (earlier, later) {
        (
            Act::Attributes {
                mode: m,
                owner: o,
                label: l,
                ..
            },
            Act::Attributes {
                path,
                mode,
                owner,
                label,
            },
        ) => Act::Attributes {
            path,
            mode: mode.or(m),
            owner: owner.or(o),
            label: label.or(l),
        },
        (_, later) => later,
    }
}
