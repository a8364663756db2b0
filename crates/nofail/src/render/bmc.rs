//! What a person sees of `nofail bmc check`.

use super::style::{Style, paint};
use facts::bmc::Check;
use facts::bmc::check::State;
use std::fmt::Write as _;

/// One paragraph per BMC.
pub fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let verdict = if check.is_good() {
            paint(Style::Green, "good")
        } else if check.lets_in() {
            paint(Style::Yellow, "lets you in, with faults")
        } else {
            paint(Style::Red, "does not let you in")
        };
        let _ = writeln!(
            text,
            "{}: {} at {}: {verdict}",
            paint(Style::Bold, &check.host),
            check.kind,
            check.address
        );
        for (name, answer) in check.answers() {
            let mark = match answer.state {
                State::Good => paint(Style::Green, "good"),
                State::Bad => paint(Style::Red, "bad"),
                State::NotChecked => paint(Style::Yellow, "not checked"),
            };
            let seen = if answer.seen.is_empty() {
                "the question before was not answered"
            } else {
                &answer.seen
            };
            let _ = writeln!(text, "  {name:<10} {mark}: {seen}");
        }
        for (what, let_in) in &check.weak {
            let mark = if *let_in {
                paint(Style::Red, "LETS IN")
            } else {
                paint(Style::Green, "refused")
            };
            let _ = writeln!(text, "  weak       {mark}: {what}");
        }
        if let Some(from) = check.from_address {
            let way = match (check.gateway, check.on_link) {
                (Some(gateway), _) => format!(" over {gateway}"),
                (None, true) => " on the same link".to_owned(),
                (None, false) => String::new(),
            };
            let _ = writeln!(text, "  seen from  {} ({from}){way}", check.from_host);
        }
    }
    text
}
