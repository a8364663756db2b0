//! x
pub mod cutsets;
