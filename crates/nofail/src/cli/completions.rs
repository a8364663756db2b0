//! `nofail completions SHELL` and `nofail man DIR`: made from the same definition as the parser.

use super::{Cli, Exit};
use crate::render::output;
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;

/// Flags of `nofail completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nofail completions bash > /etc/bash_completion.d/nofail")]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Flags of `nofail man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Folder to write `nofail.1`, `nofail-audit.1`, … into.
    pub directory: PathBuf,
}

/// Prints a completion script.
///
/// # Errors
/// Standard output cannot be written.
pub fn completions(args: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nofail", &mut script);
    output::stdout().write_all(&script)?;
    Ok(Exit::Good)
}

/// Writes the manual pages.
///
/// # Errors
/// The folder cannot be written.
pub fn man(args: &Man) -> anyhow::Result<Exit> {
    let place = || args.directory.display().to_string();
    std::fs::create_dir_all(&args.directory).with_context(place)?;
    clap_mangen::generate_to(Cli::command(), &args.directory).with_context(place)?;
    Ok(Exit::Good)
}
