//! The daemon: events, probes, the recorder, reconcilers, sinks; and what is asked of its memory
//! and of the host's own records.
//!
//! One closed [`event::Event`] is all that sources, recorder and sinks know of each other. Start
//! reading at [`event`], then [`recorder`].

pub mod event;
pub mod explain;
pub mod guard;
pub mod reconcile;
pub mod recorder;
pub mod triage;

pub use event::{Event, Kind, Severity};
pub use recorder::{Query, Recorded, Recorder, RecorderError};
