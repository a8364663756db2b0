//! The process that may block: reads the VLAN map, sets VLANs, logs each port.

use super::phase::Deed;
use super::record::Call;
use change::log::Priority;
use change::vlan::{Demand, Kernel, Ports, bring_about, demand};
use facts::domain::{self, Guest};
use facts::hook::network_port;
use model::vlan::{PortOf, VlanMap};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// First word of the worker's command line: `MILLISECONDS DEED SITE OPERATION OBJECT` follow.
pub const WORD: &str = "hook-worker";

/// Does the work that the command line names on the XML on standard input, and says on standard
/// output (a socket of the process that libvirt waits for) how it went.
pub fn main() -> ExitCode {
    let began = Instant::now();
    // What was not done in time must not be done later: the port may be another guest's by then.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let words: Vec<String> = std::env::args_os()
        .skip(2)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let [milliseconds, deed, site, operation, object] = words.as_slice() else {
        return ExitCode::from(2);
    };
    let (Ok(milliseconds), Some(deed)) = (milliseconds.parse(), Deed::of_word(deed)) else {
        return ExitCode::from(2);
    };
    let job = Job {
        end: began + Duration::from_millis(milliseconds),
        site: site.clone(),
        call: Call {
            object: object.clone(),
            operation: operation.clone(),
        },
    };
    let mut xml = String::new();
    let unmet = match std::io::stdin().lock().read_to_string(&mut xml) {
        Ok(_) => job.run(deed, &xml),
        Err(error) => vec![job.complain(&format!("the XML that libvirt gave: {error}"))],
    };
    let answer = match unmet.as_slice() {
        [] => "met".to_owned(),
        reasons => format!("unmet\n{}", reasons.join("; ")),
    };
    match std::io::stdout().lock().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Job {
    end: Instant,
    site: String,
    call: Call,
}

impl Job {
    /// Logs an error and passes it on.
    fn complain(&self, reason: &str) -> String {
        self.call.entry(Priority::Error, reason).send();
        reason.to_owned()
    }

    /// Why the plan is not met; empty where it is.
    fn run(&self, deed: Deed, xml: &str) -> Vec<String> {
        let map = match self.map() {
            Ok(map) => map,
            // The domain's own XML may say all that is needed.
            Err(reason) => {
                let mut unmet = vec![self.complain(&reason)];
                unmet.extend(self.with(deed, xml, &VlanMap::default()));
                return unmet;
            }
        };
        self.with(deed, xml, &map)
    }

    fn map(&self) -> Result<VlanMap, String> {
        let site = &self.site;
        let text = std::fs::read_to_string(site).map_err(|error| format!("{site}: {error}"))?;
        VlanMap::parse(&text).map_err(|error| format!("{site}:{error}"))
    }

    fn with(&self, deed: Deed, xml: &str, map: &VlanMap) -> Vec<String> {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        if self.call.operation == "port-created" {
            return self.network_port(xml, map, &host);
        }
        let guest = match domain::parse(xml) {
            Ok(guest) => guest,
            Err(error) => {
                return vec![self.complain(&format!("the XML that libvirt gave:{error}"))];
            }
        };
        match deed {
            Deed::Set => self.set(map, &host, &guest),
            Deed::Foresee | Deed::Note => {
                let demand = demand::foreseen(map, &host, &guest);
                let message = format!(
                    "{}: VLANs of {} of its interfaces are planned",
                    self.call.operation,
                    demand.targets.len()
                );
                self.call.entry(Priority::Debug, &message).send();
                self.broken(&demand)
            }
        }
    }

    fn network_port(&self, xml: &str, map: &VlanMap, host: &str) -> Vec<String> {
        let port = match network_port::parse(xml) {
            Ok(port) => port,
            Err(error) => {
                return vec![self.complain(&format!("the XML that libvirt gave:{error}"))];
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
            Ok(Some(_)) => "its VLANs are set once it is there".to_owned(),
            Ok(None) => "nobody planned its VLANs".to_owned(),
            Err(reason) => return vec![self.complain(&reason)],
        };
        let bridge = port.bridge.as_deref().unwrap_or("no bridge");
        let message = format!("a port for {guest} on {bridge} will be made: {message}");
        self.call.entry(Priority::Debug, &message).send();
        Vec::new()
    }

    /// Interfaces without a plan that can be met.
    fn broken(&self, demand: &Demand) -> Vec<String> {
        let reasons = demand.broken.iter();
        reasons
            .map(|(port, reason)| self.complain(&format!("{port}: {reason}")))
            .collect()
    }

    fn set(&self, map: &VlanMap, host: &str, guest: &Guest) -> Vec<String> {
        let mut kernel = Kernel::until(self.end);
        let states = match kernel.read() {
            Ok(states) => states,
            Err(error) => return vec![self.complain(&words(&error))],
        };
        let demand = demand::of_guest(map, host, guest, &states);
        let mut unmet = self.broken(&demand);
        for port in &demand.unplanned {
            let message = format!("{port}: nobody planned its VLANs; left as they are");
            self.call.entry(Priority::Info, &message).send();
        }
        let outcomes = bring_about(&mut kernel, states, &demand.targets);
        for (outcome, target) in outcomes.iter().zip(&demand.targets) {
            let entry = self.call.port(outcome, &target.wanted);
            if !outcome.is_met() {
                unmet.push(entry.message.clone());
            }
            entry.send();
        }
        if demand == Demand::default() {
            let message = "it has no port on a bridge";
            self.call.entry(Priority::Debug, message).send();
        }
        unmet
    }
}

/// An error with its causes, in one line.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
