//! `nofail.plans/1`, `nofail.plan-record/1` and `nofail.rollback/1`.

use change::history::{Entry, NetChange};
use change::journal::Record;
use serde::Serialize;

/// `nofail plans`.
#[derive(Debug, Serialize)]
pub struct List {
    schema: &'static str,
    plans: Vec<Row>,
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    /// `plan`, or `net` for a network change.
    kind: &'static str,
    host: String,
    title: String,
    who: String,
    when: String,
    from: String,
    reason: Option<String>,
    status: &'static str,
    steps: usize,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    id: String,
    reason: String,
}

/// `nofail plans show`.
#[derive(Debug, Serialize)]
pub struct One {
    schema: &'static str,
    #[serde(flatten)]
    row: Row,
    step_list: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    what: String,
    rules: Vec<String>,
    safe: bool,
    state: &'static str,
}

/// `nofail rollback`.
#[derive(Debug, Serialize)]
pub struct RolledBack {
    schema: &'static str,
    plan: Option<String>,
    rolled_back: bool,
    steps: Vec<String>,
}

fn row(record: &Record) -> Row {
    let plan = &record.plan;
    Row {
        id: plan.id.to_string(),
        kind: "plan",
        host: plan.host.clone(),
        title: plan.title.clone(),
        who: plan.origin.who.clone(),
        when: plan.origin.when.clone(),
        from: plan.origin.from.clone(),
        reason: plan.origin.reason.clone(),
        status: record.status().name(),
        steps: plan.steps.len(),
    }
}

fn net_row(change: &NetChange) -> Row {
    let origin = change.origin();
    Row {
        id: change.record.id.clone(),
        kind: "net",
        host: change.record.host.clone(),
        title: change.title(),
        who: origin.who.clone(),
        when: origin.when.clone(),
        from: origin.from.clone(),
        reason: origin.reason.clone(),
        status: change.status().name(),
        steps: change.steps().len(),
    }
}

/// Why an entry cannot be read; empty where it can.
pub fn why(entry: &Entry) -> String {
    match entry {
        Entry::Plan((_, Err(error))) => change::error::chain(error),
        Entry::Net(_, Err(error)) => change::error::chain(error),
        Entry::Plan((_, Ok(_))) | Entry::Net(_, Ok(_)) => String::new(),
    }
}

impl From<&[Entry]> for List {
    fn from(all: &[Entry]) -> Self {
        let mut list = Self {
            schema: "nofail.plans/1",
            plans: Vec::new(),
            unreadable: Vec::new(),
        };
        for entry in all {
            match entry {
                Entry::Plan((_, Ok(record))) => list.plans.push(row(record)),
                Entry::Net(_, Ok(change)) => list.plans.push(net_row(change)),
                Entry::Plan((_, Err(_))) | Entry::Net(_, Err(_)) => {
                    list.unreadable.push(Unreadable {
                        id: entry.id().to_owned(),
                        reason: why(entry),
                    });
                }
            }
        }
        list
    }
}

impl From<&Record> for One {
    fn from(record: &Record) -> Self {
        let steps = record.plan.steps.iter().enumerate();
        Self {
            schema: "nofail.plan-record/1",
            row: row(record),
            step_list: steps
                .map(|(index, step)| Step {
                    what: step.what.clone(),
                    rules: step.rules.clone(),
                    safe: step.safe,
                    state: record.step_state(index),
                })
                .collect(),
        }
    }
}

impl From<&NetChange> for One {
    fn from(change: &NetChange) -> Self {
        let steps = change.steps().into_iter().enumerate();
        Self {
            schema: "nofail.plan-record/1",
            row: net_row(change),
            step_list: steps
                .map(|(index, what)| Step {
                    what,
                    rules: Vec::new(),
                    safe: false,
                    state: change.step_state(index),
                })
                .collect(),
        }
    }
}

impl RolledBack {
    /// There was nothing to take back.
    pub fn nothing() -> Self {
        Self {
            schema: "nofail.rollback/1",
            plan: None,
            rolled_back: false,
            steps: Vec::new(),
        }
    }

    /// What was or would be done.
    pub fn of(record: &Record, steps: Vec<String>, rolled_back: bool) -> Self {
        Self {
            schema: "nofail.rollback/1",
            plan: Some(record.plan.id.to_string()),
            rolled_back,
            steps,
        }
    }
}
