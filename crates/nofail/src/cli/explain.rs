//! `nofail explain`.

use super::{Exit, Format};
use crate::{render, wire};
use ::collect::history::{Question, read};
use ::collect::{LocalReader, Options};
use anyhow::{Context, bail};
use facts::Snapshot;
use facts::history::History;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;
use watch::explain::{Case, Explanation, explain};

/// Flags of `nofail explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads what is on this host anyway: libvirt's and QEMU's logs, the journal (else syslog and dmesg), wtmp,
the audit log, package logs, shell histories that carry times; and nofail's recorder where it ran.

Examples:
  nofail explain bind-02
  nofail explain bind-02 --since 12h
  nofail explain vault-03 --since '2026-04-13 21:40' --format json
  nofail explain bind-02 --root /mnt/sysroot

Exit code: 0 it runs and nothing stopped it, 1 it went down (or is off), 2 could not run,
3 nothing could be read that would tell.")]
pub struct Args {
    /// The guest.
    pub guest: String,
    /// Only what happened since then: a span (`90m`, `12h`, `3d`) or a time (`2026-04-13 21:40`, local).
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// A directory that holds the host's files.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Seconds that one probe or command may take (the journal: fifteen times that).
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    pub deadline: u64,
}

/// Runs the command.
///
/// # Errors
/// No guest of that name, no such directory, `--since` that is no time.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("explain", &[Format::Human, Format::Json])?;
    let now = Timestamp::now();
    let since = args.since.as_deref().map(|t| since(t, now)).transpose()?;
    let reader = match &args.root {
        Some(root) => LocalReader::rooted(root)
            .with_context(|| format!("cannot open the directory {}", root.display()))?,
        None => LocalReader::live().context("cannot open /")?,
    };
    let options = Options {
        deadline: Duration::from_secs(args.deadline.clamp(1, 600)),
        ..Options::default()
    };
    let snapshot = ::collect::collect(&reader, &options);
    let question = Question {
        guest: args.guest.clone(),
        since: since.map(Timestamp::as_microsecond),
        now: now.as_microsecond(),
    };
    let history = read(&reader, &options, &question);
    let guest = snapshot.guests.iter().find(|g| g.name == args.guest);
    let own_log = history
        .traces
        .iter()
        .any(|t| t.evidence.file.contains("/libvirt/qemu/"));
    if guest.is_none() && !own_log {
        bail!("{}", no_such(&args.guest, &snapshot, &history));
    }
    let answer = explain(&Case {
        guest,
        history: &history,
        since: question.since,
    });
    match format {
        Format::Json => wire::print(&wire::explain::Document::of(
            &snapshot.host,
            &args.guest,
            guest,
            &answer,
        ))?,
        _ => render::print(&render::explain::text(
            &snapshot.host,
            &args.guest,
            guest,
            &answer,
        ))?,
    }
    Ok(exit(&answer, &history))
}

fn exit(answer: &Explanation, history: &History) -> Exit {
    if !answer.causes.is_empty() || answer.still_off.is_some() {
        return Exit::Found;
    }
    if answer.runs.is_none() || history.read.is_empty() {
        return Exit::Unsafe;
    }
    Exit::Good
}

fn no_such(guest: &str, snapshot: &Snapshot, history: &History) -> String {
    let mut names: Vec<&str> = snapshot.guests.iter().map(|g| g.name.as_str()).collect();
    names.sort_unstable();
    let known = if names.is_empty() {
        "no guest is defined".to_owned()
    } else {
        format!("those are: {}", names.join(", "))
    };
    let not_read: Vec<String> = history
        .not_read
        .iter()
        .filter(|n| n.source.contains("libvirt"))
        .map(|n| format!("; {}: {}", n.source, n.reason))
        .collect();
    format!(
        "no guest `{guest}` is defined on {} and no log of it is there; {known}{}",
        snapshot.host,
        not_read.concat()
    )
}

/// A span before now, or a time: with an offset, or local.
fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let text = text.trim();
    let (number, unit) =
        text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        "w" => Some(604_800),
        _ => None,
    };
    if let (Some(seconds), Ok(number)) = (seconds, number.parse::<i64>()) {
        let span = jiff::SignedDuration::from_secs(number.saturating_mul(seconds));
        return now
            .checked_sub(span)
            .with_context(|| format!("--since {text}: that long ago there were no records"));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let local: Result<jiff::civil::DateTime, _> = text.parse();
    match local {
        Ok(time) => Ok(time.to_zoned(jiff::tz::TimeZone::system())?.timestamp()),
        Err(_) => bail!(
            "--since {text}: give a span such as 90m, 12h, 3d, or a time such as '2026-04-13 21:40'"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times() {
        let now: Timestamp = "2026-04-14T08:00:00Z".parse().unwrap();
        assert_eq!(
            since("2h", now).unwrap().to_string(),
            "2026-04-14T06:00:00Z"
        );
        assert_eq!(
            since("3d", now).unwrap().to_string(),
            "2026-04-11T08:00:00Z"
        );
        assert_eq!(
            since("2026-04-13T21:40:00+02:00", now).unwrap().to_string(),
            "2026-04-13T19:40:00Z"
        );
        assert!(since("2026-04-13 21:40", now).is_ok());
        for wrong in ["", "h", "soon", "5x", "ü", "99999999999999999h"] {
            assert!(since(wrong, now).is_err(), "{wrong}");
        }
    }
}
