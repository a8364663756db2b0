//! The kernel's management console: a UNIX datagram socket that takes commands
//! (arch/um/drivers/mconsole.h of the kernel; version 2 of its protocol).

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// What a request begins with.
const MAGIC: u32 = 0xcafe_babe;

/// The protocol's version.
const VERSION: u32 = 2;

/// Longest text of a request and of a piece of an answer.
const TEXT: usize = 512;

/// Gives the kernel whose directory this is a command.
///
/// # Errors
/// Where it does not answer within ten seconds, or refuses; its words are in the error.
pub fn ask(dir: &Path, command: &str) -> Result<()> {
    if command.len() >= TEXT {
        bail!("too long for the kernel's console: {command}");
    }
    let own = dir.join("asks");
    let _ = std::fs::remove_file(&own);
    let socket = UnixDatagram::bind(&own)?;
    let limit = Some(Duration::from_secs(10));
    socket.set_read_timeout(limit)?;
    socket.set_write_timeout(limit)?;
    let size = u32::try_from(command.len())?;
    let mut request = Vec::with_capacity(12 + TEXT);
    for word in [MAGIC, VERSION, size] {
        request.extend_from_slice(&word.to_ne_bytes());
    }
    request.extend_from_slice(command.as_bytes());
    request.resize(12 + TEXT, 0);
    socket
        .send_to(&request, dir.join("mconsole"))
        .context("the kernel's console takes no command")?;
    let mut said = String::new();
    loop {
        let mut answer = [0; 12 + TEXT];
        let size = socket
            .recv(&mut answer)
            .context("the kernel's console does not answer")?;
        if size < 12 {
            bail!("the kernel's console sent {size} bytes");
        }
        let word = |at: usize| {
            let four = [answer[at], answer[at + 1], answer[at + 2], answer[at + 3]];
            u32::from_ne_bytes(four)
        };
        let (error, more, length) = (word(0), word(4), word(8) as usize);
        let end = (12 + length).min(size);
        said.push_str(&String::from_utf8_lossy(&answer[12..end]));
        if more != 0 {
            continue;
        }
        if error != 0 {
            bail!(
                "the kernel refused {command:?}: {}",
                said.trim_end_matches('\0').trim()
            );
        }
        return Ok(());
    }
}
