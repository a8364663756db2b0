//! Who asked for a change, when, from where, and why: the record that each plan carries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The record of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The user, and who became root if that is known: `root (alice by sudo)`.
    pub who: String,
    /// RFC 3339, UTC, with microseconds.
    pub when: String,
    /// `ssh 192.0.2.1 port 40022`, a terminal, or nothing that is known.
    pub from: String,
    /// What the user gave as the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Origin {
    /// What this process can tell of itself. `passwd` is the text of the machine's
    /// `/etc/passwd`: the C library is not asked, since a static program breaks on that elsewhere.
    pub fn here(passwd: &str, reason: Option<String>) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let name = user_name(passwd, uid).unwrap_or_else(|| format!("uid {uid}"));
        let who = match variable("SUDO_USER") {
            Some(user) if user != name => format!("{name} ({user} by sudo)"),
            _ => name,
        };
        let connection = variable("SSH_CONNECTION");
        let from = match connection
            .as_deref()
            .map(|c| c.split(' ').collect::<Vec<_>>())
        {
            Some(parts) if parts.len() >= 2 => format!("ssh {} port {}", parts[0], parts[1]),
            _ => rustix::termios::ttyname(std::io::stdin(), Vec::new())
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        Self {
            who,
            when: format!("{:.6}", Timestamp::now()),
            from,
            reason,
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The user's name by passwd(5).
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields[0].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_passwd() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(user_name(passwd, 7), None);
        let origin = Origin::here("", Some("why".to_owned()));
        assert!(origin.when.ends_with('Z'), "{}", origin.when);
        assert_eq!(origin.reason.as_deref(), Some("why"));
    }
}
