//! `nofail plans` and `nofail plans show ID`: every change of this host, network changes too.

use super::{Exit, Format};
use crate::{render, wire};
use anyhow::bail;
use change::history::{self, Entry};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Flags of `nofail plans`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail plans                            every change that nofail made on this host
  nofail plans show 20260413-210501-123456
  nofail plans --root /mnt/sysroot        the journal on a dead host's disk")]
pub struct Args {
    /// What to do; lists the plans where not given.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// A directory that holds a host's files: its journal lies in it.
    #[arg(long, value_name = "DIR", global = true)]
    pub root: Option<PathBuf>,
}

/// What to do with plans.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show one plan: its steps and what became of them.
    Show {
        /// The plan's ID, as `nofail plans` lists it.
        id: String,
    },
}

/// The root that a flag names, or this host.
///
/// # Errors
/// It cannot be opened.
pub fn root(given: Option<&Path>) -> anyhow::Result<change::Root> {
    Ok(match given {
        Some(directory) => change::Root::rooted(directory)?,
        None => change::Root::live()?.at_home(&std::path::absolute(crate::state::directory())?),
    })
}

/// Runs the command.
///
/// # Errors
/// The journal cannot be read, or there is no such plan.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("plans", &[Format::Human, Format::Json])?;
    let root = root(args.root.as_deref())?;
    match &args.action {
        Some(Action::Show { id }) => {
            let entry = history::load(&root, id)?;
            match (format, &entry) {
                (_, Entry::Plan((_, Err(_))) | Entry::Net(_, Err(_))) => {
                    bail!("{}", wire::plans::why(&entry))
                }
                (Format::Json, Entry::Plan((_, Ok(record)))) => {
                    wire::print(&wire::plans::One::from(record))?;
                }
                (_, Entry::Plan((_, Ok(record)))) => render::plans::one(record)?,
                (Format::Json, Entry::Net(_, Ok(change))) => {
                    wire::print(&wire::plans::One::from(change.as_ref()))?;
                }
                (_, Entry::Net(_, Ok(change))) => render::plans::net(change)?,
            }
        }
        None => {
            let all = history::list(&root)?;
            match format {
                Format::Json => wire::print(&wire::plans::List::from(all.as_slice()))?,
                _ => render::plans::list(&all)?,
            }
        }
    }
    Ok(Exit::Good)
}
