//! Commands that a killed run left behind: `kill -9` of nofail does not end the copy that it
//! started, and what is still being written must not be removed or written back.

use crate::error::Error;
use crate::show;
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::time::{Duration, Instant};

/// How long a killed process may take to go. One that hangs on a dead server does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends every process that runs just this command line.
///
/// # Errors
/// [`Error::Orphan`]: one does not go, or may not be ended.
pub(crate) fn end(argv: &[String]) -> Result<(), Error> {
    for pid in running(argv) {
        let stuck = || Error::Orphan {
            pid: pid.as_raw_nonzero().get(),
            line: show::command(argv),
        };
        // Gone by itself meanwhile: looked at below.
        let _ = kill_process(pid, Signal::KILL);
        let began = Instant::now();
        while runs(pid, argv) {
            if began.elapsed() > PATIENCE {
                return Err(stuck());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Processes with this command line. `/proc` never leads to another file system.
fn running(argv: &[String]) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| *pid != getpid() && runs(*pid, argv))
        .collect()
}

fn runs(pid: Pid, argv: &[String]) -> bool {
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    // Empty for a zombie.
    std::fs::read(path).is_ok_and(|line| {
        let line = line.strip_suffix(&[0]).unwrap_or(&line);
        !line.is_empty()
            && line
                .split(|b| *b == 0)
                .eq(argv.iter().map(|a| a.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_command_line_is_ended() {
        let argv = |seconds: &str| ["sleep", seconds].map(str::to_owned).to_vec();
        let spawn = |seconds: &str| {
            #[expect(clippy::disallowed_methods, reason = "a process to be ended")]
            let child = std::process::Command::new("sleep").arg(seconds).spawn();
            child.unwrap()
        };
        let (mut ours, mut other) = (spawn("54321.25"), spawn("54321.5"));
        let began = Instant::now();
        while running(&argv("54321.25")).is_empty() {
            assert!(began.elapsed() < PATIENCE);
        }
        end(&argv("54321.25")).unwrap();
        assert!(!ours.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
