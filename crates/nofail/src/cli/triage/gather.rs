//! Reads and measures what a triage judges.

use super::Args;
use crate::cli::graph::Model;
use crate::input::Input;
use ::collect::vitals::{Ask, measure};
use ::collect::{LocalReader, Options};
use analysis::impact::blast::blast_from;
use analysis::impact::reboot::down_now;
use anyhow::{Context, bail};
use facts::domain::Guest;
use facts::vitals::Vitals;
use jiff::Timestamp;
use model::graph::Kind;
use model::{Estate, Site};
use std::path::Path;
use watch::recorder::DEFAULT_PATH;
use watch::triage::{Case, Report, examine};
use watch::{Query, Recorder};

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The host.
    pub host: String,
    /// The guest.
    pub guest: String,
    /// The judgement.
    pub report: Report,
    /// The measurements.
    pub vitals: Vitals,
    /// Recent events of the guest, the newest first.
    pub events: Vec<(String, String)>,
    /// What was not read, and why.
    pub not_checked: Vec<(String, String)>,
}

/// Reads, measures, judges.
///
/// # Errors
/// No guest of that name here, a site that cannot be read, an address that is not the guest's.
pub fn gather(args: &Args) -> anyhow::Result<Found> {
    let options = Options {
        deadline: args.deadline,
        ..Options::default()
    };
    let reader = LocalReader::live().context("cannot open /")?;
    let mut here = ::collect::collect(&reader, &options);
    let mut not_checked: Vec<(String, String)> = Vec::new();
    let mut estate = Estate::default();
    if let Some(file) = &args.site {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let site = Site::parse(&file.display().to_string(), &text)?;
        let own = args.host.clone().unwrap_or_else(|| here.host.clone());
        if !site.hosts.contains_key(&own) {
            bail!("{} has no host {own}; give --host", file.display());
        }
        // The others only as their snapshots have them: a triage does not wait for other hosts.
        let others: Vec<String> = site
            .hosts
            .iter()
            .filter(|(name, host)| **name != own && host.snapshot.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        if others.is_empty() {
            estate.site = Some(site);
        } else {
            let input = Input {
                site: Some(file.clone()),
                host: others,
                deadline: args.deadline,
                host_deadline: args.deadline,
                ..Input::default()
            };
            estate = input.estate()?;
        }
        here.host = own;
    }
    let host = here.host.clone();
    let Some(guest) = here.guests.iter().find(|g| g.name == args.guest).cloned() else {
        let mut names: Vec<&str> = here.guests.iter().map(|g| g.name.as_str()).collect();
        names.sort_unstable();
        let known = match here.why_unread(facts::Source::Guests) {
            Some(why) => format!("which guests there are was not read: {why}"),
            None if names.is_empty() => "no guest is defined there".to_owned(),
            None => format!("those are: {}", names.join(", ")),
        };
        bail!("no guest `{}` on {host}; {known}", args.guest);
    };
    for unread in &here.unread {
        use facts::Source;
        if matches!(
            unread.source,
            Source::Guests | Source::GuestState | Source::MountHealth | Source::Bridges
        ) {
            not_checked.push((unread.source.name().to_owned(), unread.reason.clone()));
        }
    }
    estate.hosts.insert(0, here);
    let ask = network(args, &estate, &guest)?;
    let vitals = measure(&guest, &ask, &options);
    let others: Vec<String> = estate.hosts[0]
        .guests
        .iter()
        .filter(|g| g.state.as_deref() == Some("running") && g.name != guest.name)
        .map(|g| g.name.clone())
        .collect();
    let twins = estate
        .group_of(&guest.name)
        .map(|(_, members)| members)
        .unwrap_or_default();
    let twins: Vec<String> = twins
        .into_iter()
        .filter(|m| *m != guest.name)
        .filter(|m| {
            let runs = |g: &Guest| g.name == *m && g.state.as_deref() == Some("running");
            estate.hosts.iter().any(|h| h.guests.iter().any(runs))
        })
        .map(str::to_owned)
        .collect();
    let model = Model::of(estate)?;
    let lost = lost_with(&model, &host);
    let events = events(&guest.name, &mut not_checked);
    let snapshot = &model.estate.hosts[0];
    let report = examine(&Case {
        host: &host,
        guest: &guest,
        vitals: &vitals,
        mounts: &snapshot.mounts,
        bridges: &snapshot.bridges,
        plan: plan(&model.estate, &host, &guest),
        others: &others,
        lost_with_host: &lost,
        twins: &twins,
        events: &events,
    });
    Ok(Found {
        host,
        guest: args.guest.clone(),
        report,
        vitals,
        events,
        not_checked,
    })
}

/// Where to look for it, only where a person asks, and only at an address of its own.
fn network(args: &Args, estate: &Estate, guest: &Guest) -> anyhow::Result<Ask> {
    let Some(given) = &args.ping else {
        return Ok(Ask::default());
    };
    let planned = estate
        .intent(&guest.name)
        .map(|g| g.addresses.as_slice())
        .unwrap_or_default();
    if !given.is_empty() {
        let _: std::net::IpAddr = given
            .parse()
            .with_context(|| format!("--ping {given}: no IP address"))?;
        if let Some(other) = estate.guest_at(given).filter(|other| *other != guest.name) {
            bail!("--ping {given}: site.toml says that this is {other}'s address");
        }
        if !planned.is_empty() && !planned.contains(given) {
            bail!(
                "--ping {given}: site.toml gives {} the address {}",
                guest.name,
                planned.join(", ")
            );
        }
    }
    let address = Some(given.clone())
        .filter(|a| !a.is_empty())
        .or_else(|| planned.first().cloned());
    Ok(Ask {
        network: true,
        address,
        device: args.device.clone(),
    })
}

/// The VLANs that its ports should have: the guest's own intent, else the bridge's plan.
fn plan(estate: &Estate, host: &str, guest: &Guest) -> Option<(u16, Vec<u16>)> {
    let site = estate.site.as_ref()?;
    let bridge = guest.interfaces.iter().find_map(|i| i.bridge.as_deref())?;
    let intent = site.guests.get(&guest.name);
    let plan = site.bridge_plan(host, bridge);
    let pvid = intent.and_then(|g| g.pvid).or_else(|| plan?.guest())?;
    let tagged = intent
        .and_then(|g| g.tagged.clone())
        .or_else(|| plan.map(|p| p.tagged.clone()))
        .unwrap_or_default();
    Some((pvid, tagged))
}

/// Services and groups that fall with the host.
fn lost_with(model: &Model, host: &str) -> Vec<String> {
    let Some(index) = model.graph.find(&format!("host:{host}")) else {
        return Vec::new();
    };
    let down = down_now(&model.graph, &model.estate);
    let blast = blast_from(&model.graph, &[index], &down, &model.held());
    let of_weight = |i: &model::graph::Index| {
        matches!(model.graph.component(*i).kind, Kind::Service | Kind::Group)
    };
    let indices: Vec<_> = blast.lost.falls().iter().map(|fall| fall.index).collect();
    let kept: Vec<_> = indices.into_iter().filter(of_weight).collect();
    model.names(&kept)
}

/// The guest's last events from the recorder, where it runs.
fn events(guest: &str, not_checked: &mut Vec<(String, String)>) -> Vec<(String, String)> {
    let query = Query {
        guest: Some(guest.to_owned()),
        limit: Some(8),
        newest_first: true,
        ..Query::default()
    };
    match Recorder::open_to_read(Path::new(DEFAULT_PATH)).and_then(|r| r.query(&query)) {
        Ok(found) => found
            .into_iter()
            .map(|r| (stamp(r.event.time), r.event.message))
            .collect(),
        Err(error) => {
            not_checked.push(("recorder".to_owned(), error.to_string()));
            Vec::new()
        }
    }
}

fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
