//! `nofail vlan reconcile`: guests' ports are put right, once or for as long as it runs.

use super::super::{Exit, Format};
use crate::render::output;
use crate::{hook, render};
use anyhow::{Context, anyhow};
use change::log::{Entry, Priority};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use watch::event::json::Line;
use watch::reconcile::{self, Policy, Report, Settings, Site};
use watch::{Event, Severity};

/// The tag in the journal.
const IDENTIFIER: &str = "nofail-reconcile";

/// Flags of `nofail vlan reconcile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail vlan reconcile --once --dry-run    what differs from the map now
  nofail vlan reconcile --once              put it right, once
  nofail vlan reconcile                     and go on, at each change, until interrupted

What a port should carry is said by site.toml ([guests.NAME], [bridges.NAME]), by the <vlan> element
of its interface, or by the domain's metadata. A port that is put right five times within a minute
is reported as flapping and left alone for a minute.

Exit code: 0 every port is as planned (now), 1 some port is not, 2 could not run.")]
pub struct Args {
    /// Look once, and end.
    #[arg(long)]
    pub once: bool,
    /// Only report.
    #[arg(long)]
    pub dry_run: bool,
    /// The site's intent, for its VLAN map.
    #[arg(long, value_name = "FILE", default_value = hook::SITE)]
    pub site: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The map or the ports cannot be read, or standard output cannot be written.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("vlan reconcile", &[Format::Human, Format::Json])?;
    let host = rustix::system::uname();
    let settings = Settings {
        policy: if args.dry_run {
            Policy::Report
        } else {
            Policy::Repair
        },
        host: host.nodename().to_string_lossy().into_owned(),
    };
    let mut site = Site::open(args.site.clone()).map_err(|reason| anyhow!(reason))?;
    let zone = TimeZone::system();
    if args.once {
        let reports = reconcile::once(&settings, &site).context("cannot reconcile")?;
        for report in &reports {
            tell(report, &settings.host, format, &zone)?;
        }
        if reports.is_empty() && format == Format::Human {
            render::print("every guest's port is as planned\n")?;
        }
        let remains = reports.iter().any(Report::remains);
        return Ok(if remains { Exit::Found } else { Exit::Good });
    }
    let mut failed = Ok(());
    reconcile::follow(&settings, &mut site, &mut |report| {
        if let Some(report) = report {
            failed = tell(&report, &settings.host, format, &zone);
        }
        match failed {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })
    .context("cannot follow the kernel's links")?;
    failed?;
    Ok(Exit::Good)
}

/// One report: a line on standard output (one JSON object each), and one in the journal.
fn tell(report: &Report, host: &str, format: Format, zone: &TimeZone) -> anyhow::Result<()> {
    let event = report.event(Timestamp::now(), host);
    entry(&event).send();
    let mut out = output::stdout();
    if format == Format::Json {
        let line = Line::of(None, &event);
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(render::events::text(&event, zone, false).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn entry(event: &Event) -> Entry {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Entry {
        priority: match event.severity {
            Severity::Critical => Priority::Critical,
            Severity::Error => Priority::Error,
            Severity::Warning => Priority::Warning,
            Severity::Info => Priority::Info,
        },
        identifier: IDENTIFIER,
        message: event.message.clone(),
        fields: vec![
            ("GUEST", text(&event.guest)),
            ("PORT", event.subject.clone()),
            ("BEFORE", text(&event.before)),
            ("AFTER", text(&event.after)),
            ("KIND", event.kind.name().to_owned()),
        ],
    }
}
