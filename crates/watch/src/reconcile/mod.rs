//! Keeps guests' ports on their VLANs: what the hook did not see, or somebody undid.
//!
//! No hook fires for a hot-plugged interface, for `bridge vlan` typed by hand, or for a network
//! manager that applies its profile anew. The kernel tells of each over netlink. A notification is
//! taken only as a reason to look: all ports are read, and each that is not as planned is reported
//! and, by policy, put right. So nothing is lost with a notification, and an overflow of the socket
//! costs nothing but a look.
//!
//! [`decide`] is pure and takes the time as an argument; [`follow`] talks to the kernel.

pub mod decide;
pub mod event;
pub mod follow;
mod notify;
pub mod owners;
#[cfg(test)]
mod tests;

pub use decide::{Decision, Reconciler, Seen};
pub use follow::{Report, Settings, Site, follow, once};
pub use owners::{Owner, Owners};

/// What to do with a port that is not as planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Say so.
    #[default]
    Report,
    /// Put it right, and say so.
    Repair,
}
