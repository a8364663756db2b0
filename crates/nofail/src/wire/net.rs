//! JSON of `nofail net`: `nofail.net/1` (apply) and `nofail.net-status/1`.

use crate::cli::net::Plan;
use change::net::cuts::Who;
use change::net::gate::Judgement;
use change::net::record::Phase;
use serde::Serialize;

/// What `nofail net apply` did.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: &'static str,
    host: String,
    id: Option<String>,
    outcome: String,
    why: Option<String>,
    commands: Vec<String>,
    cuts: Vec<Cut>,
    falls: Vec<String>,
    probes: Vec<String>,
    not_probed: Vec<String>,
    persist: Vec<Vec<String>>,
    edits: Vec<String>,
    profile: Vec<String>,
    notes: Vec<String>,
    by_hand: Vec<String>,
    documents: Vec<String>,
    grounds: Option<String>,
    refused: Vec<Refusal>,
}

#[derive(Debug, Serialize)]
struct Cut {
    who: &'static str,
    guest: Option<String>,
    over: String,
    port: Option<String>,
    why: String,
    certain: bool,
}

#[derive(Debug, Serialize)]
struct Refusal {
    why: String,
    instead: String,
}

impl Document {
    /// Of a plan and its outcome.
    pub fn of(plan: &Plan, id: Option<&str>, outcome: &str, why: Option<&str>) -> Self {
        let cuts = plan.cuts.iter().map(|cut| Cut {
            who: match cut.who {
                Who::Ssh(_) => "ssh",
                Who::Host => "host",
                Who::Guest(_) => "guest",
            },
            guest: match &cut.who {
                Who::Guest(guest) => guest.clone(),
                _ => None,
            },
            over: cut.over.clone(),
            port: cut.port.clone(),
            why: cut.why.clone(),
            certain: cut.certain,
        });
        let (grounds, refused) = match &plan.judgement {
            Judgement::Go(grounds) => (Some(grounds.clone()), Vec::new()),
            Judgement::Refused(refusals) => (
                None,
                refusals
                    .iter()
                    .map(|r| Refusal {
                        why: r.why.clone(),
                        instead: r.instead.clone(),
                    })
                    .collect(),
            ),
        };
        Self {
            schema: "nofail.net/1",
            host: plan.host.clone(),
            id: id.map(str::to_owned),
            outcome: outcome.to_owned(),
            why: why.map(str::to_owned),
            commands: plan.commands.iter().map(ToString::to_string).collect(),
            cuts: cuts.collect(),
            falls: plan.falls.clone(),
            probes: plan.probes.iter().map(ToString::to_string).collect(),
            not_probed: plan.silent.iter().map(ToString::to_string).collect(),
            persist: plan.writing.commands.clone(),
            edits: plan.edits.iter().map(|step| step.what.clone()).collect(),
            profile: plan.writing.differences.clone(),
            notes: plan.writing.notes.clone(),
            by_hand: plan.writing.by_hand.clone(),
            documents: plan.documents.clone(),
            grounds,
            refused,
        }
    }
}

/// How far a change is.
#[derive(Debug, Serialize)]
pub struct Status {
    schema: &'static str,
    id: String,
    phase: Phase,
    why: Option<String>,
    log: Vec<String>,
}

impl Status {
    /// Of one change.
    pub fn of(id: &str, phase: Phase, why: Option<&str>, log: &str) -> Self {
        Self {
            schema: "nofail.net-status/1",
            id: id.to_owned(),
            phase,
            why: why.map(str::to_owned),
            log: log.lines().map(str::to_owned).collect(),
        }
    }
}
