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
    let program = program.as_ref();
    let line = std::iter::once(program.to_string_lossy().into_owned())
        .chain(args.iter().map(|a| (*a).to_owned()))
        .collect::<Vec<_>>()
        .join(" ");
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the wrapper that the lint sends everyone to"
    )]
    let mut child = std::process::Command::new(program)
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
                let [stdout, stderr] = outputs;
                return Ok(Output {
                    status,
                    stdout,
                    stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
                });
            }
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return Err(give_up(child, line, deadline)),
        }
    }
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

fn give_up(mut child: Child, line: String, deadline: Duration) -> CommandError {
    let _ = child.kill();
    // Reaped in the background: a process in uninterruptible sleep dies only when it wakes.
    std::thread::spawn(move || child.wait());
    CommandError::Deadline { line, deadline }
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
    fn a_missing_program_is_named() {
        let error = output("no-such-program-here", &[], Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, CommandError::Start { .. }), "{error}");
    }
}
