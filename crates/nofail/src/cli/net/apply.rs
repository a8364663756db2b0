//! `nofail net apply`.

use super::site::Here;
use super::{State, span};
use crate::cli::{Exit, Format};
use crate::{render, state, wire};
use anyhow::{Context, bail};
use change::journal::Id;
use change::net::cuts::cuts;
use change::net::deadman::{self, Kind};
use change::net::difference::commands;
use change::net::gate::{Asked, Judgement, judge};
use change::net::persist::{Writing, writing};
use change::net::probe::{Probe, To};
use change::net::record::{Handle, Phase, Record, SCHEMA};
use change::net::session::{Connection, Process};
use change::net::target::{Target, target};
use change::net::{Command, Declared, State as Network, read, run as runner};
use change::plan::Step;
use facts::bmc::Check;
use facts::ip::lookup;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `nofail net apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file says what must be so; what it does not name stays as it is:
  [bridges.br-mgmt]
  pvid = 100                       # what the host itself speaks
  default_pvid = 0
  [bridges.br-mgmt.ports.eno1]     # becomes a port where it is none
  pvid = 100
  tagged = [10, 20, 30]
Further keys: create (make the bridge), vlan_filtering, untagged, addresses, gateway, uplinks, remove; [interfaces.NAME] with
up, addresses, gateway.

Examples:
  nofail net apply pvid.toml --dry-run               what it would do, and whom it would cut
  nofail net apply pvid.toml --confirm 60s --bmc-proof proof.json
  nofail net confirm                                 from a NEW connection, within the minute

The old state comes back, kernel and profile, when nobody confirms in time, when the gateway, a
--probe or your end of the SSH connection no longer answers, when nofail is killed, and after a
reboot. The profile (of NetworkManager, systemd-networkd, netplan or ifupdown, whichever is in charge)
is written only once it is confirmed.

Exit code: 0 confirmed (or nothing to do), 1 taken back, or a dry run with something to do,
2 could not run, 3 refused.")]
pub struct Args {
    /// The declared state.
    pub file: PathBuf,
    /// How long to wait for `nofail net confirm`.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span)]
    pub confirm: Duration,
    /// Show everything, change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// I sit at the console (or have it open): the way in need not be proven.
    #[arg(long)]
    pub console: bool,
    /// This is an incident: go on without a proven way in. Takes --reason.
    #[arg(long)]
    pub incident: bool,
    /// Why; kept in the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The site's intent [default: /etc/nofail/site.toml, where it is there].
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// A check of this host's BMC, made elsewhere with `nofail bmc check HOST -o FILE`.
    #[arg(long, value_name = "FILE")]
    pub bmc_proof: Option<PathBuf>,
    /// What else must answer afterwards: ADDRESS (ping) or ADDRESS:PORT (TCP).
    #[arg(long, value_name = "ADDRESS", value_parser = To::parse)]
    pub probe: Vec<To>,
    /// How long the way may take to come up.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = span)]
    pub probe_for: Duration,
    /// Where the records lie.
    #[command(flatten)]
    pub state: State,
}

/// Everything that is known and decided before anything is done.
#[derive(Debug)]
pub struct Plan {
    /// The host.
    pub host: String,
    /// The commands.
    pub commands: Vec<Command>,
    /// Whom it cuts.
    pub cuts: Vec<change::net::cuts::Cut>,
    /// What falls with the guests that it cuts.
    pub falls: Vec<String>,
    /// What must answer afterwards.
    pub probes: Vec<Probe>,
    /// What does not answer even now, and is not asked afterwards.
    pub silent: Vec<Probe>,
    /// What writes the profile once confirmed.
    pub writing: Writing,
    /// The files of it that are edited, with their diffs.
    pub edits: Vec<Step>,
    /// Documents that belong to it.
    pub documents: Vec<String>,
    /// Whether it may run.
    pub judgement: Judgement,
}

/// Runs the command.
///
/// # Errors
/// It cannot run; what was changed until then is taken back.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("cannot read {}", args.file.display()))?;
    let declared = Declared::parse(&args.file.display().to_string(), &text)?;
    let here = Here::read(args.site.as_deref())?;
    let variable = std::env::var("SSH_CONNECTION").ok();
    let connection = Connection::current(variable.as_deref());
    let before = present(&here)?;
    let has_vlans = read::has_vlans(&before);
    let target = target(&declared, &before, has_vlans)?;
    let plan = plan(args, &here, &connection, &before, &target)?;
    let shown = |id: Option<&str>, outcome: &str, why: Option<&str>| -> anyhow::Result<()> {
        match format {
            Format::Json => wire::print(&wire::net::Document::of(&plan, id, outcome, why)),
            _ => Ok(()),
        }
    };
    if format == Format::Human {
        render::print(&render::net::plan(&plan, &connection, args.confirm))?;
    }
    if plan.commands.is_empty() {
        shown(None, "nothing-to-do", None)?;
        return Ok(Exit::Good);
    }
    if args.dry_run {
        shown(None, "dry-run", None)?;
        return Ok(Exit::Found);
    }
    let Judgement::Go(grounds) = &plan.judgement else {
        shown(None, "refused", None)?;
        return Ok(Exit::Unsafe);
    };
    if !args.yes && !agreed(format)? {
        shown(None, "not-agreed", None)?;
        return Ok(Exit::Found);
    }
    let record = record(args, &here, &connection, before, &target, &plan, grounds)?;
    let handle = args
        .state
        .store()
        .create(&args.state.root()?, &record, &program()?)?;
    if record.boot_unit.is_some() {
        deadman::make_boot_unit(&handle, &args.state.directory())?;
    }
    let kind = match deadman::start(&handle, &args.state.directory()) {
        Ok(kind) => kind,
        Err(error) => {
            // Nothing was changed yet: the record ends here.
            let _ = handle.advance(&[Phase::Prepared], Phase::Restored, Some(error.to_string()));
            deadman::remove_boot_unit(&record);
            return Err(error).context("nothing was changed");
        }
    };
    // The process that stands by must not be judged by a state that others changed meanwhile.
    handle.advance(&[Phase::Prepared], Phase::Applying, None)?;
    apply(&handle, &record, &plan.commands)?;
    if format == Format::Human {
        tell(&render::net::waiting(
            &handle.id,
            args.confirm,
            kind == Kind::Unit,
        ));
    }
    let (phase, why) = wait(&handle, &record, format)?;
    let outcome = match phase {
        Phase::Confirmed => "confirmed",
        Phase::Restored => "taken-back",
        _ => "not-wholly-taken-back",
    };
    shown(Some(&handle.id), outcome, why.as_deref())?;
    if format == Format::Human {
        tell(&render::net::ended(&handle.id, phase, why.as_deref()));
    }
    Ok(match phase {
        Phase::Confirmed => Exit::Good,
        Phase::Restored => Exit::Found,
        _ => Exit::Failed,
    })
}

/// The kernel's state, with the guests' names at their ports.
pub(super) fn present(here: &Here) -> anyhow::Result<Network> {
    let mut state = read::state(runner::DEADLINE)?;
    for (name, device) in &mut state.devices {
        if let Some(guest) = here.guest_of(name) {
            device.role = Some(facts::bridge::Role::Guest);
            device.guest = Some(guest);
        }
    }
    Ok(state)
}

fn plan(
    args: &Args,
    here: &Here,
    connection: &Connection,
    before: &Network,
    target: &Target,
) -> anyhow::Result<Plan> {
    let ends = connection.ssh.as_ref();
    let commands = commands(before, &target.state, &target.scope);
    let cuts = cuts(before, &target.state, ends, &|uplink| here.native(uplink));
    let falls = here.falls_with(&cuts);
    let (probes, silent) = probes(args, connection, before, target);
    let profiles = here.estate.host(&here.host).map(|h| h.profiles.as_slice());
    let writing = writing(
        profiles.unwrap_or_default(),
        before,
        &target.state,
        &target.scope.devices,
        &files(),
    );
    let edits = writing.steps(&args.state.root()?)?;
    let bridges: Vec<String> = target
        .scope
        .devices
        .iter()
        .filter(|d| {
            target
                .state
                .devices
                .get(*d)
                .is_some_and(|d| d.bridge.is_some())
        })
        .cloned()
        .collect();
    let proof = proof(args, here)?;
    let asked = Asked {
        ssh: connection.is_ssh(),
        ends,
        console: args.console,
        incident: args.incident,
        reason: args.reason.as_deref(),
        proof: proof.as_ref(),
        proof_age: proof.as_ref().map_or(0, age),
        own_addresses: before
            .devices
            .values()
            .flat_map(|d| d.addresses.iter().map(|a| a.local))
            .collect(),
        guest_addresses: here.guest_addresses(),
        gateway_guests: here.gateway_guests(),
        in_window: here.in_window(),
    };
    Ok(Plan {
        host: here.host.clone(),
        judgement: judge(&asked),
        commands,
        cuts,
        falls,
        probes,
        silent,
        writing,
        edits,
        documents: here.documents(&bridges),
    })
}

/// The proof that was given, else the one that is kept here.
fn proof(args: &Args, here: &Here) -> anyhow::Result<Option<Check>> {
    let Some(file) = &args.bmc_proof else {
        return state::bmc_check(&args.state.directory(), &here.host);
    };
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let check = state::parse_bmc_check(&text).with_context(|| file.display().to_string())?;
    if check.host != here.host {
        bail!(
            "{} is of the BMC of {}, and this is {}",
            file.display(),
            check.host,
            here.host
        );
    }
    Ok(Some(check))
}

/// Seconds since a check; very old where it does not say when.
fn age(check: &Check) -> i64 {
    let at: Result<jiff::Timestamp, _> = check.at.parse();
    at.map_or(i64::MAX, |at| {
        jiff::Timestamp::now().as_second() - at.as_second()
    })
}

/// What must answer afterwards: the gateways and the other end of SSH where they answer now, and
/// whatever was asked for.
fn probes(
    args: &Args,
    connection: &Connection,
    before: &Network,
    target: &Target,
) -> (Vec<Probe>, Vec<Probe>) {
    let mut wanted = Vec::new();
    if let Some(ssh) = &connection.ssh {
        wanted.push(Probe {
            to: To::Ping(ssh.client),
            what: "your end of this SSH connection".to_owned(),
        });
    }
    let outside: [std::net::IpAddr; 2] = [
        [192, 0, 2, 1].into(),
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
    ];
    for to in outside {
        let hop = |state: &Network| lookup(&state.routes, to)?.hops.first()?.via;
        if let Some(gateway) = hop(&target.state) {
            let asked = hop(before) != Some(gateway);
            let probe = Probe {
                to: To::Ping(gateway),
                what: if asked {
                    "the new gateway"
                } else {
                    "the gateway"
                }
                .to_owned(),
            };
            if !wanted.iter().any(|p: &Probe| p.to == probe.to) {
                wanted.push(probe);
            }
        }
    }
    let (mut probes, silent): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .partition(|p| p.what == "the new gateway" || deadman::answers(p.to));
    probes.extend(args.probe.iter().map(|to| Probe {
        to: *to,
        what: "what you asked for".to_owned(),
    }));
    (probes, silent)
}

fn record(
    args: &Args,
    here: &Here,
    connection: &Connection,
    before: Network,
    target: &Target,
    plan: &Plan,
    grounds: &str,
) -> anyhow::Result<Record> {
    let origin = crate::cli::rollback::origin(args.reason.clone());
    let id = Id::of(&origin.when).to_string();
    let profiles = plan.writing.saved(&args.state.root()?)?;
    Ok(Record {
        schema: SCHEMA.to_owned(),
        host: here.host.clone(),
        boot_id: change::net::session::boot_id(),
        origin,
        connection: connection.clone(),
        applier: Process::own(),
        grounds: grounds.to_owned(),
        before,
        target: target.state.clone(),
        devices: target.scope.devices.clone(),
        has_vlans: target.scope.has_vlans,
        commands: plan.commands.iter().map(ToString::to_string).collect(),
        confirm_seconds: args.confirm.as_secs_f64(),
        probe_seconds: args.probe_for.as_secs_f64(),
        probes: plan.probes.clone(),
        persist: plan.writing.commands.clone(),
        profiles,
        edits: plan.edits.clone(),
        boot_unit: deadman::systemd_is_ours().then(|| deadman::boot_unit(&id)),
        id,
    })
}

/// How profile files are read here.
pub(super) fn files() -> change::profile::Host<'static> {
    change::profile::Host {
        read: &|path| std::fs::read_to_string(path).ok(),
        nmcli: true,
        writer: change::profile::Writer::NetApply,
    }
}

/// This program's own file, to be copied beside the record.
fn program() -> anyhow::Result<PathBuf> {
    std::fs::read_link("/proc/self/exe").context("cannot tell which file this program is")
}

fn agreed(format: Format) -> anyhow::Result<bool> {
    if format == Format::Json || !std::io::stdin().is_terminal() {
        eprintln!("nofail: nothing is changed without --yes");
        return Ok(false);
    }
    let mut out = std::io::stderr().lock();
    write!(out, "Apply it? [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Says something to a terminal that may be gone: that stops nothing.
fn tell(text: &str) {
    let _ = render::print(text);
}

/// Runs the commands. A failure is left to the process that stands by, which takes all back.
fn apply(handle: &Handle, record: &Record, commands: &[Command]) -> anyhow::Result<()> {
    let fails = |why: String| {
        handle
            .advance(&[Phase::Applying], Phase::Failed, Some(why))
            .map(|_| ())
    };
    for command in commands {
        if let Err(error) = runner::run(&command.words()) {
            fails(change::error::chain(&error))?;
            return Ok(());
        }
        handle.note(&format!("apply: {command}"));
    }
    // What the kernel took along (a subnet's other addresses) is put right once; what then still
    // differs is a failure.
    for round in 0..2 {
        let left = runner::left_to_target(record)?;
        if left.is_empty() {
            handle.advance(&[Phase::Applying], Phase::Applied, None)?;
            return Ok(());
        }
        if round == 1 {
            let left: Vec<String> = left.iter().map(ToString::to_string).collect();
            fails(format!(
                "the kernel is not where it should be; left: {}",
                left.join("; ")
            ))?;
            return Ok(());
        }
        for command in left {
            tell(&format!("  {command}\n"));
            if let Err(error) = runner::run(&command.words()) {
                fails(change::error::chain(&error))?;
                return Ok(());
            }
            handle.note(&format!("apply: {command}"));
        }
    }
    Ok(())
}

/// Waits for the end. If the process that stands by is gone, its work is done here.
fn wait(
    handle: &Handle,
    record: &Record,
    format: Format,
) -> anyhow::Result<(Phase, Option<String>)> {
    let mut said = Phase::Applied;
    loop {
        let progress = handle.progress()?;
        if progress.phase.is_end() || progress.phase == Phase::RestoreFailed {
            return Ok((progress.phase, progress.why));
        }
        if progress.phase == Phase::Waiting && said != Phase::Waiting {
            said = Phase::Waiting;
            if format == Format::Human {
                tell(&render::net::probed(record));
            }
        }
        if !handle.watcher().is_some_and(Process::lives) {
            // Under systemd it comes back by itself within a moment.
            std::thread::sleep(Duration::from_secs(2));
            if !handle.watcher().is_some_and(Process::lives) && !handle.progress()?.phase.is_end() {
                handle.note("the process that stood by died; the applying one does its work");
                if let Err(error) = deadman::watch(handle) {
                    handle.note(&change::error::chain(&error));
                }
                continue;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
