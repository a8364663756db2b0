//! Measurements as checks, and the most telling ailment.

use super::{Ailment, Case, Check, Finding, Report, steps};
use facts::Known;
use facts::mount::{HealthState, mount_of};
use facts::vitals::Agent;

/// Above this share of the time, running or waiting for a processor, a thread counts as busy.
const BUSY: f64 = 85.0;
/// Above this mean, requests of a disk are slow, milliseconds.
const SLOW: f64 = 200.0;
/// Above this share of time the host stalls, percent.
const STALL: f64 = 40.0;

/// Judges.
pub fn examine(case: &Case<'_>) -> Report {
    let checks: Vec<Check> = [
        state(case),
        libvirt(case),
        process(case),
        processors(case),
        storage(case),
        disks(case),
        agent(case),
    ]
    .into_iter()
    .chain(ports(case))
    .chain([reached(case), host(case)].into_iter().flatten())
    .collect();
    let ailment = ailment(case, &checks);
    Report {
        summary: summary(case, ailment),
        ailment,
        steps: steps::of(case, ailment),
        not: steps::not(case, ailment),
        checks,
    }
}

fn check(name: &'static str, finding: Finding, text: impl Into<String>) -> Check {
    Check {
        name,
        finding,
        text: text.into(),
    }
}

fn runs(case: &Case<'_>) -> bool {
    case.guest.state.as_deref() == Some("running")
}

fn state(case: &Case<'_>) -> Check {
    let reason = case
        .guest
        .state_reason
        .as_deref()
        .map_or_else(String::new, |r| format!(" ({r})"));
    match case.guest.state.as_deref() {
        Some("running") => check("state", Finding::Good, format!("running{reason}")),
        Some(state) => check("state", Finding::Bad, format!("{state}{reason}")),
        None => check(
            "state",
            Finding::NotChecked,
            "libvirt's status files were not read",
        ),
    }
}

fn libvirt(case: &Case<'_>) -> Check {
    match &case.vitals.libvirt {
        Known::Known(text) => check(
            "libvirt",
            Finding::Good,
            format!("its daemon answers: {text}"),
        ),
        Known::Absent => check("libvirt", Finding::NotChecked, "not asked"),
        Known::Unreadable(why) => check("libvirt", Finding::Odd, format!("virsh domstate: {why}")),
    }
}

/// Threads in a state.
fn in_state(case: &Case<'_>, state: &[char]) -> usize {
    let threads = case.vitals.process.known().map(|p| p.threads.as_slice());
    let threads = threads.unwrap_or_default().iter();
    threads.filter(|t| state.contains(&t.state)).count()
}

fn process(case: &Case<'_>) -> Check {
    let process = match &case.vitals.process {
        Known::Known(process) => process,
        Known::Absent if case.guest.pid.is_some() => {
            return check("process", Finding::Bad, "QEMU is gone");
        }
        Known::Absent => {
            return check(
                "process",
                Finding::Good,
                "no QEMU, as for a guest that is off",
            );
        }
        Known::Unreadable(why) => return check("process", Finding::NotChecked, why.clone()),
    };
    let all = process.threads.len();
    let stopped = in_state(case, &['T', 't']);
    if stopped > 0 {
        let text = format!(
            "QEMU (process {}) is stopped: {stopped} of {all} threads in state T, as after SIGSTOP or under a debugger",
            process.pid
        );
        return check("process", Finding::Bad, text);
    }
    if let Some(thread) = process.threads.iter().find(|t| t.state == 'D') {
        let place = thread
            .waits_in
            .as_deref()
            .map_or_else(String::new, |w| format!(", in {w}"));
        let text = format!(
            "QEMU (process {}): {} of {all} threads wait uninterruptibly (state D): {}{place}",
            process.pid,
            in_state(case, &['D']),
            thread.name
        );
        return check("process", Finding::Odd, text);
    }
    check(
        "process",
        Finding::Good,
        format!("QEMU (process {}), {all} threads, none stuck", process.pid),
    )
}

/// vCPU threads by QEMU's names: `CPU 0/KVM`, `CPU 0/TCG`.
fn processors(case: &Case<'_>) -> Check {
    let threads = case
        .vitals
        .process
        .known()
        .map(|p| p.threads.as_slice())
        .unwrap_or_default();
    let cpus: Vec<_> = threads
        .iter()
        .filter(|t| t.name.starts_with("CPU "))
        .collect();
    if cpus.is_empty() {
        return check("processors", Finding::NotChecked, "no vCPU thread was seen");
    }
    let busy = cpus.iter().filter(|t| t.wanted >= BUSY).count();
    let sum: f64 = cpus.iter().map(|t| t.cpu).sum();
    let text = format!(
        "{busy} of {} vCPUs busy all the time ({sum:.0} % of one processor in all)",
        cpus.len()
    );
    let finding = if busy == cpus.len() {
        Finding::Odd
    } else {
        Finding::Good
    };
    check("processors", finding, text)
}

/// Mounts under its disks and backing files that do not answer or are not there.
pub(super) fn sick_mounts(case: &Case<'_>) -> Vec<(String, String)> {
    let mut sick = Vec::new();
    let paths = case.guest.disks.iter().flat_map(|disk| {
        let own = disk
            .live_source
            .as_ref()
            .or(disk.resolved.as_ref())
            .or(disk.source.as_ref());
        own.into_iter()
            .chain(disk.backing.iter().map(|b| &b.source))
    });
    for path in paths.filter(|p| p.starts_with('/')) {
        let Some(mount) = mount_of(path, case.mounts) else {
            continue;
        };
        let Some(health) = &mount.health else {
            continue;
        };
        let bad = matches!(
            health.state,
            HealthState::Stale
                | HealthState::NotResponding
                | HealthState::Failed
                | HealthState::Empty
                | HealthState::ReadOnly
        );
        let entry = (mount.target.clone(), health.detail.clone());
        if bad && !sick.contains(&entry) {
            sick.push(entry);
        }
    }
    sick
}

fn storage(case: &Case<'_>) -> Check {
    let sick = sick_mounts(case);
    if let Some((mount, detail)) = sick.first() {
        return check(
            "storage",
            Finding::Bad,
            format!("{mount}, where a disk of it lies: {detail}"),
        );
    }
    if let Some(disk) = case.guest.disks.iter().find(|d| d.chain_broken.is_some()) {
        let why = disk.chain_broken.as_deref().unwrap_or("");
        return check("storage", Finding::Bad, format!("{}: {why}", disk.target));
    }
    check(
        "storage",
        Finding::Good,
        "no network mount under its disks is sick",
    )
}

fn disks(case: &Case<'_>) -> Check {
    if let Known::Known(errors) = &case.vitals.disk_errors
        && let Some((disk, error)) = errors.first()
    {
        return check("disks", Finding::Bad, format!("{disk}: {error}"));
    }
    match &case.vitals.disks {
        Known::Known(disks) => {
            let slow = disks.iter().find(|d| d.milliseconds > SLOW);
            let requests: u64 = disks.iter().map(|d| d.requests).sum();
            match slow {
                Some(d) => check(
                    "disks",
                    Finding::Odd,
                    format!("{}: {:.0} ms a request", d.target, d.milliseconds),
                ),
                None => check(
                    "disks",
                    Finding::Good,
                    format!("no errors; {requests} requests in the sample"),
                ),
            }
        }
        Known::Absent => check("disks", Finding::NotChecked, "it does not run"),
        Known::Unreadable(why) => check("disks", Finding::Odd, format!("QEMU's monitor: {why}")),
    }
}

fn agent(case: &Case<'_>) -> Check {
    match &case.vitals.agent {
        Agent::NotAsked => check(
            "agent",
            Finding::NotChecked,
            "not asked: the guest does not run, or QEMU does not answer",
        ),
        Agent::NoChannel => check(
            "agent",
            Finding::NotChecked,
            "it has no channel for the guest agent (org.qemu.guest_agent.0)",
        ),
        Agent::NotConnected => check(
            "agent",
            Finding::Odd,
            "nobody listens at the agent's channel: the agent, or all of the guest, does not run",
        ),
        Agent::Answers => check(
            "agent",
            Finding::Good,
            "the guest agent answers: its kernel and user space live",
        ),
        Agent::Silent(why) => check(
            "agent",
            Finding::Bad,
            format!("the guest agent is connected and silent: {why}"),
        ),
    }
}

fn ports(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for traffic in &case.vitals.ports {
        let device = &traffic.device;
        let port = case.bridges.iter().find_map(|b| Some((b, b.port(device)?)));
        let carried = match traffic.carrier {
            Some(true) => check(
                "link",
                Finding::Good,
                format!(
                    "{device} is up; in the sample {} packets from the guest, {} to it",
                    traffic.from_guest, traffic.to_guest
                ),
            ),
            Some(false) => check(
                "link",
                Finding::Bad,
                format!("{device} has no carrier: the link is set down, or QEMU does not run"),
            ),
            None => check("link", Finding::Bad, format!("{device} is down or gone")),
        };
        checks.push(carried);
        let Some((bridge, port)) = port else {
            checks.push(check(
                "vlan",
                Finding::Bad,
                format!("{device} is on no bridge"),
            ));
            continue;
        };
        if bridge.vlan_filtering != Some(true) {
            continue;
        }
        let have = format!(
            "PVID {}, tagged {:?}",
            port.pvid
                .map_or_else(|| "none".to_owned(), |p| p.to_string()),
            port.tagged
        );
        let finding = match &case.plan {
            None => check(
                "vlan",
                Finding::NotChecked,
                format!("{device}: {have}; no plan to compare with (site.toml)"),
            ),
            Some((pvid, tagged)) => {
                let missing: Vec<u16> = tagged
                    .iter()
                    .copied()
                    .filter(|v| !port.carries(*v))
                    .collect();
                if port.pvid == Some(*pvid) && port.untagged.contains(pvid) && missing.is_empty() {
                    check(
                        "vlan",
                        Finding::Good,
                        format!("{device}: {have}, as planned"),
                    )
                } else {
                    check(
                        "vlan",
                        Finding::Bad,
                        format!(
                            "{device}: {have}; planned: PVID {pvid} untagged, tagged {tagged:?}"
                        ),
                    )
                }
            }
        };
        checks.push(finding);
    }
    checks
}

fn reached(case: &Case<'_>) -> Option<Check> {
    let reached = case.vitals.reached.as_ref()?;
    if reached.address.is_empty() {
        return Some(check(
            "reach",
            Finding::NotChecked,
            "its address is not known here; give it: --ping ADDRESS",
        ));
    }
    let word = |answer: Option<bool>| match answer {
        Some(true) => "answers",
        Some(false) => "does not answer",
        None => "could not be tried",
    };
    let finding = match (reached.arp, reached.ping) {
        (_, Some(true)) => Finding::Good,
        (Some(true), _) => Finding::Odd,
        (None, None) => Finding::NotChecked,
        _ => Finding::Bad,
    };
    Some(check(
        "reach",
        finding,
        format!(
            "{} through {}: ARP {}, ping {}",
            reached.address,
            if reached.device.is_empty() {
                "the host's routes"
            } else {
                &reached.device
            },
            word(reached.arp),
            word(reached.ping)
        ),
    ))
}

fn host(case: &Case<'_>) -> Option<Check> {
    let memory = case.vitals.memory.known();
    let pressure = case.vitals.pressure.known();
    let stalls = pressure.is_some_and(|p| p.memory > STALL || p.io > STALL);
    // Tasks wait for a processor on every busy host; by itself that is odd at most.
    let crowded = pressure.is_some_and(|p| p.cpu > 90.0);
    let short = memory.is_some_and(|m| m.total > 0 && m.available * 50 < m.total);
    let swapped = memory.is_some_and(|m| m.swapped > 4096 && m.swapped * 4 > m.resident);
    let mut text = Vec::new();
    if let Some(m) = memory {
        text.push(format!(
            "{} of {} MiB available",
            m.available / 1024,
            m.total / 1024
        ));
        if m.swapped > 0 {
            text.push(format!("{} MiB of this QEMU swapped out", m.swapped / 1024));
        }
    }
    if let Some(p) = pressure {
        text.push(format!(
            "stalled in the last 10 s: CPU {:.0} %, memory {:.0} %, I/O {:.0} %",
            p.cpu, p.memory, p.io
        ));
    }
    if text.is_empty() {
        return Some(check(
            "host",
            Finding::NotChecked,
            "neither memory nor pressure could be read",
        ));
    }
    let finding = if short || stalls {
        Finding::Bad
    } else if swapped || crowded {
        Finding::Odd
    } else {
        Finding::Good
    };
    Some(check("host", finding, text.join("; ")))
}

fn ailment(case: &Case<'_>, checks: &[Check]) -> Ailment {
    let found = |name: &str| {
        let named = checks.iter().filter(|c| c.name == name);
        named.map(|c| c.finding).max().unwrap_or(Finding::Good)
    };
    let answers = case.vitals.libvirt.unreadable().is_none();
    match case.guest.state.as_deref() {
        Some("shut-off") => return Ailment::Off,
        _ if in_state(case, &['T', 't']) > 0 => return Ailment::Stopped,
        Some("paused") if case.guest.state_reason.as_deref() == Some("ioerror") => {
            return Ailment::IoError;
        }
        Some("paused") => return Ailment::Paused,
        Some("crashed" | "pm-suspended") => return Ailment::Paused,
        _ => {}
    }
    if matches!(&case.vitals.disk_errors, Known::Known(errors) if !errors.is_empty()) {
        return Ailment::IoError;
    }
    if !sick_mounts(case).is_empty() {
        return Ailment::StorageHangs;
    }
    if !answers {
        return Ailment::LibvirtHangs;
    }
    if runs(case) && case.vitals.disks.unreadable().is_some() {
        return Ailment::MonitorHangs;
    }
    if found("link") == Finding::Bad || found("vlan") == Finding::Bad {
        return Ailment::Network;
    }
    if found("host") == Finding::Bad {
        return Ailment::HostStalls;
    }
    if case.vitals.agent == Agent::Answers {
        return Ailment::Inside;
    }
    if found("processors") == Finding::Odd {
        return Ailment::Spins;
    }
    Ailment::Silent
}

fn summary(case: &Case<'_>, ailment: Ailment) -> String {
    let name = &case.guest.name;
    let reason = case
        .guest
        .state_reason
        .as_deref()
        .unwrap_or("no reason given");
    match ailment {
        Ailment::Off => format!("{name} is off"),
        Ailment::Stopped => format!("{name} stands still: its QEMU process was stopped"),
        Ailment::StorageHangs => {
            format!("{name} waits for storage that is sick; the guest itself may be well")
        }
        Ailment::IoError => {
            format!("{name} had a disk error; QEMU holds it still so that nothing is lost")
        }
        Ailment::Paused => format!(
            "{name} is {} ({reason})",
            case.guest.state.as_deref().unwrap_or("paused")
        ),
        Ailment::LibvirtHangs => {
            format!("libvirt's daemon does not answer; {name} itself may be well")
        }
        Ailment::MonitorHangs => format!("QEMU of {name} does not answer its monitor"),
        Ailment::Network => format!("{name} runs, and its port is wrong"),
        Ailment::HostStalls => format!("{name} runs, and the host has too little for it"),
        Ailment::Spins => {
            format!("{name} runs, and all its processors are busy all the time: stuck, or at work")
        }
        Ailment::Silent => {
            format!("{name} runs and looks well from outside; nobody in it could be asked")
        }
        Ailment::Inside => format!(
            "{name} runs, and its agent answers: what ails it is inside, in one of its services"
        ),
    }
}
