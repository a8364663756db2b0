//! One wrapper for every command that nofail runs: it has a deadline, keeps what the command
//! said on standard error, and never waits for a process that cannot die.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use thiserror::Error;

/// What a command gave.
#[derive(Debug)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, as text.
    pub stderr: String,
}

impl Output {
    fn of(status: ExitStatus, [stdout, stderr]: [Vec<u8>; 2]) -> Self {
        Self {
            status,
            stdout,
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        }
    }
}

/// Why a command gave nothing of use.
#[derive(Debug, Error)]
pub enum CommandError {
    /// There is no such program, or it may not be run.
    #[error("cannot run `{line}`")]
    Start {
        /// The command line.
        line: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It did not end within its deadline and was killed.
    #[error("`{line}` did not end within {deadline:?}")]
    Deadline {
        /// The command line.
        line: String,
        /// The deadline.
        deadline: Duration,
    },
    /// It did not get on any more and was killed.
    #[error("`{line}` did not get on for {stall:?}")]
    Stalled {
        /// The command line.
        line: String,
        /// How long nothing moved.
        stall: Duration,
    },
    /// Its end was asked for.
    #[error("`{line}` was interrupted")]
    Interrupted {
        /// The command line.
        line: String,
    },
    /// It ended with a failure.
    #[error("`{line}` ended with {status}: {stderr}")]
    Failed {
        /// The command line.
        line: String,
        /// Its exit status.
        status: ExitStatus,
        /// What it said, trimmed.
        stderr: String,
    },
}

/// Runs a command to its end, whatever its exit status.
///
/// Runs with `LC_ALL=C`. The child is killed at the deadline; one that is stuck in the kernel
/// is left behind, not waited for.
///
/// # Errors
/// [`CommandError::Start`] or [`CommandError::Deadline`].
pub fn run(
    program: impl AsRef<OsStr>,
    args: &[&str],
    input: &[u8],
    deadline: Duration,
) -> Result<Output, CommandError> {
    run_with(program, args, &[], input, deadline)
}

/// As [`run`], with variables added to the environment: for secrets, which have no place on a
/// command line. They stand in no error and no log.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    program: impl AsRef<OsStr>,
    args: &[&str],
    variables: &[(&str, &str)],
    input: &[u8],
    deadline: Duration,
) -> Result<Output, CommandError> {
    let (mut child, line) = start(program.as_ref(), args, variables)?;
    let end = Instant::now() + deadline;
    let (sender, receiver) = mpsc::channel();
    feed(&mut child, input.to_vec());
    drain(child.stdout.take(), 0, sender.clone());
    drain(child.stderr.take(), 1, sender);
    let mut outputs = [Vec::new(), Vec::new()];
    for _ in 0..2 {
        let left = end.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left) {
            Ok((which, bytes)) => {
                let which: usize = which;
                outputs[which] = bytes;
            }
            Err(_) => return Err(give_up(child, line, deadline)),
        }
    }
    // Both streams are closed; a child that closes them and lives on gets the rest of the time.
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return Ok(Output::of(status, outputs));
            }
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return Err(give_up(child, line, deadline)),
        }
    }
}

/// Starts a child with pipes; also gives its command line for a person.
fn start(
    program: &OsStr,
    args: &[&str],
    variables: &[(&str, &str)],
) -> Result<(Child, String), CommandError> {
    let line = std::iter::once(program.to_string_lossy().into_owned())
        .chain(args.iter().map(|a| (*a).to_owned()))
        .collect::<Vec<_>>()
        .join(" ");
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the wrapper that the lint sends everyone to"
    )]
    let child = std::process::Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| CommandError::Start {
            line: line.clone(),
            source,
        })?;
    Ok((child, line))
}

/// A running command, as [`run_watched`] shows it.
#[derive(Debug)]
pub struct Glance<'a> {
    /// Its process.
    pub pid: u32,
    /// The last piece that it wrote on standard output, if any came since the last glance.
    pub said: &'a [u8],
}

/// What [`run_watched`] is told of a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// How far it is, in any unit: as long as this changes it is left alone.
    At(u64),
    /// It shall end now.
    Stop,
}

/// Runs a command that may take any time as long as it gets on. About four times a second `look`
/// says how far it is; where that does not change for `stall`, the command is killed. A child that
/// is stuck in the kernel is left behind, not waited for. The output is what it last said, 64 KiB
/// at most.
///
/// # Errors
/// [`CommandError::Start`], [`CommandError::Stalled`] or [`CommandError::Interrupted`].
pub fn run_watched(
    program: impl AsRef<OsStr>,
    args: &[&str],
    input: &[u8],
    stall: Duration,
    look: &mut dyn FnMut(&Glance<'_>) -> Seen,
) -> Result<Output, CommandError> {
    const KEPT: usize = 64 << 10;
    const LOOK: Duration = Duration::from_millis(250);
    let (mut child, line) = start(program.as_ref(), args, &[])?;
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    feed(&mut child, input.to_vec());
    stream(child.stdout.take(), 0, sender.clone());
    stream(child.stderr.take(), 1, sender);
    let mut outputs: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    let mut said = Vec::new();
    let (mut at, mut moved, mut looked) = (0, Instant::now(), Instant::now());
    let mut open = true;
    loop {
        if open {
            match receiver.recv_timeout(LOOK) {
                Ok((which, bytes)) => {
                    let which: usize = which;
                    let kept = &mut outputs[which];
                    kept.extend_from_slice(&bytes);
                    let excess = kept.len().saturating_sub(KEPT);
                    kept.drain(..excess);
                    if which == 0 {
                        said = bytes;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => open = false,
            }
        } else {
            match child.try_wait() {
                Ok(Some(status)) => {
                    return Ok(Output::of(status, outputs));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => return Err(stalled(child, line, stall)),
            }
        }
        if looked.elapsed() < LOOK {
            continue;
        }
        looked = Instant::now();
        match look(&Glance { pid, said: &said }) {
            Seen::Stop => {
                abandon(child);
                return Err(CommandError::Interrupted { line });
            }
            Seen::At(now) if now != at => (at, moved) = (now, Instant::now()),
            Seen::At(_) if moved.elapsed() >= stall => return Err(stalled(child, line, stall)),
            Seen::At(_) => {}
        }
        said.clear();
    }
}

fn stalled(child: Child, line: String, stall: Duration) -> CommandError {
    abandon(child);
    CommandError::Stalled { line, stall }
}

/// Passes on what a stream gives, piece by piece.
fn stream<R: Read + Send + 'static>(
    stream: Option<R>,
    which: usize,
    sender: mpsc::Sender<(usize, Vec<u8>)>,
) {
    let Some(mut stream) = stream else { return };
    std::thread::spawn(move || {
        let mut piece = vec![0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            if sender.send((which, piece[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

/// Runs a command that must succeed and returns its standard output.
///
/// # Errors
/// Every [`CommandError`].
pub fn output(
    program: impl AsRef<OsStr>,
    args: &[&str],
    deadline: Duration,
) -> Result<Vec<u8>, CommandError> {
    let program = program.as_ref();
    let done = run(program, args, &[], deadline)?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    Err(CommandError::Failed {
        line: format!("{} {}", program.to_string_lossy(), args.join(" ")),
        status: done.status,
        stderr: done.stderr,
    })
}

fn feed(child: &mut Child, input: Vec<u8>) {
    if let Some(mut stdin) = child.stdin.take() {
        // In a thread: a child that does not read must not block us. A write error only says
        // that the child did not want its input.
        std::thread::spawn(move || stdin.write_all(&input));
    }
}

fn drain<R: Read + Send + 'static>(
    stream: Option<R>,
    which: usize,
    sender: mpsc::Sender<(usize, Vec<u8>)>,
) {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is kept: the exit status tells the rest.
            let _ = stream.read_to_end(&mut bytes);
        }
        let _ = sender.send((which, bytes));
    });
}

fn give_up(child: Child, line: String, deadline: Duration) -> CommandError {
    abandon(child);
    CommandError::Deadline { line, deadline }
}

/// Kills a child and reaps it in the background: a process in uninterruptible sleep dies only
/// when it wakes.
fn abandon(mut child: Child) {
    let _ = child.kill();
    std::thread::spawn(move || child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_input_pass_through() {
        let done = run("cat", &[], b"abc", Duration::from_secs(5)).unwrap();
        assert!(done.status.success());
        assert_eq!(done.stdout, b"abc");
    }

    #[test]
    fn a_failure_keeps_what_was_said() {
        let error = output("ls", &["/no/such/place"], Duration::from_secs(5)).unwrap_err();
        assert!(error.to_string().contains("/no/such/place"), "{error}");
    }

    #[test]
    fn a_hanging_command_is_left_at_its_deadline() {
        let began = Instant::now();
        let error = output("sleep", &["30"], Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, CommandError::Deadline { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_watched_command_may_take_long_but_must_get_on() {
        let script = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done";
        let mut last = 0;
        let mut look = |glance: &Glance<'_>| {
            last += u64::from(!glance.said.is_empty());
            Seen::At(last)
        };
        let stall = Duration::from_millis(900);
        let done = run_watched("sh", &["-c", script], &[], stall, &mut look).unwrap();
        assert!(done.status.success());
        assert_eq!(done.stdout, b"1\n2\n3\n4\n5\n6\n");
        let error = run_watched("sleep", &["30"], &[], stall, &mut |_| Seen::At(7)).unwrap_err();
        assert!(matches!(error, CommandError::Stalled { .. }), "{error}");
        let error = run_watched("sleep", &["30"], &[], stall, &mut |_| Seen::Stop).unwrap_err();
        assert!(matches!(error, CommandError::Interrupted { .. }), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output("no-such-program-here", &[], Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, CommandError::Start { .. }), "{error}");
    }
}
