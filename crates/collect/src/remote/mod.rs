//! Collects from another host over SSH, with the system's own `ssh`: the user's configuration,
//! agent and jump hosts hold.
//!
//! One connection and one command per host. Where this program is static and of the host's
//! architecture, a copy of it is sent, run once and removed. Where that cannot run, the files
//! are read with `tar` and looked at here. The snapshot says in `reader` which it was.
//!
//! The `openssh` crate was looked at and left: it keeps a master process and an async runtime,
//! which one command per host does not need, and a killed nofail would leave the master behind.

mod agent;
mod plain;
mod program;

use crate::command::{self, CommandError};
use facts::Snapshot;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// How to reach other hosts.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Another configuration file for ssh (`ssh -F`).
    pub ssh_config: Option<PathBuf>,
    /// The program to send; this very one where `None`.
    pub program: Option<PathBuf>,
    /// Become root there through `sudo -n`.
    pub sudo: bool,
    /// Time for a whole host.
    pub deadline: Duration,
    /// Deadline of one probe on the host.
    pub probe_deadline: Duration,
}

/// Why a host gave no snapshot.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// The address could be taken for an option of ssh, or is empty.
    #[error("`{0}` is no address of a host")]
    Address(String),
    /// ssh could not be run, did not end in time, or could not log in.
    #[error("ssh")]
    Ssh(#[from] CommandError),
    /// ssh said that it could not connect or log in.
    #[error("{0}")]
    Connect(String),
    /// What came back is no snapshot.
    #[error("the answer is no snapshot: {0}")]
    Answer(String),
    /// What `tar` sent could not be unpacked.
    #[error("cannot unpack the files of the host")]
    Unpack(#[source] std::io::Error),
}

/// What became of one command on the host.
struct Answer {
    stdout: Vec<u8>,
    code: i32,
    said: String,
}

impl Remote {
    /// Collects from one host. `address` is `[user@]host[:port]`, or an alias of the user's ssh
    /// configuration.
    ///
    /// # Errors
    /// [`RemoteError`]; a source that could not be read there is no error.
    pub fn collect(&self, address: &str) -> Result<Snapshot, RemoteError> {
        let sent = agent::collect(self, address)?;
        let reason = match sent {
            agent::Sent::Snapshot(snapshot) => return Ok(*snapshot),
            agent::Sent::CannotRun(reason) => reason,
        };
        let mut snapshot = plain::collect(self, address)?;
        snapshot.reader = format!("ssh, files only: {reason}");
        Ok(snapshot)
    }

    /// Collects from several hosts at once, sixteen at a time, in the order given; `done` is
    /// called after each.
    pub fn collect_all(
        &self,
        addresses: &[&str],
        done: &(dyn Fn() + Sync),
    ) -> Vec<Result<Snapshot, RemoteError>> {
        let mut all = Vec::with_capacity(addresses.len());
        for some in addresses.chunks(16) {
            std::thread::scope(|scope| {
                let running: Vec<_> = some
                    .iter()
                    .map(|address| {
                        scope.spawn(|| {
                            let collected = self.collect(address);
                            done();
                            collected
                        })
                    })
                    .collect();
                for (thread, address) in running.into_iter().zip(some) {
                    let broke = || Err(RemoteError::Answer(format!("{address}: collection broke")));
                    all.push(thread.join().unwrap_or_else(|_| broke()));
                }
            });
        }
        all
    }

    /// Runs one POSIX shell script on the host, as root where `sudo` says so; its exit code.
    ///
    /// # Errors
    /// [`RemoteError`]: it could not be run there, or did not end within the deadline.
    pub fn ask(&self, address: &str, script: &str) -> Result<i32, RemoteError> {
        self.run(address, script, &[]).map(|answer| answer.code)
    }

    /// Runs one POSIX shell script on the host.
    fn run(&self, address: &str, script: &str, input: &[u8]) -> Result<Answer, RemoteError> {
        let (host, port) = split(address)?;
        let config = self.ssh_config.as_ref().map(|p| p.display().to_string());
        let mut args = vec!["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"];
        if let Some(config) = &config {
            args.extend(["-F", config]);
        }
        if let Some(port) = port {
            args.extend(["-p", port]);
        }
        // `sh -c` of our own: the login shell there may be any.
        let quoted = format!("sh -c '{}'", script.replace('\'', r"'\''"));
        let line = if self.sudo {
            format!("sudo -n {quoted}")
        } else {
            quoted
        };
        args.extend(["--", host, &line]);
        let done = command::run("ssh", &args, input, self.deadline)?;
        // ssh(1): 255 is ssh's own failure.
        if done.status.code() == Some(255) {
            let said = done.stderr.lines().last().unwrap_or("ssh failed").trim();
            return Err(RemoteError::Connect(said.to_owned()));
        }
        Ok(Answer {
            stdout: done.stdout,
            code: done.status.code().unwrap_or(-1),
            said: done.stderr,
        })
    }
}

/// Host and port of `[user@]host[:port]`; `[v6]:port` for IPv6 addresses with a port.
fn split(address: &str) -> Result<(&str, Option<&str>), RemoteError> {
    let wrong = || RemoteError::Address(address.to_owned());
    if address.is_empty() || address.starts_with('-') || address.contains(char::is_whitespace) {
        return Err(wrong());
    }
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    if port.is_some_and(|p| p.parse::<u16>().is_err()) {
        return Err(wrong());
    }
    Ok((host.trim_start_matches('[').trim_end_matches(']'), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split_into_host_and_port() {
        let whole = |a| split(a).unwrap();
        assert_eq!(whole("kvm-01"), ("kvm-01", None));
        assert_eq!(whole("root@kvm-01:2222"), ("root@kvm-01", Some("2222")));
        assert_eq!(whole("fd00::1"), ("fd00::1", None));
        assert_eq!(whole("[fd00::1]:22"), ("fd00::1", Some("22")));
    }

    #[test]
    fn nothing_that_ssh_would_take_for_an_option_is_an_address() {
        for address in ["-oProxyCommand=id", "", "a b", "host:port"] {
            assert!(split(address).is_err(), "{address}");
        }
    }
}
