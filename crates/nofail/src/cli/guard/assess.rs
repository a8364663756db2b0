//! What it would cost: reads this host live, the others as site.toml says, and judges.

use super::super::graph::Model;
use crate::input::Input;
use ::collect::remote::Remote;
use ::collect::{LocalReader, command};
use analysis::impact::reboot;
use anyhow::{Context, bail};
use model::estate::NotRead;
use model::{Estate, Site};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use watch::guard::install::SETTINGS;
use watch::guard::peers::{self, MARKER, Peer};
use watch::guard::{Assessment, Verdict};

/// The whole judgement may take so long; then it counts as *could not say*.
const DEADLINE: Duration = Duration::from_secs(25);
/// One question to another host or to a UPS daemon.
const QUESTION: Duration = Duration::from_secs(5);

/// What the installation wrote down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The site's intent.
    pub site: Option<PathBuf>,
    /// This host's name in it.
    pub host: Option<String>,
}

impl Settings {
    /// What the command line says, else what the installation wrote. A file that is broken is as
    /// good as none: the guard then knows this host alone.
    pub fn read_or(site: Option<&Path>, host: Option<&str>) -> Self {
        let stored = std::fs::read_to_string(SETTINGS).ok().and_then(|text| {
            toml::from_str::<Self>(&text)
                .map_err(|error| eprintln!("nofail guard: {SETTINGS}: {error}"))
                .ok()
        });
        let mut settings = stored.unwrap_or_default();
        if let Some(site) = site {
            settings.site = Some(site.to_owned());
        }
        if let Some(host) = host {
            settings.host = Some(host.to_owned());
        }
        settings
    }
}

/// Judges in a thread, so that nothing that hangs keeps a person from an answer.
pub fn within_deadline(settings: &Settings) -> Assessment {
    let (sender, receiver) = mpsc::channel();
    let own = settings.clone();
    std::thread::spawn(move || {
        // Nobody waits any more once the deadline is over.
        let _ = sender.send(judge(&own));
    });
    let unknown = |why: String| Assessment {
        host: settings.host.clone().unwrap_or_else(host_name),
        verdict: Verdict::Unknown,
        healthy: Vec::new(),
        ill: Vec::new(),
        reasons: vec![why],
        instead: Vec::new(),
        on_battery: on_battery(),
    };
    match receiver.recv_timeout(DEADLINE) {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => unknown(format!("{error:#}")),
        Err(mpsc::RecvTimeoutError::Timeout) => unknown(format!(
            "no judgement within {} seconds",
            DEADLINE.as_secs()
        )),
        Err(mpsc::RecvTimeoutError::Disconnected) => unknown("the judgement broke".to_owned()),
    }
}

/// The kernel's host name.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn input(site: Option<&Path>, hosts: Vec<String>) -> Input {
    Input {
        site: site.map(Path::to_owned),
        host: hosts,
        deadline: Duration::from_secs(2),
        host_deadline: Duration::from_secs(10),
        ..Input::default()
    }
}

fn judge(settings: &Settings) -> anyhow::Result<Assessment> {
    let reader = LocalReader::live().context("cannot open /")?;
    let mut here = ::collect::collect(&reader, &input(None, Vec::new()).options());
    let mut estate = Estate::default();
    if let Some(file) = &settings.site {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let site = Site::parse(&file.display().to_string(), &text)?;
        let short = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        let own = settings.host.clone().or_else(|| {
            let known = |name: &&String| short(name) == short(&here.host);
            site.hosts.keys().find(known).cloned()
        });
        let Some(own) = own.filter(|name| site.hosts.contains_key(name)) else {
            bail!("{} has no host {}", file.display(), here.host);
        };
        let others: Vec<String> = site.hosts.keys().filter(|n| **n != own).cloned().collect();
        if others.is_empty() {
            estate.site = Some(site);
        } else {
            // The others are read as the site says; this host is right here.
            estate = input(Some(file), others).estate()?;
        }
        match crate::state::bmc_check(&crate::state::directory(), &own) {
            Ok(Some(check)) => {
                estate.bmc_checks.insert(own.clone(), check);
            }
            Ok(None) => {}
            Err(error) => estate.not_read.push(NotRead {
                host: own.clone(),
                source: "bmc-check".to_owned(),
                reason: format!("{error:#}"),
            }),
        }
        here.host = own;
    }
    let name = here.host.clone();
    estate.hosts.insert(0, here);
    let model = Model::of(estate)?;
    let Some(boot) = model.boots.get(&name) else {
        bail!("the fstab of {name} was not read: its next boot cannot be foretold");
    };
    let host = model.pick(&format!("host:{name}"), &[])?;
    let check = reboot::check(&model.graph, &model.estate, host, boot);
    let mut found = Assessment {
        verdict: match check.verdict {
            reboot::Verdict::Safe => Verdict::Go,
            reboot::Verdict::Losses => Verdict::Losses,
            reboot::Verdict::Unsafe => Verdict::Unsafe,
        },
        healthy: Vec::new(),
        ill: Vec::new(),
        reasons: check.reasons.into_iter().map(|r| r.text).collect(),
        instead: check.instead,
        on_battery: on_battery(),
        host: name,
    };
    let guests = model.estate.host(&found.host).map(|h| h.guests.as_slice());
    for guest in guests.unwrap_or_default() {
        match guest.state.as_deref() {
            Some("running") => found.healthy.push(guest.name.clone()),
            Some("shut-off") | None => {}
            Some(_) => found.ill.push(guest.name.clone()),
        }
    }
    // A paused guest dies too: its memory is lost.
    if found.verdict == Verdict::Go && !found.ill.is_empty() {
        found.verdict = Verdict::Losses;
        found
            .reasons
            .insert(0, format!("{} would die", found.ill.join(", ")));
    }
    let twins = twins(&model.estate, &found);
    let against = peers::against(&ask_peers(&model.estate, &twins));
    if !against.is_empty() {
        found.verdict = Verdict::Unsafe;
        found.reasons.splice(0..0, against);
    }
    if let Some(missing) = guest_states_missing(&model.estate, &found.host) {
        found.verdict = found.verdict.max(Verdict::Losses);
        found.reasons.insert(0, missing);
    }
    Ok(found)
}

/// Which guests run is the question; where it was not read, nothing is safe.
fn guest_states_missing(estate: &Estate, host: &str) -> Option<String> {
    let snapshot = estate.host(host)?;
    [facts::Source::Guests, facts::Source::GuestState]
        .into_iter()
        .find_map(|source| {
            Some(format!(
                "which guests run was not read: {}",
                snapshot.why_unread(source)?
            ))
        })
}

/// Hosts that carry twins of guests that run here, with these twins.
fn twins(estate: &Estate, found: &Assessment) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for guest in &found.healthy {
        let Some((_, members)) = estate.group_of(guest) else {
            continue;
        };
        for twin in members.iter().filter(|m| *m != guest) {
            let intended = estate.intent(twin).and_then(|g| g.host.clone());
            let defined = estate
                .hosts
                .iter()
                .find(|h| h.guests.iter().any(|g| g.name == **twin))
                .map(|h| h.host.clone());
            if let Some(host) = defined.or(intended).filter(|h| *h != found.host) {
                all.entry(host).or_default().insert((*twin).to_owned());
            }
        }
    }
    all
}

/// Asks these hosts, over SSH and at once, whether they are going down. One without an address cannot be
/// asked; what its snapshot says is in the judgement already.
fn ask_peers(
    estate: &Estate,
    twins: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<(String, Vec<String>, Peer)> {
    let Some(site) = &estate.site else {
        return Vec::new();
    };
    let remote = Remote {
        deadline: QUESTION,
        ..input(None, Vec::new()).remote()
    };
    let question = format!("test -n \"$(find {MARKER} -mmin -15 2>/dev/null)\"");
    std::thread::scope(|scope| {
        let asked: Vec<_> = twins
            .iter()
            .filter_map(|(host, twins)| {
                Some((host, twins, site.hosts.get(host)?.address.as_deref()?))
            })
            .map(|(host, twins, address)| {
                let (question, remote) = (question.as_str(), &remote);
                let state = scope.spawn(move || match remote.ask(address, question) {
                    Ok(0) => Peer::GoingDown,
                    Ok(1) => Peer::Up,
                    _ => Peer::Silent,
                });
                (host, twins, state)
            })
            .collect();
        asked
            .into_iter()
            .map(|(host, twins, state)| {
                let state = state.join().unwrap_or(Peer::Silent);
                (host.clone(), twins.iter().cloned().collect(), state)
            })
            .collect()
    })
}

/// Whether a UPS daemon (NUT, apcupsd) says that the host runs on battery.
fn on_battery() -> bool {
    let asked = |program: &str, args: &[&str]| {
        command::output(program, args, Duration::from_secs(2))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    };
    let battery = |status: &str| {
        status
            .split_whitespace()
            .any(|w| w == "OB" || w == "ONBATT")
    };
    if battery(&asked("apcaccess", &["-u", "-p", "STATUS"])) {
        return true;
    }
    let names = asked("upsc", &["-l"]);
    names
        .lines()
        .take(4)
        .any(|name| battery(&asked("upsc", &[name.trim(), "ups.status"])))
}
