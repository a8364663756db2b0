//! User and password of a BMC: from a file of mode 0600, from the environment, or from a command.

use crate::command::{self, CommandError};
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// User and password. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Why there are none.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// Others may read it.
    #[error("{} may be read by others (mode {:04o}): chmod 600 it", .0.display(), .1)]
    Open(PathBuf, u32),
    /// It does not hold what it should.
    #[error("{} must hold two lines: user = \"…\" and password = \"…\"", .0.display())]
    Content(PathBuf),
    /// The command fails.
    #[error("the command that gives the credentials fails")]
    Command(#[from] CommandError),
    /// It prints something else.
    #[error(
        "the command that gives the credentials must print the user and the password, a line each"
    )]
    Printed,
}

/// Most bytes that a credentials file may have.
const LARGEST: u64 = 64 << 10;

impl Credentials {
    /// From a file: lines `user = …` and `password = …`, the values quoted or not.
    ///
    /// # Errors
    /// It cannot be read, others may read it, or it does not hold both.
    pub fn from_file(path: &Path) -> Result<Self, CredentialsError> {
        let reads = |error| CredentialsError::Read(path.to_owned(), error);
        let file = std::fs::OpenOptions::new()
            .read(true)
            .open(path)
            .map_err(reads)?;
        let mode = file.metadata().map_err(reads)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(CredentialsError::Open(path.to_owned(), mode));
        }
        let mut text = String::new();
        file.take(LARGEST)
            .read_to_string(&mut text)
            .map_err(reads)?;
        let value = |key: &str| {
            text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                (name.trim() == key).then(|| unquote(value.trim()).to_owned())
            })
        };
        match (value("user"), value("password")) {
            (Some(user), Some(password)) => Ok(Self { user, password }),
            _ => Err(CredentialsError::Content(path.to_owned())),
        }
    }

    /// From a command that prints both, a line each.
    ///
    /// # Errors
    /// It fails, hangs, or prints something else.
    pub fn from_command(words: &[String], deadline: Duration) -> Result<Self, CredentialsError> {
        let Some((program, args)) = words.split_first() else {
            return Err(CredentialsError::Printed);
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let printed = command::output(program, &args, deadline)?;
        let printed = String::from_utf8_lossy(&printed);
        let mut lines = printed.lines();
        match (lines.next(), lines.next()) {
            (Some(user), Some(password)) => Ok(Self {
                user: user.to_owned(),
                password: password.to_owned(),
            }),
            _ => Err(CredentialsError::Printed),
        }
    }
}

/// A value without the quotes around it, as TOML and shells write it.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|v| v.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_others_may_read_is_refused_and_nothing_shows_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bmc");
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut f| {
                std::io::Write::write_all(&mut f, b"user = \"admin\"\npassword = 'a=b \"c'\n")
            })
            .unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o640);
        let error = Credentials::from_file(&path).unwrap_err().to_string();
        assert!(
            error.contains("0640") && error.contains("chmod 600"),
            "{error}"
        );
        mode(0o600);
        let read = Credentials::from_file(&path).unwrap();
        assert_eq!((&*read.user, &*read.password), ("admin", "a=b \"c"));
        assert!(!format!("{read:?}").contains("admin"));
    }

    #[test]
    fn a_command_prints_two_lines() {
        let words = |line: &str| vec!["printf".to_owned(), line.to_owned()];
        let wait = Duration::from_secs(5);
        let read = Credentials::from_command(&words("admin\\nsecret\\n"), wait).unwrap();
        assert_eq!(read.password, "secret");
        assert!(Credentials::from_command(&words("admin\\n"), wait).is_err());
    }
}
