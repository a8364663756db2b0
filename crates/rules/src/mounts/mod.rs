//! Rules on what is mounted now.

pub mod expected_but_absent;
pub mod not_watched;
pub mod root_only_read;
pub mod stale;
pub mod written_underneath;
