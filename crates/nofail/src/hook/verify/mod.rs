//! Why the hook did not fire: every link of the chain, and one cause at the end. Pure; [`look`]
//! reads what it judges.

pub mod avc;
pub mod look;

use crate::wire::hook::{GuestRow, Verified};
use avc::Denial;
use facts::hook::HookScript;
use facts::{Snapshot, Source};
use rules::engine::Audit;

/// The rules of area `hook` that explain a silence, the likeliest cause first.
const CAUSES: &[&str] = &[
    "hook/misplaced",
    "hook/not-executable",
    "hook/bad-interpreter",
    "hook/syntax-error",
    "hook/wrong-selinux-label",
    "hook/selinux-boolean-off",
    "hook/newer-than-daemon",
    "hook/phase-not-handled",
    "hook/calls-virsh",
    "hook/absent-though-needed",
];

/// No cause of silence, since libvirt runs a hook whoever may write it; but who may write it may
/// have silenced it.
const OWNER: &str = "hook/writable-by-others";

/// What is ruled out by a rule's silence.
fn ruled_out_by(rule: &str) -> &'static str {
    match rule {
        "hook/misplaced" => "no script lies beside the places from which libvirt runs hooks",
        OWNER => "root alone may write it, and the directories above it",
        "hook/not-executable" => "the execute bit is set",
        "hook/bad-interpreter" => "its interpreter is there, and its first line ends as it should",
        "hook/syntax-error" => "its shell finds no error in it",
        "hook/wrong-selinux-label" => "SELinux: its label is the policy's",
        "hook/selinux-boolean-off" => "SELinux: no boolean keeps the daemon from running it",
        "hook/newer-than-daemon" => "the daemon looked for hooks after it was there",
        "hook/phase-not-handled" => "it acts when a guest starts",
        "hook/calls-virsh" => "it does not call libvirt, which waits for it",
        _ => "no guest lacks a hook that it needs",
    }
}

/// What a look at one thing gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is as it should be: what is ruled out.
    Good(String),
    /// It explains the silence.
    Bad(String),
    /// It could not be told, and why.
    NotChecked(String),
}

/// What was found beside the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Looks of [`look`], in the order of the chain.
    pub checks: Vec<Check>,
    /// What came of calling our own script by hand. It shows that something is wrong; what that is,
    /// the other looks tell better.
    pub called: Option<Check>,
    /// What SELinux refused lately, concerning hooks; or why that is not known.
    pub denials: Option<Result<Vec<Denial>, String>>,
    /// What the start of a throw-away guest showed.
    pub probe: Option<Check>,
    /// Running guests: last firing, ports.
    pub guests: Vec<GuestRow>,
}

/// Joins everything into one verdict.
pub fn judge(snapshot: &Snapshot, audit: &Audit, looked: Looked) -> Verified {
    let mut verified = Verified::new(&snapshot.host);
    verified.scripts = snapshot.hooks.scripts.iter().map(described).collect();
    verified.guests = looked.guests;
    let mut causes: Vec<String> = Vec::new();
    let mut sort = |check: Check, verified: &mut Verified| match check {
        Check::Good(text) => verified.ruled_out.push(text),
        Check::Bad(text) => causes.push(text),
        Check::NotChecked(text) => verified.not_checked.push(text),
    };
    let qemu: Vec<&HookScript> = snapshot
        .hooks
        .scripts
        .iter()
        .filter(|s| s.hook == "qemu")
        .collect();
    let findings = Findings {
        audit,
        others: snapshot
            .hooks
            .scripts
            .iter()
            .chain(&snapshot.hooks.misplaced)
            .filter(|s| s.hook != "qemu")
            .map(|s| s.path.as_str())
            .collect(),
    };
    let misplaced = findings.of("hook/misplaced");
    let unread = snapshot.why_unread(Source::Hooks);
    if let Some(reason) = unread.filter(|_| qemu.is_empty()) {
        let text = format!("whether there is a hook: {reason}");
        sort(Check::NotChecked(text), &mut verified);
    } else if qemu.is_empty() && !misplaced.iter().any(|c| matches!(c, Check::Bad(_))) {
        sort(there(&qemu), &mut verified);
    } else if !qemu.is_empty() {
        sort(there(&qemu), &mut verified);
        sort(directory(snapshot, &qemu), &mut verified);
    }
    for check in looked.checks {
        sort(check, &mut verified);
    }
    // A trace that is younger than every script and its rights: what is wrong with one of them has
    // not kept the hook from firing.
    let changed = qemu.iter().filter_map(|s| s.changed_at).max();
    let last = snapshot
        .hooks
        .traces
        .iter()
        .filter_map(|t| seconds(&t.at))
        .max();
    let fired_as_it_is = matches!((last, changed), (Some(last), Some(changed)) if last > changed);
    let proved = matches!(looked.probe, Some(Check::Good(_)));
    for rule in CAUSES {
        let speaks_of_none = ["hook/misplaced", "hook/absent-though-needed"].contains(rule);
        if qemu.is_empty() && (unread.is_some() || !speaks_of_none) {
            continue;
        }
        for check in findings.of(rule) {
            let of_the_file = !rule.starts_with("hook/selinux-");
            match check {
                Check::Bad(text) if of_the_file && fired_as_it_is => verified.also.push(text),
                // A stray file explains nothing where another stands in the right place; that an old
                // libvirt reads no qemu.d was said above.
                Check::Bad(text) if *rule == "hook/misplaced" && !qemu.is_empty() => {
                    verified.also.push(text);
                }
                // A daemon that runs it has looked since.
                Check::Bad(_) if proved && *rule == "hook/newer-than-daemon" => {
                    verified.ruled_out.push(ruled_out_by(rule).to_owned());
                }
                check => sort(check, &mut verified),
            }
        }
    }
    if !qemu.is_empty() {
        for check in findings.of(OWNER) {
            match check {
                Check::Bad(text) => verified.also.push(text),
                check => sort(check, &mut verified),
            }
        }
    }
    if let Some(called) = looked.called {
        sort(called, &mut verified);
    }
    if let Some(denials) = looked.denials {
        sort(denied(denials, last.max(changed)), &mut verified);
    }
    for missing in audit.not_checked.iter().filter(|n| n.source != "host") {
        verified
            .not_checked
            .push(format!("{}: {}", missing.source, missing.reason));
    }
    verified.not_checked.dedup();
    let silent = audit.findings.iter().find(|f| f.rule == "hook/never-fired");
    let traced = !snapshot.hooks.traces.is_empty() && silent.is_none();
    match looked.probe {
        Some(Check::Good(text)) => {
            verified.fires = "yes";
            verified.proof = Some(text);
            // What fires has no cause not to.
            verified.also.append(&mut causes);
        }
        Some(Check::Bad(text)) => {
            verified.fires = "no";
            verified.proof = Some(text.clone());
            causes.push(text);
        }
        Some(Check::NotChecked(text)) => verified.not_checked.push(text),
        None if traced && causes.is_empty() => {
            verified.fires = "yes";
            let guests: Vec<&str> = snapshot
                .hooks
                .traces
                .iter()
                .map(|t| t.guest.as_str())
                .collect();
            verified.proof = Some(format!("it left a trace for {}", guests.join(", ")));
        }
        None => {}
    }
    if let Some(finding) = silent {
        verified.fires = "no";
        causes.push(finding.message.clone());
    }
    let mut causes = causes.into_iter();
    verified.cause = causes.next();
    verified.also.extend(causes);
    if verified.cause.is_some() {
        verified.fires = "no";
    }
    verified
}

fn described(script: &HookScript) -> String {
    let label = script.label.known().map(|l| format!(", {l}"));
    format!(
        "{} (mode {:04o}, owner {}:{}{})",
        script.path,
        script.mode,
        script.uid,
        script.gid,
        label.unwrap_or_default()
    )
}

fn there(qemu: &[&HookScript]) -> Check {
    match qemu {
        [] => Check::Bad(
            "there is no qemu hook: `nofail hook install --site site.toml` puts one there"
                .to_owned(),
        ),
        scripts => {
            let paths: Vec<&str> = scripts.iter().map(|s| s.path.as_str()).collect();
            Check::Good(format!("it is there: {}", paths.join(", ")))
        }
    }
}

/// Whether this libvirt reads the directory that the only hooks lie in.
fn directory(snapshot: &Snapshot, qemu: &[&HookScript]) -> Check {
    let version = snapshot.libvirt_version.as_deref();
    let numbers = version.and_then(|version| {
        let mut parts = version.split('.').map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    let below = !qemu.is_empty() && qemu.iter().all(|s| s.path.contains("/qemu.d/"));
    match (numbers, version) {
        (Some(numbers), Some(version)) if below && numbers < (6, 5) => Check::Bad(format!(
            "libvirt {version} does not read qemu.d (6.5 and later do): the script must be \
             /etc/libvirt/hooks/qemu"
        )),
        (Some(_), Some(version)) => {
            Check::Good(format!("libvirt {version} looks where the script lies"))
        }
        _ if below => Check::NotChecked(
            "whether this libvirt reads qemu.d: its version could not be told".to_owned(),
        ),
        _ => Check::Good("libvirt looks where the script lies".to_owned()),
    }
}

/// What the rules found of the qemu hook.
struct Findings<'a> {
    audit: &'a Audit,
    /// Scripts of other hooks.
    others: Vec<&'a str>,
}

impl Findings<'_> {
    /// What a rule says: each of its findings, or what kept it from looking, or that it is silent.
    fn of(&self, rule: &str) -> Vec<Check> {
        let ours =
            |f: &&rules::Finding| f.rule == rule && !self.others.contains(&f.subject.as_str());
        let found: Vec<Check> = self
            .audit
            .findings
            .iter()
            .filter(ours)
            .map(|finding| {
                Check::Bad(match &finding.fix {
                    Some(fix) => format!("{}; mended by: {fix}", finding.message),
                    None => finding.message.clone(),
                })
            })
            .collect();
        if !found.is_empty() {
            return found;
        }
        let missing = self.audit.not_checked.iter().find(|n| n.source == rule);
        vec![missing.map_or_else(
            || Check::Good(ruled_out_by(rule).to_owned()),
            |missing| Check::NotChecked(format!("{rule}: {}", missing.reason)),
        )]
    }
}

/// A denial explains a silence only where nothing was changed, and the hook has not fired, since
/// (`since`, seconds since 1970).
fn denied(denials: Result<Vec<Denial>, String>, since: Option<i64>) -> Check {
    let denials = match denials {
        Ok(denials) => denials,
        Err(reason) => return Check::NotChecked(format!("denials of SELinux: {reason}")),
    };
    let stale = |d: &&Denial| matches!((d.at, since), (Some(at), Some(since)) if at < since);
    let (old, new): (Vec<&Denial>, Vec<&Denial>) = denials.iter().partition(stale);
    match (new.last(), old.len()) {
        (Some(last), _) => Check::Bad(format!(
            "SELinux refused it {} time(s), the last: {last}",
            new.len()
        )),
        (None, 0) => Check::Good("SELinux refused nothing that concerns hooks".to_owned()),
        (None, count) => Check::Good(format!(
            "SELinux refused something that concerns hooks {count} time(s), but nothing since the hook \
             was last changed or fired"
        )),
    }
}

/// Seconds since 1970 of a time in RFC 3339.
fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(|t| t.as_second())
}

#[cfg(test)]
mod tests;
