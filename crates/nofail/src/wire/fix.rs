//! `nofail.fix/1`.

use analysis::boot::Boot as Foretold;
use change::Plan;
use change::fix::running;
use change::fix::search::{Found, Left, word};
use change::fix::verify::Verdict;
use change::journal::Record;
use serde::Serialize;

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: &'static str,
    host: String,
    plan: Option<String>,
    applied: bool,
    steps: Vec<Step>,
    refused: Vec<Item>,
    on_request: Vec<Item>,
    by_hand: Vec<Item>,
    network: Vec<Item>,
    change_files: Vec<ChangeFile>,
    new_findings: Vec<String>,
    not_checked: Vec<String>,
    checks: Vec<Check>,
    boot: Boot,
    boot_while_no_server_answers: Boot,
}

/// A change file for `nofail net apply`.
#[derive(Debug, Serialize)]
struct ChangeFile {
    name: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct Step {
    what: String,
    rule: Option<String>,
    rules: Vec<String>,
    safe: bool,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Item {
    rule: &'static str,
    subject: String,
    message: String,
    steps: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Check {
    verdict: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct Boot {
    before: Option<&'static str>,
    after: Option<&'static str>,
}

fn items(left: &[Left]) -> Vec<Item> {
    left.iter()
        .map(|left| Item {
            rule: left.rule,
            subject: left.subject.clone(),
            message: left.message.clone(),
            steps: left.steps.clone(),
        })
        .collect()
}

impl Document {
    /// What was found and what became of it; `record` where the plan was applied.
    pub fn of(plan: &Plan, record: Option<&Record>, found: &Found, verdicts: &[Verdict]) -> Self {
        let boot = |boots: &Option<(Foretold, Foretold)>| Boot {
            before: boots.as_ref().map(|(before, _)| word(before.outcome)),
            after: boots.as_ref().map(|(_, after)| word(after.outcome)),
        };
        let state = |index| record.map_or("planned", |r| r.step_state(index));
        Self {
            schema: "nofail.fix/1",
            host: found.host.clone(),
            plan: record.map(|r| r.plan.id.to_string()),
            applied: record.is_some(),
            steps: plan
                .steps
                .iter()
                .enumerate()
                .map(|(index, step)| Step {
                    what: step.what.clone(),
                    rule: step.rules.first().cloned(),
                    rules: step.rules.clone(),
                    safe: step.safe,
                    state: state(index),
                })
                .collect(),
            refused: items(&found.refused),
            on_request: items(&found.on_request),
            by_hand: items(&found.by_hand),
            network: items(&found.network),
            change_files: running::files(&found.pieces)
                .into_iter()
                .map(|(name, text)| ChangeFile { name, text })
                .collect(),
            new_findings: found.new.clone(),
            not_checked: found.not_checked.clone(),
            checks: verdicts
                .iter()
                .map(|verdict| match verdict {
                    Verdict::Agrees(text) => ("agrees", text),
                    Verdict::NotAsked(text) => ("not-asked", text),
                    Verdict::Objects(text) => ("objects", text),
                })
                .map(|(verdict, text)| Check {
                    verdict,
                    text: text.clone(),
                })
                .collect(),
            boot: boot(&found.boot),
            boot_while_no_server_answers: boot(&found.boot_alone),
        }
    }
}
