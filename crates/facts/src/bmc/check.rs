//! A check of a BMC from outside: what was asked of it over the network, and what it answered.
//! Kept as `nofail.bmc-check/1`; it never holds credentials.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Schema of a kept check.
pub const SCHEMA: &str = "nofail.bmc-check/1";

/// One check of one BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Host whose BMC it is.
    pub host: String,
    /// Its address, with the port where it is not the usual one.
    pub address: String,
    /// `ipmi` or `redfish`.
    pub kind: String,
    /// When, RFC 3339, UTC.
    pub at: String,
    /// The machine that checked.
    pub from_host: String,
    /// The address that it spoke from.
    pub from_address: Option<IpAddr>,
    /// The router on its way, where there is one.
    pub gateway: Option<IpAddr>,
    /// Whether the BMC was on the same link.
    pub on_link: bool,
    /// It answers.
    pub reachable: Answer,
    /// It lets the user in.
    pub login: Answer,
    /// It tells whether the host has power.
    pub power: Answer,
    /// It offers the host's console.
    pub console: Answer,
    /// Its clock is right.
    pub clock: Answer,
    /// Weak spots that were tried for, only where asked: what was tried, and whether it let us in.
    pub weak: Vec<(String, bool)>,
}

/// What became of one question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// How it ended.
    pub state: State,
    /// What was seen, or why nothing was.
    pub seen: String,
}

/// How one question ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Could not be asked.
    #[default]
    NotChecked,
}

impl Answer {
    /// As it should be.
    pub fn good(seen: impl Into<String>) -> Self {
        Self {
            state: State::Good,
            seen: seen.into(),
        }
    }

    /// Not as it should be.
    pub fn bad(seen: impl Into<String>) -> Self {
        Self {
            state: State::Bad,
            seen: seen.into(),
        }
    }

    /// Could not be asked.
    pub fn not_checked(why: impl Into<String>) -> Self {
        Self {
            state: State::NotChecked,
            seen: why.into(),
        }
    }
}

impl Check {
    /// Every question with its name, in the order in which they are asked.
    pub fn answers(&self) -> [(&'static str, &Answer); 5] {
        [
            ("reachable", &self.reachable),
            ("login", &self.login),
            ("power", &self.power),
            ("console", &self.console),
            ("clock", &self.clock),
        ]
    }

    /// Whether it is a way in: it answers, lets in and rules the power.
    pub fn lets_in(&self) -> bool {
        [&self.reachable, &self.login, &self.power]
            .iter()
            .all(|a| a.state == State::Good)
    }

    /// Whether everything is as it should be, and nothing weak was found.
    pub fn is_good(&self) -> bool {
        self.answers().iter().all(|(_, a)| a.state == State::Good)
            && self.weak.iter().all(|(_, let_in)| !let_in)
    }

    /// The first thing that is not as it should be, in words.
    pub fn summary(&self) -> String {
        let answers = self.answers();
        let wrong = answers.iter().find(|(_, a)| a.state == State::Bad);
        let wrong = wrong.or_else(|| answers.iter().find(|(_, a)| a.state == State::NotChecked));
        if let Some((name, answer)) = wrong {
            return format!("{name}: {}", answer.seen);
        }
        match self.weak.iter().find(|(_, let_in)| *let_in) {
            Some((what, _)) => format!("it let us in with {what}"),
            None => "all good".to_owned(),
        }
    }
}
