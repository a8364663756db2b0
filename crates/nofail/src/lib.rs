//! The parts of the `nofail` binary. A library only so that tests can reach them.

pub mod cli;
pub mod hook;
pub mod input;
pub mod render;
pub mod state;
pub mod wire;
