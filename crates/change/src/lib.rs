//! The only crate that writes to a host: plans with a way back.
//!
//! A [`plan::Plan`] is a closed list of steps. [`plan::prepare`] reads the world as it is and
//! fixes what each step finds and leaves; nothing is decided later. [`engine::apply`] takes the
//! lock, puts the whole plan on disk ([`journal`]), and only then runs step by step: is the world
//! as planned, do it, read it again. [`undo::rollback`] takes a plan back, whole or broken off.
//!
//! **Start reading at** `plan`, then `state` (what a path holds), `engine`, `undo`.
//!
//! # What is promised
//! After `kill -9` at any instant every path holds its old or its new content, never a mixture
//! ([`place::Place::put`] is one rename), and the journal knows how to go back. A plan that
//! broke off is named by the next one, which does not start before it was rolled back.

mod acl;
mod definition;
pub mod engine;
pub mod error;
pub mod evacuate;
mod failpoint;
pub mod fix;
pub mod history;
pub mod journal;
mod label;
pub mod lock;
pub mod log;
pub mod long;
pub mod net;
pub mod origin;
mod orphan;
pub mod overlay;
pub mod place;
pub mod plan;
pub mod profile;
pub mod root;
pub mod show;
pub mod state;
pub mod undo;
pub mod vlan;

pub use error::Error;
pub use plan::{Act, Again, Command, Draft, Plan, Proposal, Run, prepare};
pub use root::Root;
pub use state::{Bytes, Meta, State};
