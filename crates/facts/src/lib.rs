//! The vocabulary of nofail: what was read from a host, and where.
//!
//! Pure: nothing here knows of files, processes, the network or the clock. Parsers take text or
//! bytes; `collect` reads them from a host. The types of a [`Snapshot`] *are* the snapshot file
//! format `nofail.snapshot/1`: a field may be added (with a default), never renamed or removed.
//!
//! Start reading at [`snapshot::Snapshot`], then [`known::Known`] and [`evidence::Evidence`].

pub mod block;
pub mod bmc;
pub mod bridge;
pub mod domain;
pub mod evidence;
pub mod fstab;
pub mod history;
pub mod hook;
pub mod image;
pub mod ip;
pub mod kernel;
pub mod known;
pub mod mount;
pub mod names;
pub mod network;
pub mod nic;
pub mod path;
pub mod pool;
pub mod profile;
pub mod snapshot;
pub mod source;
pub mod switch;
pub mod syntax;
pub mod unit;
pub mod vitals;
mod xml;

pub use evidence::Evidence;
pub use known::Known;
pub use snapshot::Snapshot;
pub use source::{Source, Unread};
pub use syntax::SyntaxError;
