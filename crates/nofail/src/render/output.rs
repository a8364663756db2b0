//! Standard output, as every command writes it: an error that comes from there says so.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal as _, StdoutLock, Write};

/// That standard output could not be written; its source is the kernel's error.
#[derive(Debug)]
struct Failed(io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write standard output")
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Standard output, locked.
#[derive(Debug)]
pub struct Output(StdoutLock<'static>);

/// Locks standard output for writing.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that names standard output in its errors"
)]
pub fn stdout() -> Output {
    Output(io::stdout().lock())
}

/// Whether a person looks at standard output.
#[expect(clippy::disallowed_methods, reason = "nothing is written")]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Hands on what is still held back. To be called once before a process ends: what stands behind
/// the last line break would be lost without a word (std's own flush at exit ignores errors).
///
/// # Errors
/// Standard output cannot be written.
pub fn finish() -> io::Result<()> {
    stdout().flush()
}

/// The error with the name of where it came from; its kind stays, since that a reader went away
/// (`nofail audit | head`) is looked for there.
pub fn named(error: io::Error) -> io::Error {
    // Asked again by `Write::write_all` and its kind: not to be wrapped.
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    io::Error::new(error.kind(), Failed(error))
}

impl Output {
    /// The descriptor, to be watched.
    pub fn descriptor(&self) -> &StdoutLock<'static> {
        &self.0
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    // Handed on whole: std's lock looks for line breaks in all of it.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}
