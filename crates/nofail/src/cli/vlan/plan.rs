//! `nofail vlan plan`.

use super::{Exit, Format};
use crate::input::Input;
use crate::{render, wire};
use analysis::vlan::plan::{NoPlan, Plan, plan};
use anyhow::{Context, bail};
use facts::Source;
use model::Estate;
use std::path::{Path, PathBuf};

/// Flags of `nofail vlan plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Changes nothing. The steps lead from the VLANs that the kernel has to those that site.toml plans, in
an order in which nobody who can talk now and in the end is cut off in between. With --output each
step becomes a change file for `nofail net apply`, to be applied and confirmed one after the other.

Examples:
  nofail vlan plan --site site.toml --host kvm-02
  nofail vlan plan --site site.toml --host kvm-02 -o change/
  nofail net apply change/01-br-mgmt.toml --confirm 60s

Exit code: 0 nothing to change, 1 steps are needed, 2 could not run, 3 no order keeps everybody.")]
pub struct Args {
    /// Only this bridge.
    #[arg(long, value_name = "NAME")]
    pub bridge: Option<String>,
    /// Write a change file for each step into this directory.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used; no bridge has a plan; a file cannot be written.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("vlan plan", &[Format::Human, Format::Json])?;
    let estate = args.input.estate()?;
    let (plans, refused) = plans(&estate, args.bridge.as_deref())?;
    if let Some(directory) = &args.output {
        for plan in &plans {
            write(directory, plan, plans.len() > 1)?;
        }
    }
    match format {
        Format::Json => wire::print(&wire::vlan_plan::Document::of(&plans, &refused, &estate))?,
        _ => render::print(&render::vlan_plan::text(&plans, &refused, &estate))?,
    }
    Ok(if plans.iter().any(|plan| !plan.keeps_all) {
        Exit::Unsafe
    } else if plans.iter().any(|plan| !plan.steps.is_empty()) || !refused.is_empty() {
        Exit::Found
    } else {
        Exit::Good
    })
}

/// The plan of each bridge that site.toml speaks of, and why there is none for others.
fn plans(estate: &Estate, only: Option<&str>) -> anyhow::Result<(Vec<Plan>, Vec<NoPlan>)> {
    if estate.site.is_none() {
        bail!("a plan needs the VLAN map of site.toml: name it with --site");
    }
    let (mut plans, mut refused) = (Vec::new(), Vec::new());
    for snapshot in &estate.hosts {
        if let Some(reason) = snapshot.why_unread(Source::Bridges) {
            bail!("{}: its bridges were not read: {reason}", snapshot.host);
        }
        for bridge in &snapshot.bridges {
            if only.is_some_and(|only| only != bridge.name) {
                continue;
            }
            match plan(estate, snapshot, &bridge.name) {
                Ok(plan) => plans.push(plan),
                Err(NoPlan::NoIntent { .. }) if only.is_none() => {}
                Err(error) => refused.push(error),
            }
        }
    }
    if let (Some(only), true, true) = (only, plans.is_empty(), refused.is_empty()) {
        bail!("no host that was read has a bridge {only}");
    }
    if plans.is_empty() && refused.is_empty() {
        let missing: Vec<String> = estate
            .not_read
            .iter()
            .map(|n| format!("{}: {}", n.host, n.reason))
            .collect();
        bail!(
            "no bridge here has a plan in site.toml {}",
            missing.join("; ")
        );
    }
    Ok((plans, refused))
}

/// One file for each step that `nofail net apply` can do.
fn write(directory: &Path, plan: &Plan, several: bool) -> anyhow::Result<()> {
    let directory = if several {
        directory.join(&plan.host)
    } else {
        directory.to_path_buf()
    };
    let failed = |path: &Path| format!("cannot write {}", path.display());
    std::fs::create_dir_all(&directory).with_context(|| failed(&directory))?;
    for (name, text) in render::vlan_plan::files(plan) {
        let path = directory.join(name);
        if path.exists() {
            bail!("{} exists already: name an empty directory", path.display());
        }
        std::fs::write(&path, text).with_context(|| failed(&path))?;
    }
    Ok(())
}
