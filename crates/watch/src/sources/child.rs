//! A child process that goes on telling: `virsh event`. Gone with the thread that started it.

use super::SourceError;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};

/// A running child and the lines that it writes.
pub(super) struct Talker {
    child: Child,
    /// Its lines; closed when it ends.
    pub lines: Receiver<String>,
}

impl Talker {
    /// Starts a program; `setpriv` (util-linux), where it is there, has the kernel end the child
    /// when our thread ends in whatever way.
    pub(super) fn start(program: &str, args: &[&str]) -> Result<Self, SourceError> {
        let setpriv = "/usr/bin/setpriv";
        let mut words = Vec::new();
        if Path::new(setpriv).exists() {
            words.extend([setpriv, "--pdeathsig", "KILL", "--"]);
        }
        words.push(program);
        words.extend(args);
        #[expect(
            clippy::disallowed_methods,
            reason = "a child that talks without end; the wrapper is for commands that end"
        )]
        let mut child = std::process::Command::new(words[0])
            .args(&words[1..])
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| SourceError::failed(&format!("cannot run {program}"), &e))?;
        let (sender, lines) = mpsc::sync_channel(1_024);
        let errors = child.stderr.take();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
                // What it complained of, as its last words.
                let Some(errors) = errors else { return };
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    if line.starts_with("error:") && sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, lines })
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
