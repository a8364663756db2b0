//! What the administrator intends (`site.toml`) joined with what was read (snapshots).
//!
//! Pure: it knows nothing of files. [`site`] is the intent, [`estate::Estate`] the join that
//! analyses and rules ask.

pub mod draft;
pub mod estate;
pub mod graph;
pub mod site;
pub mod vlan;

pub use estate::Estate;
pub use site::Site;
