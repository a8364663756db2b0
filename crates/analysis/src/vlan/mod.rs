//! Where frames go, VLAN by VLAN: from a guest or the host over ports, bridges, bonds and uplinks
//! to the switch's port, and back.
//!
//! [`Net`] joins the devices of one host, [`Flow`] follows one frame through them as the kernel
//! would.

pub mod flow;
pub mod net;
pub mod port;
pub mod tags;

pub use flow::{Flow, Start, Step, What, Why};
pub use net::{Kind, Net, Node};
pub use port::Refusal;
pub use tags::Tags;
