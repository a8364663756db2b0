//! Whether a change may run at all: pure refusals.
//!
//! Over SSH a way in must be proven that does not lead through what is changed; outside a
//! maintenance window a reason is asked for.

use super::session::Ssh;
use facts::bmc::Check;
use facts::ip::in_subnet;
use model::site::Window;
use std::net::IpAddr;

/// How old a proof may be, in seconds.
pub const PROOF_SECONDS: i64 = 3600;

/// What is known when a change is asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The SSH connection, where it is one.
    pub ssh: bool,
    /// Its ends.
    pub ends: Option<&'a Ssh>,
    /// Who asks says that they sit at the console.
    pub console: bool,
    /// Who asks says that this is an incident, and takes the risk.
    pub incident: bool,
    /// Why, where said.
    pub reason: Option<&'a str>,
    /// The check of this host's BMC, where there is one.
    pub proof: Option<&'a Check>,
    /// Seconds since that check; negative where its clock runs ahead.
    pub proof_age: i64,
    /// The host's own addresses.
    pub own_addresses: Vec<IpAddr>,
    /// Addresses of guests of this host: (guest, address).
    pub guest_addresses: Vec<(String, IpAddr)>,
    /// Guests of this host that provide the site's gateway, where the others that do are not
    /// enough for it once this host's are cut.
    pub gateway_guests: Vec<String>,
    /// Whether now is in a maintenance window; `None` where the site names none.
    pub in_window: Option<bool>,
}

/// One refusal, and what lifts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub why: String,
    /// What lifts it.
    pub instead: String,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may run; on which grounds.
    Go(String),
    /// It may not.
    Refused(Vec<Refusal>),
}

/// Judges.
pub fn judge(asked: &Asked<'_>) -> Judgement {
    let mut refusals = Vec::new();
    let mut grounds = Vec::new();
    let reason = asked.reason.map(str::trim).filter(|r| !r.is_empty());
    if asked.incident && reason.is_none() {
        refusals.push(Refusal {
            why: "an incident overrides no rule without a word on why".to_owned(),
            instead: "--reason TEXT".to_owned(),
        });
    }
    let overridden = asked.incident && reason.is_some();
    if asked.in_window == Some(false) && reason.is_none() {
        refusals.push(Refusal {
            why: "now is outside every maintenance window of site.toml".to_owned(),
            instead: "wait for the window, or say why now: --reason TEXT".to_owned(),
        });
    }
    if !asked.ssh {
        grounds.push("not over SSH".to_owned());
    } else if asked.console {
        grounds.push("who asks sits at the console (--console)".to_owned());
    } else {
        match way_in(asked) {
            Ok(text) => grounds.push(text),
            Err(why) if overridden => grounds.push(format!("incident override, although {why}")),
            Err(why) => refusals.push(Refusal {
                why: format!("this is an SSH session, and {why}"),
                instead: "prove it from your side: `nofail bmc check HOST --site site.toml -o \
                          proof.json` on another machine, then --bmc-proof proof.json here; or \
                          sit at the console and say so: --console"
                    .to_owned(),
            }),
        }
    }
    if refusals.is_empty() {
        Judgement::Go(grounds.join("; "))
    } else {
        Judgement::Refused(refusals)
    }
}

/// Whether the way in by the BMC is proven, and does not lead through what is changed.
fn way_in(asked: &Asked<'_>) -> Result<String, String> {
    let Some(proof) = asked.proof else {
        return Err("nobody has shown that this host's BMC lets you in".to_owned());
    };
    if !proof.lets_in() {
        return Err(format!(
            "its BMC was checked and does not let you in: {}",
            proof.summary()
        ));
    }
    if asked.proof_age > PROOF_SECONDS || asked.proof_age < -PROOF_SECONDS {
        return Err(format!(
            "the check of its BMC is not of this hour (it says {})",
            proof.at
        ));
    }
    let from = proof
        .from_address
        .ok_or("its check does not say from which address it was made")?;
    if asked.own_addresses.contains(&from) || proof.from_host == proof.host {
        return Err(format!(
            "its BMC was checked from this very host ({from}): that way is gone with the host"
        ));
    }
    let guest_at = |address: IpAddr| {
        asked
            .guest_addresses
            .iter()
            .find(|(_, a)| *a == address)
            .map(|(guest, _)| guest.as_str())
    };
    if let Some(guest) = guest_at(from) {
        return Err(format!(
            "its BMC was checked from {guest}, a guest of this host"
        ));
    }
    match proof.gateway {
        Some(gateway) => {
            if let Some(guest) = guest_at(gateway) {
                return Err(format!(
                    "the way to its BMC leads through {guest}, a guest of this host"
                ));
            }
            if asked.own_addresses.contains(&gateway) {
                return Err("the way to its BMC leads through this host".to_owned());
            }
            if !asked.gateway_guests.is_empty() {
                return Err(format!(
                    "the way to its BMC leads over the router {gateway}, and the site's gateway \
                     hangs on {}, which this host runs",
                    asked.gateway_guests.join(", ")
                ));
            }
        }
        // On one link: nobody is between them but switches.
        None if proof.on_link => {}
        None => return Err("its check does not say which way it took".to_owned()),
    }
    if let Some(ends) = asked.ends
        && proof.on_link
        && !same_place(ends.client, from)
    {
        return Ok(format!(
            "the BMC let in {} at {} (you come from {}: be sure that you can get there)",
            from, proof.at, ends.client
        ));
    }
    Ok(format!("the BMC let in {from} at {}", proof.at))
}

fn same_place(a: IpAddr, b: IpAddr) -> bool {
    in_subnet(a, if a.is_ipv4() { 24 } else { 64 }, b)
}

/// Whether a moment lies in one of the windows: weekday 0 (Monday) to 6, minute of the day, both
/// local. `None` where there is no window.
pub fn in_window(windows: &[Window], weekday: u8, minute: u16) -> Option<bool> {
    if windows.is_empty() {
        return None;
    }
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let time = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        Some(hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?)
    };
    Some(windows.iter().any(|window| {
        let (Some(from), Some(to)) = (time(&window.from), time(&window.to)) else {
            return false;
        };
        let on = |day: u8| {
            window.days.is_empty()
                || DAYS
                    .get(usize::from(day % 7))
                    .is_some_and(|name| window.days.iter().any(|d| d == name))
        };
        if from < to {
            return on(weekday) && (from..to).contains(&minute);
        }
        // Over midnight: the morning belongs to the day before.
        (on(weekday) && minute >= from) || (on(weekday + 6) && minute < to)
    }))
}

#[cfg(test)]
mod tests;
