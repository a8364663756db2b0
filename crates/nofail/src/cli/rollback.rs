//! `nofail rollback`.

use super::confirm::{self, Answer};
use super::{Exit, Format, plans};
use crate::{render, wire};
use anyhow::bail;
use change::history::{self, Entry};
use change::journal::{Record, Status};
use change::origin::Origin;
use change::undo::{self, Strictness};
use std::path::PathBuf;

/// Flags of `nofail rollback`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail rollback                              shows what it would take back, and asks
  nofail rollback --yes                        the last plan that is unfinished or applied
  nofail rollback 20260413-210501-123456 --yes
  nofail rollback --root /mnt/sysroot --yes    on a dead host's disk, from a rescue shell

It may be killed and run again at any point.

Exit code: 0 taken back or nothing to take back, 1 shown only, 2 could not be taken back.")]
pub struct Args {
    /// The plan; the last one that is unfinished or applied where not given.
    #[arg(value_name = "PLAN")]
    pub plan: Option<String>,
    /// A directory that holds a host's files: its journal lies in it.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Also where a file was changed by someone else since; that change is lost.
    #[arg(long)]
    pub force: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Who runs this program; users are looked up in this machine's passwd.
pub fn origin(reason: Option<String>) -> Origin {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Origin::here(&passwd, reason)
}

/// Runs the command.
///
/// # Errors
/// The journal cannot be read, a file was changed since, or something could not be taken back.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("rollback", &[Format::Human, Format::Json])?;
    let root = plans::root(args.root.as_deref())?;
    let record = match &args.plan {
        Some(id) => match history::load(&root, id)? {
            Entry::Plan((_, record)) => Some(record?),
            Entry::Net(id, _) => {
                bail!("{id} is a network change; take it back with: nofail net rollback {id}")
            }
        },
        None => last(&root)?,
    };
    let Some(record) = record.filter(|r| r.status() != Status::RolledBack) else {
        return nothing(format, args.plan.as_deref());
    };
    let strictness = if args.force {
        Strictness::Force
    } else {
        Strictness::Known
    };
    let lines = undo::preview(&root, &record, strictness)?;
    if format == Format::Human {
        render::plans::rollback(&record, &lines)?;
    }
    let asked = confirm::ask("Take this back?", args.yes, args.dry_run)?;
    let done = asked == Answer::Yes;
    if done {
        let by = origin(args.reason.clone());
        undo::rollback(&root, &record.plan.id, strictness, &by, &mut |_| {})?;
    }
    tell(format, &record, lines, done)?;
    Ok(if done { Exit::Good } else { Exit::Found })
}

/// The plan that is meant where none is named. Never an older one behind a network change: what
/// was done last is taken back first.
fn last(root: &change::Root) -> anyhow::Result<Option<Record>> {
    let last = undo::last(root)?;
    let behind = last.as_ref().map_or("", |record| record.plan.id.as_str());
    for entry in history::list(root)?.iter().rev() {
        if entry.id() <= behind {
            break;
        }
        if let Entry::Net(id, _) = entry
            && entry.status() != Some(Status::RolledBack)
        {
            let or = if behind.is_empty() {
                String::new()
            } else {
                format!("; or name the plan before it: nofail rollback {behind}")
            };
            bail!(
                "the last change is the network change {id}; take it back with: nofail net \
                 rollback {id}{or}"
            );
        }
    }
    Ok(last)
}

fn nothing(format: Format, plan: Option<&str>) -> anyhow::Result<Exit> {
    match format {
        Format::Json => wire::print(&wire::plans::RolledBack::nothing())?,
        _ => render::print(&match plan {
            Some(id) => format!("plan {id} was taken back already\n"),
            None => "no plan is unfinished or applied: nothing to take back\n".to_owned(),
        })?,
    }
    Ok(Exit::Good)
}

fn tell(format: Format, record: &Record, lines: Vec<String>, done: bool) -> anyhow::Result<()> {
    let id = &record.plan.id;
    match format {
        Format::Json => wire::print(&wire::plans::RolledBack::of(record, lines, done)),
        _ if done => render::print(&format!("plan {id} is taken back\n")),
        _ => render::print("nothing was changed; --yes takes it back\n"),
    }
}
