//! `nofail hook install` and `nofail hook uninstall`: through the change engine, with a way back.

use super::{InstallArgs, UninstallArgs};
use crate::cli::confirm::{self, Answer};
use crate::cli::{Exit, Format, plans, rollback};
use crate::hook::layout::{self, Layout};
use crate::hook::script::Settings;
use crate::{hook, render, wire};
use ::collect::{LocalReader, Options};
use anyhow::{Context, bail};
use change::plan::{Act, Again, Command, Draft, Plan, Proposal, Run};
use change::{Root, engine};
use facts::Snapshot;
use facts::unit::Daemon;
use model::vlan::VlanMap;
use std::path::{Path, PathBuf};

/// Where a host that is not this one is supposed to have its nofail.
const USUAL: &str = "/usr/local/bin/nofail";

/// This host, or the one whose files a directory holds.
pub(super) fn snapshot(root: Option<&Path>) -> anyhow::Result<Snapshot> {
    let reader = match root {
        Some(root) => LocalReader::rooted(root)
            .with_context(|| format!("cannot open the directory {}", root.display()))?,
        None => LocalReader::live().context("cannot open /")?,
    };
    Ok(::collect::collect(&reader, &Options::default()))
}

/// The program that the hook will run.
fn program(args: &InstallArgs) -> anyhow::Result<PathBuf> {
    match (&args.program, &args.root) {
        (Some(program), _) if program.is_absolute() => Ok(program.clone()),
        (Some(program), _) => bail!("{}: an absolute path is needed", program.display()),
        (None, Some(_)) => Ok(PathBuf::from(USUAL)),
        (None, None) => std::env::current_exe().context("cannot tell where this program lies"),
    }
}

/// What is doubtful about the program that the hook will run.
fn doubts(program: &Path, root: Option<&Path>, notes: &mut Vec<String>) {
    let shown = program.display();
    let real = root.map_or_else(
        || program.to_path_buf(),
        |root| root.join(program.strip_prefix("/").unwrap_or(program)),
    );
    match std::fs::metadata(&real) {
        Err(error) => notes.push(format!(
            "{shown}: {error}; the hook sets nothing until nofail is there"
        )),
        Ok(meta) => {
            use std::os::unix::fs::MetadataExt;
            if meta.uid() != 0 || meta.mode() & 0o022 != 0 {
                notes.push(format!(
                    "{shown} can be replaced by others than root, and libvirt runs it as root"
                ));
            }
        }
    }
    let odd = [
        "/root", "/home", "/tmp", "/var/tmp", "/mnt", "/media", "/run",
    ];
    if odd.iter().any(|folder| program.starts_with(folder)) {
        notes.push(format!(
            "{shown} is no place for a program that libvirt runs; copy it to {USUAL}"
        ));
    }
}

/// The installed copy of site.toml: its text, where there is something to copy.
fn site(args: &InstallArgs, layout: &mut Layout) -> anyhow::Result<()> {
    let installed = args.root.as_deref().unwrap_or(Path::new("/"));
    let installed = installed.join(hook::SITE.trim_start_matches('/'));
    let Some(given) = &args.site else {
        if !installed.exists() {
            layout.notes.push(format!(
                "{} is not there: without it only VLANs in the domains' own XML are set; give it \
                 with --site FILE",
                hook::SITE
            ));
        }
        return Ok(());
    };
    let text = std::fs::read_to_string(given)
        .with_context(|| format!("cannot read {}", given.display()))?;
    let file = given.display().to_string();
    let map = VlanMap::parse(&text).map_err(|error| anyhow::anyhow!("{file}:{error}"))?;
    if let Err(error) = model::Site::parse(&file, &text) {
        layout
            .notes
            .push(format!("{error} (the VLAN map is read all the same)"));
    }
    if map.is_empty() {
        layout.notes.push(format!("{file} says nothing of VLANs"));
    }
    let write = layout::Write {
        path: hook::SITE.to_owned(),
        text,
        mode: 0o644,
        hook: false,
    };
    layout.writes.insert(0, write);
    Ok(())
}

/// Makes the daemon look for hooks again; it does not touch guests.
fn reload(daemon: &Daemon) -> Vec<String> {
    let words: Vec<String> = if Path::new("/run/systemd/system").exists() {
        vec![
            "systemctl".to_owned(),
            "reload".to_owned(),
            daemon.name.clone(),
        ]
    } else {
        vec!["kill".to_owned(), "-HUP".to_owned(), daemon.pid.to_string()]
    };
    words
}

fn proposals(layout: &Layout) -> Vec<Proposal> {
    let safe = |act| Proposal {
        act,
        rules: Vec::new(),
        safe: true,
    };
    let mut all = Vec::new();
    for write in &layout.writes {
        all.push(safe(Act::Write {
            path: write.path.clone(),
            content: write.text.clone().into_bytes(),
            mode: write.mode,
        }));
        if write.hook {
            all.push(safe(Act::Attributes {
                path: write.path.clone(),
                mode: Some(write.mode),
                owner: Some((0, 0)),
                label: layout.label.clone(),
            }));
        }
    }
    all
}

fn reload_step(daemon: &Daemon) -> Proposal {
    Proposal {
        act: Act::Run(Run {
            command: Command {
                argv: reload(daemon),
                input: None,
            },
            undo: Again::Last,
            seconds: 30,
            ..Run::default()
        }),
        rules: Vec::new(),
        safe: true,
    }
}

fn plan(root: &Root, host: &str, title: &str, proposals: Vec<Proposal>) -> anyhow::Result<Plan> {
    let draft = Draft {
        host: host.to_owned(),
        title: title.to_owned(),
        origin: rollback::origin(None),
        proposals,
        ..Draft::default()
    };
    Ok(change::prepare(root, draft)?)
}

fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.what.clone()).collect()
}

/// Runs `nofail hook install`.
///
/// # Errors
/// The host cannot be read, site.toml is none, or a file cannot be written.
pub fn install(args: &InstallArgs, format: Format) -> anyhow::Result<Exit> {
    format.only("hook install", &[Format::Human, Format::Json])?;
    let snapshot = snapshot(args.root.as_deref())?;
    let root = plans::root(args.root.as_deref())?;
    let program = program(args)?;
    let settings = Settings {
        program: &program,
        site: Path::new(hook::SITE),
        policy: args.policy,
        deadline: args.deadline,
    };
    let mut layout = layout::install(&snapshot, &settings, args.network);
    if layout.writes.is_empty() {
        bail!("{}", layout.notes.join("; "));
    }
    doubts(&program, args.root.as_deref(), &mut layout.notes);
    site(args, &mut layout)?;
    let files = plan(
        &root,
        &snapshot.host,
        "nofail hook install",
        proposals(&layout),
    )?;
    let mut told = wire::hook::Installed {
        steps: steps(&files),
        notes: layout.notes.clone(),
        ..wire::hook::Installed::new("nofail.hook-install/1")
    };
    let fresh = !files.steps.is_empty();
    if fresh && !args.dry_run {
        told.plan = apply(&root, files)?;
    }
    told.applied = fresh && !args.dry_run;
    if let Some(daemon) = layout.reload.as_ref().filter(|_| args.root.is_none()) {
        told.reload = Some(wire::hook::Reload {
            daemon: daemon.name.clone(),
            command: reload(daemon).join(" "),
            done: false,
        });
    }
    let human = format == Format::Human;
    if human {
        render::hook::installed(&told, args.dry_run)?;
    }
    let mut exit = Exit::Good;
    if let Some(daemon) = layout.reload.as_ref().filter(|_| told.reload.is_some()) {
        let question = format!(
            "Run `{}` now? It does not touch guests.",
            reload(daemon).join(" ")
        );
        // JSON is for programs: nobody is asked.
        let asked = confirm::ask(&question, args.yes, args.dry_run || (!human && !args.yes))?;
        if asked == Answer::Yes {
            let step = plan(
                &root,
                &snapshot.host,
                "nofail hook install: reload",
                vec![reload_step(daemon)],
            )?;
            apply(&root, step)?;
            if let Some(reload) = &mut told.reload {
                reload.done = true;
            }
        } else {
            exit = Exit::Found;
        }
    }
    if human {
        render::hook::next(&told)?;
    } else {
        wire::print(&told)?;
    }
    Ok(exit)
}

fn apply(root: &Root, mut plan: Plan) -> anyhow::Result<Option<String>> {
    engine::apply(root, &mut plan, &mut |_| {})?;
    Ok(Some(plan.id.to_string()))
}

/// Runs `nofail hook uninstall`.
///
/// # Errors
/// The host cannot be read, or a file cannot be changed.
pub fn uninstall(args: &UninstallArgs, format: Format) -> anyhow::Result<Exit> {
    format.only("hook uninstall", &[Format::Human, Format::Json])?;
    let snapshot = snapshot(args.root.as_deref())?;
    let root = plans::root(args.root.as_deref())?;
    let base = args.root.as_deref().unwrap_or(Path::new("/"));
    let mut proposals = Vec::new();
    let mut propose = |act| {
        proposals.push(Proposal {
            act,
            rules: Vec::new(),
            safe: true,
        });
    };
    for (path, former) in layout::uninstall(&snapshot) {
        match former {
            Some(former) => {
                let content = std::fs::read(base.join(former.trim_start_matches('/')))
                    .with_context(|| format!("cannot read {former}, which {path} stands before"))?;
                let mode = 0o755;
                propose(Act::Write {
                    path,
                    content,
                    mode,
                });
                propose(Act::Remove { path: former });
            }
            None => propose(Act::Remove { path }),
        }
    }
    let plan = plan(&root, &snapshot.host, "nofail hook uninstall", proposals)?;
    let mut told = wire::hook::Installed {
        steps: steps(&plan),
        ..wire::hook::Installed::new("nofail.hook-uninstall/1")
    };
    let there = !plan.steps.is_empty();
    if there && !args.dry_run {
        told.plan = apply(&root, plan)?;
        told.applied = true;
    }
    if !there {
        told.notes
            .push("no hook of nofail's is installed here".to_owned());
    }
    match format {
        Format::Json => wire::print(&told)?,
        _ => render::hook::installed(&told, args.dry_run)?,
    }
    Ok(Exit::Good)
}
