//! The process that may block: reads the VLAN map, sets VLANs, answers, logs each port.

use super::phase::Deed;
use super::record::Call;
use super::{events, words};
use change::log::Priority;
use change::vlan::{Demand, Kernel, Outcome, Ports, bring_about, demand};
use facts::domain::{self, Guest};
use facts::hook::network_port;
use model::vlan::{PortOf, VlanMap, Wanted};
use std::path::Path;
use std::time::Instant;

/// What is to be done.
#[derive(Debug)]
pub struct Job<'a> {
    /// Nothing is asked of the kernel afterwards.
    pub end: Instant,
    /// site.toml.
    pub site: &'a Path,
    /// What is to be done with the ports.
    pub deed: Deed,
    /// The call of libvirt.
    pub call: Call,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Why the plan is not met; empty where it is.
    pub unmet: Vec<String>,
    notes: Vec<Note>,
}

/// What there is to tell, put into words once nobody waits any more.
#[derive(Debug)]
enum Note {
    Line(Priority, String),
    /// The plan is not met, or cannot be made.
    Unmet(String),
    Port(Outcome, Wanted),
}

impl Done {
    fn complain(&mut self, reason: String) {
        self.notes.push(Note::Unmet(reason.clone()));
        self.unmet.push(reason);
    }

    fn note(&mut self, priority: Priority, message: &str) {
        self.notes.push(Note::Line(priority, message.to_owned()));
    }

    /// Leaves it in the journal and in the recorder.
    pub fn tell(self, call: &Call) {
        let mut told = Vec::new();
        for note in &self.notes {
            match note {
                Note::Line(priority, message) => {
                    call.entry(*priority, message).send();
                }
                Note::Unmet(reason) => {
                    call.entry(Priority::Error, reason).send();
                    told.push(events::unmet(call, reason));
                }
                Note::Port(outcome, wanted) => {
                    let entry = call.port(outcome, wanted);
                    entry.send();
                    told.extend(events::port(call, outcome, wanted, &entry.message));
                }
            }
        }
        events::record(told);
    }
}

impl Job<'_> {
    /// Does the work on the XML that libvirt gave.
    pub fn run(&self, xml: &[u8]) -> Done {
        let mut done = Done::default();
        let xml = match std::str::from_utf8(xml) {
            Ok(xml) => xml,
            Err(error) => {
                done.complain(format!("the XML that libvirt gave: {error}"));
                return done;
            }
        };
        // Where it cannot be read, the domain's own XML may say all that is needed.
        let map = self.map().unwrap_or_else(|reason| {
            done.complain(reason);
            VlanMap::default()
        });
        self.with(&mut done, xml, &map);
        done
    }

    fn map(&self) -> Result<VlanMap, String> {
        let site = self.site.display();
        let text =
            std::fs::read_to_string(self.site).map_err(|error| format!("{site}: {error}"))?;
        VlanMap::parse(&text).map_err(|error| format!("{site}:{error}"))
    }

    fn with(&self, done: &mut Done, xml: &str, map: &VlanMap) {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        if self.call.operation == "port-created" {
            return Self::network_port(done, xml, map, &host);
        }
        let guest = match domain::parse(xml) {
            Ok(guest) => guest,
            Err(error) => {
                return done.complain(format!("the XML that libvirt gave:{error}"));
            }
        };
        match self.deed {
            Deed::Set => self.set(done, map, &host, &guest),
            Deed::Foresee | Deed::Note => {
                let demand = demand::foreseen(map, &host, &guest);
                let message = format!(
                    "{}: VLANs of {} of its interfaces are planned",
                    self.call.operation,
                    demand.targets.len()
                );
                done.note(Priority::Debug, &message);
                Self::broken(done, &demand);
            }
        }
    }

    fn network_port(done: &mut Done, xml: &str, map: &VlanMap, host: &str) {
        let port = match network_port::parse(xml) {
            Ok(port) => port,
            Err(error) => {
                return done.complain(format!("the XML that libvirt gave:{error}"));
            }
        };
        let guest = port.guest.as_deref().unwrap_or("a guest");
        let wanted = map.wanted(&PortOf {
            host,
            bridge: port.bridge.as_deref().unwrap_or_default(),
            guest: port.guest.as_deref(),
            ..PortOf::default()
        });
        let message = match wanted {
            Ok(Some(_)) => "its VLANs are set once it is there",
            Ok(None) => "nobody planned its VLANs",
            Err(reason) => return done.complain(reason),
        };
        let bridge = port.bridge.as_deref().unwrap_or("no bridge");
        let message = format!("a port for {guest} on {bridge} will be made: {message}");
        done.note(Priority::Debug, &message);
    }

    /// Interfaces without a plan that can be met.
    fn broken(done: &mut Done, demand: &Demand) {
        for (port, reason) in &demand.broken {
            done.complain(format!("{port}: {reason}"));
        }
    }

    fn set(&self, done: &mut Done, map: &VlanMap, host: &str, guest: &Guest) {
        let mut kernel = Kernel::until(self.end);
        let states = match kernel.read() {
            Ok(states) => states,
            Err(error) => return done.complain(words(&error)),
        };
        let demand = demand::of_guest(map, host, guest, &states);
        Self::broken(done, &demand);
        for port in &demand.unplanned {
            let message = format!("{port}: nobody planned its VLANs; left as they are");
            done.note(Priority::Info, &message);
        }
        let outcomes = bring_about(&mut kernel, states, &demand.targets);
        if outcomes.is_empty() && demand == Demand::default() {
            done.note(Priority::Debug, "it has no port on a bridge");
        }
        for (outcome, target) in outcomes.into_iter().zip(demand.targets) {
            if !outcome.is_met() {
                done.unmet
                    .push(self.call.port(&outcome, &target.wanted).message);
            }
            done.notes.push(Note::Port(outcome, target.wanted));
        }
    }
}
