//! `nofail vlan`: where frames go, what to change in which order, what survives a boot.

pub mod map;
pub mod persist;
pub mod plan;
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
    /// Show the path of every guest's VLANs to the switch and back.
    Map(map::Args),
    /// Plan the way to the VLANs of site.toml, in an order that cuts nobody off.
    Plan(plan::Args),
    /// Write the kernel's VLANs into the network profile, so that they survive a boot.
    Persist(persist::Args),
    /// Keep guests' ports on their VLANs.
    Reconcile(reconcile::Args),
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Map(args) => map::run(args, format),
        Command::Plan(args) => plan::run(args, format),
        Command::Persist(args) => persist::run(args, format),
        Command::Reconcile(args) => reconcile::run(args, format),
    }
}
