//! `nofail hook`: libvirt's hook that gives guests' ports their VLANs.

use super::{Exit, Format};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `nofail hook`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of `nofail hook`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set the VLANs of a guest's ports: what libvirt runs. Prints nothing.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  virsh dumpxml bind-01 | nofail hook run bind-01 started begin -
  journalctl -t nofail-hook -o verbose";

/// What to do with a guest whose plan cannot be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// It starts; the failure stands in the journal.
    #[default]
    Allow,
    /// It does not start. A guest that already runs is never stopped.
    Block,
}

/// Arguments of `nofail hook run`.
#[derive(Clone, Debug, ClapArgs)]
pub struct RunArgs {
    /// The site's intent, for its VLAN map.
    #[arg(long, value_name = "FILE", default_value = crate::hook::SITE)]
    pub site: PathBuf,
    /// What to do with a guest whose plan cannot be met.
    #[arg(long, value_enum, default_value_t)]
    pub policy: Policy,
    /// Seconds after which it ends, whatever hangs.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = crate::input::seconds)]
    pub deadline: Duration,
    /// The guest (or for the network hook the network), as libvirt names it.
    #[arg(allow_hyphen_values = true)]
    pub object: String,
    /// `prepare`, `start`, `started`, `stopped`, `release`, `migrate`, `restore`, `reconnect`, or
    /// `port-created`.
    pub operation: String,
    /// `begin` or `end`.
    #[arg(default_value = "-", allow_hyphen_values = true)]
    pub sub_operation: String,
    /// What else libvirt says; not used.
    #[arg(allow_hyphen_values = true)]
    pub extra: Vec<String>,
}

/// Runs `nofail hook`.
///
/// # Errors
/// What keeps the command from running.
pub fn run(args: &Args, _format: Format) -> anyhow::Result<Exit> {
    match &args.command {
        // Taken before the rest of the command line is built, see `crate::hook::early_main`.
        Command::Run(_) => anyhow::bail!("`hook run` is to be run as the first words"),
    }
}
