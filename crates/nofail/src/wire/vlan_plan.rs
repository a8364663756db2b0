//! `nofail.vlan-plan/1`.

use analysis::vlan::plan::{NoPlan, Plan, Step};
use model::Estate;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    plans: Vec<OnePlan<'a>>,
    refused: Vec<String>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct OnePlan<'a> {
    host: &'a str,
    bridge: &'a str,
    keeps_all: bool,
    /// Where not all are kept: whether every order was tried.
    exhausted: bool,
    overlap: bool,
    moved: &'a [String],
    ended: &'a [String],
    /// Guests whose ports come up otherwise at their next start unless hook or libvirt set them.
    guests: &'a [String],
    steps: Vec<OneStep<'a>>,
}

#[derive(Debug, Serialize)]
struct OneStep<'a> {
    device: &'a str,
    command: &'a str,
    undo: &'a str,
    by_hand: bool,
    temporary: bool,
    own_path: bool,
    cuts_host_alone: bool,
    cut: &'a [String],
}

#[derive(Debug, Serialize)]
struct NotChecked<'a> {
    host: &'a str,
    source: &'a str,
    reason: &'a str,
}

impl<'a> Document<'a> {
    /// Of plans.
    pub fn of(plans: &'a [Plan], refused: &[NoPlan], estate: &'a Estate) -> Self {
        Self {
            schema: "nofail.vlan-plan/1",
            plans: plans.iter().map(one).collect(),
            refused: refused.iter().map(NoPlan::to_string).collect(),
            not_checked: estate
                .not_read
                .iter()
                .map(|n| NotChecked {
                    host: &n.host,
                    source: &n.source,
                    reason: &n.reason,
                })
                .collect(),
        }
    }
}

fn one(plan: &Plan) -> OnePlan<'_> {
    OnePlan {
        host: &plan.host,
        bridge: &plan.bridge,
        keeps_all: plan.keeps_all,
        exhausted: plan.exhausted,
        overlap: plan.overlap,
        moved: &plan.moved,
        ended: &plan.ended,
        guests: &plan.guests,
        steps: plan.steps.iter().map(step).collect(),
    }
}

fn step(step: &Step) -> OneStep<'_> {
    OneStep {
        device: &step.device,
        command: &step.command,
        undo: &step.undo,
        by_hand: step.act.is_switch(),
        temporary: step.temporary,
        own_path: step.own_path,
        cuts_host_alone: step.cuts_host_alone,
        cut: &step.cut,
    }
}
