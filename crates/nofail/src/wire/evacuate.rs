//! `nofail.evacuate/1`.

use change::Plan;
use change::evacuate::remove::Kept;
use change::evacuate::{Refusal, Survey, space};
use change::journal::Record;
use facts::Snapshot;
use serde::Serialize;

const SCHEMA: &str = "nofail.evacuate/1";

/// The answer to an evacuation.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: &'static str,
    host: String,
    guest: String,
    mode: &'static str,
    to: Option<String>,
    plan: Option<String>,
    applied: bool,
    moves: Vec<Move>,
    left: Vec<Left>,
    refused: Vec<Refused>,
    notes: Vec<String>,
    space: Space,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Move {
    disk: String,
    from: String,
    to: String,
    kept: Option<String>,
    format: String,
    virtual_size: u64,
    needs: u64,
    backing: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Left {
    disk: String,
    source: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct Refused {
    disk: Option<String>,
    why: String,
    advice: String,
}

#[derive(Debug, Serialize)]
struct Space {
    mount: Option<String>,
    needed: u64,
    available: u64,
}

#[derive(Debug, Serialize)]
struct Step {
    what: String,
    state: &'static str,
}

fn refused(refused: &[Refusal]) -> Vec<Refused> {
    let of = |r: &Refusal| Refused {
        disk: r.disk.clone(),
        why: r.why.clone(),
        advice: r.advice.clone(),
    };
    refused.iter().map(of).collect()
}

fn steps(plan: Option<&Plan>, record: Option<&Record>) -> Vec<Step> {
    let steps = plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    steps
        .iter()
        .enumerate()
        .map(|(index, step)| Step {
            what: step.what.clone(),
            state: record.map_or("planned", |r| r.step_state(index)),
        })
        .collect()
}

impl Document {
    /// What was found, planned and done; `record` where the plan was applied.
    pub fn of(survey: &Survey, plan: Option<&Plan>, record: Option<&Record>) -> Self {
        let target = &survey.target;
        let known = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            schema: SCHEMA,
            host: survey.host.clone(),
            guest: survey.guest.clone(),
            mode: survey.mode.name(),
            to: known(&target.directory),
            plan: record.map(|r| r.plan.id.to_string()),
            applied: record.is_some(),
            moves: survey
                .moves
                .iter()
                .map(|m| Move {
                    disk: m.disk.clone(),
                    from: m.from.clone(),
                    to: m.to.clone(),
                    kept: m.kept.clone(),
                    format: m.format.clone(),
                    virtual_size: m.virtual_size,
                    needs: m.needs,
                    backing: m.backing.clone(),
                })
                .collect(),
            left: survey
                .left
                .iter()
                .map(|l| Left {
                    disk: l.disk.clone(),
                    source: l.source.clone(),
                    why: l.why.clone(),
                })
                .collect(),
            refused: refused(&survey.refused),
            notes: survey.notes.clone(),
            space: Space {
                mount: known(&target.mount),
                needed: space::needed(&survey.moves),
                available: target.available,
            },
            steps: steps(plan, record),
        }
    }
}

/// The answer to `--remove-source`, under the same schema.
#[derive(Debug, Serialize)]
pub struct Removal {
    schema: &'static str,
    host: String,
    guest: String,
    plan: Option<String>,
    applied: bool,
    kept: Vec<Original>,
    refused: Vec<Refused>,
    unused_backing: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Original {
    disk: String,
    path: String,
    moved_to: String,
    moved_by: String,
}

impl Removal {
    /// What is kept, and what became of it.
    pub fn of(
        snapshot: &Snapshot,
        guest: &str,
        kept: &[Kept],
        against: &[Refusal],
        orphaned: &[String],
        plan: Option<&Plan>,
        record: Option<&Record>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            host: snapshot.host.clone(),
            guest: guest.to_owned(),
            plan: record.map(|r| r.plan.id.to_string()),
            applied: record.is_some(),
            kept: kept
                .iter()
                .map(|kept| Original {
                    disk: kept.disk.disk.clone(),
                    path: kept.path.clone(),
                    moved_to: kept.disk.to.clone(),
                    moved_by: kept.plan.to_string(),
                })
                .collect(),
            refused: refused(against),
            unused_backing: orphaned.to_vec(),
            steps: steps(plan, record),
        }
    }
}
