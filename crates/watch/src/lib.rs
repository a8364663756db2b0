//! The daemon: events, probes, the recorder, reconcilers, sinks.
