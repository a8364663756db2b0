//! JSON of `nofail bmc check`: `nofail.bmc/1`.

use facts::bmc::Check;
use facts::bmc::check::State;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: &'static str,
    checks: Vec<One>,
}

#[derive(Debug, Serialize)]
struct One {
    host: String,
    address: String,
    kind: String,
    at: String,
    from_host: String,
    from_address: Option<String>,
    gateway: Option<String>,
    on_link: bool,
    lets_in: bool,
    answers: Vec<Answer>,
    weak: Vec<Weak>,
}

#[derive(Debug, Serialize)]
struct Answer {
    question: &'static str,
    state: &'static str,
    seen: String,
}

#[derive(Debug, Serialize)]
struct Weak {
    tried: String,
    let_in: bool,
}

impl Document {
    /// Of some checks.
    pub fn of(checks: &[Check]) -> Self {
        Self {
            schema: "nofail.bmc/1",
            checks: checks.iter().map(one).collect(),
        }
    }
}

fn one(check: &Check) -> One {
    let answers = check
        .answers()
        .into_iter()
        .map(|(question, answer)| Answer {
            question,
            state: match answer.state {
                State::Good => "good",
                State::Bad => "bad",
                State::NotChecked => "not-checked",
            },
            seen: answer.seen.clone(),
        });
    let weak = check.weak.iter().map(|(tried, let_in)| Weak {
        tried: tried.clone(),
        let_in: *let_in,
    });
    One {
        host: check.host.clone(),
        address: check.address.clone(),
        kind: check.kind.clone(),
        at: check.at.clone(),
        from_host: check.from_host.clone(),
        from_address: check.from_address.map(|a| a.to_string()),
        gateway: check.gateway.map(|a| a.to_string()),
        on_link: check.on_link,
        lets_in: check.lets_in(),
        answers: answers.collect(),
        weak: weak.collect(),
    }
}
