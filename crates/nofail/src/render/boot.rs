//! The next boot as a person sees it: the outcome and why first, then delays, mounts, guests.

use super::style::{Style, paint};
use analysis::boot::{Boot, Delay, GuestResult, MountResult, Mounted, Outcome};
use facts::Snapshot;
use std::fmt::Write as _;

/// Nothing is printed wider than this.
const WIDTH: usize = 100;

/// Prints the prediction.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(host: &str, snapshot: &Snapshot, boot: &Boot) -> anyhow::Result<()> {
    super::print(&text(host, snapshot, boot))
}

/// The whole text.
pub fn text(host: &str, snapshot: &Snapshot, boot: &Boot) -> String {
    let mut out = String::new();
    headline(&mut out, host, boot);
    for cause in &boot.causes {
        item(&mut out, "  because  ", cause);
    }
    if boot.outcome == Outcome::Emergency {
        innocent(&mut out, boot);
    }
    cycles(&mut out, boot);
    delays(&mut out, boot);
    table(&mut out, "Mounts", &boot.mounts);
    table(&mut out, "Swap", &boot.swaps);
    guests(&mut out, boot);
    if !boot.lost.is_empty() {
        heading(&mut out, "Services that nobody gives then");
        item(&mut out, "  ", &boot.lost.join(", "));
    }
    assumed(&mut out, snapshot, boot);
    out
}

fn headline(out: &mut String, host: &str, boot: &Boot) {
    let delay = if boot.delay_seconds > u64::from(u32::MAX) {
        "never gets there".to_owned()
    } else if boot.delay_seconds == 0 {
        "mounts add no delay".to_owned()
    } else {
        format!("mounts add about {} s", boot.delay_seconds)
    };
    let (style, words) = match boot.outcome {
        Outcome::Normal if boot.incomplete() => (
            Style::Yellow,
            "boots without a failed unit, but not everything is mounted",
        ),
        Outcome::Normal => (Style::Green, "boots normally"),
        Outcome::Degraded => (Style::Yellow, "boots, degraded: not everything is mounted"),
        Outcome::Emergency => (Style::Red, "stops in emergency mode"),
    };
    let _ = writeln!(out, "{host}: {} ({delay})", paint(style, words));
}

/// Network mounts that fail in the same boot and are not why it stops: the usual suspects.
fn innocent(out: &mut String, boot: &Boot) {
    let remote: Vec<&str> = boot
        .mounts
        .iter()
        .filter(|mount| {
            mount
                .pulled_in_by
                .iter()
                .any(|link| link.target == "remote-fs.target")
        })
        .map(|mount| mount.target.as_str())
        .collect();
    if !remote.is_empty() {
        item(
            out,
            "  not      ",
            &format!(
                "because of {}: network mounts stand under remote-fs.target, whose failure only degrades a boot",
                remote.join(", ")
            ),
        );
    }
}

/// Circles in the order, and what else may become of the boot on account of them.
fn cycles(out: &mut String, boot: &Boot) {
    for cycle in &boot.cycles {
        let goes = match cycle.dropped.as_slice() {
            [] => {
                "and none of them can be spared: systemd refuses to boot the default target".into()
            }
            [job] => format!("so systemd leaves out a job, by chance; here {job}"),
            [job, with @ ..] => {
                format!(
                    "so systemd leaves out a job, by chance; here {job}, and with it {}",
                    with.join(", ")
                )
            }
        };
        let circle = cycle.units.join(" after ");
        item(
            out,
            "  cycle    ",
            &format!("{circle}: no order satisfies it, {goes}"),
        );
    }
    for end in &boot.otherwise {
        let (style, word) = match end.outcome {
            Outcome::Normal => (Style::Green, "boots normally"),
            Outcome::Degraded => (Style::Yellow, "boots, degraded"),
            Outcome::Emergency => (Style::Red, "stops in emergency mode"),
        };
        let fates: Vec<String> = end
            .mounts
            .iter()
            .map(|(unit, result)| format!("{unit} {}", result.name()))
            .collect();
        let fates = if fates.is_empty() {
            String::new()
        } else {
            format!("; {}", fates.join(", "))
        };
        item(
            out,
            "  or       ",
            &format!(
                "{} (about one boot in {:.0}: without {}){fates}",
                paint(style, word),
                (1.0 / end.share).max(2.0),
                end.dropped.join(", ")
            ),
        );
    }
}

fn delays(out: &mut String, boot: &Boot) {
    // In emergency mode nobody cares what goes on in the background.
    let told = |delay: &&Delay| delay.blocks || boot.outcome != Outcome::Emergency;
    let mut groups: Vec<(&Delay, Vec<&str>)> = Vec::new();
    for delay in boot.delays.iter().filter(told) {
        let same = |other: &&Delay| {
            (other.seconds, &other.reason, other.blocks)
                == (delay.seconds, &delay.reason, delay.blocks)
        };
        match groups.iter_mut().find(|(other, _)| same(other)) {
            Some((_, units)) => units.push(&delay.unit),
            None => groups.push((delay, vec![&delay.unit])),
        }
    }
    if groups.is_empty() {
        return;
    }
    heading(out, "Delays");
    for (delay, units) in groups {
        let seconds = delay
            .seconds
            .map_or("no end".to_owned(), |s| format!("{s} s"));
        let blocks = if delay.blocks {
            "the boot waits"
        } else {
            "meanwhile the boot goes on"
        };
        let text = format!("{}: {} ({blocks})", units.join(", "), delay.reason);
        item(out, &format!("  {seconds:>6}  "), &text);
    }
}

fn table(out: &mut String, title: &str, mounts: &[Mounted]) {
    if mounts.is_empty() {
        return;
    }
    heading(out, title);
    for mount in mounts {
        let (style, word) = match mount.result {
            MountResult::Mounted => (Style::Green, "mounted"),
            MountResult::Failed => (Style::Red, "FAILED "),
            MountResult::Skipped => (Style::Dim, "skipped"),
        };
        let by: Vec<String> = mount
            .pulled_in_by
            .iter()
            .map(|link| {
                let automount = if link.unit.ends_with(".automount") {
                    ", automount"
                } else {
                    ""
                };
                let verb = if link.requirement.name() == "requires" {
                    "required"
                } else {
                    "wanted"
                };
                format!("{verb} by {}{automount}", link.target)
            })
            .collect();
        let place = if mount.line == 0 {
            "unit".to_owned()
        } else {
            format!("line {}", mount.line)
        };
        let mut line = format!("{}  {} ({place})", mount.target, mount.source);
        if !by.is_empty() {
            let _ = write!(line, ", {}", by.join(" and "));
        }
        item(out, &format!("  {}  ", paint(style, word)), &line);
        if !mount.reason.is_empty() && mount.result != MountResult::Mounted {
            item(out, "             ", &mount.reason);
        }
    }
}

fn guests(out: &mut String, boot: &Boot) {
    if boot.guests.is_empty() {
        return;
    }
    heading(out, "Guests");
    for (result, style, word) in [
        (GuestResult::DoesNotStart, Style::Red, "does not start "),
        (
            GuestResult::NotAutostarted,
            Style::Yellow,
            "not autostarted",
        ),
        (GuestResult::Starts, Style::Green, "starts         "),
    ] {
        for guest in boot.guests.iter().filter(|guest| guest.result == result) {
            let text = if guest.reason.is_empty() {
                guest.name.clone()
            } else {
                format!("{}: {}", guest.name, guest.reason)
            };
            item(out, &format!("  {}  ", paint(style, word)), &text);
        }
    }
}

fn assumed(out: &mut String, snapshot: &Snapshot, boot: &Boot) {
    let mut lines = boot.assumed.clone();
    if snapshot.systemd_version.is_none() {
        lines.push(format!(
            "systemd's version was not found: the rules of {} are taken",
            analysis::boot::plan::DEFAULT_VERSION
        ));
    }
    for unread in snapshot.unread.iter().filter(|unread| {
        matches!(
            unread.source,
            facts::Source::Guests | facts::Source::Units | facts::Source::Images
        ) && unread.item.is_none()
    }) {
        lines.push(format!(
            "{} were not read: {}",
            unread.source, unread.reason
        ));
    }
    if lines.is_empty() {
        return;
    }
    heading(out, "Taken for granted");
    for line in lines {
        item(out, "  ", &line);
    }
}

pub(super) fn heading(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{}", paint(Style::Bold, title));
}

/// One item, wrapped, with the following lines under its text.
pub(super) fn item(out: &mut String, label: &str, text: &str) {
    let indent = visible(label);
    let mut line = label.to_owned();
    let mut used = indent;
    let mut first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !first && used + 1 + length > WIDTH {
            let _ = writeln!(out, "{line}");
            line = " ".repeat(indent);
            used = indent;
            first = true;
        }
        if !first {
            line.push(' ');
            used += 1;
        }
        line.push_str(&clean(word));
        used += length;
        first = false;
    }
    let _ = writeln!(out, "{line}");
}

/// What a file says goes to a terminal: no control characters.
fn clean(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Width without colour.
fn visible(label: &str) -> usize {
    let mut count = 0;
    let mut escape = false;
    for character in label.chars() {
        match character {
            '\x1b' => escape = true,
            'm' if escape => escape = false,
            _ if escape => {}
            _ => count += 1,
        }
    }
    count
}
