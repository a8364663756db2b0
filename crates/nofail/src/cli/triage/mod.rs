//! `nofail triage`.

mod gather;
mod tui;

use super::{Exit, Format};
use crate::{render, wire};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `nofail triage`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail triage ipsk-mgr-01
  nofail triage ipsk-mgr-01 --site site.toml --ping     also ARP and ping, to its own address
  nofail triage ipsk-mgr-01 --tui                       refreshed on the screen, q leaves

It changes nothing: the steps are for a person to take, the least harmful first.

Exit code: 0 nothing wrong was seen, 1 something is, 2 could not run.")]
pub struct Args {
    /// The guest; it must be on this host.
    pub guest: String,
    /// The site's intent: the VLAN plan, twins, what is lost with the host.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// This host's name in it; its host name where not given.
    #[arg(long, value_name = "NAME", requires = "site")]
    pub host: Option<String>,
    /// Also look for the guest on its network: ARP and one ping from this host, to this address of the
    /// guest (from the host's neighbour table or site.toml where not given).
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "")]
    pub ping: Option<String>,
    /// The host's device in the guest's VLAN for --ping.
    #[arg(long, value_name = "DEVICE", requires = "ping")]
    pub device: Option<String>,
    /// On the whole screen, refreshed every five seconds.
    #[arg(long)]
    pub tui: bool,
    /// Seconds that one question may take.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = crate::input::seconds)]
    pub deadline: Duration,
}

/// Runs the command.
///
/// # Errors
/// No guest of that name here, a site that cannot be read, an address that is not the guest's.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("triage", &[Format::Human, Format::Json])?;
    if args.tui {
        return tui::run(args);
    }
    let found = gather::gather(args)?;
    match format {
        Format::Json => wire::print(&wire::triage::Document::of(&found))?,
        _ => render::print(&render::triage::text(&found))?,
    }
    let bad = |c: &watch::triage::Check| c.finding == watch::triage::Finding::Bad;
    Ok(if found.report.checks.iter().any(bad) {
        Exit::Found
    } else {
        Exit::Good
    })
}

pub use gather::Found;
