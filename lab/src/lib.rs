//! The lab: real machines as test fixtures.
//!
//! nofail's word is measured here against real systemd, real NFS, a real VLAN-filtering bridge and
//! real libvirt. See `lab/README.md` for what there is and what it costs.

pub mod generator;
