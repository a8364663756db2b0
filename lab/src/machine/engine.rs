//! The two things that run machines.

use anyhow::{Result, bail};

use crate::qemu::Qemu;
use crate::uml::Uml;

/// What runs a machine.
#[derive(Debug)]
pub enum Engine {
    /// An emulated machine.
    Qemu(Qemu),
    /// A kernel that is a program, see [`crate::uml`].
    UserMode(Uml),
}

impl Engine {
    /// Whether its process runs.
    pub fn alive(&mut self) -> bool {
        match self {
            Self::Qemu(qemu) => qemu.alive(),
            Self::UserMode(uml) => uml.alive(),
        }
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        match self {
            Self::Qemu(qemu) => qemu.kill(),
            Self::UserMode(uml) => uml.kill(),
        }
    }

    /// The emulator, for what only it can do.
    ///
    /// # Errors
    /// Where the machine is not emulated.
    pub fn qemu(&mut self) -> Result<&mut Qemu> {
        match self {
            Self::Qemu(qemu) => Ok(qemu),
            Self::UserMode(_) => bail!("this machine is not emulated: it cannot do that"),
        }
    }
}
