//! `nofail vlan map`.

use super::{Exit, Format};
use crate::input::Input;
use crate::{render, wire};
use analysis::vlan::map::{Map, map};
use anyhow::bail;
use facts::bridge::vid::short;
use std::collections::BTreeSet;

/// Flags of `nofail vlan map`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail vlan map                          this host, with the kernel's own VLANs
  nofail vlan map --site site.toml         the whole site, to the ports of its switches
  nofail vlan map bind-01 --site site.toml one guest, place by place
  nofail vlan map 100 --format mermaid     one VLAN, as a drawing

Exit code: 0 everything passes, 1 something is lost or lands in another VLAN, 2 could not run.")]
pub struct Args {
    /// Only this guest, host or VLAN.
    #[arg(value_name = "GUEST|VLAN")]
    pub only: Option<String>,
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or is no guest, host or VLAN here.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("vlan map", &[Format::Human, Format::Json, Format::Mermaid])?;
    let estate = args.input.estate()?;
    let mut map = map(&estate);
    if map.hosts.is_empty() {
        let reasons: Vec<String> = map
            .not_checked
            .iter()
            .map(|n| format!("{}: {}", n.host, n.reason))
            .collect();
        bail!("no host's bridges were read: {}", reasons.join("; "));
    }
    let is_host = |only: &str| map.hosts.iter().any(|h| h.host == only);
    let of_guest = |only: &str| only.parse::<u16>().is_err() && !is_host(only);
    let one_guest = args.only.as_deref().is_some_and(of_guest);
    if let Some(only) = &args.only {
        keep(&mut map, only)?;
    }
    match format {
        Format::Json => wire::print(&wire::vlan_map::Document::of(&map))?,
        Format::Mermaid => render::print(&render::vlan_map::mermaid(&map))?,
        _ if !one_guest => render::print(&render::vlan_map::table(&map))?,
        _ => render::print(&render::vlan_map::places(&map))?,
    }
    Ok(if is_good(&map) {
        Exit::Good
    } else {
        Exit::Found
    })
}

fn is_good(map: &Map) -> bool {
    map.hosts.iter().all(|host| {
        let paths = host.ends.iter().flat_map(|end| &end.paths);
        paths.clone().all(render::vlan_map::is_good) && host.mismatches.iter().all(|m| m.harmless)
    })
}

/// Leaves only what was asked for.
fn keep(map: &mut Map, only: &str) -> anyhow::Result<()> {
    let names: BTreeSet<String> = map
        .hosts
        .iter()
        .flat_map(|h| h.ends.iter().filter_map(|e| e.end.guest.clone()))
        .collect();
    if names.contains(only) {
        for host in &mut map.hosts {
            host.ends.retain(|e| e.end.guest.as_deref() == Some(only));
            host.mismatches.clear();
        }
        map.hosts.retain(|h| !h.ends.is_empty());
        map.not_checked
            .retain(|n| map.hosts.iter().any(|h| h.host == n.host));
        return Ok(());
    }
    if map.hosts.iter().any(|h| h.host == only) {
        map.hosts.retain(|h| h.host == only);
        map.not_checked.retain(|n| n.host == only);
        return Ok(());
    }
    let Ok(vid) = only.parse::<u16>() else {
        bail!(
            "no guest with a port, no host and no VLAN is called `{only}`; guests here: {}",
            names.into_iter().collect::<Vec<_>>().join(", ")
        );
    };
    if !(1..=4094).contains(&vid) {
        bail!("{vid} is no VLAN: they go from 1 to 4094");
    }
    // For the message, where it is none of them.
    let mut spoken: BTreeSet<u16> = BTreeSet::new();
    for host in &mut map.hosts {
        for end in &mut host.ends {
            end.paths.retain(|path| {
                let inside = path.out.iter().chain(&path.back).filter_map(|h| h.vid);
                let of: BTreeSet<u16> = inside.chain(path.intended).chain(path.lands).collect();
                let wanted = of.contains(&vid);
                spoken.extend(of);
                wanted
            });
        }
        host.ends.retain(|e| !e.paths.is_empty());
    }
    if map.hosts.iter().all(|host| host.ends.is_empty()) {
        bail!(
            "no guest and no host sends or is meant to send in VLAN {vid}; VLANs here: {}",
            short(&spoken.into_iter().collect::<Vec<_>>())
        );
    }
    Ok(())
}
