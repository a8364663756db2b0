//! `nofail.guard/1`.

use serde::Serialize;
use watch::guard::{Act, Assessment};

const SCHEMA: &str = "nofail.guard/1";

/// The verdict.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    host: &'a str,
    act: &'static str,
    verdict: &'static str,
    on_battery: bool,
    healthy: &'a [String],
    ill: &'a [String],
    reasons: &'a [String],
    instead: &'a [String],
}

impl<'a> Document<'a> {
    /// Of what was found.
    pub fn of(act: Act, found: &'a Assessment) -> Self {
        Self {
            schema: SCHEMA,
            host: &found.host,
            act: act.name(),
            verdict: found.verdict.name(),
            on_battery: found.on_battery,
            healthy: &found.healthy,
            ill: &found.ill,
            reasons: &found.reasons,
            instead: &found.instead,
        }
    }
}

/// What an installation or its removal did.
#[derive(Debug, Serialize)]
pub struct Changed<'a> {
    schema: &'static str,
    steps: &'a [String],
    done: bool,
}

impl<'a> Changed<'a> {
    /// Of its steps.
    pub fn of(steps: &'a [String], done: bool) -> Self {
        Self {
            schema: SCHEMA,
            steps,
            done,
        }
    }
}

/// What stands.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    schema: &'static str,
    systemd_version: Option<u32>,
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Serialize)]
struct Part<'a> {
    part: &'a str,
    stands: bool,
    detail: &'a str,
}

impl<'a> Status<'a> {
    /// Of its parts.
    pub fn of(parts: &'a [(&'static str, bool, String)], systemd_version: Option<u32>) -> Self {
        let part = |(part, stands, detail): &'a (&'static str, bool, String)| Part {
            part,
            stands: *stands,
            detail,
        };
        Self {
            schema: SCHEMA,
            systemd_version,
            parts: parts.iter().map(part).collect(),
        }
    }
}
