//! How a machine comes to run: from a snapshot, from a boot, as a program, from a moment that was kept.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::{BOOT, Machine, Told, lock};
use crate::agent::Output;
use crate::cache::{Slot, Sort, both_slots, slot};
use crate::channel::{connect, read_until};
use crate::image::{Image, Variant, image};
use crate::initramfs::{TAKEN, WAITS};
use crate::qemu::{Boot, Clock, DiskFile, PROMPT, Qemu, overlay};
use crate::snapshot::{self, Snapshot};
use crate::uml::Uml;
use crate::workplace::Workplace;
use anyhow::{Context, Result, bail};

/// Time to wait for one of the two places.
pub const PLACE: Duration = Duration::from_secs(600);

impl Machine {
    /// A host that is not emulated ([`crate::uml`]), booted to its end.
    ///
    /// # Errors
    /// Where the image cannot be built, both places stay taken, or it does not boot.
    pub fn user_mode(variant: Variant) -> Result<Self> {
        let image = image(variant)?;
        Self::run_as_program(image, slot(Sort::Program, Instant::now() + PLACE)?)
    }

    fn run_as_program(image: Image, slot: Slot) -> Result<Self> {
        let dir = Workplace::new()?;
        let told = Told::new("(starting the kernel)");
        let uml = Uml::start(dir.path(), &image, slot.number, &[])?;
        drop(told);
        let machine = Self {
            engine: Mutex::new(Engine::UserMode(uml)),
            agent: Mutex::new(None),
            slot,
            dir,
            image,
            clock: Clock::Host,
            disks: Mutex::default(),
            cards: Mutex::default(),
        };
        machine.await_agent(BOOT)?;
        let booted = machine.run("systemctl is-system-running --wait", BOOT)?;
        machine.must_run(&booted)?;
        Ok(machine)
    }

    /// A host from the snapshot of `variant`, in about a second once the cache is filled.
    ///
    /// # Errors
    /// Where image or snapshot cannot be built, both places stay taken, or QEMU fails.
    pub fn resume(variant: Variant) -> Result<Self> {
        let snapshot = snapshot::booted(variant)?;
        Self::resume_in(snapshot, slot(Sort::Emulated, Instant::now() + PLACE)?)
    }

    /// Two hosts from the snapshot of `variant`: takes both places at once.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn resume_two(variant: Variant) -> Result<(Self, Self)> {
        let (one, two) = (snapshot::booted(variant)?, snapshot::booted(variant)?);
        let [first, second] = both_slots(Sort::Emulated, Instant::now() + PLACE)?;
        Ok((Self::resume_in(one, first)?, Self::resume_in(two, second)?))
    }

    fn resume_in(snapshot: Snapshot, place: Slot) -> Result<Self> {
        let machine = Self::load(snapshot, place, &[], Clock::Host)?;
        lock(&machine.engine).qemu()?.go_on()?;
        machine.await_agent(Duration::from_secs(60))?;
        Ok(machine)
    }

    /// A machine that starts to boot with the files of the archive `case` over its root; nothing
    /// is waited for but that it has them.
    ///
    /// # Errors
    /// Where the image cannot be built, both places stay taken, or QEMU fails.
    pub fn boot(variant: Variant, clock: Clock, case: &[u8], disks: &[DiskFile]) -> Result<Self> {
        let snapshot = snapshot::waiting(variant, clock)?;
        let place = slot(Sort::Emulated, Instant::now() + PLACE)?;
        let machine = Self::load(snapshot, place, disks, clock)?;
        machine.give(case)?;
        Ok(machine)
    }

    /// A machine switched on, that has mounted its root and waits for its case.
    pub(crate) fn power_on(image: Image, place: Slot, clock: Clock) -> Result<Self> {
        let base = image.disk.clone();
        let machine = Self::start(image, place, (&base, "raw"), &[], None, clock)?;
        let deadline = Instant::now() + BOOT;
        let mut port = connect(&machine.dir().join("data"), deadline)?;
        machine.hear(&mut port, WAITS, deadline)?;
        Ok(machine)
    }

    /// Gives a waiting machine its case, and lets it go on where it is stopped.
    pub(crate) fn give(&self, case: &[u8]) -> Result<()> {
        let deadline = Instant::now() + BOOT;
        let mut port = connect(&self.dir().join("data"), deadline)?;
        lock(&self.engine).qemu()?.go_on()?;
        port.set_write_timeout(Some(BOOT))?;
        port.write_all(format!("{}\n", case.len()).as_bytes())?;
        port.write_all(case).context("cannot send the case")?;
        self.hear(&mut port, TAKEN, deadline)
    }

    /// An error with the failed units, where `systemctl is-system-running` said anything but `running`.
    pub(crate) fn must_run(&self, said: &Output) -> Result<()> {
        let state = said.stdout.trim();
        if state != "running" {
            let failed = self.run("systemctl --failed --no-pager", PROMPT)?;
            bail!("the image boots to {state}: {}", failed.stdout);
        }
        Ok(())
    }

    /// Waits until the machine has written a line to its port.
    fn hear(&self, port: &mut UnixStream, line: &str, deadline: Instant) -> Result<()> {
        let (mut text, mut block) = (Vec::new(), [0; 256]);
        while !text.ends_with(line.as_bytes()) {
            let read = read_until(port, &mut block, deadline)
                .with_context(|| format!("no {line:?}; console:\n{}", self.console()))?;
            if read == 0 {
                bail!("QEMU ended; console:\n{}", self.console());
            }
            text.extend_from_slice(&block[..read]);
        }
        Ok(())
    }

    /// QEMU with a snapshot's state read, stopped.
    fn load(snapshot: Snapshot, place: Slot, disks: &[DiskFile], clock: Clock) -> Result<Self> {
        let Snapshot { image, disk, state } = snapshot;
        Self::start(image, place, (&disk, "qcow2"), disks, Some(&state), clock)
    }

    fn start(
        image: Image,
        place: Slot,
        (base, format): (&Path, &str),
        disks: &[DiskFile],
        resume: Option<&Path>,
        clock: Clock,
    ) -> Result<Self> {
        let dir = Workplace::new()?;
        let top = dir.path().join("root.qcow2");
        overlay(&top, base, format)?;
        let boot = Boot {
            image: &image,
            overlay: &top,
            disks,
            clock,
            resume,
        };
        let told = Told::new("(starting QEMU)");
        let qemu = Qemu::start(dir.path(), &boot)?;
        drop(told);
        Ok(Self {
            engine: Mutex::new(Engine::Qemu(qemu)),
            agent: Mutex::new(None),
            slot: place,
            dir,
            image,
            clock,
            disks: Mutex::new(disks.to_vec()),
            cards: Mutex::default(),
        })
    }

    /// Stops the machine and keeps it as it is, for any number of machines to go on from: what takes
    /// a minute to set up is set up once. Disks that were added are not kept.
    ///
    /// # Errors
    /// Where QEMU cannot save its state.
    pub fn freeze(self) -> Result<Frozen> {
        let dir = Workplace::new()?;
        self.save(&dir.path().join("state"))?;
        self.kill();
        let disk = dir.path().join("disk.qcow2");
        std::fs::rename(self.dir.path().join("root.qcow2"), disk)
            .context("cannot keep the disk")?;
        Ok(Frozen {
            dir,
            image: self.image.clone(),
            clock: self.clock,
        })
    }

    /// Stops the machine and saves its memory for a snapshot; it is of no use afterwards.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        lock(&self.engine).qemu()?.save(file)
    }
}

/// A machine at one moment, see [`Machine::freeze`].
#[derive(Debug)]
pub struct Frozen {
    dir: Workplace,
    image: Image,
    clock: Clock,
}

impl Frozen {
    /// A machine that goes on from that moment, in a second or two.
    ///
    /// # Errors
    /// Where both places stay taken, or QEMU fails.
    pub fn thaw(&self) -> Result<Machine> {
        let snapshot = Snapshot {
            image: self.image.clone(),
            disk: self.dir.path().join("disk.qcow2"),
            state: self.dir.path().join("state"),
        };
        let place = slot(Sort::Emulated, Instant::now() + PLACE)?;
        let machine = Machine::load(snapshot, place, &[], self.clock)?;
        lock(&machine.engine).qemu()?.go_on()?;
        machine.await_agent(Duration::from_secs(60))?;
        Ok(machine)
    }
}
