//! Minimal cut sets as a person sees them.

use super::output;
use crate::cli::cutsets::Found;
use std::io::{BufWriter, Write as _};

/// So many of the most important events are shown.
const IMPORTANT: usize = 20;

/// Columns of a line.
const WIDTH: usize = 100;

/// Prints the numbers by order, the single points of failure, and what else was asked for.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(found: &Found<'_>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(output::stdout());
    let names = found.tree.events();
    let name = |event: analysis::cutsets::EventId| names[event.0 as usize].as_str();
    let count = found.solution.count().to_string();
    writeln!(out, "{}, top event {}", found.model, found.top)?;
    writeln!(
        out,
        "{} minimal cut sets in {:.3} s",
        thousands(&count),
        found.seconds
    )?;
    for (order, n) in found.solution.by_order() {
        writeln!(out, "  order {order:>3}  {:>26}", thousands(&n.to_string()))?;
    }
    if let (Some(limit), true) = (found.max_order, found.solution.is_cut()) {
        writeln!(out, "cut at order {limit}: larger sets are left out")?;
    }
    let single = found.solution.single_points();
    if !single.is_empty() {
        writeln!(out, "single points of failure:")?;
        for event in single {
            writeln!(out, "  {}", name(event))?;
        }
    }
    if found.list {
        writeln!(out, "sets:")?;
        for set in found.solution.sets() {
            let mut width = 0;
            for event in set {
                let name = name(event);
                let takes = name.chars().count() + 2;
                if width > 0 && width + takes > WIDTH {
                    write!(out, "\n  ")?;
                    width = 2;
                }
                write!(out, "  {name}")?;
                width += takes;
            }
            writeln!(out)?;
        }
    }
    if let Some((top, importance)) = &found.probability {
        writeln!(out, "probability of the top event: {top:.6e}")?;
        writeln!(out, "  {:>14}  {:>14}  event", "Fussell-Vesely", "Birnbaum")?;
        for row in importance.iter().take(IMPORTANT) {
            let (share, birnbaum) = (row.fussell_vesely, row.birnbaum);
            writeln!(
                out,
                "  {share:>14.6}  {birnbaum:>14.6e}  {}",
                name(row.event)
            )?;
        }
        if importance.len() > IMPORTANT {
            let more = importance.len() - IMPORTANT;
            writeln!(out, "  and {more} more (--format json has them all)")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Digits in groups of three.
fn thousands(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}
