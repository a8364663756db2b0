//! Which connection a process belongs to: told by its ancestors, so that `sudo`, `tmux` or a
//! stale environment cannot make an old connection look new.

use serde::{Deserialize, Serialize};
use std::fs;
use std::net::IpAddr;

/// Ticks of a second in /proc/PID/stat (`USER_HZ`, proc_pid_stat(5)): 100 wherever KVM runs.
const TICKS: f64 = 100.0;
/// Longest chain of ancestors that is followed.
const DEEPEST: u32 = 64;

/// The two ends of an SSH connection, sshd's `SSH_CONNECTION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssh {
    /// The administrator's address.
    pub client: IpAddr,
    /// The administrator's port.
    pub client_port: u16,
    /// This host's address.
    pub server: IpAddr,
    /// This host's port.
    pub server_port: u16,
}

impl Ssh {
    /// Reads `CLIENT PORT SERVER PORT`.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [client, client_port, server, server_port] = words.as_slice() else {
            return None;
        };
        let address = |text: &str| {
            // A zone may follow a link-local address.
            let address: IpAddr = text.split('%').next()?.parse().ok()?;
            Some(address.to_canonical())
        };
        Some(Self {
            client: address(client)?,
            client_port: client_port.parse().ok()?,
            server: address(server)?,
            server_port: server_port.parse().ok()?,
        })
    }
}

/// One process, told from a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, ticks since boot.
    pub began: u64,
}

impl Process {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            began: stat(pid).map_or(0, |s| s.began),
        }
    }

    /// Whether it still lives (a zombie does not).
    pub fn lives(self) -> bool {
        stat(self.pid).is_some_and(|s| s.began == self.began && s.state != 'Z' && s.state != 'X')
    }

    /// Seconds after boot when it began.
    #[expect(clippy::cast_precision_loss, reason = "ticks of a century fit")]
    pub fn began_at(self) -> f64 {
        self.began as f64 / TICKS
    }
}

/// The connection of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its two ends, where it came over SSH and they could be told.
    pub ssh: Option<Ssh>,
    /// The nearest sshd among its ancestors: one per connection.
    pub sshd: Option<Process>,
}

impl Connection {
    /// Of this process; `variable` is its `SSH_CONNECTION`. An ancestor's is taken where `sudo`
    /// dropped it.
    pub fn current(variable: Option<&str>) -> Self {
        let mut found = Self {
            ssh: variable.and_then(Ssh::parse),
            sshd: None,
        };
        let mut pid = std::process::id();
        for _ in 0..DEEPEST {
            let Some(stat) = stat(pid) else { break };
            if found.ssh.is_none() {
                found.ssh = variable_of(pid).as_deref().and_then(Ssh::parse);
            }
            // OpenSSH 9.8 and later: sshd-session serves a connection.
            if matches!(stat.name.as_str(), "sshd" | "sshd-session") {
                found.sshd = Some(Process {
                    pid,
                    began: stat.began,
                });
                break;
            }
            if stat.parent <= 1 {
                break;
            }
            pid = stat.parent;
        }
        found
    }

    /// Whether it comes over SSH, as far as can be told.
    pub fn is_ssh(&self) -> bool {
        self.ssh.is_some() || self.sshd.is_some()
    }

    /// Why it is no new connection beside `old`, made after `since` (seconds after boot); `None`
    /// where it is one.
    pub fn why_not_new(&self, old: &Self, since: f64) -> Option<String> {
        let Some(sshd) = self.sshd else {
            return Some(if self.ssh.is_some() {
                "no sshd is among the parents of this process (tmux or screen?): nothing shows \
                 that its connection is new"
                    .to_owned()
            } else {
                "this is no SSH connection: that the host answers has not been shown".to_owned()
            });
        };
        if old.sshd == Some(sshd) || (self.ssh.is_some() && self.ssh == old.ssh) {
            return Some("this is the connection that applied the change".to_owned());
        }
        if sshd.began_at() < since {
            return Some("this connection is older than the change".to_owned());
        }
        None
    }
}

struct Stat {
    name: String,
    state: char,
    parent: u32,
    began: u64,
}

/// proc_pid_stat(5): the name in parentheses may hold anything.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        name: head.split_once('(')?.1.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        began: fields.get(19)?.parse().ok()?,
    })
}

fn variable_of(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    bytes
        .split(|b| *b == 0)
        .find_map(|entry| entry.strip_prefix(b"SSH_CONNECTION="))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Seconds since boot, suspended time included, as /proc/PID/stat counts.
pub fn seconds_since_boot() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    #[expect(clippy::cast_precision_loss, reason = "seconds since boot are few")]
    let seconds = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    seconds
}

/// This boot's identity (random(4), /proc/sys/kernel/random/boot_id).
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_connection() {
        let ssh = Ssh::parse("10.50.1.200 40000 10.50.1.12 22").unwrap();
        assert_eq!((ssh.client_port, ssh.server_port), (40000, 22));
        let mapped = Ssh::parse("::ffff:10.0.0.1 1 fe80::1%eth0 22").unwrap();
        assert_eq!(mapped.client, "10.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(Ssh::parse("10.50.1.200 40000"), None);
        assert_eq!(Ssh::parse("a b c d"), None);
    }

    #[test]
    fn only_a_later_sshd_is_a_new_connection() {
        let connection = |port: u16, pid: u32, began: u64| Connection {
            ssh: Ssh::parse(&format!("10.0.0.1 {port} 10.0.0.2 22")),
            sshd: Some(Process { pid, began }),
        };
        let old = connection(1000, 10, 5_000);
        assert!(
            connection(1001, 11, 7_000)
                .why_not_new(&old, 60.0)
                .is_none()
        );
        let same = old.why_not_new(&old, 60.0).unwrap();
        assert!(same.contains("applied the change"), "{same}");
        let older = connection(999, 9, 4_000).why_not_new(&old, 60.0).unwrap();
        assert!(older.contains("older"), "{older}");
        let tmux = Connection {
            sshd: None,
            ..connection(1001, 11, 7_000)
        };
        assert!(tmux.why_not_new(&old, 60.0).unwrap().contains("tmux"));
        assert!(Connection::default().why_not_new(&old, 60.0).is_some());
    }

    #[test]
    fn this_process_lives_and_another_of_its_number_does_not() {
        let own = Process::own();
        assert!(own.lives());
        assert!((own.began_at() - seconds_since_boot()).abs() < 3_600.0);
        let other = Process {
            began: own.began + 1,
            ..own
        };
        assert!(!other.lives());
    }
}
