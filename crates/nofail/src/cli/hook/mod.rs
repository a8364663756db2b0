//! `nofail hook`: libvirt's hook that gives guests' ports their VLANs.

mod install;
mod verify;

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
    /// Put the hook where this host's libvirt runs it.
    #[command(after_help = INSTALL_EXAMPLES)]
    Install(InstallArgs),
    /// Take the hook away, and put a former script back.
    Uninstall(UninstallArgs),
    /// Tell why the hook does not fire, or prove that it does.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  virsh dumpxml bind-01 | nofail hook run bind-01 started begin -
  journalctl -t nofail-hook -o verbose";

const INSTALL_EXAMPLES: &str = "\
Examples:
  nofail hook install --site site.toml             copies the VLAN map and writes the hook
  nofail hook install --site site.toml --yes       and has the daemon look for hooks again
  nofail hook install --root /mnt/sysroot --site site.toml
  nofail hook install --policy block --dry-run

Exit code: 0 in place, 1 the daemon still has to look for hooks again, 2 could not be done.";

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

/// Arguments of `nofail hook install`.
#[derive(Clone, Debug, ClapArgs)]
pub struct InstallArgs {
    /// A directory that holds a host's files, instead of this host.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The site's intent: copied to /etc/nofail/site.toml.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// What to do with a guest whose plan cannot be met.
    #[arg(long, value_enum, default_value_t)]
    pub policy: Policy,
    /// Seconds after which the hook ends, whatever hangs.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = crate::input::seconds)]
    pub deadline: Duration,
    /// The nofail that libvirt runs; this very program where not given.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// As libvirt's network hook as well.
    #[arg(long)]
    pub network: bool,
    /// Have the daemon look for hooks again without asking.
    #[arg(long)]
    pub yes: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
}

/// Arguments of `nofail hook uninstall`.
#[derive(Clone, Debug, ClapArgs)]
pub struct UninstallArgs {
    /// A directory that holds a host's files, instead of this host.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  nofail hook verify                   one cause, or what was ruled out
  nofail hook verify --start-probe     starts a throw-away guest to see the hook fire
  nofail hook verify --root /mnt/sysroot

Exit code: 0 no cause was found, 1 a cause was found, 2 could not run.";

/// Arguments of `nofail hook verify`.
#[derive(Clone, Debug, ClapArgs)]
pub struct VerifyArgs {
    /// A directory that holds a host's files, instead of this host.
    #[arg(long, value_name = "DIR", conflicts_with = "start_probe")]
    pub root: Option<PathBuf>,
    /// Start a throw-away guest, paused and without disk or network, and end it again.
    #[arg(long)]
    pub start_probe: bool,
    /// Seconds that one look may take.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = crate::input::seconds)]
    pub deadline: Duration,
}

/// Runs `nofail hook`.
///
/// # Errors
/// What keeps the command from running.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    match &args.command {
        // Taken before the rest of the command line is built, see `crate::hook::early_main`.
        Command::Run(_) => anyhow::bail!("`nofail hook run` takes no option before `hook`"),
        Command::Install(args) => install::install(args, format),
        Command::Uninstall(args) => install::uninstall(args, format),
        Command::Verify(args) => verify::run(args, format),
    }
}
