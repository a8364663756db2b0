//! `nofail guard`: before the reboot button.

mod ask;
mod assess;
mod hold;
mod manage;

use super::{Exit, Format};
use crate::{render, wire};
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;
use watch::guard::{Act, Verdict};

/// Flags of `nofail guard`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail guard install --site /etc/nofail/site.toml    wrappers, inhibitor, Ctrl-Alt-Del
  nofail guard status                                  what stands, and what it catches
  nofail guard check reboot && ansible …               0 go, 1 go with losses, 3 unsafe, 2 could not say
  NOFAIL_OVERRIDE='kvm-01: UPS dying' reboot           a script's way past it; recorded
  nofail guard uninstall

It asks only those who come by a guarded path. `reboot -f` by its full path, `systemctl --force --force`,
`kexec -e`, sysrq, Ctrl-Alt-Del more than seven times within two seconds and the BMC ask nobody.")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the guard.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Put the guard in place on this host.
    Install(manage::Install),
    /// What stands, and what it catches.
    Status,
    /// Whether this host may go down now; for scripts.
    Check {
        /// Reboot, or power off.
        #[arg(value_enum, default_value_t)]
        act: CheckedAct,
        /// The site's intent; that of the installation where not given.
        #[arg(long, value_name = "FILE")]
        site: Option<PathBuf>,
        /// This host's name in it; its host name where not given.
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
    },
    /// Take the guard away.
    Uninstall(manage::Uninstall),
    /// Asked by the wrappers.
    #[command(hide = true)]
    Ask {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Holds logind's inhibitor while going down would not be safe.
    #[command(hide = true)]
    Hold,
    /// Ctrl-Alt-Del was pressed.
    #[command(hide = true)]
    Pressed,
}

/// What is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckedAct {
    /// A reboot.
    #[default]
    Reboot,
    /// Powering off.
    Poweroff,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or a file cannot be written.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("guard", &[Format::Human, Format::Json])?;
    match &args.action {
        Action::Install(args) => manage::install(args, format),
        Action::Uninstall(args) => manage::uninstall(args, format),
        Action::Status => manage::status(format),
        Action::Check { act, site, host } => {
            let act = match act {
                CheckedAct::Reboot => Act::Reboot,
                CheckedAct::Poweroff => Act::PowerOff,
            };
            let settings = assess::Settings::read_or(site.as_deref(), host.as_deref());
            let found = assess::within_deadline(&settings);
            match format {
                Format::Json => wire::print(&wire::guard::Document::of(act, &found))?,
                _ => render::print(&render::guard::text(act, &found))?,
            }
            // As `guard ask` decides: on battery it goes on, whatever is lost with it.
            Ok(match found.verdict {
                Verdict::Losses | Verdict::Unknown | Verdict::Unsafe if found.on_battery => {
                    Exit::Found
                }
                Verdict::Go => Exit::Good,
                Verdict::Losses => Exit::Found,
                Verdict::Unknown => Exit::Failed,
                Verdict::Unsafe => Exit::Unsafe,
            })
        }
        Action::Ask { command } => ask::ask(command),
        Action::Hold => hold::hold(),
        Action::Pressed => ask::pressed(),
    }
}
