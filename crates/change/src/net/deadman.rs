//! The dead-man: a process of its own that brings the old state back unless a person confirms,
//! whatever becomes of the terminal, the SSH session and the nofail that applied.

use super::persist;
use super::probe::To;
use super::record::{Handle, Phase, Progress, Record, RecordError};
use super::run::{self, RestoreError};
use super::session::seconds_since_boot;
use crate::error::chain;
use collect::command::{self, CommandError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How often it looks.
const TICK: Duration = Duration::from_millis(50);
/// Seconds that applying, or writing the profile, may take.
const WORK_SECONDS: f64 = 120.0;
/// How long its progress may be unreadable.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a restoration that does not succeed is tried again.
const RETRY: Duration = Duration::from_secs(300);

/// Why it could not do its work.
#[derive(Debug, Error)]
pub enum DeadmanError {
    /// Its record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It cannot be started.
    #[error("cannot start the process that would bring the old state back")]
    Start(#[from] CommandError),
    /// It cannot be started without systemd.
    #[error("cannot start {}", .0.display())]
    Spawn(PathBuf, #[source] std::io::Error),
    /// It did not say that it stands by.
    #[error("the process that would bring the old state back did not come up")]
    NotThere,
    /// The old state is not wholly back.
    #[error("the old state is not wholly back")]
    Restore(#[from] RestoreError),
}

/// How it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A transient unit of systemd, restarted if it is killed.
    Unit,
    /// A process in a session of its own.
    Session,
}

/// Starts it and waits until it stands by. Without systemd, or in a network namespace that is
/// not systemd's, it is a process in a session of its own.
///
/// # Errors
/// It does not come up within ten seconds: then nothing may be changed.
pub fn start(handle: &Handle, state_dir: &Path) -> Result<Kind, DeadmanError> {
    let program = handle.program();
    let state = state_dir.display().to_string();
    let kind = if systemd_is_ours() {
        Kind::Unit
    } else {
        Kind::Session
    };
    let own = [
        program.display().to_string(),
        "net".into(),
        "dead-man".into(),
        handle.id.clone(),
    ];
    match kind {
        Kind::Unit => {
            let unit = format!("--unit=nofail-net-{}", handle.id);
            // Through a shell: under SELinux init may not run what lies below /var/lib itself.
            let line = "exec \"$0\" net dead-man \"$1\" --state \"$2\"";
            let args = [
                "--quiet",
                "--collect",
                &unit,
                "--property=Restart=on-failure",
                "--property=RestartSec=100ms",
                "--property=StartLimitIntervalSec=0",
                "--property=OOMScoreAdjust=-900",
                "--property=KillMode=process",
                "/bin/sh",
                "-c",
                line,
                own[0].as_str(),
                handle.id.as_str(),
                &state,
            ];
            command::output("systemd-run", &args, run::DEADLINE)?;
        }
        Kind::Session => {
            #[expect(
                clippy::disallowed_methods,
                reason = "this child must outlive us; the wrapper waits for its children"
            )]
            let mut child = std::process::Command::new(&program);
            child
                .args(&own[1..])
                .args(["--state", &state])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // It makes a session of its own as its first act, see `detach`.
                .current_dir("/");
            let child = child.spawn();
            child.map_err(|error| DeadmanError::Spawn(program.clone(), error))?;
        }
    }
    let end = Instant::now() + run::DEADLINE;
    while Instant::now() < end {
        if handle.watcher().is_some_and(super::session::Process::lives) {
            return Ok(kind);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(DeadmanError::NotThere)
}

/// Whether systemd runs here and sees the network that we see.
pub fn systemd_is_ours() -> bool {
    let namespace = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/net")).ok();
    Path::new("/run/systemd/system").is_dir() && namespace("1") == namespace("self")
}

/// Leaves terminal and session behind (setsid(2)). A process that leads a group forks first; the
/// parent ends.
///
/// Returns false in the parent, which must end.
///
/// # Errors
/// The child cannot be started.
pub fn detach(handle: &Handle, state_dir: &Path) -> Result<bool, DeadmanError> {
    if rustix::process::setsid().is_ok() {
        return Ok(true);
    }
    if rustix::process::getsid(None).ok() == Some(rustix::process::getpid()) {
        // A session leader already, as a unit's process is.
        return Ok(true);
    }
    let program = handle.program();
    #[expect(
        clippy::disallowed_methods,
        reason = "this child must outlive us; the wrapper waits for its children"
    )]
    let child = std::process::Command::new(&program)
        .args(["net", "dead-man", &handle.id, "--state"])
        .arg(state_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.map_err(|error| DeadmanError::Spawn(program, error))?;
    Ok(false)
}

/// Watches a change to its end.
///
/// # Errors
/// The record cannot be used, or the old state is not wholly back after five minutes.
pub fn watch(handle: &Handle) -> Result<Phase, DeadmanError> {
    let record = handle.record()?;
    handle.stand_by()?;
    let mut readable = Instant::now();
    loop {
        let progress = match handle.progress() {
            Ok(progress) => progress,
            Err(_) if readable.elapsed() < PATIENCE => {
                std::thread::sleep(TICK);
                continue;
            }
            Err(error) => return restore_blindly(handle, &record, &error),
        };
        readable = Instant::now();
        match judge(&record, &progress) {
            Verdict::Wait => std::thread::sleep(TICK),
            Verdict::End => return Ok(progress.phase),
            Verdict::Probe => probe(handle, &record)?,
            Verdict::Back(why) => {
                // Somebody may have moved it on this very moment: then that is judged next.
                let moved = handle.advance(&[progress.phase], Phase::Failed, Some(why));
                match moved {
                    Ok(_) | Err(RecordError::Phase { .. }) => {}
                    Err(error) => return restore_blindly(handle, &record, &error),
                }
            }
            Verdict::Restore => return restore_until(handle, &record, RETRY),
        }
    }
}

/// Restores although the disk refuses to say how far it is (full, read-only, gone): nothing may
/// stand in the way of the old state.
fn restore_blindly(
    handle: &Handle,
    record: &Record,
    error: &RecordError,
) -> Result<Phase, DeadmanError> {
    handle.note(&format!("its progress cannot be kept: {}", chain(error)));
    restore_until(handle, record, RETRY)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Wait,
    Probe,
    Back(String),
    Restore,
    End,
}

fn judge(record: &Record, progress: &Progress) -> Verdict {
    let now = seconds_since_boot();
    let lasts = now - progress.since;
    match progress.phase {
        Phase::Confirmed | Phase::Restored => Verdict::End,
        Phase::Failed | Phase::Restoring | Phase::RestoreFailed => Verdict::Restore,
        Phase::Prepared | Phase::Applying if !record.applier.lives() => {
            Verdict::Back("the process that applied the change died".to_owned())
        }
        Phase::Prepared | Phase::Applying if lasts > WORK_SECONDS => Verdict::Back(format!(
            "the change was not applied within {WORK_SECONDS} s"
        )),
        Phase::Confirming if !progress.by.lives() => {
            Verdict::Back("the process that confirmed died while it wrote the profile".to_owned())
        }
        Phase::Confirming if lasts > WORK_SECONDS => Verdict::Back(format!(
            "the profile was not written within {WORK_SECONDS} s"
        )),
        Phase::Prepared | Phase::Applying | Phase::Confirming => Verdict::Wait,
        Phase::Applied => Verdict::Probe,
        Phase::Waiting if now - progress.applied > record.confirm_seconds => {
            Verdict::Back(format!("not confirmed within {} s", record.confirm_seconds))
        }
        Phase::Waiting => Verdict::Wait,
    }
}

/// Asks all probes until each has answered, within the record's time.
fn probe(handle: &Handle, record: &Record) -> Result<(), DeadmanError> {
    let applied = handle.progress()?.applied;
    let mut silent: Vec<_> = record.probes.iter().collect();
    loop {
        silent.retain(|p| !matches!(p.to.answers(), Ok(true)));
        let moved = if silent.is_empty() {
            handle.advance(&[Phase::Applied], Phase::Waiting, None)
        } else if seconds_since_boot() - applied > record.probe_seconds {
            let names: Vec<String> = silent.iter().map(ToString::to_string).collect();
            let why = format!("no answer from {}", names.join(", "));
            handle.advance(&[Phase::Applied], Phase::Failed, Some(why))
        } else {
            if handle.progress()?.phase != Phase::Applied {
                return Ok(());
            }
            std::thread::sleep(TICK);
            continue;
        };
        return match moved {
            Ok(_) | Err(RecordError::Phase { .. }) => Ok(()),
            Err(error) => restore_blindly(handle, record, &error).map(|_| ()),
        };
    }
}

/// Restores, and tries again for a time where that fails.
///
/// # Errors
/// The last failure.
pub fn restore_until(
    handle: &Handle,
    record: &Record,
    patience: Duration,
) -> Result<Phase, DeadmanError> {
    let end = Instant::now() + patience;
    loop {
        match restore(handle, record) {
            Ok(()) => return Ok(Phase::Restored),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// Brings kernel and profile back. Safe to call again, and by several at once: each works off the
/// difference that it sees.
///
/// # Errors
/// What is not back; the record then says so too.
pub fn restore(handle: &Handle, record: &Record) -> Result<(), DeadmanError> {
    const OPEN: &[Phase] = &[
        Phase::Prepared,
        Phase::Applying,
        Phase::Applied,
        Phase::Waiting,
        Phase::Failed,
        Phase::Confirming,
        Phase::Confirmed,
        Phase::Restoring,
        Phase::RestoreFailed,
    ];
    // A disk that refuses is told of below, once everything else is back.
    if let Err(error @ RecordError::Phase { .. }) = handle.advance(OPEN, Phase::Restoring, None) {
        return Err(error.into());
    }
    let profile = persist::put_back(record, handle);
    let kernel = run::restore_kernel(record, handle);
    match (profile, kernel) {
        (Ok(()), Ok(())) => {
            handle.advance(&[Phase::Restoring], Phase::Restored, None)?;
            remove_boot_unit(record);
            Ok(())
        }
        (profile, kernel) => {
            let both = [
                profile.err().map(|e| chain(&e)),
                kernel.err().map(|e| chain(&e)),
            ];
            let why: Vec<String> = both.into_iter().flatten().collect();
            handle.advance(
                &[Phase::Restoring],
                Phase::RestoreFailed,
                Some(why.join("; ")),
            )?;
            Err(RestoreError::Left(why).into())
        }
    }
}

/// Whether a probe target answers now: for those that must answer afterwards only if they did
/// before.
pub fn answers(to: To) -> bool {
    matches!(to.answers(), Ok(true))
}

/// Makes the unit that restores after a reboot in the middle; `None` where systemd is not ours.
///
/// # Errors
/// The disk refuses.
pub fn make_boot_unit(handle: &Handle, state_dir: &Path) -> Result<(), RecordError> {
    let text = format!(
        "# Made by `nofail net apply`, removed once the change {id} is confirmed or taken back.\n\
         [Unit]\nDescription=Take back the network change {id}, which was never confirmed\n\
         Wants=network-online.target\nAfter=network-online.target\n\
         ConditionPathExists={dir}/record.json\nRequiresMountsFor={dir}\n\n\
         [Service]\nType=oneshot\nTimeoutStartSec=10min\n\
         ExecStart=/bin/sh -c 'exec \"$0\" net restore-after-boot \"$1\" --state \"$2\"' {program} {id} {state}\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        id = handle.id,
        dir = handle.dir().display(),
        program = handle.program().display(),
        state = state_dir.display(),
    );
    let unit = boot_unit(&handle.id);
    crate::place::replace(&unit, text.as_bytes(), 0o644).map_err(Box::new)?;
    let enabled = boot_unit_link(&handle.id);
    let fails = |source| RecordError::Io {
        what: "make",
        path: enabled.clone(),
        source,
    };
    if let Some(dir) = enabled.parent() {
        std::fs::create_dir_all(dir).map_err(fails)?;
    }
    std::os::unix::fs::symlink(&unit, &enabled).map_err(fails)
}

/// The unit's path.
pub fn boot_unit(id: &str) -> PathBuf {
    format!("/etc/systemd/system/nofail-net-restore-{id}.service").into()
}

fn boot_unit_link(id: &str) -> PathBuf {
    format!("/etc/systemd/system/multi-user.target.wants/nofail-net-restore-{id}.service").into()
}

/// Removes the unit. One that stays behind does nothing: its change is at its end.
pub fn remove_boot_unit(record: &Record) {
    if let Some(unit) = &record.boot_unit {
        let _ = std::fs::remove_file(boot_unit_link(&record.id));
        let _ = std::fs::remove_file(unit);
    }
}
