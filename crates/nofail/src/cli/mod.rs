//! The command line: one file per command.

pub mod advise;
pub mod audit;
pub mod blast;
pub mod bmc;
pub mod boot;
pub mod collect;
pub mod completions;
pub mod confirm;
pub mod cutsets;
pub mod evacuate;
pub mod events;
pub mod explain;
pub mod fix;
pub mod fix_remote;
pub mod graph;
pub mod guard;
pub mod hook;
pub mod incident;
pub mod init;
pub mod model;
pub mod net;
pub mod order;
pub mod plans;
pub mod read;
pub mod reboot_check;
pub mod rollback;
pub mod rules;
pub mod shared;
pub mod switch;
pub mod triage;
pub mod vlan;
pub mod watch;

use crate::render::output;
use clap::{Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

/// What a command ends with, see DESIGN: 0 good, 1 found something, 2 could not run, 3 unsafe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing to complain of.
    Good = 0,
    /// Found something: findings, losses, a broken item.
    Found = 1,
    /// Could not run.
    Failed = 2,
    /// Unsafe, or nothing but *not checked* left.
    Unsafe = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Human,
    /// One JSON document with a `schema`.
    Json,
    /// SARIF 2.1.0 (audit).
    Sarif,
    /// Markdown (audit, incident).
    Markdown,
    /// Graphviz (model).
    Dot,
    /// Mermaid (model).
    Mermaid,
}

impl Format {
    /// Refuses a format that a command does not know.
    ///
    /// # Errors
    /// Names the formats that it knows.
    pub fn only(self, command: &str, known: &[Self]) -> anyhow::Result<()> {
        if known.contains(&self) {
            return Ok(());
        }
        let name = |format: &Self| {
            format
                .to_possible_value()
                .map_or_else(String::new, |v| v.get_name().to_owned())
        };
        anyhow::bail!(
            "`nofail {command}` does not print {}; it prints {}",
            name(&self),
            known.iter().map(name).collect::<Vec<_>>().join(", ")
        )
    }
}

/// Keeps one failure from becoming an outage on KVM/libvirt hosts.
#[derive(Debug, Parser)]
#[command(
    name = "nofail",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rank what a service rests on by what its mend is worth.
    Advise(advise::Args),
    /// Name the weaknesses of a host or a site, with evidence.
    Audit(audit::Args),
    /// What is lost with some components, and what does not come back.
    Blast(blast::Args),
    /// Ask a BMC from outside: would it let you in today?
    Bmc(bmc::Args),
    /// Foretell the next boot: mounts, delays, emergency mode, guests.
    Boot(boot::Args),
    /// Read a host into a snapshot.
    Collect(collect::Args),
    /// libvirt's hook that gives guests' ports their VLANs.
    Hook(hook::Args),
    /// Mend what the audit finds, with a way back.
    Fix(fix::Args),
    /// Draft a first site.toml from what is there.
    Init(init::Args),
    /// Why a guest went down: the most probable cause, with evidence.
    Explain(explain::Args),
    /// Stand before the reboot button.
    Guard(guard::Args),
    /// Move a guest's disks off the NAS, with their whole backing chains.
    Evacuate(evacuate::Args),
    /// Find what fails together: exact minimal cut sets.
    Cutsets(cutsets::Args),
    /// Show what the recorder has kept: what happened on this host, and when.
    Events(events::Args),
    /// Measure the action items of a post-mortem.
    Incident(incident::Args),
    /// Show what depends on what.
    Model(model::Args),
    /// Network changes that take themselves back unless confirmed.
    Net(net::Args),
    /// The start order after everything was down, and circles in it.
    Order(order::Args),
    /// List the changes that nofail made, or show one.
    Plans(plans::Args),
    /// Whether a host may be rebooted now.
    RebootCheck(reboot_check::Args),
    /// Show what one parser makes of one file.
    Read(read::Args),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// Write the manual pages.
    Man(completions::Man),
    /// Take a change back.
    Rollback(rollback::Args),
    /// List the rules, or show one's page.
    Rules(rules::Args),
    /// What the members of an HA group share that fails them together.
    Shared(shared::Args),
    /// What changed on a switch, and the lines that mend a finding.
    Switch(switch::Args),
    /// What ails one guest, and the least harmful next step.
    Triage(triage::Args),
    /// The daemon: see what happens on this host, record it, tell people.
    Watch(watch::Args),
    /// Where frames go, what to change in which order, what survives a boot.
    /// VLANs from the switch to the guest: where frames go, and what keeps them there.
    Vlan(vlan::Args),
}

/// Parses the command line, runs the command, prints errors. Never panics on input.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Of help and version clap would not tell that they could not be written.
        Err(told) if !told.use_stderr() => {
            return end(told
                .print()
                .map_err(|e| output::named(e).into())
                .map(|()| Exit::Good));
        }
        Err(refused) => refused.exit(),
    };
    let format = cli.format;
    let ended = match &cli.command {
        Command::Advise(args) => advise::run(args, format),
        Command::Blast(args) => blast::run(args, format),
        Command::Explain(args) => explain::run(args, format),
        Command::Guard(args) => guard::run(args, format),
        Command::Model(args) => model::run(args, format),
        Command::Order(args) => order::run(args, format),
        Command::RebootCheck(args) => reboot_check::run(args, format),
        Command::Shared(args) => shared::run(args, format),
        Command::Audit(args) => audit::run(args, format),
        Command::Bmc(args) => bmc::run(args, format),
        Command::Net(args) => net::run(args, format),
        Command::Boot(args) => boot::run(args, format),
        Command::Collect(args) => collect::run(args, format),
        Command::Hook(args) => hook::run(args, format),
        Command::Fix(args) => fix::run(args, format),
        Command::Init(args) => init::run(args, format),
        Command::Cutsets(args) => cutsets::run(args, format),
        Command::Evacuate(args) => evacuate::run(args, format),
        Command::Events(args) => events::run(args, format),
        Command::Incident(args) => incident::run(args, format),
        Command::Read(args) => read::run(args, format),
        Command::Completions(args) => completions::completions(args),
        Command::Man(args) => completions::man(args),
        Command::Plans(args) => plans::run(args, format),
        Command::Rollback(args) => rollback::run(args, format),
        Command::Rules(args) => rules::run(args, format),
        Command::Switch(args) => switch::run(args, format),
        Command::Triage(args) => triage::run(args, format),
        Command::Watch(args) => watch::run(args, format),
        Command::Vlan(args) => vlan::run(args, format),
    };
    end(ended)
}

/// Sees that all output is out, and prints what went wrong.
fn end(ended: anyhow::Result<Exit>) -> ExitCode {
    match ended.and_then(|exit| Ok(output::finish().map(|()| exit)?)) {
        Ok(exit) => exit.into(),
        Err(error) if is_closed_pipe(&error) => Exit::Good.into(),
        Err(error) => {
            eprintln!("nofail: {error:#}");
            Exit::Failed.into()
        }
    }
}

/// Whether the reader of our output went away (`nofail audit | head`): no fault of ours.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
