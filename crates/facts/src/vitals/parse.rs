//! Texts of /proc, virsh and ip as vital signs.

use super::{Latency, Pressure};
use serde_json::Value;

/// Name, state and processor time (ticks) of `/proc/PID/task/TID/stat`.
pub fn thread(stat: &str) -> Option<(String, char, u64)> {
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    // utime and stime are fields 14 and 15 of the whole line.
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((name, state, ticks(11)?.saturating_add(ticks(12)?)))
}

/// Nanoseconds on a processor and nanoseconds of waiting for one, of `/proc/PID/task/TID/schedstat`
/// (Documentation/scheduler/sched-stats.rst).
pub fn schedstat(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// A number in KiB of `/proc/PID/status`: `VmSwap:      12 kB`.
pub fn status_field(status: &str, key: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Total and available memory of `/proc/meminfo`, KiB.
pub fn meminfo(text: &str) -> Option<(u64, u64)> {
    Some((
        status_field(text, "MemTotal")?,
        status_field(text, "MemAvailable")?,
    ))
}

/// `avg10` of the files under `/proc/pressure`: `some` of cpu, `full` of memory and io.
pub fn pressure(cpu: &str, memory: &str, io: &str) -> Option<Pressure> {
    let average = |text: &str, kind: &str| {
        let line = text.lines().find(|l| l.starts_with(kind))?;
        line.split_whitespace()
            .find_map(|w| w.strip_prefix("avg10="))?
            .parse()
            .ok()
    };
    Some(Pressure {
        cpu: average(cpu, "some")?,
        memory: average(memory, "full")?,
        io: average(io, "full")?,
    })
}

/// What `virsh domblkerror` prints: `vda: no space`, one disk a line, or `No errors found`.
pub fn disk_errors(text: &str) -> Vec<(String, String)> {
    let one = |line: &str| {
        let (disk, error) = line.trim().split_once(": ")?;
        Some((disk.to_owned(), error.to_owned()))
    };
    text.lines().filter_map(one).collect()
}

/// Ended requests and their time, from two outputs of `virsh domstats --block`.
pub fn block_stats(before: &str, after: &str) -> Vec<Latency> {
    let field = |text: &str, key: &str| {
        let line = text
            .lines()
            .find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(line.to_owned())
    };
    let number = |text: &str, key: String| field(text, &key)?.parse::<u64>().ok();
    let mut all = Vec::new();
    for index in 0..128 {
        let Some(target) = field(after, &format!("block.{index}.name")) else {
            break;
        };
        let sum = |text: &str, kind: &str| -> u64 {
            ["rd", "wr", "fl"]
                .iter()
                .filter_map(|act| number(text, format!("block.{index}.{act}.{kind}")))
                .fold(0, u64::saturating_add)
        };
        let requests = sum(after, "reqs").saturating_sub(sum(before, "reqs"));
        // Nanoseconds.
        let time = sum(after, "times").saturating_sub(sum(before, "times"));
        let milliseconds = if requests == 0 {
            0.0
        } else {
            time as f64 / requests as f64 / 1e6
        };
        // A backing file has a name of its own with the same target.
        if !all.iter().any(|l: &Latency| l.target == target) {
            all.push(Latency {
                target,
                requests,
                milliseconds,
            });
        }
    }
    all
}

/// From a live status or domain XML: the state of the agent's channel (`connected`,
/// `disconnected`; `None` without such a channel), and the file that its first console is
/// logged to.
pub fn channels(xml: &str) -> (Option<String>, Option<String>) {
    let Ok(document) = roxmltree::Document::parse(xml) else {
        return (None, None);
    };
    let agent = document
        .descendants()
        .find(|n| n.has_tag_name("target") && n.attribute("name") == Some("org.qemu.guest_agent.0"))
        .map(|n| n.attribute("state").unwrap_or("disconnected").to_owned());
    let log = document
        .descendants()
        .filter(|n| n.has_tag_name("serial") || n.has_tag_name("console"))
        .flat_map(|n| n.children())
        .find(|n| n.has_tag_name("log"))
        .and_then(|n| n.attribute("file"))
        .map(str::to_owned);
    (agent, log)
}

/// Addresses and devices that the host's neighbour table (`ip -j neigh`) has for a MAC address.
pub fn neighbours(json: &str, mac: &str) -> Vec<(String, String)> {
    let Ok(Value::Array(list)) = serde_json::from_str(json) else {
        return Vec::new();
    };
    let one = |entry: &Value| {
        let is = entry["lladdr"].as_str()?.eq_ignore_ascii_case(mac);
        is.then(|| {
            Some((
                entry["dst"].as_str()?.to_owned(),
                entry["dev"].as_str()?.to_owned(),
            ))
        })?
    };
    list.iter().filter_map(one).collect()
}
