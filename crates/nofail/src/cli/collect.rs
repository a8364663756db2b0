//! `nofail collect`.

use super::{Exit, Format};
use crate::input::Input;
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Flags of `nofail collect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail collect -o kvm-01.json                  this host
  nofail collect --root /mnt/sysroot             a dead host's disk
  nofail collect --site site.toml --host kvm-02  another host, over SSH")]
pub struct Args {
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
    /// File to write; standard output where not given, or `-`. Replaced only once the new text is whole.
    #[arg(short, long, value_name = "FILE", help_heading = "Options")]
    pub output: Option<PathBuf>,
}

/// Runs the command. A snapshot is JSON whatever the format.
///
/// # Errors
/// The host cannot be read at all, or the file cannot be written.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("collect", &[Format::Human, Format::Json])?;
    let estate = args.input.estate()?;
    if let Some(lost) = estate.not_read.first() {
        bail!("{}: {}", lost.host, lost.reason);
    }
    let [snapshot] = estate.hosts.as_slice() else {
        bail!("a snapshot is of one host: name it with --host");
    };
    let text = serde_json::to_string_pretty(snapshot)? + "\n";
    match args
        .output
        .as_deref()
        .filter(|file| *file != Path::new("-"))
    {
        Some(file) => {
            let directory = match file.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let failed = || format!("cannot write {}", file.display());
            let mut new = tempfile::NamedTempFile::new_in(directory).with_context(failed)?;
            new.write_all(text.as_bytes()).with_context(failed)?;
            new.as_file().sync_all().with_context(failed)?;
            new.persist(file).with_context(failed)?;
        }
        None => crate::render::print(&text)?,
    }
    Ok(Exit::Good)
}
