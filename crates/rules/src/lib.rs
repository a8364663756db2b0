//! The rules: one file per rule under `<area>/<slug>.rs`, one list of them all.
//!
//! A rule is a pure function over an [`Estate`](model::Estate). It fires only on what was read;
//! [`audit`] keeps it from seeing a host whose needed sources were not read and lists these
//! under *not checked* instead. Start reading at [`rule::Rule`] and [`registry::ALL`].

pub mod bmc;
pub mod bridge;
pub mod engine;
pub mod finding;
pub mod fstab;
pub mod guests;
pub mod hook;
pub mod host;
pub mod incident;
pub mod mounts;
pub mod nic;
pub mod registry;
pub mod resolver;
pub mod rule;
pub mod storage;
pub mod switch;
pub mod units;

pub use engine::{Audit, NotChecked, Selection, audit};
pub use finding::{Finding, Severity};
pub use rule::{Check, Host, Remedy, Report, Rule};
