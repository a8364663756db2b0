//! `nofail net apply`: a network change that takes itself back.
//!
//! Pure: [`state`] (what the kernel has), [`declare`] (what should be), [`target`] (the one laid
//! over the other), [`difference`] (the commands between two states), [`cuts`] (whom they cut),
//! [`gate`] (whether they may run). At the edge: [`read`] reads the kernel over netlink, [`record`]
//! keeps old state and progress on disk, [`run`] runs commands and restores, [`deadman`] is the
//! process that restores whatever becomes of the one that applied, [`probe`] asks whether the way
//! is still there, [`session`] tells one connection from another, [`persist`] writes the profile,
//! [`since`] tells what others changed after it.
//!
//! Going back is the same computation as going there: the difference between what the kernel has
//! *now* and what was recorded. So it can be done from any point, by anybody, any number of times.

pub mod command;
pub mod cuts;
pub mod deadman;
pub mod declare;
pub mod difference;
pub mod echo;
pub mod gate;
pub mod persist;
pub mod probe;
pub mod read;
pub mod record;
pub mod run;
pub mod session;
pub mod since;
pub mod state;
pub mod target;

pub use command::Command;
pub use declare::Declared;
pub use state::State;
