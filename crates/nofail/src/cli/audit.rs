//! `nofail audit`.

use super::{Exit, Format};
use crate::input::Input;
use crate::{render, wire};
use anyhow::bail;
use clap::ValueEnum;
use rules::{Selection, Severity};

/// Flags of `nofail audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail audit                                 this host
  nofail audit --root /mnt/sysroot             a dead host's disk, from a rescue shell
  nofail audit --site site.toml --only fstab   a site, one area of rules
  nofail audit --format sarif > audit.sarif    for a code-scanning service")]
pub struct Args {
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
    /// Only these rules, or areas of rules.
    #[arg(long, value_name = "RULE", num_args = 1.., help_heading = "Options")]
    pub only: Vec<String>,
    /// The least severity that makes the exit code 1.
    #[arg(long, value_enum, default_value_t, help_heading = "Options")]
    pub fail_on: FailOn,
}

/// From which severity on the exit code is 1.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum FailOn {
    /// Errors.
    #[default]
    Error,
    /// Warnings and errors.
    Warning,
    /// Any finding.
    Info,
    /// None.
    Never,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only(
        "audit",
        &[Format::Human, Format::Json, Format::Sarif, Format::Markdown],
    )?;
    let selection = Selection {
        only: args.only.clone(),
    };
    let rules = match selection.rules() {
        Ok(rules) => rules,
        Err(name) => bail!("no rule or area `{name}`; `nofail rules` lists them"),
    };
    let estate = args.input.estate()?;
    let audit = rules::audit(&estate, &rules);
    match format {
        Format::Json => wire::print(&wire::audit::Audit::from(&audit))?,
        Format::Sarif => wire::print(&wire::sarif::log(&audit))?,
        Format::Markdown => render::markdown::audit(&audit)?,
        Format::Human | Format::Dot | Format::Mermaid => render::audit::print(&audit)?,
    }
    let worst = audit.worst();
    // The process ends here: to free a thousand hosts piece by piece takes seconds.
    std::mem::forget((estate, audit));
    let least = match args.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Info => Severity::Info,
        FailOn::Never => return Ok(Exit::Good),
    };
    Ok(if worst >= Some(least) {
        Exit::Found
    } else {
        Exit::Good
    })
}
