//! A JSON conversation over a UNIX socket with QEMU (QMP) or its guest agent: one object a line,
//! requests answered in order, events between them; every read has a deadline.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// One end of such a conversation.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    pending: Vec<u8>,
    peer: String,
}

impl Channel {
    /// Connects to the socket `path` as soon as it is there, until `deadline`.
    ///
    /// # Errors
    /// Where nobody listens at the deadline.
    pub fn connect(path: &Path, peer: &str, deadline: Instant) -> Result<Self> {
        Ok(Self {
            stream: connect(path, deadline)?,
            pending: Vec::new(),
            peer: peer.to_owned(),
        })
    }

    /// Sends a command and returns its `return` value.
    ///
    /// # Errors
    /// Where the peer answers with an error, is gone, or is silent until `deadline`.
    pub fn execute(&mut self, command: &str, arguments: Value, deadline: Instant) -> Result<Value> {
        let mut request = json!({ "execute": command });
        if !arguments.is_null() {
            request["arguments"] = arguments;
        }
        self.send(&[], &request)?;
        loop {
            let answer = self
                .receive(deadline)
                .with_context(|| format!("after {command}"))?;
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = answer.get("error") {
                let text = error["desc"].as_str().unwrap_or("no description");
                bail!("{} refused {command}: {text}", self.peer);
            }
        }
    }

    /// Brings the guest agent's conversation to a known point: whatever was left unread is dropped.
    ///
    /// Asked again and again, as an agent that starts late does not see the first request.
    ///
    /// # Errors
    /// Where the agent is silent until `deadline`.
    pub fn synchronise(&mut self, deadline: Instant) -> Result<()> {
        for id in 1.. {
            self.pending.clear();
            let request = json!({"execute": "guest-sync-delimited", "arguments": {"id": id}});
            // The agent flushes its own half-read input at this byte (QEMU guest agent protocol).
            match self.send(&[0xff], &request) {
                // While the machine boots nobody reads: the socket may be full of requests.
                Err(error) if !would_block(&error) => return Err(error),
                _ => {}
            }
            let pause = Duration::from_millis(if id < 5 { 500 } else { 2000 });
            let until = deadline.min(Instant::now() + pause);
            loop {
                match self.receive(until) {
                    Ok(answer) if answer["return"] == json!(id) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if would_block(&error) => break,
                    Err(error) => return Err(error),
                }
            }
            if Instant::now() >= deadline {
                bail!("{} does not answer", self.peer);
            }
        }
        Ok(())
    }

    fn send(&mut self, before: &[u8], request: &Value) -> Result<()> {
        let mut line = before.to_vec();
        serde_json::to_writer(&mut line, request)?;
        line.push(b'\n');
        self.stream
            .set_write_timeout(Some(Duration::from_secs(2)))?;
        self.stream
            .write_all(&line)
            .with_context(|| format!("cannot write to {}", self.peer))
    }

    /// The next whole object.
    fn receive(&mut self, deadline: Instant) -> Result<Value> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                // The agent's answer to a synchronisation starts with the delimiter.
                let start = line
                    .iter()
                    .rposition(|byte| *byte == 0xff)
                    .map_or(0, |at| at + 1);
                match serde_json::from_slice(&line[start..]) {
                    Ok(value) => return Ok(value),
                    // What a snapshot cut in half.
                    Err(_) => continue,
                }
            }
            let mut block = [0; 65536];
            let read = read_until(&mut self.stream, &mut block, deadline)
                .with_context(|| format!("{} is silent", self.peer))?;
            if read == 0 {
                bail!("{} has closed the connection", self.peer);
            }
            self.pending.extend_from_slice(&block[..read]);
        }
    }
}

/// Whether an error only says that nothing happened in time.
fn would_block(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// Connects to a UNIX socket as soon as somebody listens.
///
/// # Errors
/// Where nobody does until `deadline`.
pub fn connect(path: &Path, deadline: Instant) -> Result<UnixStream> {
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).with_context(|| format!("nobody listens at {}", path.display()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Reads what there is, waiting for it until `deadline`.
///
/// # Errors
/// Where nothing comes in time.
pub fn read_until(stream: &mut UnixStream, block: &mut [u8], deadline: Instant) -> Result<usize> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(block) {
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;

    #[test]
    fn events_are_passed_over_and_errors_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qmp");
        let listener = UnixListener::bind(&path).unwrap();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.next();
            stream
                .write_all(b"{\"event\":\"STOP\"}\n{\"return\":{\"running\":true}}\n")
                .unwrap();
            lines.next();
            stream
                .write_all(b"{\"error\":{\"desc\":\"no such thing\"}}\n")
                .unwrap();
            lines.next();
        });
        let soon = || Instant::now() + Duration::from_millis(300);
        let mut channel = Channel::connect(&path, "QEMU", soon()).unwrap();
        let status = channel
            .execute("query-status", Value::Null, soon())
            .unwrap();
        assert_eq!(status["running"], json!(true));
        let error = channel
            .execute("x", json!({}), soon())
            .unwrap_err()
            .to_string();
        assert!(error.contains("QEMU refused x: no such thing"), "{error}");
        assert!(channel.execute("y", Value::Null, soon()).is_err());
        peer.join().unwrap();
    }
}
