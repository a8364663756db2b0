//! `nofail vlan`: where frames go, what to change in which order, what survives a boot.

pub mod reconcile;

use super::{Exit, Format};

/// Flags of `nofail vlan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep guests' ports on their VLANs.
    Reconcile(reconcile::Args),
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Reconcile(args) => reconcile::run(args, format),
    }
}
