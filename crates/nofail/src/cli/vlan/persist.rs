//! `nofail vlan persist`.

use super::{Exit, Format};
use crate::cli::confirm::{self, Answer};
use crate::cli::{plans, rollback};
use crate::hook::SITE;
use crate::input::Input;
use crate::{render, wire};
use ::collect::{HostReader, LocalReader};
use anyhow::{Context, bail};
use change::profile::{Host, Outcome, Persist, native, persist};
use change::{Draft, Plan, Proposal, engine};
use facts::bridge::Entries;
use facts::{Snapshot, Source};
use model::vlan::{PortOf, VlanMap};
use std::collections::BTreeMap;
use std::io::ErrorKind;

/// Flags of `nofail vlan persist`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Compares the VLANs that the kernel has now with what the network profile restores at the next
boot, and writes the profile: NetworkManager's keyfiles, systemd-networkd, netplan over networkd
(drop-ins beside it; netplan itself has no keys for them), interfaces(5) for ifupdown and ifupdown2.
The running state is not touched; `nofail rollback` takes the files back.

With --native guests' definitions are written instead: each interface on a Linux bridge gets the
<vlan> element that the plan in site.toml says (or, without a plan, what its port has now), so that
libvirt (11.0.0 or newer) sets it at each start and no hook is needed.

Examples:
  nofail vlan persist                   shows what it would write on this host, and asks
  nofail vlan persist --bridge br-mgmt --yes
  nofail vlan persist --native          <vlan> in the guests' definitions, instead of the hook
  nofail vlan persist --snapshot kvm-02.json   compares only

Exit code: 0 kernel and profile agree or were made to, 1 they differ, 2 could not be done.")]
pub struct Args {
    /// Only this bridge.
    #[arg(long, value_name = "NAME")]
    pub bridge: Option<String>,
    /// Write libvirt's own <vlan> into the guests' definitions.
    #[arg(long)]
    pub native: bool,
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
    pub guests: Vec<Native>,
    /// Whether only these are written.
    pub native: bool,
    /// The plan, where there is something to write here.
    pub plan: Option<Plan>,
    /// Whether it was written.
    pub applied: bool,
}

/// An interface of a guest without `<vlan>` in its definition.
pub struct Native {
    /// The guest's name and its address or device.
    pub who: String,
    /// File of the definition.
    pub file: String,
    /// Address of the interface.
    pub mac: String,
    /// The element that it could have.
    pub xml: String,
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
    let map = match &estate.site {
        Some(site) => VlanMap::from(site),
        None if here => map_here()?,
        None => VlanMap::default(),
    };
    let mut all = Vec::new();
    for snapshot in &estate.hosts {
        all.push(one(args, snapshot, here, &map)?);
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
        if done.native {
            return done.applied || done.guests.is_empty();
        }
        done.persist.items.iter().all(|item| match item.outcome {
            Outcome::Same => true,
            Outcome::Written => done.applied,
            Outcome::ByHand(_) => false,
        })
    });
    Ok(if good { Exit::Good } else { Exit::Found })
}

/// The VLAN map that the hook uses on this host; none where there is no file.
fn map_here() -> anyhow::Result<VlanMap> {
    match std::fs::read_to_string(SITE) {
        Ok(text) => VlanMap::parse(&text).map_err(|error| anyhow::anyhow!("{SITE}:{error}")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(VlanMap::default()),
        Err(error) => Err(error).context(format!("cannot read {SITE}")),
    }
}

fn one(args: &Args, snapshot: &Snapshot, here: bool, map: &VlanMap) -> anyhow::Result<Done> {
    let mut sources = vec![Source::Bridges, Source::Profiles];
    if args.native {
        native::supported(snapshot.libvirt_version.as_deref())
            .map_err(|why| anyhow::anyhow!("{}: {why}", snapshot.host))?;
        sources = vec![Source::Bridges, Source::Guests];
    }
    for source in sources {
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
        writer: change::profile::Writer::VlanPersist,
    };
    let mut persist = persist(snapshot, args.bridge.as_deref(), &host);
    let native_vlan = snapshot
        .libvirt_version
        .clone()
        .filter(|version| native::supported(Some(version)).is_ok());
    let (guests, aside) = guests(snapshot, args.bridge.as_deref(), map);
    if native_vlan.is_some() {
        persist.notes.extend(aside);
    }
    let (title, proposals) = if args.native {
        persist.items.clear();
        let proposals = if here {
            definitions(&guests, &reader)?
        } else {
            Vec::new()
        };
        ("nofail vlan persist --native", proposals)
    } else {
        ("nofail vlan persist", persist.proposals.clone())
    };
    let plan = if here && !proposals.is_empty() {
        let draft = Draft {
            host: snapshot.host.clone(),
            title: title.to_owned(),
            origin: rollback::origin(args.reason.clone()),
            proposals,
            attachments: BTreeMap::new(),
        };
        Some(change::prepare(&plans::root(None)?, draft)?)
    } else {
        None
    };
    Ok(Done {
        host: snapshot.host.clone(),
        native_vlan,
        guests,
        native: args.native,
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

/// One step for each definition.
fn definitions(guests: &[Native], reader: &LocalReader) -> anyhow::Result<Vec<Proposal>> {
    let mut by_file: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for guest in guests {
        let element = (guest.mac.clone(), guest.xml.clone());
        by_file.entry(&guest.file).or_default().push(element);
    }
    let proposals = by_file.into_iter().map(|(file, elements)| {
        let old = reader
            .text(file)
            .map_err(|error| anyhow::anyhow!("{file}: {error}"))?;
        let act = native::define(file, &old, &elements).map_err(anyhow::Error::msg)?;
        Ok(Proposal {
            act,
            rules: Vec::new(),
            safe: true,
        })
    });
    proposals.collect()
}

/// What libvirt could be told of each guest's interface on a Linux bridge that has no `<vlan>`: what
/// the plan says, else the VLANs that its port has now. What it cannot be told is a note.
fn guests(snapshot: &Snapshot, only: Option<&str>, map: &VlanMap) -> (Vec<Native>, Vec<String>) {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for guest in snapshot.guests.iter().filter(|guest| guest.persistent) {
        for interface in &guest.interfaces {
            let (Some(bridge), Some(mac)) = (&interface.bridge, &interface.mac) else {
                continue;
            };
            let known = snapshot.bridges.iter().find(|b| b.name == *bridge);
            let ours = interface.kind == "bridge"
                && interface.virtualport.is_none()
                && interface.vlans.is_empty()
                && !interface.live_only
                && only.is_none_or(|only| only == bridge);
            let (true, Some(known)) = (ours, known) else {
                continue;
            };
            let who = format!(
                "{} ({})",
                guest.name,
                interface.target.as_ref().unwrap_or(mac)
            );
            let wanted = map.wanted(&PortOf {
                host: &snapshot.host,
                bridge,
                guest: Some(&guest.name),
                interface: Some(interface),
                metadata: guest.metadata_vlans.as_deref(),
            });
            let port = || {
                let mut ports = known.ports.iter();
                let port = ports.find(|p| Some(&p.name) == interface.target.as_ref())?;
                Some(Entries {
                    pvid: port.pvid,
                    untagged: port.untagged.clone(),
                    tagged: port.tagged.clone(),
                })
            };
            let entries = match wanted {
                Ok(wanted) => wanted.map(|wanted| wanted.entries()).or_else(port),
                Err(why) => {
                    notes.push(format!("{who}: the domain's metadata: {why}"));
                    continue;
                }
            };
            let Some(entries) = entries else { continue };
            match native::element(&entries) {
                Some(xml) => found.push(Native {
                    who,
                    file: guest.file.clone(),
                    mac: mac.clone(),
                    xml,
                }),
                None if entries != Entries::default() => notes.push(format!(
                    "{who}: libvirt's <vlan> cannot say {}",
                    change::vlan::Shown(&entries)
                )),
                None => {}
            }
        }
    }
    (found, notes)
}
