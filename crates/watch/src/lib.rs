//! The daemon: events, probes, the recorder, reconcilers, sinks; and what is asked of its memory
//! and of the host's own records.
//!
//! One closed [`event::Event`] is all that sources, recorder and sinks know of each other: a
//! source sees something and tells it, the recorder stores it, each sink hands on what is stored.
//! Start reading at [`event`], then [`recorder`], then [`daemon`].

pub mod daemon;
pub mod event;
pub mod explain;
pub mod guard;
pub mod metrics;
pub mod reconcile;
pub mod recorder;
pub mod settings;
pub mod sinks;
pub mod sources;
pub mod triage;

pub use event::{Event, Kind, Severity};
pub use recorder::{Query, Recorded, Recorder, RecorderError};
pub use settings::Settings;
