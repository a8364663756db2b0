//! Commands and files in a machine, through QEMU's guest agent and a port for bulk data.
//!
//! The agent answers while commands run, so that a command that hangs on a dead NFS server hangs
//! alone.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::channel::{Channel, connect, read_until};
use crate::uml::SHARED;

/// What a command in a machine ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 + the signal's number where a signal ended it, as a shell tells it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command under way in a machine.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    pid: u64,
}

/// The channel to one machine.
#[derive(Debug)]
pub struct Agent {
    control: Channel,
    data: Data,
}

/// How files go to and from a machine.
#[derive(Debug)]
enum Data {
    /// Through a port for bulk data.
    Port(UnixStream),
    /// Through this directory, which User-mode Linux can mount.
    Shared(PathBuf),
}

/// Time for what the agent answers by itself. Generous: with both cores taken twenty times over, it has
/// been silent for more than twenty seconds.
const PROMPT: Duration = Duration::from_secs(120);

impl Agent {
    /// Connects to the agent behind the sockets in `dir` as soon as it answers.
    ///
    /// # Errors
    /// Where it does not until `deadline`.
    pub fn connect(dir: &Path, deadline: Instant) -> Result<Self> {
        let shared = dir.join(SHARED);
        let data = if shared.is_dir() {
            Data::Shared(shared)
        } else {
            Data::Port(connect(&dir.join("data"), deadline)?)
        };
        let mut control = Channel::connect(&dir.join("agent"), "the machine's agent", deadline)?;
        control.synchronise(deadline)?;
        Ok(Self { control, data })
    }

    /// Starts `command` with bash in a session of its own.
    ///
    /// # Errors
    /// Where the agent does not answer.
    pub fn start(&mut self, command: &str) -> Result<Running> {
        let request = json!({
            "path": "/usr/bin/setsid",
            "arg": ["/bin/bash", "-c", command],
            "capture-output": true,
        });
        let answer = self.execute("guest-exec", request)?;
        let pid = answer["pid"]
            .as_u64()
            .context("the agent named no process")?;
        Ok(Running { pid })
    }

    /// The result of a started command, `None` while it runs.
    ///
    /// # Errors
    /// Where the agent does not answer, or the result was asked for twice.
    pub fn finished(&mut self, running: Running) -> Result<Option<Output>> {
        let status = self.execute("guest-exec-status", json!({ "pid": running.pid }))?;
        if status["exited"] != json!(true) {
            return Ok(None);
        }
        let number = |key: &str| status[key].as_i64().and_then(|n| i32::try_from(n).ok());
        let code = number("exitcode").or_else(|| number("signal").map(|signal| 128 + signal));
        let text = |key: &str| {
            let bytes = decode(status[key].as_str().unwrap_or_default());
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(Some(Output {
            code: code.context("the agent told no exit status")?,
            stdout: text("out-data"),
            stderr: text("err-data"),
        }))
    }

    /// Waits for a started command; at the deadline it is killed with all that it started.
    ///
    /// # Errors
    /// Where it has not ended at the deadline.
    pub fn wait(&mut self, running: Running, deadline: Instant) -> Result<Output> {
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(output) = self.finished(running)? {
                return Ok(output);
            }
            if Instant::now() >= deadline {
                self.end(running)?;
                bail!("the command did not end in time");
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// Kills a started command and all of its session. What waits in the kernel for a dead server
    /// dies only when the server is back or the mount is forced off.
    ///
    /// # Errors
    /// Where the agent does not answer.
    pub fn end(&mut self, running: Running) -> Result<()> {
        let session = running.pid.to_string();
        let request = json!({"path": "/usr/bin/pkill", "arg": ["-KILL", "-s", session]});
        self.execute("guest-exec", request)?;
        Ok(())
    }

    /// Writes a file, with its directories; its mode becomes 0755 so that programs can run.
    ///
    /// # Errors
    /// Where it cannot be written until `deadline`.
    pub fn put(&mut self, path: &str, bytes: &[u8], deadline: Instant) -> Result<()> {
        let size = bytes.len();
        let path = quote(path);
        let mut handed = None;
        let source = match &self.data {
            Data::Port(_) => format!("timeout 120 head -c {size} < {DATA_PORT}"),
            Data::Shared(shared) => {
                let file = tempfile::NamedTempFile::new_in(shared)?;
                std::fs::write(&file, bytes)?;
                let copy = format!("cat {SHARE}/{}", file_name(file.path()));
                handed = Some(file);
                with_shared(shared, &copy)
            }
        };
        let running = self.start(&format!(
            "mkdir -p \"$(dirname {path})\" && rm -f {path} && {source} > {path} && \
             chmod 755 {path} && [ $(stat -c %s {path}) = {size} ]"
        ))?;
        if let Data::Port(port) = &mut self.data {
            let left = deadline.saturating_duration_since(Instant::now());
            port.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
            port.write_all(bytes).context("cannot send the file")?;
        }
        let output = self.wait(running, deadline)?;
        drop(handed);
        if output.code != 0 {
            bail!("cannot write {path} in the machine: {}", output.stderr);
        }
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not there or not read until `deadline`.
    pub fn get(&mut self, path: &str, deadline: Instant) -> Result<Vec<u8>> {
        let path = quote(path);
        let running = self.start(&format!("stat -L -c %s {path}"))?;
        let output = self.wait(running, deadline)?;
        if output.code != 0 {
            bail!("no {path} in the machine: {}", output.stderr);
        }
        if let Data::Shared(shared) = &self.data {
            let file = tempfile::NamedTempFile::new_in(shared)?;
            let name = file_name(file.path());
            let copy = with_shared(shared, &format!("cat {path} > {SHARE}/{name}"));
            let running = self.start(&copy)?;
            let output = self.wait(running, deadline)?;
            if output.code != 0 {
                bail!("cannot read {path} in the machine: {}", output.stderr);
            }
            return Ok(std::fs::read(&file)?);
        }
        let size: usize = output.stdout.trim().parse()?;
        let running = self.start(&format!("timeout 120 head -c {size} {path} > {DATA_PORT}"))?;
        let Data::Port(port) = &mut self.data else {
            bail!("no port for bulk data");
        };
        let mut bytes = Vec::with_capacity(size);
        let mut block = vec![0; 1 << 16];
        while bytes.len() < size {
            let read = read_until(port, &mut block, deadline)?;
            if read == 0 {
                bail!("the machine ended while {path} was read");
            }
            bytes.extend_from_slice(&block[..read]);
        }
        self.wait(running, deadline)?;
        Ok(bytes)
    }

    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        self.control
            .execute(command, arguments, Instant::now() + PROMPT)
    }
}

/// The bulk port as a shell word: the device whose name is `lab.data`.
const DATA_PORT: &str =
    "/dev/$(basename $(dirname $(grep -lx lab.data /sys/class/virtio-ports/*/name)))";

/// Where the directory that is shared lies in a machine while a file is copied.
const SHARE: &str = "/run/lab-share";

/// A shell line that runs `command` with the directory `shared` of this machine at [`SHARE`]: it is
/// there for that time only, so that no test finds a mount of the lab's.
fn with_shared(shared: &Path, command: &str) -> String {
    let shared = shared.display();
    format!(
        "mkdir -p {SHARE} && unshare -m sh -c {}",
        quote(&format!(
            "mount -t hostfs -o {shared} none {SHARE} && {command}"
        ))
    )
}

/// The last part of a path that the lab made.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// A shell word that stands for `text` literally.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Decodes base64 as the agent writes it (RFC 4648, section 4); other bytes are passed over.
fn decode(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_each_padding() {
        assert_eq!(decode("bm9mYWls"), b"nofail");
        assert_eq!(decode("bm9mYWk="), b"nofai");
        assert_eq!(decode("bm9mYQ=="), b"nofa");
        assert_eq!(decode("/+8="), [0xff, 0xef]);
        assert_eq!(decode(""), b"");
    }

    #[test]
    fn a_quoted_word_stays_one_word() {
        assert_eq!(quote("a'b $c"), "'a'\\''b $c'");
    }
}
