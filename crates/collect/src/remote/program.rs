//! Runs this program on another host at the user's own terminal: sent, run, removed.

use super::agent::{NO_PLACE, OTHER_MACHINE, is_static};
use super::{Remote, RemoteError, split};
use crate::command::CommandError;

impl Remote {
    /// Sends this program and `site` (the text of a site.toml, may be empty) to a host and runs it
    /// there with `words` as its arguments, followed by `--site … --host … --here` where there is
    /// a site. Standard input and output are this process's own; with `terminal` the program there
    /// gets one as well. Gives its exit code.
    ///
    /// # Errors
    /// [`RemoteError`]: it cannot be reached, or the program cannot run there.
    pub fn run_program(
        &self,
        address: &str,
        words: &[String],
        host: &str,
        site: &[u8],
        terminal: bool,
    ) -> Result<i32, RemoteError> {
        let path = self
            .program
            .clone()
            .unwrap_or_else(|| "/proc/self/exe".into());
        let mut input = std::fs::read(&path).map_err(RemoteError::Unpack)?;
        if !is_static(&input) {
            return Err(RemoteError::Answer(
                "this nofail is not a static binary and cannot be sent; give one with --agent"
                    .to_owned(),
            ));
        }
        let size = input.len();
        input.extend_from_slice(site);
        let script = format!(
            r#"[ "$(uname -m)" = {machine} ] || exit {OTHER_MACHINE}
d=$(mktemp -d) || exit {NO_PLACE}
head -c {size} >"$d/nofail" && cat >"$d/site.toml" && chmod 700 "$d/nofail" || exit {NO_PLACE}
echo "$d""#,
            machine = std::env::consts::ARCH,
        );
        let sent = self.run(address, &script, &input)?;
        match sent.code {
            0 => {}
            NO_PLACE => return Err(RemoteError::Answer("no place for a file there".to_owned())),
            OTHER_MACHINE => return Err(RemoteError::Answer("another architecture".to_owned())),
            code => {
                return Err(RemoteError::Answer(format!(
                    "ended with {code}: {}",
                    sent.said
                )));
            }
        }
        let directory = String::from_utf8_lossy(&sent.stdout).trim().to_owned();
        let mut line = format!(
            "d={}\ntrap 'rm -rf \"$d\"' EXIT\n\"$d/nofail\"",
            quoted(&directory)
        );
        for word in words {
            line.push(' ');
            line.push_str(&quoted(word));
        }
        if !site.is_empty() {
            line.push_str(&format!(
                " --site \"$d/site.toml\" --host {} --here",
                quoted(host)
            ));
        }
        self.at_terminal(address, &line, terminal)
    }

    /// One script on the host with this process's own standard streams. No deadline: a person
    /// may be reading before the answer.
    fn at_terminal(&self, address: &str, script: &str, terminal: bool) -> Result<i32, RemoteError> {
        let (host, port) = split(address)?;
        let quoted = format!("sh -c {}", quoted(script));
        let line = if self.sudo {
            format!("sudo -n {quoted}")
        } else {
            quoted
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the wrapper captures the streams; here they are the user's own"
        )]
        let mut ssh = std::process::Command::new("ssh");
        ssh.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
        ssh.arg(if terminal { "-t" } else { "-T" });
        if let Some(config) = &self.ssh_config {
            ssh.arg("-F").arg(config);
        }
        if let Some(port) = port {
            ssh.args(["-p", port]);
        }
        let status = ssh.args(["--", host, &line]).status().map_err(|source| {
            RemoteError::Ssh(CommandError::Start {
                line: "ssh".to_owned(),
                source,
            })
        })?;
        match status.code() {
            Some(255) | None => Err(RemoteError::Connect(format!(
                "the connection to {host} was lost; what was done there stands in its journal: nofail plans"
            ))),
            Some(code) => Ok(code),
        }
    }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
