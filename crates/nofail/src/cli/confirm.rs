//! The contract of every command that changes a host: it shows what it would do; on a terminal it
//! asks; `--yes` answers in advance; anywhere else nothing is changed.

use crate::render::output;
use std::io::{BufRead, IsTerminal, Write};

/// What became of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Yes,
    /// The person said no.
    No,
    /// Nobody was there to ask, or only a look was wanted.
    NotAsked,
}

/// Asks, unless it is answered already.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn ask(question: &str, yes: bool, dry_run: bool) -> anyhow::Result<Answer> {
    if dry_run {
        return Ok(Answer::NotAsked);
    }
    if yes {
        return Ok(Answer::Yes);
    }
    if !std::io::stdin().is_terminal() || !output::is_terminal() {
        return Ok(Answer::NotAsked);
    }
    let mut out = output::stdout();
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        _ => Answer::No,
    })
}
