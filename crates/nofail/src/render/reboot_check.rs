//! The verdict on a reboot as a person sees it.

use super::blast;
use super::boot::{heading, item};
use super::style::{Style, paint};
use crate::cli::graph::Model;
use analysis::impact::reboot::{Check, Verdict};
use model::graph::Index;

/// The word for a verdict.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Safe => "safe",
        Verdict::Losses => "safe with losses",
        Verdict::Unsafe => "unsafe",
    }
}

fn painted(verdict: Verdict, text: &str) -> String {
    let style = match verdict {
        Verdict::Safe => Style::Green,
        Verdict::Losses => Style::Yellow,
        Verdict::Unsafe => Style::Red,
    };
    paint(style, text)
}

/// The whole text.
pub fn text(model: &Model, host: Index, check: &Check, why: bool) -> String {
    let mut out = String::new();
    let verdict = painted(check.verdict, word(check.verdict));
    let name = &model.graph.component(host).name;
    item(&mut out, "", &format!("rebooting {name} now: {verdict}"));
    for reason in &check.reasons {
        let label = match reason.verdict {
            Verdict::Unsafe => "unsafe",
            Verdict::Losses => "loss  ",
            Verdict::Safe => "note  ",
        };
        item(
            &mut out,
            &format!("  {}  ", painted(reason.verdict, label)),
            &reason.text,
        );
    }
    if !check.instead.is_empty() {
        heading(&mut out, "Instead, or first");
        for text in &check.instead {
            item(&mut out, "  - ", text);
        }
    }
    if why {
        out.push('\n');
        out.push_str(&blast::text(model, &[host], &check.blast, true));
    }
    out
}
