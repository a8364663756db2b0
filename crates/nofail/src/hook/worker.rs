//! The process that may block: reads the VLAN map, sets VLANs, answers, logs each port.

use super::phase::Deed;
use super::record::Call;
use super::{events, words};
use change::log::{Entry, Priority};
use change::vlan::{Demand, Kernel, Ports, bring_about, demand};
use facts::domain::{self, Guest};
use facts::hook::network_port;
use model::vlan::{PortOf, VlanMap};
use std::path::Path;
use std::time::Instant;
use watch::Event;

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
    entries: Vec<Entry>,
    events: Vec<Event>,
}

impl Done {
    /// Leaves it in the journal and in the recorder. Nobody waits for that.
    pub fn tell(self) {
        for entry in &self.entries {
            entry.send();
        }
        events::record(self.events);
    }
}

impl Job<'_> {
    /// Does the work on the XML that libvirt gave.
    pub fn run(&self, xml: &[u8]) -> Done {
        let mut done = Done::default();
        let xml = match std::str::from_utf8(xml) {
            Ok(xml) => xml,
            Err(error) => {
                self.complain(&mut done, format!("the XML that libvirt gave: {error}"));
                return done;
            }
        };
        // Where it cannot be read, the domain's own XML may say all that is needed.
        let map = self.map().unwrap_or_else(|reason| {
            self.complain(&mut done, reason);
            VlanMap::default()
        });
        self.with(&mut done, xml, &map);
        done
    }

    fn complain(&self, done: &mut Done, reason: String) {
        let Call { object, operation } = &self.call;
        done.events.push(events::unmet(object, operation, &reason));
        self.note(done, Priority::Error, &reason);
        done.unmet.push(reason);
    }

    fn note(&self, done: &mut Done, priority: Priority, message: &str) {
        done.entries.push(self.call.entry(priority, message));
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
            return self.network_port(done, xml, map, &host);
        }
        let guest = match domain::parse(xml) {
            Ok(guest) => guest,
            Err(error) => {
                return self.complain(done, format!("the XML that libvirt gave:{error}"));
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
                self.note(done, Priority::Debug, &message);
                self.broken(done, &demand);
            }
        }
    }

    fn network_port(&self, done: &mut Done, xml: &str, map: &VlanMap, host: &str) {
        let port = match network_port::parse(xml) {
            Ok(port) => port,
            Err(error) => {
                return self.complain(done, format!("the XML that libvirt gave:{error}"));
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
            Err(reason) => return self.complain(done, reason),
        };
        let bridge = port.bridge.as_deref().unwrap_or("no bridge");
        let message = format!("a port for {guest} on {bridge} will be made: {message}");
        self.note(done, Priority::Debug, &message);
    }

    /// Interfaces without a plan that can be met.
    fn broken(&self, done: &mut Done, demand: &Demand) {
        for (port, reason) in &demand.broken {
            self.complain(done, format!("{port}: {reason}"));
        }
    }

    fn set(&self, done: &mut Done, map: &VlanMap, host: &str, guest: &Guest) {
        let mut kernel = Kernel::until(self.end);
        let states = match kernel.read() {
            Ok(states) => states,
            Err(error) => return self.complain(done, words(&error)),
        };
        let demand = demand::of_guest(map, host, guest, &states);
        self.broken(done, &demand);
        for port in &demand.unplanned {
            let message = format!("{port}: nobody planned its VLANs; left as they are");
            self.note(done, Priority::Info, &message);
        }
        let outcomes = bring_about(&mut kernel, states, &demand.targets);
        let Call { object, operation } = &self.call;
        for (outcome, target) in outcomes.iter().zip(&demand.targets) {
            let entry = self.call.port(outcome, &target.wanted);
            // An event is shown with its guest before it.
            let message = entry.message.strip_prefix(&format!("{object}: "));
            let message = message.unwrap_or(&entry.message);
            let event = events::port(object, operation, outcome, &target.wanted, message);
            done.events.extend(event);
            if !outcome.is_met() {
                done.unmet.push(entry.message.clone());
            }
            done.entries.push(entry);
        }
        if demand == Demand::default() {
            self.note(done, Priority::Debug, "it has no port on a bridge");
        }
    }
}
