//! Where frames go, VLAN by VLAN: from a guest or the host over ports, bridges, bonds and uplinks
//! to the switch's port, and back.
//!
//! [`Net`] joins the devices of one host, [`Flow`] follows one frame through them as the kernel
//! would, [`path::follow`] one form of an end's frames to the switch and back, and [`map::map`] draws
//! all of a site.

pub mod ends;
pub mod flow;
pub mod map;
pub mod net;
pub mod path;
pub mod plan;
pub mod port;
pub mod switch;
pub mod tags;
#[cfg(test)]
mod tests;

pub use flow::{Flow, Start, Step, What, Why};
pub use net::{Kind, Net, Node};
pub use port::Refusal;
pub use tags::Tags;
