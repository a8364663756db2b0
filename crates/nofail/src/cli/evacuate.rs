//! `nofail evacuate`.

use super::confirm::{self, Answer};
use super::{Exit, Format, plans, rollback};
use crate::{render, wire};
use ::collect::probe::Prober;
use ::collect::{LocalReader, Options};
use anyhow::{Context, bail};
use change::evacuate::remove::{self, Kept};
use change::evacuate::{Request, steps, survey};
use change::journal::{self, Status};
use change::{Plan, Root, engine, undo};
use facts::Snapshot;

/// Flags of `nofail evacuate`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  nofail evacuate 9800-WLC-02 --to /var/lib/libvirt/images    shows what it would do, and asks
  nofail evacuate ise-01 --to default --yes                   to the directory of a pool, no question
  nofail evacuate ise-01 --to /srv/vms --all --dry-run        local disks as well, only shown
  nofail evacuate ise-01 --remove-source                      later: removes the kept originals
  nofail rollback                                             takes it back, with what was written since

Disks that lie on a network mount, or rest on an image there, are moved with their whole backing
chain; the copies rest on nothing. A guest that is off is copied and compared (qemu-img), one that
runs moves without an interruption (virsh blockcopy). The originals stay, renamed to NAME.evacuated,
until --remove-source. It may be interrupted at any time: nofail rollback.

Exit code: 0 done or nothing to move, 1 shown only, 2 refused or failed.")]
pub struct Args {
    /// The guest.
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// The directory, or the name of a libvirt pool of files, that the disks move to.
    #[arg(
        long,
        value_name = "DIR|POOL",
        required_unless_present = "remove_source"
    )]
    pub to: Option<String>,
    /// Local disks as well.
    #[arg(long, conflicts_with = "remove_source")]
    pub all: bool,
    /// Although another guest rests on the same backing file: the copy takes its content with it.
    #[arg(long, conflicts_with = "remove_source")]
    pub flatten: bool,
    /// Remove the originals that an earlier evacuation of this guest kept.
    #[arg(long, conflicts_with = "to")]
    pub remove_source: bool,
    /// Seconds without any progress after which a copy is given up and taken back.
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(5..))]
    pub stall: u64,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// There is no such guest, libvirt does not answer, or a step failed (and was taken back).
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("evacuate", &[Format::Human, Format::Json])?;
    let root = plans::root(None)?;
    if let Some(open) = undo::last(&root)?.filter(|r| r.status() == Status::Unfinished) {
        return Err(change::Error::Unfinished(open.plan.id).into());
    }
    let reader = LocalReader::live().context("cannot open /")?;
    let options = Options::default();
    let snapshot = ::collect::collect(&reader, &options);
    if args.remove_source {
        return remove_source(args, format, &root, &snapshot, &options);
    }
    let request = Request {
        guest: args.guest.clone(),
        to: args.to.clone().unwrap_or_default(),
        all: args.all,
        flatten: args.flatten,
        stall: args.stall,
    };
    let survey = survey::survey(&request, &snapshot, &reader, &options)?;
    if !survey.refused.is_empty() {
        match format {
            Format::Json => wire::print(&wire::evacuate::Document::of(&survey, None, None))?,
            _ => render::evacuate::refused(&survey.guest, &survey.refused)?,
        }
        return Ok(Exit::Failed);
    }
    if survey.moves.is_empty() {
        match format {
            Format::Json => wire::print(&wire::evacuate::Document::of(&survey, None, None))?,
            _ => render::evacuate::nothing(&survey)?,
        }
        return Ok(Exit::Good);
    }
    let draft = steps::draft(&survey, rollback::origin(args.reason.clone()))?;
    let mut plan = change::prepare(&root, draft)?;
    if format == Format::Human {
        render::evacuate::plan(&plan, &survey)?;
    }
    let applied = ask_and_apply(args, format, &root, &mut plan, "Move them?")?;
    let record = applied
        .then(|| journal::load(&root, &plan.id))
        .transpose()?;
    match format {
        Format::Json => wire::print(&wire::evacuate::Document::of(
            &survey,
            Some(&plan),
            record.as_ref(),
        ))?,
        _ => render::evacuate::end(&plan, &survey, applied)?,
    }
    Ok(if applied { Exit::Good } else { Exit::Found })
}

/// Asks, and runs the plan with a bar for its long steps.
fn ask_and_apply(
    args: &Args,
    format: Format,
    root: &Root,
    plan: &mut Plan,
    question: &str,
) -> anyhow::Result<bool> {
    if confirm::ask(question, args.yes, args.dry_run)? != Answer::Yes {
        return Ok(false);
    }
    // Ctrl-C ends the copy, and the plan is taken back by the process that still lives.
    for signal in [
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ] {
        signal_hook::flag::register(signal, change::long::interrupt().clone())
            .context("cannot handle signals")?;
    }
    let mut bar = render::evacuate::Bar::new(plan, format == Format::Human);
    let ended = engine::apply(root, plan, &mut |progress| bar.tell(progress));
    bar.finish();
    if let Err(error) = ended {
        render::evacuate::unchanged(&error, &args.guest);
        return Err(error.into());
    }
    Ok(true)
}

/// `--remove-source`.
fn remove_source(
    args: &Args,
    format: Format,
    root: &Root,
    snapshot: &Snapshot,
    options: &Options,
) -> anyhow::Result<Exit> {
    let guest = &args.guest;
    let kept = still_there(remove::kept(root, guest)?, options)?;
    let refused: Vec<_> = kept
        .iter()
        .flat_map(|kept| remove::refused(kept, guest, snapshot))
        .collect();
    let orphaned = remove::orphaned(&kept, snapshot);
    let document = |plan: Option<&Plan>, record| {
        wire::evacuate::Removal::of(snapshot, guest, &kept, &refused, &orphaned, plan, record)
    };
    if !refused.is_empty() || kept.is_empty() {
        match format {
            Format::Json => wire::print(&document(None, None))?,
            _ if kept.is_empty() => {
                render::print(&format!("nofail keeps no original of {guest}\n"))?;
            }
            _ => render::evacuate::refused(guest, &refused)?,
        }
        return Ok(if refused.is_empty() {
            Exit::Good
        } else {
            Exit::Failed
        });
    }
    let origin = rollback::origin(args.reason.clone());
    let mut plan = change::prepare(root, remove::draft(&snapshot.host, guest, &kept, origin))?;
    if format == Format::Human {
        render::evacuate::removal(&plan, &orphaned)?;
    }
    let applied = ask_and_apply(
        args,
        format,
        root,
        &mut plan,
        "Remove them? This cannot be taken back.",
    )?;
    let record = applied.then(|| journal::load(root, &plan.id)).transpose()?;
    match format {
        Format::Json => wire::print(&document(Some(&plan), record.as_ref()))?,
        _ if applied => render::print("removed\n")?,
        _ => render::print("\nnothing was changed; --yes removes them\n")?,
    }
    Ok(if applied { Exit::Good } else { Exit::Found })
}

/// Those whose file still exists; they lie on a server that may not answer.
fn still_there(all: Vec<Kept>, options: &Options) -> anyhow::Result<Vec<Kept>> {
    let mut prober = Prober::new(options);
    let mut there = Vec::new();
    for kept in all {
        match prober.stat(&kept.path) {
            Ok(_) => there.push(kept),
            Err(error) if error.is_absent() => {}
            Err(error) => bail!("{}: {error}; once its server answers, again", kept.path),
        }
    }
    Ok(there)
}
