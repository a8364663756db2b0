//! The ends of a change: confirmed, taken back, or watched until one of the two.

use super::site::Here;
use super::{State, told};
use crate::cli::{Exit, Format};
use crate::{render, wire};
use anyhow::{Context, bail};
use change::net::record::{Handle, Phase, Progress, Record};
use change::net::session::{Connection, boot_id, seconds_since_boot};
use change::net::{deadman, persist, read, run as runner, since};
use std::time::{Duration, Instant};

/// Flags of `nofail net rollback`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A change that waits for its confirmation is taken back at once. One that was confirmed is taken back
only while profile and kernel are as it left them: what others changed since would be lost, so that
it is listed and --force is asked for. Nothing stands by meanwhile: over SSH it takes --console.

Exit code: 0 taken back or nothing to take back, 2 not (wholly) taken back, 3 refused.")]
pub struct RollbackArgs {
    /// Which change; the unfinished one, else the last.
    pub id: Option<String>,
    /// Also where profile or kernel was changed by someone else since; that change is lost.
    #[arg(long)]
    pub force: bool,
    /// I sit at the console (or have it open), and can mend what taking back cuts.
    #[arg(long)]
    pub console: bool,
    /// Where the records lie.
    #[command(flatten)]
    pub state: State,
}

/// Flags of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which change; the unfinished one, else the last.
    pub id: Option<String>,
    /// Where the records lie.
    #[command(flatten)]
    pub state: State,
}

/// Flags of `nofail net confirm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Confirm from a connection that was made after the change: a new SSH session, not a window of tmux,
not a shared (ControlMaster) one. That it could be made is the proof.

Exit code: 0 confirmed and written, 1 taken back instead, 2 could not run, 3 refused.")]
pub struct ConfirmArgs {
    /// Which change; the unfinished one.
    pub id: Option<String>,
    /// I sit at the console, and have seen that the host can be reached.
    #[arg(long)]
    pub console: bool,
    /// Where the records lie.
    #[command(flatten)]
    pub state: State,
}

/// `nofail net confirm`.
///
/// # Errors
/// There is nothing to confirm, or its record cannot be used.
pub fn confirm(args: &ConfirmArgs, format: Format) -> anyhow::Result<Exit> {
    let Some(handle) = args.state.store().pick(args.id.as_deref())? else {
        bail!("there is no change to confirm");
    };
    let record = handle.record()?;
    let progress = still_probing(&handle)?;
    if progress.phase != Phase::Waiting {
        bail!(
            "the change {} is {}{}",
            handle.id,
            progress.phase.text(),
            progress.why.map(|w| format!(": {w}")).unwrap_or_default()
        );
    }
    let late = seconds_since_boot() - progress.applied - record.confirm_seconds;
    if record.boot_id != boot_id() || late > 0.0 {
        bail!(
            "the change {} was not confirmed within {} s; it is taken back: nofail net status",
            handle.id,
            record.confirm_seconds
        );
    }
    let variable = std::env::var("SSH_CONNECTION").ok();
    let connection = Connection::current(variable.as_deref());
    if !args.console
        && let Some(why) = connection.why_not_new(&record.connection, progress.applied)
    {
        eprintln!(
            "nofail: not confirmed: {why}\n  confirm from a new SSH connection, or at the console with --console"
        );
        return Ok(Exit::Unsafe);
    }
    handle.advance(&[Phase::Waiting], Phase::Confirming, None)?;
    let written = persist::write(&record, &handle).map_err(|e| change::error::chain(&e));
    let checked = written
        .and_then(|()| in_profile(&handle))
        .and_then(|()| since::keep(&record, &handle).map_err(|e| change::error::chain(&e)));
    if let Err(why) = checked {
        handle.advance(
            &[Phase::Confirming],
            Phase::Failed,
            Some(format!("the profile: {why}")),
        )?;
        let phase = settled(&handle, Duration::from_secs(60))?;
        show(&handle, phase.phase, phase.why.as_deref(), format)?;
        return Ok(Exit::Found);
    }
    handle.advance(&[Phase::Confirming], Phase::Confirmed, None)?;
    deadman::remove_boot_unit(&record);
    show(&handle, Phase::Confirmed, None, format)?;
    Ok(Exit::Good)
}

/// Whether the profiles now say what was confirmed: nothing is left to write.
fn in_profile(handle: &Handle) -> Result<(), String> {
    let record = handle.record().map_err(|e| change::error::chain(&e))?;
    if record.persist.is_empty() && record.edits.is_empty() {
        return Ok(());
    }
    let reader = ::collect::LocalReader::live().map_err(|e| e.to_string())?;
    let snapshot = ::collect::collect(&reader, &::collect::Options::default());
    let left = persist::writing(
        &snapshot.profiles,
        // Only VLANs are read back this way; addresses were when the change was planned.
        &record.target,
        &record.target,
        &record.devices,
        &super::apply::files(),
    );
    if left.is_empty() {
        Ok(())
    } else {
        let left = left.differences.join("; ");
        Err(format!("it does not hold what was written: {left}"))
    }
}

/// Probing may take a moment: whoever confirms at once waits for it.
fn still_probing(handle: &Handle) -> anyhow::Result<Progress> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let progress = handle.progress()?;
        let early = matches!(progress.phase, Phase::Applying | Phase::Applied);
        if !early || Instant::now() > end {
            return Ok(progress);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a change that goes back has ended.
fn settled(handle: &Handle, patience: Duration) -> anyhow::Result<Progress> {
    let end = Instant::now() + patience;
    loop {
        let progress = handle.progress()?;
        if progress.phase.is_end() || Instant::now() > end {
            return Ok(progress);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `nofail net rollback`.
///
/// # Errors
/// The old state is not wholly back.
pub fn rollback(args: &RollbackArgs, format: Format) -> anyhow::Result<Exit> {
    let Some(handle) = args.state.store().pick(args.id.as_deref())? else {
        render::print("there is no change to take back\n")?;
        return Ok(Exit::Good);
    };
    let progress = handle.progress()?;
    if progress.phase == Phase::Restored {
        show(&handle, Phase::Restored, progress.why.as_deref(), format)?;
        return Ok(Exit::Good);
    }
    let record = handle.record()?;
    // What is at its end is a change of its own, which must not meet a plan that runs.
    let by = crate::cli::rollback::origin(None);
    let _lock = progress
        .phase
        .is_end()
        .then(|| {
            args.state
                .store()
                .lock(&args.state.root()?, &by)
                .map_err(anyhow::Error::from)
        })
        .transpose()?;
    if progress.phase == Phase::Confirmed
        && let Some(why) = why_not_back(args, &handle, &record)?
    {
        eprintln!("nofail: {why}");
        return Ok(Exit::Unsafe);
    }
    deadman::restore_until(&handle, &record, Duration::from_secs(10))
        .with_context(|| format!("the change {} is not wholly taken back", handle.id))?;
    show(&handle, Phase::Restored, None, format)?;
    Ok(Exit::Good)
}

/// Why a confirmed change is not taken back as things are, and what to do.
fn why_not_back(
    args: &RollbackArgs,
    handle: &Handle,
    record: &Record,
) -> anyhow::Result<Option<String>> {
    let variable = std::env::var("SSH_CONNECTION").ok();
    if !args.console && Connection::current(variable.as_deref()).is_ssh() {
        return Ok(Some(format!(
            "the change {} was confirmed, and nothing would stand by while it is taken back over SSH:\n  \
             declare the old state and `nofail net apply` it, or sit at the console and say --console",
            handle.id
        )));
    }
    if args.force {
        return Ok(None);
    }
    let now = super::apply::present(&Here::read(None)?)?;
    let changed = since::changed(record, handle, &now)
        .with_context(|| format!("what became of the change {} cannot be told", handle.id))?;
    Ok((!changed.is_empty()).then(|| {
        format!(
            "since the change {id} was confirmed, others changed what it left:\n  {}\n  \
             taking it back would lose that; where that is meant: nofail net rollback {id} --force",
            changed.join("\n  "),
            id = handle.id
        )
    }))
}

/// `nofail net status`.
///
/// # Errors
/// A record cannot be used.
pub fn status(args: &Args, format: Format) -> anyhow::Result<Exit> {
    let Some(handle) = args.state.store().pick(args.id.as_deref())? else {
        render::print("there was no change\n")?;
        return Ok(Exit::Good);
    };
    let progress = handle.progress()?;
    match format {
        Format::Json => wire::print(&wire::net::Status::of(
            &handle.id,
            progress.phase,
            progress.why.as_deref(),
            &handle.log(),
        ))?,
        _ => render::print(&render::net::status(&handle, &progress))?,
    }
    Ok(if progress.phase.is_end() {
        Exit::Good
    } else {
        Exit::Found
    })
}

fn show(handle: &Handle, phase: Phase, why: Option<&str>, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => wire::print(&wire::net::Status::of(
            &handle.id,
            phase,
            why,
            &handle.log(),
        )),
        _ => render::print(&render::net::ended(&handle.id, phase, why)),
    }
}

/// The process that stands by.
///
/// # Errors
/// Its record cannot be used, or the old state is not wholly back.
pub fn dead_man(args: &Args) -> anyhow::Result<Exit> {
    let handle = args.state.store().pick(args.id.as_deref())?;
    let handle = handle.context("no change is named")?;
    if !deadman::detach(&handle, &args.state.directory())? {
        return Ok(Exit::Good);
    }
    match deadman::watch(&handle) {
        Ok(_) => Ok(Exit::Good),
        Err(error) => {
            handle.note(&told(&error));
            Err(error.into())
        }
    }
}

/// After a reboot in the middle: devices come up one after another, so what is to be restored is
/// waited for.
///
/// # Errors
/// As [`dead_man`].
pub fn after_boot(args: &Args) -> anyhow::Result<Exit> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let handle = args.state.store().pick(args.id.as_deref())?;
    let handle = handle.context("no change is named")?;
    let record = handle.record()?;
    let phase = handle.progress()?.phase;
    if phase.is_end() {
        deadman::remove_boot_unit(&record);
        return Ok(Exit::Good);
    }
    if record.boot_id == boot_id() {
        // No reboot: the process that stands by does it.
        return Ok(Exit::Good);
    }
    let open = [
        Phase::Prepared,
        Phase::Applying,
        Phase::Applied,
        Phase::Waiting,
        Phase::Confirming,
        Phase::Restoring,
        Phase::RestoreFailed,
        Phase::Failed,
    ];
    handle.advance(
        &open,
        Phase::Failed,
        Some("the host was rebooted in the middle".to_owned()),
    )?;
    let end = Instant::now() + PATIENCE;
    loop {
        let now = read::state(runner::DEADLINE)?;
        let hardware = |name: &&String| {
            let device = record.before.devices.get(*name);
            device.is_some_and(|d| d.bridge.is_none() && d.role != Some(facts::bridge::Role::Guest))
        };
        let mut awaited = record.devices.iter().filter(hardware);
        if awaited.all(|name| now.devices.contains_key(name)) || Instant::now() > end {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    deadman::restore_until(&handle, &record, PATIENCE)?;
    Ok(Exit::Good)
}
