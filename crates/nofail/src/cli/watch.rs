//! `nofail watch`.

use super::{Exit, Format};
use anyhow::Context;
use model::Site;
use std::path::{Path, PathBuf};
use watch::daemon::{self, Start};
use watch::{Settings, settings};

/// Where site.toml is looked for.
const SITE: &str = "/etc/nofail/site.toml";

/// Flags of `nofail watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail watch                                       in the foreground, until SIGTERM
  nofail watch --check                               reads the settings, says what is wrong with them
  systemctl enable --now nofail-watch                with the unit file in contrib/
  nofail events --follow                             what it sees

It needs no settings. /etc/nofail/watch.toml sets how often to look and whom to tell,
/etc/nofail/site.toml adds the BMCs, switches and VRRP groups of the site.

Exit code: 0 was told to end, 2 could not run.")]
pub struct Args {
    /// The settings; without the file all have their defaults.
    #[arg(long, value_name = "FILE", default_value = settings::DEFAULT_PATH)]
    pub config: PathBuf,
    /// The site's intent, where the file exists.
    #[arg(long, value_name = "FILE", default_value = SITE)]
    pub site: PathBuf,
    /// The database, in place of the settings' one.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Only read the settings.
    #[arg(long)]
    pub check: bool,
}

/// Runs the command.
///
/// # Errors
/// Settings that cannot be used, a recorder that cannot be opened.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("watch", &[Format::Human])?;
    let mut settings = match read(&args.config, Path::new(settings::DEFAULT_PATH))? {
        Some(text) => Settings::parse(&args.config.display().to_string(), &text)?,
        None => Settings::default(),
    };
    if let Some(db) = &args.db {
        settings.recorder.path.clone_from(db);
    }
    let site = read(&args.site, Path::new(SITE))?
        .map(|text| Site::parse(&args.site.display().to_string(), &text))
        .transpose()?;
    if args.check {
        daemon::check(&settings)?;
        crate::render::print("the settings can be used\n")?;
        return Ok(Exit::Good);
    }
    let host = match &settings.host {
        Some(host) => host.clone(),
        None => host_name()?,
    };
    let site_directory = args.site.parent().unwrap_or(Path::new("/")).to_owned();
    daemon::run(Start {
        settings,
        site,
        site_directory,
        host,
    })?;
    Ok(Exit::Good)
}

/// The file's text; `None` where the default one is absent.
fn read(file: &Path, default: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file == default => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn host_name() -> anyhow::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("cannot read the host's name")?;
    let name = name.trim();
    // The short form, as in snapshots and site.toml.
    Ok(name.split('.').next().unwrap_or(name).to_owned())
}
