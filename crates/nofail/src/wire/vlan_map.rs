//! `nofail.vlan-map/1`.

use crate::render::vlan_map::{explain, is_good, verdict_name};
use analysis::vlan::map::{HostMap, Map};
use analysis::vlan::path::{Hop, Path, Place};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    hosts: Vec<&'a str>,
    paths: Vec<OnePath<'a>>,
    mismatches: Vec<Mismatch<'a>>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct OnePath<'a> {
    host: &'a str,
    /// `null` for the host itself.
    guest: Option<&'a str>,
    interface: &'a str,
    /// Tags of the frames that the end sends, outermost first; empty for untagged ones.
    sends: &'a [u16],
    /// VLAN that they should be in; `null` where nobody says.
    intended: Option<u16>,
    uplink: Option<&'a str>,
    /// VLAN in the switch; `null` where no capture tells.
    lands: Option<u16>,
    /// `whole`, `two-vlans`, `wrong-vlan`, `dropped`, `no-way-back`, `no-wire`.
    outcome: &'static str,
    passes: bool,
    good: bool,
    message: String,
    out: Vec<OneHop<'a>>,
    back: Vec<OneHop<'a>>,
}

#[derive(Debug, Serialize)]
struct OneHop<'a> {
    place: &'a str,
    kind: &'static str,
    vlan: Option<u16>,
    tags: &'a [u16],
}

#[derive(Debug, Serialize)]
struct Mismatch<'a> {
    host: &'a str,
    bridge: &'a str,
    message: &'a str,
    harmless: bool,
    because: &'a str,
}

#[derive(Debug, Serialize)]
struct NotChecked<'a> {
    host: &'a str,
    source: &'a str,
    reason: &'a str,
}

impl<'a> Document<'a> {
    /// Of a map.
    pub fn of(map: &'a Map) -> Self {
        Self {
            schema: "nofail.vlan-map/1",
            hosts: map.hosts.iter().map(|h| h.host.as_str()).collect(),
            paths: map.hosts.iter().flat_map(paths).collect(),
            mismatches: map.hosts.iter().flat_map(mismatches).collect(),
            not_checked: map
                .not_checked
                .iter()
                .map(|n| NotChecked {
                    host: &n.host,
                    source: &n.source,
                    reason: &n.reason,
                })
                .collect(),
        }
    }
}

fn paths(host: &HostMap) -> Vec<OnePath<'_>> {
    let mut all = Vec::new();
    for end in &host.ends {
        for path in &end.paths {
            all.push(OnePath {
                host: &host.host,
                guest: end.end.guest.as_deref(),
                interface: &end.end.device,
                sends: &path.sends.0,
                intended: path.intended,
                uplink: path.wire.as_deref(),
                lands: path.lands,
                outcome: verdict_name(&path.verdict),
                passes: path.verdict.passes(),
                good: is_good(path),
                message: explain(path),
                out: hops(path, true),
                back: hops(path, false),
            });
        }
    }
    all
}

fn hops(path: &Path, out: bool) -> Vec<OneHop<'_>> {
    let of = |hop: &'_ Hop| match hop.kind {
        Place::Interface => "interface",
        Place::Bridge => "bridge",
        Place::Switch => "switch",
    };
    let hops = if out { &path.out } else { &path.back };
    hops.iter()
        .map(|hop| OneHop {
            place: &hop.place,
            kind: of(hop),
            vlan: hop.vid,
            tags: &hop.tags.0,
        })
        .collect()
}

fn mismatches(host: &HostMap) -> Vec<Mismatch<'_>> {
    host.mismatches
        .iter()
        .map(|m| Mismatch {
            host: &host.host,
            bridge: &m.bridge,
            message: &m.what,
            harmless: m.harmless,
            because: &m.because,
        })
        .collect()
}
