//! Measures the vital signs of one guest (see [`facts::vitals`]). Every question has a deadline, and nothing
//! touches a path of the guest's storage.

use crate::Options;
use crate::command::{self, CommandError};
use facts::Known;
use facts::domain::Guest;
use facts::unit::proc_stat::TICKS_PER_SECOND;
use facts::vitals::{self, Agent, Memory, Process, Reached, Thread, Traffic, Vitals};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// How long the sample lasts.
const SAMPLE: Duration = Duration::from_millis(700);

/// Where a person wants the guest looked for on its network.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Whether to ask at all.
    pub network: bool,
    /// Its address; from the host's neighbour table where not given.
    pub address: Option<String>,
    /// Device of the host in the guest's VLAN.
    pub device: Option<String>,
}

/// Measures.
pub fn measure(guest: &Guest, ask: &Ask, options: &Options) -> Vitals {
    let began = Instant::now();
    let virsh = Virsh {
        deadline: options.deadline,
    };
    // One question after the other only while they are answered: QEMU's monitor that hangs would
    // hang each of them.
    let before_ports = ports(guest);
    let before_threads = guest.pid.map(threads);
    let libvirt = virsh.ask(&["domstate", "--reason", &guest.name]);
    let runs = guest.pid.is_some();
    let before = runs.then(|| virsh.ask(&["domstats", "--block", &guest.name]));
    std::thread::sleep(SAMPLE.saturating_sub(began.elapsed()));
    let (disks, disk_errors) = match (&before, &libvirt) {
        (None, _) => (Known::Absent, Known::Absent),
        (Some(Known::Known(before)), _) => {
            let after = virsh.ask(&["domstats", "--block", &guest.name]);
            let errors = virsh.ask(&["domblkerror", &guest.name]);
            (
                after.map(|after| vitals::block_stats(before, &after)),
                errors.map(|text| vitals::disk_errors(&text)),
            )
        }
        (Some(other), _) => {
            let reason = other.unreadable().unwrap_or("no answer").to_owned();
            (Known::Unreadable(reason.clone()), Known::Unreadable(reason))
        }
    };
    let monitor = disks.unreadable().is_none();
    let (channel, console_log) = channels(guest);
    let seconds = began.elapsed().as_secs_f64();
    Vitals {
        process: process(guest, before_threads, seconds),
        libvirt: libvirt.map(|text| text.trim().to_owned()),
        agent: agent(guest, channel, monitor, &virsh),
        disk_errors,
        disks,
        ports: traffic(before_ports, ports(guest)),
        pressure: pressure(),
        memory: memory(guest.pid),
        console: console_log.map_or(Known::Absent, |file| match tail(&file) {
            Ok(lines) => Known::Known(lines),
            Err(error) => Known::Unreadable(format!("{file}: {error}")),
        }),
        log: tail(&format!("/var/log/libvirt/qemu/{}.log", guest.name)).unwrap_or_default(),
        reached: ask.network.then(|| reach(guest, ask, options)),
    }
}

struct Virsh {
    deadline: Duration,
}

impl Virsh {
    fn ask(&self, args: &[&str]) -> Known<String> {
        let all = [&["-c", "qemu:///system"], args].concat();
        match command::output("virsh", &all, self.deadline) {
            Ok(bytes) => Known::Known(String::from_utf8_lossy(&bytes).into_owned()),
            Err(CommandError::Failed { stderr, .. }) => Known::Unreadable(stderr),
            Err(CommandError::Deadline { deadline, .. }) => {
                Known::Unreadable(format!("no answer within {} s", deadline.as_secs_f64()))
            }
            Err(error) => Known::Unreadable(error.to_string()),
        }
    }
}

/// One thread at one moment.
#[derive(Clone, Debug)]
struct Moment {
    name: String,
    state: char,
    /// Seconds on a processor.
    ran: f64,
    /// Seconds on a processor or waiting for one.
    wanted: f64,
    waits_in: Option<String>,
}

type Threads = BTreeMap<u32, Moment>;

fn threads(pid: u32) -> Threads {
    let mut all = Threads::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    for task in tasks {
        let Ok(id) = task.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let read = |name: &str| fs::read_to_string(task.path().join(name)).ok();
        let Some((name, state, ticks)) = read("stat").and_then(|stat| vitals::thread(&stat)) else {
            continue;
        };
        // A kernel without CONFIG_SCHED_INFO has no schedstat.
        let (ran, wanted) = match read("schedstat").and_then(|text| vitals::schedstat(&text)) {
            Some((ran, waited)) => (ran as f64 / 1e9, ran.saturating_add(waited) as f64 / 1e9),
            None => {
                let seconds = ticks as f64 / TICKS_PER_SECOND as f64;
                (seconds, seconds)
            }
        };
        let waits_in = read("wchan").filter(|w| !w.is_empty() && w != "0");
        all.insert(
            id,
            Moment {
                name,
                state,
                ran,
                wanted,
                waits_in,
            },
        );
    }
    all
}

fn process(guest: &Guest, before: Option<Threads>, seconds: f64) -> Known<Process> {
    let (Some(pid), Some(before)) = (guest.pid, before) else {
        return Known::Absent;
    };
    let now = threads(pid);
    if now.is_empty() {
        return Known::Absent;
    }
    let percent = |from: f64, to: f64| ((to - from) / seconds.max(0.001) * 100.0).clamp(0.0, 100.0);
    let one = |(id, now): (u32, Moment)| {
        let earlier = before.get(&id).cloned().unwrap_or_else(|| now.clone());
        Thread {
            cpu: percent(earlier.ran, now.ran),
            wanted: percent(earlier.wanted, now.wanted),
            name: now.name,
            state: now.state,
            waits_in: now.waits_in,
        }
    };
    Known::Known(Process {
        pid,
        threads: now.into_iter().map(one).collect(),
    })
}

fn channels(guest: &Guest) -> (Option<Option<String>>, Option<String>) {
    let file = guest.status_file.as_ref().unwrap_or(&guest.file);
    match fs::read_to_string(file) {
        Ok(xml) => {
            let (agent, log) = vitals::channels(&xml);
            (Some(agent), log)
        }
        Err(_) => (None, None),
    }
}

/// `channel`: the outer `None` where the definition was not read, the inner where it has none.
fn agent(guest: &Guest, channel: Option<Option<String>>, monitor: bool, virsh: &Virsh) -> Agent {
    if guest.state.as_deref() != Some("running") {
        return Agent::NotAsked;
    }
    match channel {
        None => Agent::NotAsked,
        Some(None) => Agent::NoChannel,
        Some(Some(state)) if state != "connected" => Agent::NotConnected,
        Some(Some(_)) if !monitor => Agent::NotAsked,
        Some(Some(_)) => {
            let ping = [
                "qemu-agent-command",
                &guest.name,
                r#"{"execute":"guest-ping"}"#,
                "--timeout",
                "2",
            ];
            match virsh.ask(&ping) {
                Known::Known(_) => Agent::Answers,
                other => Agent::Silent(other.unreadable().unwrap_or("no answer").to_owned()),
            }
        }
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn ports(guest: &Guest) -> Vec<Traffic> {
    let targets = guest.interfaces.iter().filter_map(|i| i.target.as_deref());
    targets
        .map(|device| {
            let base = format!("/sys/class/net/{device}");
            let count = |name: &str| number(&format!("{base}/statistics/{name}")).unwrap_or(0);
            Traffic {
                device: device.to_owned(),
                carrier: number(&format!("{base}/carrier")).map(|n| n == 1),
                from_guest: count("rx_packets"),
                to_guest: count("tx_packets"),
                dropped: count("tx_dropped"),
            }
        })
        .collect()
}

fn traffic(before: Vec<Traffic>, after: Vec<Traffic>) -> Vec<Traffic> {
    let one = |now: Traffic| {
        let earlier = before
            .iter()
            .find(|b| b.device == now.device)
            .cloned()
            .unwrap_or_default();
        Traffic {
            from_guest: now.from_guest.saturating_sub(earlier.from_guest),
            to_guest: now.to_guest.saturating_sub(earlier.to_guest),
            ..now
        }
    };
    after.into_iter().map(one).collect()
}

fn pressure() -> Known<vitals::Pressure> {
    let read = |name: &str| fs::read_to_string(format!("/proc/pressure/{name}"));
    match (read("cpu"), read("memory"), read("io")) {
        (Ok(cpu), Ok(memory), Ok(io)) => vitals::pressure(&cpu, &memory, &io).map_or_else(
            || Known::Unreadable("/proc/pressure is not as documented".to_owned()),
            Known::Known,
        ),
        _ => Known::Absent,
    }
}

fn memory(pid: Option<u32>) -> Known<Memory> {
    let text = match fs::read_to_string("/proc/meminfo") {
        Ok(text) => text,
        Err(error) => return Known::Unreadable(error.to_string()),
    };
    let Some((total, available)) = vitals::meminfo(&text) else {
        return Known::Unreadable("/proc/meminfo is not as documented".to_owned());
    };
    let status = pid
        .and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .unwrap_or_default();
    Known::Known(Memory {
        total,
        available,
        resident: vitals::status_field(&status, "VmRSS").unwrap_or(0),
        swapped: vitals::status_field(&status, "VmSwap").unwrap_or(0),
    })
}

/// The last lines of a log on this host's own disk.
fn tail(file: &str) -> std::io::Result<Vec<String>> {
    use std::os::unix::fs::FileExt;
    const BYTES: u64 = 8192;
    const LINES: usize = 12;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mounts = facts::mount::parse_mountinfo(&mounts).unwrap_or_default();
    if facts::mount::mount_of(file, &mounts).is_some_and(facts::mount::Mount::is_network) {
        return Err(std::io::Error::other("on a network mount, not looked at"));
    }
    let log = fs::File::open(file)?;
    let size = log.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(size.min(BYTES)).unwrap_or(0)];
    log.read_exact_at(&mut bytes, size - size.min(BYTES))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let kept = lines.iter().skip(lines.len().saturating_sub(LINES));
    // No control characters of a guest's console reach a person's terminal.
    let clean = |line: &&str| line.chars().filter(|c| !c.is_control()).take(200).collect();
    Ok(kept.map(clean).collect())
}

/// Asks the guest's own address, from the host: ARP, then ping.
fn reach(guest: &Guest, ask: &Ask, options: &Options) -> Reached {
    let table = command::output("ip", &["-j", "neigh"], options.deadline).unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let known: Vec<(String, String)> = guest
        .interfaces
        .iter()
        .filter_map(|i| i.mac.as_deref())
        .flat_map(|mac| vitals::neighbours(&table, mac))
        .collect();
    let address = ask
        .address
        .clone()
        .or_else(|| known.first().map(|(a, _)| a.clone()));
    let Some(address) = address else {
        return Reached::default();
    };
    let device = ask
        .device
        .clone()
        .or_else(|| {
            known
                .iter()
                .find(|(a, _)| *a == address)
                .map(|(_, d)| d.clone())
        })
        .or_else(|| guest.interfaces.iter().find_map(|i| i.bridge.clone()))
        .unwrap_or_default();
    let done = |program: &str, args: &[&str]| {
        let deadline = Duration::from_secs(4);
        match command::run(program, args, &[], deadline) {
            Ok(done) => Some(done.status.success()),
            Err(CommandError::Deadline { .. }) => Some(false),
            Err(_) => None,
        }
    };
    let v6 = address.contains(':');
    let arp = if v6 || device.is_empty() {
        None
    } else {
        done(
            "arping",
            &["-c", "2", "-w", "3", "-f", "-I", &device, &address],
        )
    };
    let ping = if device.is_empty() {
        done("ping", &["-n", "-c", "1", "-W", "2", &address])
    } else {
        done(
            "ping",
            &["-n", "-c", "1", "-W", "2", "-I", &device, &address],
        )
    };
    Reached {
        address,
        device,
        arp,
        ping,
    }
}
