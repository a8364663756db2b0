//! Where a command reads from: this host, a tree, snapshot files, or a whole site.

use ::collect::remote::{Remote, RemoteError};
use ::collect::{LocalReader, Options};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use facts::{Snapshot, switch};
use model::estate::NotRead;
use model::{Estate, Site, site};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The flags that say where to read from; the same for every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Where to read from (this host where none is given)")]
pub struct Input {
    /// A directory that holds a host's files: a dead host's disk, a tree made elsewhere.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["snapshot", "site"])]
    pub root: Option<PathBuf>,
    /// Snapshot files written by `nofail collect`.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "site")]
    pub snapshot: Vec<PathBuf>,
    /// The site's intent; reads the hosts that it names.
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Only these hosts of the site.
    #[arg(long, value_name = "NAME", num_args = 1.., requires = "site")]
    pub host: Vec<String>,
    /// Seconds that one probe or command may take.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub deadline: Duration,
    /// Another configuration file for ssh, as `ssh -F`.
    #[arg(long, value_name = "FILE", requires = "site")]
    pub ssh_config: Option<PathBuf>,
    /// Become root on hosts reached over SSH, through `sudo -n`.
    #[arg(long, requires = "site")]
    pub sudo: bool,
    /// Static nofail to send to hosts reached over SSH; this very program where not given.
    #[arg(long, value_name = "FILE", requires = "site")]
    pub agent: Option<PathBuf>,
    /// Seconds that one host may take over SSH.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub host_deadline: Duration,
}

/// Seconds on the command line, from 0.05 to 3,600.
///
/// # Errors
/// In words for clap.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds from 0.05 to 3600".to_owned()),
    }
}

impl Input {
    /// Whether no flag says where to read from.
    pub fn is_default(&self) -> bool {
        self.root.is_none() && self.snapshot.is_empty() && self.site.is_none()
    }

    /// How to collect.
    pub fn options(&self) -> Options {
        Options {
            deadline: self.deadline,
            ..Options::default()
        }
    }

    /// Reads everything that the flags name.
    ///
    /// # Errors
    /// A file that the user named and that cannot be used. A host of the site that cannot be
    /// read is no error: it is listed in the estate.
    pub fn estate(&self) -> anyhow::Result<Estate> {
        if let Some(site) = &self.site {
            return self.read_site(site);
        }
        if !self.snapshot.is_empty() {
            let hosts = snapshot_files(&self.snapshot).into_iter();
            return Ok(Estate {
                hosts: hosts.collect::<anyhow::Result<_>>()?,
                ..Estate::default()
            });
        }
        Ok(Estate::of(self.one_host()?))
    }

    /// The tree of `--root`, or this host.
    fn one_host(&self) -> anyhow::Result<Snapshot> {
        match &self.root {
            Some(root) => self.tree(root),
            None => {
                let reader = LocalReader::live().context("cannot open /")?;
                Ok(::collect::collect(&reader, &self.options()))
            }
        }
    }

    fn tree(&self, root: &Path) -> anyhow::Result<Snapshot> {
        let reader = LocalReader::rooted(root)
            .with_context(|| format!("cannot open the directory {}", root.display()))?;
        Ok(::collect::collect(&reader, &self.options()))
    }

    /// How other hosts are reached.
    pub fn remote(&self) -> Remote {
        Remote {
            ssh_config: self.ssh_config.clone(),
            program: self.agent.clone(),
            sudo: self.sudo,
            deadline: self.host_deadline,
            probe_deadline: self.options().deadline,
        }
    }

    /// Collects from the hosts that have an address and nothing else, several at once.
    fn over_ssh<'a>(
        &self,
        hosts: &[(&'a String, &'a site::Host)],
    ) -> BTreeMap<&'a str, Result<Snapshot, RemoteError>> {
        let (names, addresses): (Vec<&str>, Vec<&str>) = hosts
            .iter()
            .filter(|(_, host)| host.snapshot.is_none() && host.root.is_none())
            .filter_map(|(name, host)| Some((name.as_str(), host.address.as_deref()?)))
            .unzip();
        let remote = self.remote();
        // On standard error, and only where that is a terminal.
        let bar = indicatif::ProgressBar::new(addresses.len() as u64).with_message("hosts read");
        let collected = remote.collect_all(&addresses, &|| bar.inc(1));
        bar.finish_and_clear();
        names.into_iter().zip(collected).collect()
    }

    fn read_site(&self, file: &Path) -> anyhow::Result<Estate> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let site = Site::parse(&file.display().to_string(), &text)?;
        for name in &self.host {
            if !site.hosts.contains_key(name) {
                bail!("{} has no host `{name}`", file.display());
            }
        }
        let base = file.parent().unwrap_or(Path::new("."));
        let mut estate = Estate::default();
        let wanted = |name: &String| self.host.is_empty() || self.host.contains(name);
        let hosts: Vec<_> = site.hosts.iter().filter(|(name, _)| wanted(name)).collect();
        let mut remote = self.over_ssh(&hosts);
        let files = hosts.iter().filter_map(|(_, host)| host.snapshot.as_ref());
        let files: Vec<PathBuf> = files.map(|file| base.join(file)).collect();
        let mut snapshots = snapshot_files(&files).into_iter();
        for (name, host) in hosts {
            let of_file = host.snapshot.as_ref().and_then(|_| snapshots.next());
            let read = match (of_file, &host.root, remote.remove(name.as_str())) {
                (Some(read), _, _) => read,
                (None, Some(root), _) => self.tree(&base.join(root)),
                (None, None, Some(read)) => read.map_err(anyhow::Error::from),
                (None, None, None) => Err(anyhow::anyhow!(
                    "site.toml gives neither snapshot, root nor address"
                )),
            };
            match read {
                Ok(mut snapshot) => {
                    snapshot.host.clone_from(name);
                    estate.hosts.push(snapshot);
                }
                Err(error) => estate.not_read.push(NotRead {
                    host: name.clone(),
                    source: "host".to_owned(),
                    reason: format!("{error:#}"),
                }),
            }
        }
        let state = crate::state::directory();
        for name in site.hosts.keys().filter(|name| wanted(name)) {
            match crate::state::bmc_check(&state, name) {
                Ok(Some(check)) => {
                    estate.bmc_checks.insert(name.clone(), check);
                }
                Ok(None) => {}
                Err(error) => estate.not_read.push(NotRead {
                    host: name.clone(),
                    source: "bmc-check".to_owned(),
                    reason: format!("{error:#}"),
                }),
            }
        }
        estate.site = Some(site);
        add_switches(&mut estate, |capture| {
            let file = base.join(capture);
            // A terminal's log may hold bytes of any character set.
            std::fs::read(&file)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .with_context(|| format!("cannot read {}", file.display()))
        });
        Ok(estate)
    }
}

/// Reads the captures that the site names for its switches. One that cannot be read is listed
/// in the estate.
pub fn add_switches(estate: &mut Estate, read: impl Fn(&str) -> anyhow::Result<String>) {
    let Some(site) = &estate.site else { return };
    for (name, intent) in &site.switches {
        let mut not_read = |reason: String| {
            estate.not_read.push(NotRead {
                host: name.clone(),
                source: "capture".to_owned(),
                reason,
            });
        };
        if intent.captures.is_empty() {
            not_read("site.toml names no capture of this switch".to_owned());
        }
        let mut read_captures = Vec::new();
        for capture in &intent.captures {
            let parsed = read(capture).and_then(|text| {
                switch::parse(capture, &text).map_err(|error| anyhow!("{capture}:{error}"))
            });
            match parsed {
                Ok(parsed) => read_captures.push(parsed),
                Err(error) => not_read(format!("{error:#}")),
            }
        }
        if read_captures.is_empty() {
            continue;
        }
        let merged = switch::Switch::merge(read_captures);
        for doubt in &merged.doubts {
            let place = &doubt.place;
            not_read(format!("{}:{}: {}", place.file, place.line, doubt.message));
        }
        estate.switches.insert(name.clone(), merged);
    }
}

/// Reads snapshot files, shared out among the processors; the results are in the files' order.
fn snapshot_files(files: &[PathBuf]) -> Vec<anyhow::Result<Snapshot>> {
    files.par_iter().map(|file| snapshot_file(file)).collect()
}

/// Reads one snapshot file.
fn snapshot_file(file: &Path) -> anyhow::Result<Snapshot> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Snapshot::from_json(&text).with_context(|| file.display().to_string())
}
