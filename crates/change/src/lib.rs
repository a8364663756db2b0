//! The only crate that writes to a host: plans with a way back.

pub mod net;
