//! `nofail events`.

use super::{Exit, Format};
use crate::render::output;
use crate::{render, wire};
use anyhow::{Context, bail};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::cell::Cell;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;
use watch::recorder::{DEFAULT_PATH, What};
use watch::{Query, Recorded, Recorder, Severity};

/// How often `--follow` looks for new events.
const LOOK: Duration = Duration::from_millis(250);

/// Flags of `nofail events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail events                                      the last 100
  nofail events --since 22:00 --guest bind-02        what became of bind-02 tonight
  nofail events --since 2d --kind mount --kind kernel.io-error
  nofail events --severity critical --follow         as they come, until interrupted
  nofail events --root /mnt/sysroot                  of a dead host's disk
  nofail events --format json | jq .events

Exit code: 0, also where there are none; 2 could not run.")]
pub struct Args {
    /// Not before: `2026-04-13 21:40`, `21:40` (the last time it was so late), `90min`, `2d`, or
    /// RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before: as --since.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only of this guest.
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// Only of these kinds (`mount.stale`) or areas (`mount`).
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// Only as bad as this, or worse: info, warning, error, critical.
    #[arg(long, value_name = "SEVERITY")]
    pub severity: Option<String>,
    /// The newest so many; 100 where neither --since nor --limit is given. 0 is all.
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// Go on with what comes.
    #[arg(long, short)]
    pub follow: bool,
    /// With the states before and after, and the evidence.
    #[arg(long, short)]
    pub verbose: bool,
    /// The database.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub db: PathBuf,
    /// Below this directory: a dead host's disk.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// A flag that says nothing, a database that cannot be read.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("events", &[Format::Human, Format::Json])?;
    let path = match &args.root {
        Some(root) => root.join(args.db.strip_prefix("/").unwrap_or(&args.db)),
        None => args.db.clone(),
    };
    let query = query(args, &Zoned::now())?;
    let recorder = Recorder::open_to_read(&path)?;
    if format == Format::Json && !args.follow {
        wire::print(&wire::events::Document::of(&oldest_first(
            &recorder, &query,
        )?))?;
        return Ok(Exit::Good);
    }
    let zone = TimeZone::system();
    let mut out = std::io::BufWriter::new(output::stdout());
    // The largest number that is not to be shown again.
    let last = Cell::new(recorder.last_id()?);
    let show = |out: &mut dyn Write, recorded: &Recorded| -> anyhow::Result<()> {
        last.set(last.get().max(recorded.id));
        if format == Format::Json {
            serde_json::to_writer(&mut *out, &wire::events::line(recorded))?;
            out.write_all(b"\n")?;
        } else {
            let text = render::events::text(&recorded.event, &zone, args.verbose);
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    };
    if query.newest_first {
        for recorded in oldest_first(&recorder, &query)? {
            show(&mut out, &recorded)?;
        }
    } else {
        // Handed on one by one: there may be millions.
        let mut shown = Ok(());
        recorder.each(&query, |recorded| {
            shown = show(&mut out, &recorded);
            match shown {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        shown?;
    }
    out.flush()?;
    if !args.follow {
        return Ok(Exit::Good);
    }
    // Goes on until the reader goes away or a signal ends us.
    let mut query = Query {
        after: Some(last.get()),
        since: None,
        limit: None,
        newest_first: false,
        ..query
    };
    let mut version = recorder.version()?;
    loop {
        for recorded in recorder.query(&query)? {
            query.after = Some(recorded.id);
            show(&mut out, &recorded)?;
        }
        out.flush()?;
        while recorder.version()? == version {
            if reader_left()? {
                return Ok(Exit::Good);
            }
        }
        version = recorder.version()?;
    }
}

/// Waits a while; whether whoever read standard output has gone meanwhile: a pipe tells it by
/// poll(2) without a write, and on a quiet host none may come for days.
fn reader_left() -> anyhow::Result<bool> {
    let stdout = output::stdout();
    let mut watched = [PollFd::new(stdout.descriptor(), PollFlags::empty())];
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: LOOK.subsec_nanos().into(),
    };
    match poll(&mut watched, Some(&time)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    Ok(watched[0].revents().intersects(gone))
}

fn oldest_first(recorder: &Recorder, query: &Query) -> anyhow::Result<Vec<Recorded>> {
    let mut found = recorder.query(query)?;
    if query.newest_first {
        found.reverse();
    }
    Ok(found)
}

fn query(args: &Args, now: &Zoned) -> anyhow::Result<Query> {
    let kinds = args.kind.iter().map(|name| {
        What::parse(name)
            .with_context(|| format!("there is no kind of event `{name}`{}", near(name)))
    });
    let severity = args.severity.as_deref().map(|name| {
        Severity::parse(name)
            .with_context(|| format!("`{name}` is none of info, warning, error, critical"))
    });
    let moment = |text: &Option<String>| text.as_deref().map(|t| moment(t, now)).transpose();
    let limit = match args.limit {
        Some(0) => None,
        Some(limit) => Some(limit),
        None => args.since.is_none().then_some(100),
    };
    Ok(Query {
        since: moment(&args.since)?,
        until: moment(&args.until)?,
        guest: args.guest.clone(),
        kinds: kinds.collect::<anyhow::Result<_>>()?,
        severity: severity.transpose()?,
        after: None,
        limit,
        newest_first: limit.is_some(),
    })
}

fn near(name: &str) -> String {
    let names = watch::Kind::ALL.iter().flat_map(|k| [k.name(), k.area()]);
    names
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or_else(String::new, |(_, known)| {
            format!("; did you mean `{known}`?")
        })
}

/// A moment as a person gives it; see the flag.
///
/// # Errors
/// The text is none.
pub fn moment(text: &str, now: &Zoned) -> anyhow::Result<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return Ok(at.to_zoned(now.time_zone().clone())?.timestamp());
    }
    if let Ok(at) = text.parse::<jiff::civil::Time>() {
        let today = now
            .date()
            .to_datetime(at)
            .to_zoned(now.time_zone().clone())?;
        let last = if today > *now {
            now.date()
                .yesterday()?
                .to_datetime(at)
                .to_zoned(now.time_zone().clone())?
        } else {
            today
        };
        return Ok(last.timestamp());
    }
    if let Ok(ago) = text.parse::<Span>() {
        return Ok(now.checked_sub(ago.abs())?.timestamp());
    }
    bail!("`{text}` is no time: give 2026-04-13 21:40, 21:40, 90min, 2d or RFC 3339")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_people_give_them() {
        let now: Zoned = "2026-04-13T21:40:00[UTC]".parse().unwrap();
        let is = |text: &str, expected: &str| {
            assert_eq!(moment(text, &now).unwrap().to_string(), expected, "{text}");
        };
        is("2026-04-13T20:00:00+02:00", "2026-04-13T18:00:00Z");
        is("2026-04-12 20:00", "2026-04-12T20:00:00Z");
        is("2026-04-12", "2026-04-12T00:00:00Z");
        is("21:00", "2026-04-13T21:00:00Z");
        is("22:00", "2026-04-12T22:00:00Z");
        is("90min", "2026-04-13T20:10:00Z");
        is("2d", "2026-04-11T21:40:00Z");
        is("1h 30m", "2026-04-13T20:10:00Z");
        assert!(
            moment("soon", &now)
                .unwrap_err()
                .to_string()
                .contains("soon")
        );
    }
}
