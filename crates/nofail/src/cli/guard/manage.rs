//! Puts the guard in place, takes it away, and tells what stands; through the change engine, so
//! that `nofail rollback` knows of it.

use super::super::confirm::{self, Answer};
use super::super::rollback::origin;
use super::ask::systemctl;
use super::assess::host_name;
use crate::cli::{Exit, Format, plans};
use crate::{render, wire};
use ::collect::command;
use anyhow::{Context, bail};
use change::plan::{Draft, Proposal, prepare};
use std::path::{Path, PathBuf};
use std::time::Duration;
use watch::guard::install::{self, COMMANDS, SCRIPT, UNITS, WRAPPERS};

/// Flags of `nofail guard install`.
#[derive(Debug, clap::Args)]
pub struct Install {
    /// The site's intent: twins and criticality. Without it the guard knows this host alone.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// This host's name in it; its host name where not given.
    #[arg(long, value_name = "NAME", requires = "site")]
    pub host: Option<String>,
    /// A host's file tree; only files are written there.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Flags of `nofail guard uninstall`.
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    /// A host's file tree.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Whether systemd runs this machine (sd_booted(3)).
fn booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn under(root: Option<&Path>, path: &str) -> PathBuf {
    match root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    }
}

/// Whether what stands at a path is ours: our link, or a file that names us.
fn ours(root: Option<&Path>, path: &str) -> Option<bool> {
    let at = under(root, path);
    let meta = std::fs::symlink_metadata(&at).ok()?;
    if meta.is_symlink() {
        return Some(std::fs::read_link(&at).is_ok_and(|to| to == Path::new(SCRIPT)));
    }
    Some(std::fs::read_to_string(&at).is_ok_and(|text| text.contains("nofail guard")))
}

/// Installs.
///
/// # Errors
/// Something foreign stands in the way, the site cannot be read, or a file cannot be written.
pub fn install(args: &Install, format: Format) -> anyhow::Result<Exit> {
    let root = args.root.as_deref();
    let foreign: Vec<String> = install::paths()
        .into_iter()
        .filter(|path| ours(root, path) == Some(false))
        .collect();
    if !foreign.is_empty() {
        bail!(
            "not of nofail, and in the way: {}; move them first",
            foreign.join(", ")
        );
    }
    let site = match &args.site {
        Some(file) => {
            let file = file
                .canonicalize()
                .with_context(|| format!("cannot read {}", file.display()))?;
            let text = std::fs::read_to_string(&file)?;
            let site = model::Site::parse(&file.display().to_string(), &text)?;
            if let Some(host) = args.host.as_ref().filter(|h| !site.hosts.contains_key(*h)) {
                bail!("{} has no host {host}", file.display());
            }
            Some(file.display().to_string())
        }
        None => None,
    };
    let nofail = std::env::current_exe().context("where this nofail is")?;
    let nofail = change::show::quoted(&nofail.display().to_string());
    let live = root.is_none() && booted();
    let proposals = install::install(&nofail, site.as_deref(), args.host.as_deref(), live);
    carry_out(
        "nofail guard install",
        root,
        proposals,
        (args.yes, args.dry_run),
        format,
    )
}

/// Uninstalls.
///
/// # Errors
/// A file cannot be removed.
pub fn uninstall(args: &Uninstall, format: Format) -> anyhow::Result<Exit> {
    let root = args.root.as_deref();
    let there: Vec<String> = install::paths()
        .into_iter()
        .filter(|path| ours(root, path) == Some(true))
        .collect();
    let live = root.is_none() && booted();
    let proposals = install::uninstall(&there, live);
    carry_out(
        "nofail guard uninstall",
        root,
        proposals,
        (args.yes, args.dry_run),
        format,
    )
}

fn carry_out(
    title: &str,
    root: Option<&Path>,
    proposals: Vec<Proposal>,
    (yes, dry_run): (bool, bool),
    format: Format,
) -> anyhow::Result<Exit> {
    let place = plans::root(root)?;
    let mut plan = prepare(
        &place,
        Draft {
            host: host_name(),
            title: title.to_owned(),
            origin: origin(None),
            proposals,
            ..Draft::default()
        },
    )?;
    let steps: Vec<String> = plan.steps.iter().map(|s| s.what.clone()).collect();
    if format == Format::Human {
        render::print(&render::guard::steps(&steps))?;
    }
    let mut done = steps.is_empty();
    if !steps.is_empty() && confirm::ask("Do this?", yes, dry_run)? == Answer::Yes {
        change::engine::apply(&place, &mut plan, &mut |_| {})?;
        done = true;
    }
    match format {
        Format::Json => wire::print(&wire::guard::Changed::of(&steps, done))?,
        _ if steps.is_empty() => render::print("nothing to do\n")?,
        _ if done => render::print(&format!(
            "done; `nofail rollback {}` takes it back\n",
            plan.id
        ))?,
        _ => render::print("nothing was changed; --yes does it\n")?,
    }
    Ok(if done { Exit::Good } else { Exit::Found })
}

/// Tells what stands.
///
/// # Errors
/// Standard output cannot be written.
pub fn status(format: Format) -> anyhow::Result<Exit> {
    let mut lines = Vec::new();
    let missing = |paths: &[String]| -> Vec<String> {
        paths
            .iter()
            .filter(|p| ours(None, p) != Some(true))
            .cloned()
            .collect()
    };
    let wrappers: Vec<String> = COMMANDS.iter().map(|c| format!("{WRAPPERS}/{c}")).collect();
    let script = missing(&[SCRIPT.to_owned()]).is_empty();
    let wrapped = missing(&wrappers);
    lines.push((
        "wrappers",
        script && wrapped.is_empty(),
        match (script, wrapped.as_slice()) {
            (true, []) => format!("{} commands in {WRAPPERS}", COMMANDS.len()),
            (false, _) => format!("{SCRIPT} is missing"),
            (true, gone) => format!("missing: {}", gone.join(", ")),
        },
    ));
    for (who, path) in search_paths() {
        let first = |p: &String| {
            let directories = p.split(':');
            directories
                .into_iter()
                .find(|d| Path::new(&format!("{d}/systemctl")).exists())
                .map(str::to_owned)
        };
        match path {
            Ok(path) => {
                let caught = first(&path).as_deref() == Some(WRAPPERS);
                lines.push((who, caught, path));
            }
            Err(reason) => lines.push((who, false, reason)),
        }
    }
    let asked = |args: &[&str]| {
        let done = command::run(systemctl(), args, &[], Duration::from_secs(5));
        done.map(|d| String::from_utf8_lossy(&d.stdout).trim().to_owned())
            .unwrap_or_default()
    };
    let active = asked(&["is-active", "nofail-guard.service"]);
    lines.push((
        "inhibitor",
        active == "active",
        format!(
            "nofail-guard.service is {}",
            if active.is_empty() {
                "not known"
            } else {
                &active
            }
        ),
    ));
    lines.push((
        "Ctrl-Alt-Del",
        missing(&[UNITS[1].to_owned(), UNITS[2].to_owned()]).is_empty(),
        UNITS[2].to_owned(),
    ));
    let version = asked(&["--version"]);
    let number = version
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<u32>().ok());
    let all = lines.iter().all(|(_, good, _)| *good);
    match format {
        Format::Json => wire::print(&wire::guard::Status::of(&lines, number))?,
        _ => render::print(&render::guard::status(&lines, number))?,
    }
    Ok(if all { Exit::Good } else { Exit::Found })
}

/// The PATHs by which root's commands are found: a login shell's, systemd's for services, cron's,
/// sudo's.
fn search_paths() -> Vec<(&'static str, Result<String, String>)> {
    let login = command::output("sh", &["-lc", "echo \"$PATH\""], Duration::from_secs(15))
        .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        .map_err(|error| error.to_string());
    let manager = command::output(systemctl(), &["show-environment"], Duration::from_secs(5))
        .map_err(|error| error.to_string())
        .and_then(|bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let path = text
                .lines()
                .find_map(|l| l.strip_prefix("PATH=").map(str::to_owned));
            path.ok_or_else(|| "systemd tells no PATH".to_owned())
        });
    let mut all = vec![("login shell", login), ("services", manager)];
    if let Ok(text) = std::fs::read_to_string("/etc/crontab") {
        let path = text
            .lines()
            .find_map(|l| l.trim().strip_prefix("PATH=").map(str::to_owned));
        // crond's own default.
        all.push((
            "cron",
            Ok(path.unwrap_or_else(|| "/usr/bin:/bin".to_owned())),
        ));
    }
    if let Ok(text) = std::fs::read_to_string("/etc/sudoers") {
        let path = text
            .lines()
            .filter(|l| !l.trim_start().starts_with('#'))
            .find_map(|l| l.split_once("secure_path"));
        if let Some((_, path)) = path {
            let path = path
                .trim_start_matches([' ', '=', '\t'])
                .trim()
                .trim_matches('"');
            all.push(("sudo", Ok(path.to_owned())));
        }
    }
    all
}
