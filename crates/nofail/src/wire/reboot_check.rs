//! `nofail.reboot-check/1`.

use super::blast::Radius;
use super::not_checked::{NotChecked, not_checked};
use crate::cli::graph::Model;
use analysis::impact::reboot::{Check, Verdict};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    host: &'a str,
    verdict: &'static str,
    reasons: Vec<Reason<'a>>,
    instead: &'a [String],
    #[serde(flatten)]
    radius: Radius<'a>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Reason<'a> {
    verdict: &'static str,
    text: &'a str,
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Safe => "safe",
        Verdict::Losses => "losses",
        Verdict::Unsafe => "unsafe",
    }
}

impl<'a> Document<'a> {
    /// Of a check.
    pub fn of(model: &'a Model, host: &'a str, check: &'a Check) -> Self {
        let reason = |r: &'a analysis::impact::reboot::Weighty| Reason {
            verdict: word(r.verdict),
            text: &r.text,
        };
        Self {
            schema: "nofail.reboot-check/1",
            host,
            verdict: word(check.verdict),
            reasons: check.reasons.iter().map(reason).collect(),
            instead: &check.instead,
            radius: Radius::of(model, &check.blast),
            not_checked: not_checked(model),
        }
    }
}
