//! What the next boot of a host does with its mounts, before it happens.
//!
//! [`plan::plan`] says which unit each line of fstab becomes and who pulls it in, as
//! systemd-fstab-generator(8) does; [`predict`] says what then happens: which mounts come up, what
//! waits for what and how long, whether the host ends in emergency mode, and which guests start.
//! [`plan::unit_of`] is cheap and looks at one line alone: rules use it.
//!
//! Start reading at `plan`, then `build` (what systemd adds by itself), `graph` (how a transaction
//! runs), `order` (what becomes of a circle in it), `attempt` (what one mount comes to) and `predict`.

mod attempt;
mod build;
pub mod conditions;
pub mod fstype;
mod graph;
mod guests;
mod line;
mod native;
pub mod options;
mod order;
pub mod plan;
mod predict;
pub mod timespan;
mod ways;

#[cfg(test)]
mod tests;

pub use attempt::{DEFAULT_SECONDS, device, fits, looks_remote};
pub use conditions::{Conditions, NetworkService, Service};
pub use order::Cycle;
pub use plan::{Host, UnitPlan, unit_of};
pub use predict::{
    Boot, Delay, GuestResult, GuestStart, MountResult, Mounted, Otherwise, Outcome, Transaction,
    cycles, predict,
};
