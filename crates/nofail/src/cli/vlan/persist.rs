//! `nofail vlan persist`.

use super::{Exit, Format};
use crate::cli::confirm::{self, Answer};
use crate::cli::{plans, rollback};
use crate::input::Input;
use crate::{render, wire};
use ::collect::{HostReader, LocalReader};
use anyhow::{Context, bail};
use change::profile::{Host, Outcome, Persist, persist};
use change::{Draft, Plan, engine};
use facts::{Snapshot, Source};
use std::collections::BTreeMap;

/// Flags of `nofail vlan persist`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Compares the VLANs that the kernel has now with what the network profile restores at the next boot, and
writes the profile: NetworkManager's keyfiles, systemd-networkd, netplan over networkd (drop-ins beside
it; netplan itself has no keys for them), interfaces(5) for ifupdown and ifupdown2. The running state is
not touched; `nofail rollback` takes the files back.

Examples:
  nofail vlan persist                   shows what it would write on this host, and asks
  nofail vlan persist --bridge br-mgmt --yes
  nofail vlan persist --snapshot kvm-02.json   compares only

Exit code: 0 kernel and profile agree or were made to, 1 they differ, 2 could not be done.")]
pub struct Args {
    /// Only this bridge.
    #[arg(long, value_name = "NAME")]
    pub bridge: Option<String>,
    /// Only show what would be written.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where to read from; written is on this host only.
    #[command(flatten)]
    pub input: Input,
}

/// One host's part.
pub struct Done {
    /// Host.
    pub host: String,
    /// What was compared.
    pub persist: Persist,
    /// libvirt's version, where it takes VLANs on Linux bridges by itself.
    pub native_vlan: Option<String>,
    /// Interfaces of guests on these bridges, with what libvirt could be told.
    pub guests: Vec<(String, String)>,
    /// The plan, where there is something to write here.
    pub plan: Option<Plan>,
    /// Whether it was written.
    pub applied: bool,
}

/// Runs the command.
///
/// # Errors
/// Bridges or profiles were not read, or a file cannot be written.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("vlan persist", &[Format::Human, Format::Json])?;
    let estate = args.input.estate()?;
    let here = args.input.is_default();
    if !here && args.yes {
        bail!(
            "profiles are written on this host only: run it there, without --snapshot, --site or --root"
        );
    }
    let mut all = Vec::new();
    for snapshot in &estate.hosts {
        all.push(one(args, snapshot, here)?);
    }
    if let Some(missing) = estate.not_read.first() {
        bail!("{}: {}", missing.host, missing.reason);
    }
    for done in &mut all {
        if format == Format::Human {
            render::print(&render::vlan_persist::text(done))?;
        }
        if let Some(plan) = &mut done.plan
            && !plan.steps.is_empty()
            && confirm::ask("Write this?", args.yes, args.dry_run)? == Answer::Yes
        {
            engine::apply(&plans::root(None)?, plan, &mut |_| {})?;
            done.applied = true;
            if format == Format::Human {
                let id = &plan.id;
                render::print(&format!(
                    "\nwritten; `nofail rollback {id}` takes it back\n"
                ))?;
            }
        }
    }
    if format == Format::Json {
        wire::print(&wire::vlan_persist::Document::of(&all))?;
    }
    let good = all.iter().all(|done| {
        done.persist.items.iter().all(|item| match item.outcome {
            Outcome::Same => true,
            Outcome::Written => done.applied,
            Outcome::ByHand(_) => false,
        })
    });
    Ok(if good { Exit::Good } else { Exit::Found })
}

fn one(args: &Args, snapshot: &Snapshot, here: bool) -> anyhow::Result<Done> {
    for source in [Source::Bridges, Source::Profiles] {
        if let Some(reason) = snapshot.why_unread(source) {
            bail!("{}: {source} were not read: {reason}", snapshot.host);
        }
    }
    if let Some(name) = &args.bridge
        && !snapshot.bridges.iter().any(|b| b.name == *name)
    {
        bail!("{} has no bridge {name}", snapshot.host);
    }
    let reader = LocalReader::live().context("cannot open /")?;
    let text = |path: &str| if here { reader.text(path).ok() } else { None };
    let host = Host {
        read: &text,
        nmcli: here && has_nmcli(&reader),
    };
    let persist = persist(snapshot, args.bridge.as_deref(), &host);
    let plan = if here && !persist.proposals.is_empty() {
        let draft = Draft {
            host: snapshot.host.clone(),
            title: "nofail vlan persist".to_owned(),
            origin: rollback::origin(args.reason.clone()),
            proposals: persist.proposals.clone(),
            attachments: BTreeMap::new(),
        };
        Some(change::prepare(&plans::root(None)?, draft)?)
    } else {
        None
    };
    Ok(Done {
        host: snapshot.host.clone(),
        native_vlan: native_vlan(snapshot),
        guests: guests(snapshot, args.bridge.as_deref()),
        persist,
        plan,
        applied: false,
    })
}

/// Whether NetworkManager runs and can be told to read a file again.
fn has_nmcli(reader: &LocalReader) -> bool {
    let program = ["/usr/bin/nmcli", "/bin/nmcli"];
    program.iter().any(|path| reader.stat(path).is_ok())
        && reader.stat("/run/NetworkManager").is_ok()
}

/// libvirt's version from 11.0.0 on, which sets `<vlan>` on Linux bridges itself (its news of
/// 2025-01-15).
fn native_vlan(snapshot: &Snapshot) -> Option<String> {
    let version = snapshot.libvirt_version.as_ref()?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    (major >= 11).then(|| version.clone())
}

/// What libvirt could be told of each guest's interface: the VLANs that its port has now.
fn guests(snapshot: &Snapshot, only: Option<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for bridge in &snapshot.bridges {
        if only.is_some_and(|only| only != bridge.name) {
            continue;
        }
        for port in &bridge.ports {
            let Some(guest) = &port.guest else { continue };
            let known = snapshot.guests.iter().find(|g| g.name == *guest);
            let has_vlan = known.is_some_and(|g| {
                let here = |i: &&facts::domain::Interface| i.target.as_deref() == Some(&port.name);
                g.interfaces
                    .iter()
                    .find(here)
                    .is_some_and(|i| !i.vlans.is_empty())
            });
            if !has_vlan && let Some(xml) = change::profile::vlan_element(port) {
                found.push((format!("{guest} ({})", port.name), xml));
            }
        }
    }
    found
}
