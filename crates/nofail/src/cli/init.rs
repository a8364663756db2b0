//! `nofail init`.

use super::{Exit, Format};
use crate::input::Input;
use anyhow::{Context, bail};
use std::io::Write;
use std::path::PathBuf;

/// Flags of `nofail init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail init                                           from this host, to standard output
  nofail init --snapshot kvm-01.json kvm-02.json -o site.toml")]
pub struct Args {
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
    /// File to write; standard output where not given. A file that is there is never replaced.
    #[arg(short, long, value_name = "FILE", help_heading = "Options")]
    pub output: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The host cannot be read, or the file is there already or cannot be written.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("init", &[Format::Human])?;
    let text = model::draft::draft(&args.input.estate()?);
    let Some(file) = &args.output else {
        crate::render::print(&text)?;
        return Ok(Exit::Good);
    };
    let opened = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(file);
    match opened {
        Ok(mut opened) => opened
            .write_all(text.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already; name another file with -o",
                file.display()
            )
        }
        Err(error) => return Err(error).context(format!("cannot write {}", file.display())),
    }
    Ok(Exit::Good)
}
