//! A machine that is not emulated: Debian's kernel as a program (User-mode Linux), so that what runs
//! in it runs on the processor itself.
//!
//! It has what this machine's own kernel lacks (bridges that filter VLANs, 8021q, the NFS client) and
//! is several times as fast as an emulated machine at all that runs for the first time, as most things
//! of a test do. It has no snapshot (it boots in some seconds), no PCI, no SCSI disks, no firmware, one
//! processor. The process is bound to one core: kernel and guest take turns through ptrace(2), and a
//! turn between two cores takes ten times as long.

mod console;
pub mod kernel;
mod network;
mod serial;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::image::Image;
use crate::process::{Guard, Guarded};
use crate::tools;
use network::Network;
use serial::Serial;

/// A network card, and the socket of the cable that it is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// 1 to 3; `eth1` to `eth3` in the machine.
    pub slot: usize,
    /// MAC address, with colons.
    pub address: String,
    /// The card's own end, made by the kernel when the card goes up.
    pub own: PathBuf,
    /// The cable's end, a listening sequential-packet socket.
    pub cable: PathBuf,
}

impl Card {
    /// As the kernel's command line and its console have it (the `bess` transport of
    /// arch/um/drivers/vector_user.c: one frame a packet).
    fn option(&self) -> String {
        let Self {
            slot,
            address,
            own,
            cable,
        } = self;
        let (own, cable) = (own.display(), cable.display());
        format!("vec{slot}:transport=bess,dst={cable},src={own},mac={address}")
    }
}

/// A running kernel, its console, its channel and its network.
#[derive(Debug)]
pub struct Uml {
    // Order of the fields is order of the drops.
    process: Guarded,
    _network: Network,
    _serial: Serial,
    dir: PathBuf,
}

/// Where the machine finds files that the test hands over, below its directory.
pub const SHARED: &str = "shared";

/// The name of the kernel's directory with its console's socket.
const NAME: &str = "kernel";

impl Uml {
    /// Starts the kernel in `dir` with `image` below an overlay that is kept there. Its place among the
    /// machines that run says which core it is bound to.
    ///
    /// # Errors
    /// Where a program is missing or cannot be started.
    pub fn start(dir: &Path, image: &Image, place: usize, cards: &[Card]) -> Result<Self> {
        tools::require(&[
            "/usr/bin/taskset",
            "/usr/bin/nsenter",
            "/usr/bin/slirp4netns",
        ])?;
        fs::create_dir_all(dir.join(SHARED))?;
        // A killed one's: its number may be another process's by now, and the name thought taken.
        let _ = fs::remove_dir_all(dir.join(NAME));
        let network = Network::start(dir)?;
        let serial = Serial::open(&dir.join("agent"))?;
        let core = place % std::thread::available_parallelism()?;
        let root = image.disk.display();
        let place = dir.display();
        let mut args: Vec<String> = [
            "-t".to_owned(),
            network.process().to_string(),
            "-n".to_owned(),
            "--".to_owned(),
            "/usr/bin/taskset".to_owned(),
            "-c".to_owned(),
            core.to_string(),
            image.user_mode.program.display().to_string(),
            format!("mem={}M", image.variant.memory()),
            format!("ubd0={place}/root.cow,{root}"),
            format!("uml_dir={place}/"),
            format!("umid={NAME}"),
            format!("ssl0=tty:{}", serial.line()),
            format!("vec0:{}", network.option()),
        ]
        .to_vec();
        args.extend(cards.iter().map(Card::option));
        let fixed = "root=/dev/ubda rw noreboot con=null con0=null,fd:1 quiet net.ifnames=0 pty.legacy_count=0 \
            systemd.show_status=1 systemd.log_color=0";
        args.extend(fixed.split_whitespace().map(str::to_owned));
        let log = dir.join("console.log");
        let process = Guarded::start(Guard::Family, "/usr/bin/nsenter", &args, &log)?;
        Ok(Self {
            process,
            _network: network,
            _serial: serial,
            dir: dir.to_path_buf(),
        })
    }

    /// Puts a card into the running machine.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    pub fn plug(&self, card: &Card) -> Result<()> {
        let command = format!("config {}", card.option());
        console::ask(&self.dir.join(NAME), &command)
            .with_context(|| format!("cannot put card {} in", card.slot))
    }

    /// Whether the kernel runs.
    pub fn alive(&mut self) -> bool {
        self.process.alive()
    }

    /// Process id of what the kernel ends with.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it: what was not written is lost, as at a power cut.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
