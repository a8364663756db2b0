//! `nofail switch`: what changed on a switch, and the lines that mend a finding. Nothing is ever
//! sent to a switch: captures in, text out.

mod commands;
mod diff;

use super::{Exit, Format};
use ::facts::switch::{self, Switch};
use anyhow::{Context, anyhow, bail};
use std::path::{Path, PathBuf};

/// Flags of `nofail switch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Tell what changed in meaning between two captures of a switch.
    Diff(diff::Args),
    /// Print the configuration lines that mend what was found on switches.
    Commands(commands::Args),
}

/// Runs the command.
///
/// # Errors
/// A capture that cannot be read, or that is no IOS text.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Diff(args) => diff::run(args, format),
        Command::Commands(args) => commands::run(args, format),
    }
}

/// Reads captures of one switch: files, and the text files of directories, in order of names.
fn captures(paths: &[PathBuf]) -> anyhow::Result<Switch> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            for entry in std::fs::read_dir(path)
                .with_context(|| format!("cannot read {}", path.display()))?
            {
                let file = entry?.path();
                if file.is_file() && !is_hidden(&file) {
                    files.push(file);
                }
            }
            if files.len() == before {
                bail!("{} holds no file", path.display());
            }
            files[before..].sort();
        } else {
            files.push(path.clone());
        }
    }
    let mut read = Vec::new();
    for file in &files {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
        let text = String::from_utf8_lossy(&bytes);
        read.push(switch::parse(&name, &text).map_err(|error| anyhow!("{name}:{error}"))?);
    }
    if let Some((one, other)) = two_names(&read) {
        bail!("these captures are of two switches, {one} and {other}");
    }
    Ok(Switch::merge(read))
}

fn is_hidden(file: &Path) -> bool {
    file.file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn two_names(captures: &[Switch]) -> Option<(String, String)> {
    let mut names = captures.iter().filter_map(|capture| capture.name.clone());
    let first = names.next()?;
    names
        .find(|name| *name != first)
        .map(|other| (first, other))
}
