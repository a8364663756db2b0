//! `nofail explain`.

use super::{Exit, Format};
use crate::{render, wire};
use ::collect::history::{Question, read};
use ::collect::{LocalReader, Options};
use anyhow::{Context, bail};
use facts::Snapshot;
use facts::history::History;
use jiff::{Timestamp, Zoned};
use std::path::{Path, PathBuf};
use std::time::Duration;
use watch::explain::{Case, Explanation, explain};
use watch::recorder::{DEFAULT_PATH, What};
use watch::{Query, Recorder};

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
    /// Only what happened since then: a span (`90min`, `12h`, `3d`), a time (`2026-04-13 21:40`, `21:40`), or
    /// RFC 3339.
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
    let now = Zoned::now();
    let since = args
        .since
        .as_deref()
        .map(|text| super::events::moment(text, &now))
        .transpose()?;
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
        now: now.timestamp().as_microsecond(),
    };
    let mut history = read(&reader, &options, &question);
    recorded(&mut history, args.root.as_deref(), question.since);
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

/// Adds what nofail's recorder has of the guest and of the host.
fn recorded(history: &mut History, root: Option<&Path>, since: Option<i64>) {
    let path = match root {
        Some(root) => root.join(DEFAULT_PATH.trim_start_matches('/')),
        None => PathBuf::from(DEFAULT_PATH),
    };
    let from = since.or_else(|| history.traces.first().map(|t| t.at));
    let query = |guest: Option<String>, kinds: &[&str]| Query {
        since: from.and_then(|at| Timestamp::from_microsecond(at).ok()),
        guest,
        kinds: kinds.iter().filter_map(|k| What::parse(k)).collect(),
        limit: Some(500),
        newest_first: true,
        ..Query::default()
    };
    let events = Recorder::open_to_read(&path).and_then(|recorder| {
        let mut events = recorder.query(&query(Some(history.guest.clone()), &[]))?;
        events.extend(recorder.query(&query(None, &["host", "guard", "mount", "kernel"]))?);
        Ok(events)
    });
    match events {
        Ok(events) => {
            let traces = events.into_iter().map(|recorded| {
                let event = recorded.event;
                let what = facts::history::What::Recorded {
                    kind: event.kind.name().to_owned(),
                    text: event.message.clone(),
                };
                let source = format!("recorder:{}", event.source);
                facts::history::Trace::of_record(
                    event.time.as_microsecond(),
                    what,
                    &source,
                    &event.message,
                )
            });
            history.add("recorder", traces.collect());
            history.settle();
        }
        Err(error) => history.missing("recorder", error.to_string()),
    }
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
