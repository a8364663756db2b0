//! The daemon: events, probes, the recorder, reconcilers, sinks; and what is asked of its memory
//! and of the host's own records.

pub mod explain;
