//! `nofail net`: network changes that take themselves back.

mod apply;
mod end;
mod site;

pub use apply::Plan;

use super::{Exit, Format};
use crate::state;
use change::net::deadman;
use change::net::record::Store;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `nofail net`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Change bridges, ports, VLANs, addresses; take it back unless it is confirmed in time.
    Apply(apply::Args),
    /// Confirm a change, from a new connection; then its profile is written.
    Confirm(end::ConfirmArgs),
    /// Take a change back: now, or long after.
    Rollback(end::RollbackArgs),
    /// How far the last change is, and what was done.
    Status(end::Args),
    /// The process that takes a change back unless it is confirmed.
    #[command(hide = true)]
    DeadMan(end::Args),
    /// Takes back what a reboot interrupted.
    #[command(hide = true)]
    RestoreAfterBoot(end::Args),
}

/// Where the records lie.
#[derive(Clone, Debug, clap::Args)]
pub struct State {
    /// Directory of nofail's state [default: /var/lib/nofail, or NOFAIL_STATE_DIR].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

impl State {
    fn directory(&self) -> PathBuf {
        let given = self.state.clone().unwrap_or_else(state::directory);
        // The process that stands by has another working directory.
        std::path::absolute(&given).unwrap_or(given)
    }

    /// This host, with the lock and the plans that lie beside the records.
    fn root(&self) -> anyhow::Result<change::Root> {
        Ok(change::Root::live()?.at_home(&self.directory()))
    }

    fn store(&self) -> Store {
        Store::new(&self.directory())
    }
}

/// Runs the command.
///
/// # Errors
/// It cannot run; what was changed until then is taken back.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("net", &[Format::Human, Format::Json])?;
    match &args.command {
        Command::Apply(args) => apply::run(args, format),
        Command::Confirm(args) => end::confirm(args, format),
        Command::Rollback(args) => end::rollback(args, format),
        Command::Status(args) => end::status(args, format),
        Command::DeadMan(args) => end::dead_man(args),
        Command::RestoreAfterBoot(args) => end::after_boot(args),
    }
}

/// `60s`, `2m`, `90`: seconds from 1 to 3,600.
fn span(text: &str) -> Result<Duration, String> {
    let (number, factor) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(n) if (1.0..=3600.0).contains(&(n * factor)) => Ok(Duration::from_secs_f64(n * factor)),
        _ => Err("a time from 1s to 60m: 60s, 2m".to_owned()),
    }
}

/// An error as the dead-man's last words.
fn told(error: &deadman::DeadmanError) -> String {
    change::error::chain(error)
}
