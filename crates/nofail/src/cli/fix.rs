//! `nofail fix`.

use super::confirm::{self, Answer};
use super::{Exit, Format, plans, rollback};
use crate::{render, wire};
use ::collect::{HostReader, LocalReader, Options};
use anyhow::{Context, bail};
use change::fix::running;
use change::fix::search::{Found, Wish, search};
use change::fix::verify::{self, Verdict};
use change::journal::{self, Status};
use change::{Act, Again, Command, Draft, Plan, Proposal, Root, Run, engine, undo};
use model::{Estate, Site};
use rules::Selection;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Flags of `nofail fix`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  nofail fix                                   shows what it would do on this host, and asks
  nofail fix fstab --yes                       safe remedies of one area, no question
  nofail fix --root /mnt/sysroot --yes         a dead host's disk, from a rescue shell
  nofail fix --unsafe --address nas-01=10.50.1.70
  nofail fix --site site.toml --host kvm-02    another host, over SSH
  nofail rollback                              takes it back

Safe remedies only, unless --unsafe: adding nofail to any line but /, /usr, /boot and /var is safe;
what changes which disk, type or address is used, or who may write a file, is not.

Exit code: 0 done or nothing to do, 1 shown only, 2 could not be done.")]
pub struct Args {
    /// Only findings of these rules, or areas of rules.
    #[arg(value_name = "RULE")]
    pub rules: Vec<String>,
    /// A directory that holds a host's files: only files are changed, the journal lies in it.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The site's intent; with --host, the host to mend.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// The host of the site.
    #[arg(long, value_name = "NAME", requires = "site")]
    pub host: Option<String>,
    /// This machine is that host of the site.
    #[arg(long, requires = "host", conflicts_with = "root")]
    pub here: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Remedies too that must be asked for.
    #[arg(long = "unsafe")]
    pub also_unsafe: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Write what is wrong in the running state of bridges as change files for `nofail net apply`
    /// into this directory.
    #[arg(long, value_name = "DIR")]
    pub changes: Option<PathBuf>,
    /// The address of a name in fstab; this machine's resolver is never asked.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = address)]
    pub address: Vec<(String, String)>,
    /// Another configuration file for ssh, as `ssh -F`.
    #[arg(long, value_name = "FILE", requires = "site")]
    pub ssh_config: Option<PathBuf>,
    /// Become root on a host reached over SSH, through `sudo -n`.
    #[arg(long, requires = "site")]
    pub sudo: bool,
    /// Static nofail to send to a host reached over SSH; this very program where not given.
    #[arg(long, value_name = "FILE", requires = "site")]
    pub agent: Option<PathBuf>,
}

fn address(text: &str) -> Result<(String, String), String> {
    let (name, address) = text.split_once('=').ok_or("NAME=ADDRESS")?;
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("`{address}` is no IP address"))?;
    if name.is_empty() {
        return Err("NAME=ADDRESS".to_owned());
    }
    Ok((name.to_owned(), address.to_string()))
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, no plan may be made, or a step failed.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("fix", &[Format::Human, Format::Json])?;
    let site = args.site.as_deref().map(site).transpose()?;
    let mut root = args.root.clone();
    if let (Some((_, site)), None, false) = (&site, &root, args.here) {
        let Some(name) = &args.host else {
            bail!("name the host to mend: --host NAME");
        };
        let file = args.site.as_deref().unwrap_or(Path::new(""));
        let Some(host) = site.hosts.get(name) else {
            bail!("{} has no host `{name}`", file.display());
        };
        match (&host.root, &host.snapshot, &host.address) {
            (Some(tree), _, _) => {
                root = Some(file.parent().unwrap_or(Path::new(".")).join(tree));
            }
            (None, Some(snapshot), _) => bail!(
                "{name} is known by the snapshot {snapshot} only, which cannot be mended; give its disk: --root DIR"
            ),
            (None, None, Some(address)) => return super::fix_remote::run(args, address, format),
            (None, None, None) => bail!("site.toml gives {name} neither root nor address"),
        }
    }
    here(args, format, root.as_deref(), site)
}

type Intent = (String, Site);

fn site(file: &Path) -> anyhow::Result<Intent> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let site = Site::parse(&file.display().to_string(), &text)?;
    Ok((text, site))
}

/// Mends this host or a tree.
fn here(
    args: &Args,
    format: Format,
    tree: Option<&Path>,
    site: Option<Intent>,
) -> anyhow::Result<Exit> {
    let selection = Selection {
        only: args.rules.clone(),
    };
    let rules = match selection.rules() {
        Ok(rules) => rules,
        Err(name) => bail!("no rule or area `{name}`; `nofail rules` lists them"),
    };
    let root = plans::root(tree)?;
    if let Some(open) = undo::last(&root)?.filter(|r| r.status() == Status::Unfinished) {
        return Err(change::Error::Unfinished(open.plan.id).into());
    }
    let reader = match tree {
        Some(tree) => LocalReader::rooted(tree)
            .with_context(|| format!("cannot open the directory {}", tree.display()))?,
        None => LocalReader::live().context("cannot open /")?,
    };
    let addresses: BTreeMap<String, String> = args.address.iter().cloned().collect();
    let look = |reader: &dyn HostReader| estate(reader, args, site.as_ref());
    let found = search(
        &reader,
        &Wish {
            rules: &rules,
            also_unsafe: args.also_unsafe,
            addresses: &addresses,
            look: &look,
            boot: &|estate, snapshot, unreachable| {
                let conditions = super::boot::conditions(estate, snapshot, unreachable);
                analysis::boot::predict(snapshot, &conditions)
            },
        },
    )?;
    let mut plan = plan(&root, &reader, args, &found)?;
    let verdicts = verdicts(&found)?;
    let changes = write_changes(args.changes.as_deref(), &found)?;
    if format == Format::Human {
        let files = changes.as_deref();
        render::fix::plan(&plan, &found, &verdicts, args.also_unsafe, files)?;
    }
    let objection = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Objects(why) => Some(why.clone()),
        _ => None,
    });
    if let Some(why) = objection {
        bail!("nothing was changed: {why}");
    }
    let applied = if plan.steps.is_empty() {
        false
    } else {
        let answer = confirm::ask("Do this?", args.yes, args.dry_run)?;
        answer == Answer::Yes
    };
    if applied {
        engine::apply(&root, &mut plan, &mut |progress| {
            if format == Format::Human {
                render::fix::progress(&plan_steps(progress));
            }
        })?;
    }
    let record = applied
        .then(|| journal::load(&root, &plan.id))
        .transpose()?;
    match format {
        Format::Json => wire::print(&wire::fix::Document::of(
            &plan,
            record.as_ref(),
            &found,
            &verdicts,
        ))?,
        _ => render::fix::end(&plan, applied, tree)?,
    }
    Ok(if applied || plan.steps.is_empty() {
        Exit::Good
    } else {
        Exit::Found
    })
}

/// The number of a step that was just done.
fn plan_steps(progress: &journal::Progress) -> Option<usize> {
    match progress {
        journal::Progress::Done { step } => Some(*step),
        _ => None,
    }
}

/// Reads a host, with the site's intent where there is one.
fn estate(reader: &dyn HostReader, args: &Args, site: Option<&Intent>) -> Estate {
    let mut snapshot = ::collect::collect(reader, &Options::default());
    if let Some(host) = &args.host {
        snapshot.host.clone_from(host);
    }
    let mut estate = Estate::of(snapshot);
    // Parsed again: an estate owns its site.
    estate.site = site.and_then(|(text, _)| Site::parse("site.toml", text).ok());
    estate
}

/// The proposals as a plan, with systemd told to read its files again where that is due.
fn plan(root: &Root, reader: &dyn HostReader, args: &Args, found: &Found) -> anyhow::Result<Plan> {
    let mut proposals = found.proposals.clone();
    if found.fstab.is_some() && root.is_live() && reader.stat("/run/systemd/system").is_ok() {
        proposals.push(Proposal {
            act: Act::Run(Run {
                command: Command::new(["systemctl", "daemon-reload"]),
                undo: Again::Last,
                seconds: 60,
                ..Run::default()
            }),
            rules: Vec::new(),
            safe: true,
        });
    }
    let draft = Draft {
        host: found.host.clone(),
        title: "nofail fix".to_owned(),
        origin: rollback::origin(args.reason.clone()),
        proposals,
        attachments: BTreeMap::new(),
    };
    Ok(change::prepare(root, draft)?)
}

/// Writes the change files, where asked for; gives their paths.
fn write_changes(directory: Option<&Path>, found: &Found) -> anyhow::Result<Option<Vec<PathBuf>>> {
    let Some(directory) = directory else {
        return Ok(None);
    };
    let mut written = Vec::new();
    for (name, text) in running::files(&found.pieces) {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let file = directory.join(name);
        if file.exists() {
            bail!("{} exists already: name an empty directory", file.display());
        }
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        written.push(file);
    }
    Ok(Some(written))
}

/// What other programs say of the new fstab.
fn verdicts(found: &Found) -> anyhow::Result<Vec<Verdict>> {
    let Some((old, new)) = &found.fstab else {
        return Ok(Vec::new());
    };
    let scratch = tempfile::tempdir().context("no directory for temporary files")?;
    Ok(verify::fstab(old, new, scratch.path()))
}
