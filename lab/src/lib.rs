//! The lab: real machines as test fixtures.
//!
//! nofail's word is measured here against real systemd, real NFS, a real VLAN-filtering bridge and
//! real libvirt. See `lab/README.md` for what there is and what it costs.

pub mod agent;
pub mod apart;
pub mod apt;
pub mod bmc;
pub mod cable;
pub mod cache;
pub mod channel;
pub mod cold;
pub mod corpus;
pub mod disk;
pub mod frames;
pub mod fstabs;
pub mod generator;
pub mod image;
pub mod initramfs;
pub mod kernel;
pub mod machine;
pub mod next;
pub mod nfs;
pub mod nspawn;
pub mod process;
pub mod qemu;
pub mod random;
pub mod snapshot;
pub mod tools;
pub mod transaction;
pub mod uml;
pub mod workplace;

use anyhow::Result;

pub use agent::{Output, Running};
pub use bmc::Bmc;
pub use cable::Cable;
pub use cold::{ColdBoot, Outcome, Verdict};
pub use disk::{Content, Disk};
pub use image::Variant;
pub use machine::{Frozen, Machine};
pub use nfs::NfsServer;

/// The lab's front door.
#[derive(Debug, Clone, Copy)]
pub struct Lab;

impl Lab {
    /// A booted host from the snapshot, in about a second once the cache is filled.
    ///
    /// # Errors
    /// Where something the lab needs is missing (it is named), or both places stay taken.
    pub fn host() -> Result<Machine> {
        Machine::resume(Variant::Plain)
    }

    /// Two such hosts: taken together, so that tests never wait for each other's second host.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub fn two_hosts() -> Result<(Machine, Machine)> {
        Machine::resume_two(Variant::Plain)
    }

    /// A host that is not emulated but a kernel as a program: in some seconds, and several times as
    /// fast as [`Self::host`] from there on. See [`uml`] for what it lacks.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub fn user_mode_host() -> Result<Machine> {
        Machine::user_mode(Variant::Plain)
    }

    /// As [`Self::user_mode_host`], with libvirt and QEMU inside.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub fn user_mode_libvirt_host() -> Result<Machine> {
        Machine::user_mode(Variant::Libvirt)
    }

    /// One host with libvirt and QEMU inside.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub fn libvirt_host() -> Result<Machine> {
        Machine::resume(Variant::Libvirt)
    }
}
