//! `nofail.events/1`: the recorded events. With `--follow`, one `nofail.event/1` per line.

use serde::Serialize;
use watch::Recorded;
use watch::event::json::Line;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: &'static str,
    events: Vec<Line>,
}

impl Document {
    /// The document of these events.
    pub fn of(events: &[Recorded]) -> Self {
        Self {
            schema: "nofail.events/1",
            events: events.iter().map(line).collect(),
        }
    }
}

/// One event on the wire.
pub fn line(recorded: &Recorded) -> Line {
    Line::of(Some(recorded.id), &recorded.event)
}
