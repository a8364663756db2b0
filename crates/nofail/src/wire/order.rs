//! `nofail.order/1`.

use super::model::Need;
use super::not_checked::{NotChecked, not_checked};
use crate::cli::graph::Model;
use crate::render::order::{Plan, act, ready};
use analysis::impact::acts;
use analysis::impact::order::Order;
use model::graph::{Index, Start};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    host: Option<&'a str>,
    starts_by_itself: bool,
    waves: Vec<Vec<Member>>,
    stuck: Vec<String>,
    never: Vec<String>,
    circle: Option<Circle<'a>>,
    acts: Vec<Act<'a>>,
    fewest: bool,
    emergency: Vec<Emergency<'a>>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Member {
    component: String,
    ready: Option<String>,
    by_hand: bool,
    after_acts: bool,
}

#[derive(Debug, Serialize)]
struct Circle<'a> {
    members: Vec<String>,
    at_boot: bool,
    cut: Act<'a>,
}

#[derive(Debug, Serialize)]
struct Act<'a> {
    of: String,
    need: Need<'a>,
    text: String,
}

#[derive(Debug, Serialize)]
struct Emergency<'a> {
    host: &'a str,
    cause: &'a str,
}

impl<'a> Act<'a> {
    fn of(model: &'a Model, one: &acts::Act) -> Self {
        Self {
            of: model.name(one.of),
            need: Need::of(model, &model.graph.clauses(one.of)[one.clause]),
            text: act(model, one),
        }
    }
}

impl<'a> Document<'a> {
    /// Of an order.
    pub fn of(model: &'a Model, order: &'a Order, plan: &'a Plan) -> Self {
        let member = |i: &Index| Member {
            component: model.name(*i),
            ready: ready(model, *i),
            by_hand: model.graph.component(*i).start == Start::Person,
            after_acts: order.stuck.contains(i),
        };
        Self {
            schema: "nofail.order/1",
            host: plan.host.as_deref(),
            starts_by_itself: order.stuck.is_empty()
                && order.doomed.is_empty()
                && order.by_hand.is_empty()
                && plan.emergency.is_empty(),
            waves: plan
                .waves
                .iter()
                .map(|w| w.iter().map(member).collect())
                .collect(),
            stuck: model.names(&order.stuck),
            never: model.names(&order.doomed),
            circle: order.circle.as_ref().map(|c| Circle {
                members: model.names(&c.members),
                at_boot: c.at_boot,
                cut: Act::of(model, &c.cut),
            }),
            acts: order.acts.iter().map(|a| Act::of(model, a)).collect(),
            fewest: order.fewest,
            emergency: plan
                .emergency
                .iter()
                .map(|(host, cause)| Emergency { host, cause })
                .collect(),
            not_checked: not_checked(model),
        }
    }
}
