//! What the next boot of a host does with its mounts, before it happens.
//!
//! [`plan::plan`] says which unit each line of fstab becomes and who pulls it in, as
//! systemd-fstab-generator(8) does; `predict` says what then happens: which mounts come up, what
//! waits for what and how long, whether the host ends in emergency mode, and which guests start.
//! [`plan::unit_of`] is cheap and looks at one line alone: rules use it.

pub mod escape;
pub mod fstype;
mod line;
pub mod options;
pub mod plan;
pub mod timespan;
