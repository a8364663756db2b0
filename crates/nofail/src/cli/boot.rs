//! `nofail boot`.

use super::{Exit, Format};
use crate::input::Input;
use crate::{render, wire};
use analysis::boot::{Boot, Conditions, GuestResult, GuestStart, Outcome, Service, predict};
use anyhow::bail;
use facts::{Snapshot, Source};
use model::Estate;
use std::collections::{BTreeMap, BTreeSet};

/// Flags of `nofail boot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail boot                                        this host's next boot
  nofail boot --root /mnt/sysroot                    a dead host's disk, from a rescue shell
  nofail boot --unreachable nas-01                   the same, with the NAS gone
  nofail boot --site site.toml --host kvm-01 --unreachable kvm-02 --unreachable 10.50.1.70

Exit code: 0 a normal boot, 1 a degraded or emergency one, or guests or services are lost, 2 could
not run.")]
pub struct Args {
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
    /// What does not answer during the boot: a source as fstab has it, a host name, an address, or
    /// another host of the site (its guests are gone with it).
    #[arg(long, value_name = "SOURCE|HOST")]
    pub unreachable: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or fstab was not read.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("boot", &[Format::Human, Format::Json])?;
    let estate = args.input.estate()?;
    let snapshot = one_host(&estate)?;
    if let Some(why) = snapshot.why_unread(Source::Fstab) {
        bail!("{}: fstab was not read: {why}", snapshot.host);
    }
    let conditions = conditions(&estate, snapshot, &args.unreachable);
    let boot = predict(snapshot, &conditions);
    match format {
        Format::Json => wire::print(&wire::boot::Document::from(&boot))?,
        _ => render::boot::print(&snapshot.host, snapshot, &boot)?,
    }
    Ok(exit(&boot))
}

/// Whether a guest that should start does not, or nobody gives a service any more.
fn loses(boot: &Boot) -> bool {
    let stays = |g: &GuestStart| g.result == GuestResult::DoesNotStart;
    !boot.lost.is_empty() || boot.guests.iter().any(stays)
}

fn exit(boot: &Boot) -> Exit {
    match boot.outcome {
        Outcome::Normal if loses(boot) => Exit::Found,
        Outcome::Normal => Exit::Good,
        Outcome::Degraded | Outcome::Emergency => Exit::Found,
    }
}

/// The one host that was asked about.
fn one_host(estate: &Estate) -> anyhow::Result<&Snapshot> {
    match estate.hosts.as_slice() {
        [host] => Ok(host),
        [] => match estate.not_read.first() {
            Some(missing) => bail!("{} could not be read: {}", missing.host, missing.reason),
            None => bail!("no host was read"),
        },
        hosts => {
            let names: Vec<&str> = hosts.iter().map(|host| host.host.as_str()).collect();
            bail!(
                "a boot is foretold for one host at a time; name it with --host: {}",
                names.join(", ")
            )
        }
    }
}

/// What the site knows beyond the host: who is who, whose guests answer where, who gives what.
pub fn conditions(estate: &Estate, snapshot: &Snapshot, unreachable: &[String]) -> Conditions {
    let mut conditions = Conditions {
        unreachable: unreachable.to_vec(),
        ..Conditions::default()
    };
    let Some(site) = &estate.site else {
        return conditions;
    };
    for (name, nas) in &site.nas {
        conditions
            .aliases
            .push(group(name, nas.names.iter().chain(&nas.addresses)));
    }
    let here: BTreeSet<&str> = snapshot
        .guests
        .iter()
        .map(|guest| guest.name.as_str())
        .collect();
    let at = |name: &str, host: Option<&String>| {
        here.contains(name) || host.is_some_and(|host| *host == snapshot.host)
    };
    let mut services: BTreeMap<&str, Service> = BTreeMap::new();
    for (name, guest) in &site.guests {
        let mine = at(name, guest.host.as_ref());
        conditions.aliases.push(group(name, guest.addresses.iter()));
        if mine {
            let addresses = guest
                .addresses
                .iter()
                .map(|address| (address.clone(), name.clone()));
            conditions.guest_addresses.extend(addresses);
        }
        // With its host gone, a guest is gone too.
        let lost = !mine
            && guest
                .host
                .as_ref()
                .is_some_and(|host| unreachable.contains(host))
            || unreachable.contains(name);
        if lost {
            conditions.unreachable.push(name.clone());
            conditions
                .unreachable
                .extend(guest.addresses.iter().cloned());
        }
        for word in &guest.provides {
            let service = services.entry(word).or_insert_with(|| Service {
                name: word.clone(),
                ..Service::default()
            });
            if mine {
                service.guests.push(name.clone());
            } else if !lost {
                service.elsewhere = true;
            }
        }
    }
    // Only what this host has a part in can be lost by its boot.
    conditions.services = services
        .into_values()
        .filter(|service| !service.guests.is_empty())
        .collect();
    conditions
}

fn group<'a>(name: &str, others: impl Iterator<Item = &'a String>) -> Vec<String> {
    std::iter::once(name.to_owned())
        .chain(others.cloned())
        .collect()
}
