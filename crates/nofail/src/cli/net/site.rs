//! What site.toml and this host's own snapshot say about a change: who is cut, which way in is
//! proven, when it may be done, where it is described.

use crate::input::add_switches;
use ::collect::{LocalReader, Options};
use analysis::impact::spread::spread;
use analysis::vlan::switch::far;
use anyhow::Context;
use change::net::cuts::{Cut, Who};
use model::graph::{Graph, build};
use model::{Estate, Site};
use std::net::IpAddr;
use std::path::Path;

/// Where a host keeps its copy of the site's intent.
const DEFAULT: &str = "/etc/nofail/site.toml";

/// This host with the site's intent around it.
pub(super) struct Here {
    pub estate: Estate,
    pub graph: Graph,
    /// Its name in site.toml, else its own.
    pub host: String,
}

impl Here {
    /// Reads this host, and site.toml where one is given or installed.
    pub(super) fn read(site: Option<&Path>) -> anyhow::Result<Self> {
        let reader = LocalReader::live().context("cannot open /")?;
        let mut snapshot = ::collect::collect(&reader, &Options::default());
        let file = site.or_else(|| Some(Path::new(DEFAULT)).filter(|f| f.is_file()));
        let mut estate = Estate::default();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            estate.site = Some(Site::parse(&file.display().to_string(), &text)?);
            let base = file.parent().unwrap_or(Path::new("."));
            add_switches(&mut estate, |capture| {
                let file = base.join(capture);
                std::fs::read(&file)
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .with_context(|| format!("cannot read {}", file.display()))
            });
        }
        let known = |name: &str| {
            let site = estate.site.as_ref();
            site.is_some_and(|s| s.hosts.contains_key(name))
        };
        let short = snapshot
            .host
            .split('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        if !known(&snapshot.host) && known(&short) {
            snapshot.host = short;
        }
        let host = snapshot.host.clone();
        estate.hosts.push(snapshot);
        let graph = build(&estate);
        Ok(Self {
            estate,
            graph,
            host,
        })
    }

    /// The guest of a port, as the live status XML tells.
    pub(super) fn guest_of(&self, port: &str) -> Option<String> {
        let bridges = &self.estate.host(&self.host)?.bridges;
        bridges.iter().find_map(|b| b.port(port)?.guest.clone())
    }

    /// The VLAN that the switch sends untagged on an uplink.
    pub(super) fn native(&self, uplink: &str) -> Option<u16> {
        far(&self.estate, &self.host, uplink)?.native()
    }

    /// Addresses of the guests that this host runs or that belong to it.
    pub(super) fn guest_addresses(&self) -> Vec<(String, IpAddr)> {
        let Some(site) = &self.estate.site else {
            return Vec::new();
        };
        let here = |name: &str| self.estate.host_of(name) == Some(&self.host);
        site.guests
            .iter()
            .filter(|(name, _)| here(name))
            .flat_map(|(name, guest)| {
                let parsed = guest.addresses.iter().filter_map(|a| a.parse().ok());
                parsed.map(|address| (name.clone(), address))
            })
            .collect()
    }

    /// Guests of this host that provide the gateway, where it is lost once this host's guests
    /// are cut off.
    pub(super) fn gateway_guests(&self) -> Vec<String> {
        let Some(site) = &self.estate.site else {
            return Vec::new();
        };
        let ours: Vec<&String> = site
            .guests
            .keys()
            .filter(|name| self.estate.host_of(name) == Some(&self.host))
            .collect();
        let indices: Vec<_> = ours
            .iter()
            .filter_map(|name| self.graph.find(&format!("guest:{name}")))
            .collect();
        let gone = spread(&self.graph, &indices);
        let lost = self
            .graph
            .find("service:gateway")
            .is_some_and(|service| gone.is_down(service));
        if !lost {
            return Vec::new();
        }
        let provides = |name: &&&String| {
            site.guests
                .get(name.as_str())
                .is_some_and(|g| g.provides.iter().any(|p| p == "gateway"))
        };
        ours.iter().filter(provides).map(|n| (*n).clone()).collect()
    }

    /// What else falls once the guests that are certainly cut are gone: groups and services.
    pub(super) fn falls_with(&self, cuts: &[Cut]) -> Vec<String> {
        let cut: Vec<_> = cuts
            .iter()
            .filter(|c| c.certain)
            .filter_map(|c| match &c.who {
                Who::Guest(Some(name)) => self.graph.find(&format!("guest:{name}")),
                _ => None,
            })
            .collect();
        let gone = spread(&self.graph, &cut);
        gone.falls()
            .iter()
            .filter(|fall| fall.cause.is_some())
            .map(|fall| self.graph.component(fall.index).full_name())
            .filter(|name| !name.starts_with("name:"))
            .collect()
    }

    /// Documents that belong to this host and these bridges.
    pub(super) fn documents(&self, bridges: &[String]) -> Vec<String> {
        let Some(site) = &self.estate.site else {
            return Vec::new();
        };
        let mut documents: Vec<String> = bridges
            .iter()
            .filter_map(|bridge| site.bridge_plan(&self.host, bridge))
            .flat_map(|plan| plan.documents.clone())
            .collect();
        if let Some(host) = site.hosts.get(&self.host) {
            documents.extend(host.documents.clone());
        }
        documents.dedup();
        documents
    }

    /// Whether now is in a maintenance window; `None` where the site names none.
    pub(super) fn in_window(&self) -> Option<bool> {
        let now = jiff::Zoned::now();
        let weekday = u8::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0);
        let minute = u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute()));
        let site = self.estate.site.as_ref()?;
        change::net::gate::in_window(&site.maintenance, weekday, minute.unwrap_or(0))
    }
}
