//! Who did it: commands that stand in a record, and sessions that were open at that time.

use super::moment::Moment;
use super::{Case, SECOND};
use facts::Evidence;
use facts::history::{Trace, What};

/// A person or a script that may have done it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// User; the one who became root, where known.
    pub user: String,
    /// From where; `None` for the console, a timer, or where no record tells.
    pub address: Option<String>,
    /// The command line, where a record has it.
    pub command: Option<String>,
    /// How sure, in percent.
    pub confidence: u8,
    /// Why this one, in words.
    pub why: String,
    /// The records.
    pub evidence: Vec<Evidence>,
}

/// One session and how long it lasted.
#[derive(Clone, Debug)]
struct Session<'a> {
    user: &'a str,
    address: Option<&'a str>,
    key: &'a str,
    from: i64,
    to: Option<i64>,
    evidence: &'a Evidence,
}

fn sessions(traces: &[Trace]) -> Vec<Session<'_>> {
    let mut all: Vec<Session<'_>> = Vec::new();
    for trace in traces {
        match &trace.what {
            What::SessionOpened { user, address, key } => all.push(Session {
                user,
                address: address.as_deref(),
                key,
                from: trace.at,
                to: None,
                evidence: &trace.evidence,
            }),
            What::SessionClosed { key } => {
                let open = |s: &&mut Session<'_>| s.key == key && s.to.is_none();
                if let Some(session) = all.iter_mut().rev().find(open) {
                    session.to = Some(trace.at);
                }
            }
            // Nobody's session outlives a boot.
            What::HostBooted => {
                for session in all.iter_mut().filter(|s| s.to.is_none()) {
                    session.to = Some(trace.at);
                }
            }
            _ => {}
        }
    }
    all
}

/// Those who may have done it, the most probable first.
pub fn find(case: &Case<'_>, moment: &Moment) -> Vec<Actor> {
    let traces = &case.history.traces;
    let sessions = sessions(traces);
    let mut actors = commands(case, moment, &sessions);
    // A session that opened shortly before and ended shortly after can hardly have done anything
    // else: a script's, or `ssh host virsh destroy guest`.
    let open = sessions.iter().filter(|s| {
        s.from <= moment.at + SECOND && s.to.is_none_or(|to| to >= moment.at - 5 * SECOND)
    });
    let mut open: Vec<&Session<'_>> = open.collect();
    open.sort_by_key(|s| std::cmp::Reverse(s.from));
    let alone = open.len() == 1;
    for session in open {
        let known = |a: &Actor| a.user == session.user && a.address.as_deref() == session.address;
        if let Some(actor) = actors.iter_mut().find(|a| known(a)) {
            actor.evidence.push(session.evidence.clone());
            continue;
        }
        let length = session.to.map(|to| to - session.from);
        let short = length.is_some_and(|l| l <= 60 * SECOND);
        let (confidence, why) = match (short, alone) {
            (true, true) => (
                80,
                "the only session then, and it lasted no longer than this",
            ),
            (true, false) => (60, "a session of less than a minute around it"),
            (false, true) => (45, "the only session that was open then"),
            (false, false) => (20, "a session that was open then"),
        };
        actors.push(Actor {
            user: session.user.to_owned(),
            address: session.address.map(str::to_owned),
            command: None,
            confidence,
            why: why.to_owned(),
            evidence: vec![session.evidence.clone()],
        });
    }
    actors.sort_by_key(|a| std::cmp::Reverse(a.confidence));
    actors
}

/// Commands in the two minutes before.
fn commands(case: &Case<'_>, moment: &Moment, sessions: &[Session<'_>]) -> Vec<Actor> {
    let mut actors = Vec::new();
    let within = |t: &&Trace| t.at >= moment.at - 120 * SECOND && t.at <= moment.at + 2 * SECOND;
    for trace in case.history.traces.iter().filter(within) {
        let What::Command {
            user,
            terminal,
            line,
        } = &trace.what
        else {
            continue;
        };
        let names_it = line.contains(case.history.guest.as_str());
        let near = moment.at - trace.at <= 30 * SECOND;
        let confidence = match (names_it, near) {
            (true, true) => 95,
            (true, false) => 80,
            (false, true) => 50,
            (false, false) => 30,
        };
        let at_terminal = |s: &&Session<'_>| {
            s.from <= trace.at
                && s.to.is_none_or(|to| to >= trace.at)
                && (terminal.as_deref() == Some(s.key) || terminal.is_none() && s.user == user)
        };
        let of_user = |s: &&Session<'_>| {
            s.from <= trace.at && s.to.is_none_or(|to| to >= trace.at) && s.user == user
        };
        let session = sessions
            .iter()
            .rev()
            .find(at_terminal)
            .filter(|s| s.address.is_some())
            .or_else(|| sessions.iter().rev().find(of_user));
        let mut evidence = vec![trace.evidence.clone()];
        evidence.extend(session.map(|s| s.evidence.clone()));
        actors.push(Actor {
            user: user.clone(),
            address: session.and_then(|s| s.address).map(str::to_owned),
            command: Some(line.clone()),
            confidence,
            why: if names_it {
                "the command names this guest".to_owned()
            } else {
                "a command on guests or on the host at that time".to_owned()
            },
            evidence,
        });
    }
    actors
}
