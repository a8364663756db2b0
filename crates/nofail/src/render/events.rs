//! Events as a person sees them: one line each, evidence on demand.

use super::style::{Style, paint};
use jiff::tz::TimeZone;
use std::fmt::Write as _;
use watch::{Event, Severity};

/// One event: time of day in the host's zone, severity, kind, guest or subject, message.
pub fn text(event: &Event, zone: &TimeZone, evidence: bool) -> String {
    let time = event.time.to_zoned(zone.clone());
    let style = match event.severity {
        Severity::Critical | Severity::Error => Style::Red,
        Severity::Warning => Style::Yellow,
        Severity::Info => Style::Dim,
    };
    let whom = event.guest.as_deref().unwrap_or(&event.subject);
    let mut out = format!(
        "{}  {}  {:<22} {}: {}",
        time.strftime("%Y-%m-%d %H:%M:%S"),
        paint(style, &format!("{:<8}", event.severity.name())),
        event.kind.name(),
        paint(Style::Bold, &plain(whom)),
        plain(&event.message),
    );
    out.push('\n');
    if !evidence {
        return out;
    }
    if let Some(after) = &event.after {
        let before = event.before.as_deref().unwrap_or("?");
        let _ = writeln!(out, "    {} -> {}", plain(before), plain(after));
    }
    for piece in &event.evidence {
        let line = piece.line.map_or_else(String::new, |l| format!(":{l}"));
        let text = piece.text.as_deref().unwrap_or_default();
        let _ = writeln!(out, "    {}{line}: {}", plain(&piece.file), plain(text));
    }
    out
}

/// Without characters that would act on a terminal: events quote what others wrote.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use watch::Kind;
    use watch::event::Evidence;

    #[test]
    fn one_line_with_evidence_below_and_nothing_that_acts_on_the_terminal() {
        let time = Timestamp::UNIX_EPOCH;
        let event = Event::new(
            time,
            "h",
            "libvirt",
            Kind::GuestDestroyed,
            "a",
            "gone \x1b[2J",
        )
        .of_guest("bind-02")
        .change(Some("running".into()), "shut off")
        .evidence(Evidence::line("/x", 3, "why"));
        let shown = text(&event, &TimeZone::UTC, true);
        assert_eq!(
            shown,
            "1970-01-01 00:00:00  error     guest.destroyed        bind-02: gone  [2J\n    \
             running -> shut off\n    /x:3: why\n"
        );
        assert_eq!(text(&event, &TimeZone::UTC, false).lines().count(), 1);
    }
}
