//! Processes that cannot outlive the test that started them.
//!
//! Every long-running child is started through `setpriv --pdeathsig KILL`: the kernel kills it
//! when the thread that forked it ends (prctl(2), `PR_SET_PDEATHSIG`). So that a test thread's end
//! is not taken for the process's end, one spawner thread forks them all and lives as long as the
//! process. Programs that fork on their own also get a PID namespace (`unshare --pid --kill-child`),
//! whose end ends all of them. This holds for a panic, for SIGKILL and for a time-out of the test
//! runner; what is left is the instant between fork and prctl. Drop kills and reaps at once.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// What to start.
type Job = (Command, Sender<std::io::Result<Child>>);

/// How a program ends together with the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A program that does not fork: it is killed itself.
    Single,
    /// A program with children: a PID namespace ends them all. Needs root.
    Family,
}

/// A running child that is killed and reaped on drop, and when this process ends in any way.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    pidfd: OwnedFd,
    name: String,
}

impl Guarded {
    /// Starts `program` with `args`, standard output and error going to the file `log`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(guard: Guard, program: &str, args: &[String], log: &Path) -> Result<Self> {
        Self::start_in(guard, program, args, log, &[], Path::new("/"))
    }

    /// As [`Self::start`], with environment variables and a working directory.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start_in(
        guard: Guard,
        program: &str,
        args: &[String],
        log: &Path,
        env: &[(&str, &str)],
        dir: &Path,
    ) -> Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot open the log {}", log.display()))?;
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if guard == Guard::Family {
            command.args([
                "/usr/bin/unshare",
                "--pid",
                "--fork",
                "--kill-child=KILL",
                "--",
            ]);
        }
        command
            .arg(program)
            .args(args)
            .envs(env.iter().copied())
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let (reply, answer) = channel();
        spawner()
            .send((command, reply))
            .map_err(|_| anyhow!("the spawner thread is gone"))?;
        let child = answer
            .recv()?
            .with_context(|| format!("cannot start {program}"))?;
        let pidfd = pidfd_open(pid_of(&child)?, PidfdFlags::empty())?;
        Ok(Self {
            child,
            pidfd,
            name: program.to_owned(),
        })
    }

    /// The process id (of `unshare` where [`Guard::Family`] was asked for).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end until `deadline`.
    ///
    /// # Errors
    /// Where it still runs at the deadline.
    pub fn wait(&mut self, deadline: Instant) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if !readable(&self.pidfd, deadline)? {
                bail!("{} still runs after its deadline", self.name);
            }
        }
    }

    /// Kills it (SIGKILL) and reaps it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal to the program itself, below `setpriv` and `unshare`.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        for pid in self.members()? {
            kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// The program's processes: itself, or where it has a namespace the namespace's.
    fn members(&self) -> Result<Vec<Pid>> {
        let own = pid_of(&self.child)?;
        let list = format!("/proc/{0}/task/{0}/children", own.as_raw_nonzero());
        let children = std::fs::read_to_string(list).unwrap_or_default();
        let pids: Vec<Pid> = children
            .split_whitespace()
            .filter_map(|p| p.parse().ok().and_then(Pid::from_raw))
            .collect();
        Ok(if pids.is_empty() { vec![own] } else { pids })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a program to its end, standard error kept for the message, killed at the time limit.
///
/// # Errors
/// Where it cannot be started, fails, or is not done in time.
pub fn run(program: &str, args: &[&str], limit: Duration) -> Result<Vec<u8>> {
    let dir = tempfile::tempdir()?;
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    let mut child = Command::new("/usr/bin/setpriv")
        .args(["--pdeathsig", "KILL", "--", program])
        .args(args)
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let pidfd = pidfd_open(pid_of(&child)?, PidfdFlags::empty())?;
    if !readable(&pidfd, Instant::now() + limit)? {
        child.kill()?;
        child.wait()?;
        bail!("{program} {} took longer than {limit:?}", args.join(" "));
    }
    let status = child.wait()?;
    if !status.success() {
        let mut text = String::new();
        File::open(&err)?.read_to_string(&mut text).unwrap_or(0);
        let tail = text.len().saturating_sub(2000);
        let tail = text.get(tail..).unwrap_or(&text);
        bail!("{program} {} failed ({status}): {tail}", args.join(" "));
    }
    Ok(std::fs::read(out)?)
}

/// As [`run`], the output as text.
///
/// # Errors
/// As [`run`].
pub fn run_text(program: &str, args: &[&str], limit: Duration) -> Result<String> {
    Ok(String::from_utf8_lossy(&run(program, args, limit)?).into_owned())
}

/// Waits until `fd` is readable; false at the deadline.
///
/// # Errors
/// Where poll(2) fails.
pub fn readable(fd: impl AsFd, deadline: Instant) -> Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs())?,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The thread that forks all children, see the file's head.
fn spawner() -> &'static Sender<Job> {
    static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in queue {
                // A caller that no longer waits drops the child, which its death signal ends.
                let _ = reply.send(command.spawn());
            }
        });
        jobs
    })
}

/// A child's process id in rustix's type.
fn pid_of(child: &Child) -> Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .context("a child without a process id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_says_why() {
        let error = run(
            "/bin/sh",
            &["-c", "echo no >&2; exit 3"],
            Duration::from_secs(10),
        );
        let text = error.unwrap_err().to_string();
        assert!(text.contains("no") && text.contains('3'), "{text}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = Instant::now();
        assert!(run("/bin/sleep", &["60"], Duration::from_millis(200)).is_err());
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_guarded_child_dies_with_its_handle() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let args = ["600".to_owned()];
        let child = Guarded::start(Guard::Single, "/bin/sleep", &args, &log).unwrap();
        let proc = format!("/proc/{}", child.id());
        assert!(Path::new(&proc).exists());
        drop(child);
        assert!(!Path::new(&proc).exists());
    }

    #[test]
    fn a_guarded_child_outlives_the_thread_that_asked_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut child = std::thread::spawn(move || {
            Guarded::start(Guard::Single, "/bin/sleep", &["600".to_owned()], &log).unwrap()
        })
        .join()
        .unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(child.alive());
    }
}
