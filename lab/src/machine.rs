//! A running machine: what a test holds.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::{Agent, Output, Running};
use crate::cache::{Slot, Sort, both_slots, slot};
use crate::channel::{connect, read_until};
use crate::image::{Image, Variant, image};
use crate::initramfs::{TAKEN, WAITS};
use crate::qemu::{Boot, Clock, DiskFile, PROMPT, Qemu, overlay};
use crate::snapshot::{self, Snapshot};
use crate::uml::{Card, Uml};

/// Time for a cold boot until the agent answers, with both cores taken by others.
pub const BOOT: Duration = Duration::from_secs(240);

/// Time to wait for one of the two places.
pub const PLACE: Duration = Duration::from_secs(600);

/// A machine. It ends with this value, at a panic and when the test process is killed.
#[derive(Debug)]
pub struct Machine {
    // Order of the fields is order of the drops: it ends before its place and files are given up.
    engine: Mutex<Engine>,
    agent: Mutex<Option<Agent>>,
    slot: Slot,
    dir: TempDir,
    image: Image,
    clock: Clock,
    disks: Mutex<Vec<DiskFile>>,
    cards: Mutex<Vec<Card>>,
}

/// What runs a machine.
#[derive(Debug)]
enum Engine {
    /// An emulated machine.
    Qemu(Qemu),
    /// A kernel that is a program, see [`crate::uml`].
    UserMode(Uml),
}

impl Engine {
    fn alive(&mut self) -> bool {
        match self {
            Self::Qemu(qemu) => qemu.alive(),
            Self::UserMode(uml) => uml.alive(),
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Qemu(qemu) => qemu.kill(),
            Self::UserMode(uml) => uml.kill(),
        }
    }

    /// The emulator, for what only it can do.
    fn qemu(&mut self) -> Result<&mut Qemu> {
        match self {
            Self::Qemu(qemu) => Ok(qemu),
            Self::UserMode(_) => bail!("this machine is not emulated: it cannot do that"),
        }
    }
}

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
        let dir = workplace()?;
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
        let dir = workplace()?;
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

    /// Waits until commands can be run: as long as the machine tells of progress on its console, and
    /// `limit` after its last word. A busy host makes a boot long, and a dead one silent.
    ///
    /// # Errors
    /// Where the agent does not answer in time; the console's last lines are in the error.
    pub fn await_agent(&self, limit: Duration) -> Result<()> {
        let _told = Told::new("(waiting for the agent)");
        // QEMU's socket has one visitor at a time.
        *lock(&self.agent) = None;
        loop {
            let said = self.console().len();
            match Agent::connect(self.dir.path(), Instant::now() + limit) {
                Ok(agent) => {
                    *lock(&self.agent) = Some(agent);
                    return Ok(());
                }
                Err(_) if self.alive() && self.console().len() > said => {}
                Err(error) => {
                    let console = self.console();
                    return Err(error.context(format!("console: {}", tail(&console, 2000))));
                }
            }
        }
    }

    /// The kernel's name for the present boot.
    ///
    /// # Errors
    /// Where the machine does not answer.
    pub fn boot_id(&self) -> Result<String> {
        let path = "cat /proc/sys/kernel/random/boot_id";
        Ok(self.run(path, Duration::from_secs(20))?.stdout)
    }

    /// Waits for the boot that follows the one named `before`, as after a reboot from inside.
    ///
    /// # Errors
    /// Where the machine neither answers nor tells of progress on its console for four minutes.
    pub fn await_another_boot(&self, before: &str) -> Result<()> {
        let (mut said, mut since) = (self.console().len(), Instant::now());
        loop {
            self.await_agent(BOOT)?;
            if self.boot_id().is_ok_and(|id| id != before) {
                return Ok(());
            }
            let now = self.console().len();
            if now > said {
                (said, since) = (now, Instant::now());
            }
            if since.elapsed() > BOOT {
                bail!("no reboot; console: {}", tail(&self.console(), 2000));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Runs a shell command as root.
    ///
    /// # Errors
    /// Where it does not end within `limit` (it is killed then) or the machine is gone; an exit
    /// status other than 0 is no error.
    pub fn run(&self, command: &str, limit: Duration) -> Result<Output> {
        let _told = Told::new(command);
        let deadline = Instant::now() + limit;
        let running = self.start_command(command)?;
        self.with_agent(|agent| agent.wait(running, deadline))
            .with_context(|| format!("running {command:?} with {limit:?}"))
    }

    /// As [`Self::run`] with a minute's time, and any other exit status than 0 is an error.
    ///
    /// # Errors
    /// As [`Self::run`], and where the command fails.
    pub fn ok(&self, command: &str) -> Result<String> {
        let output = self.run(command, Duration::from_secs(60))?;
        if output.code != 0 {
            bail!(
                "{command:?} ended with {}: {}{}",
                output.code,
                output.stdout,
                output.stderr
            );
        }
        Ok(output.stdout)
    }

    /// Starts a command and does not wait for it.
    ///
    /// # Errors
    /// Where the machine is gone.
    pub fn start_command(&self, command: &str) -> Result<Running> {
        self.with_agent(|agent| agent.start(command))
    }

    /// The result of a started command, `None` while it runs.
    ///
    /// # Errors
    /// Where the machine is gone.
    pub fn finished(&self, running: Running) -> Result<Option<Output>> {
        self.with_agent(|agent| agent.finished(running))
    }

    /// Waits for a started command, killing it at the end of `limit`.
    ///
    /// # Errors
    /// Where it does not end in time or the machine is gone.
    pub fn wait(&self, running: Running, limit: Duration) -> Result<Output> {
        let _told = Told::new("(waiting for a command)");
        self.with_agent(|agent| agent.wait(running, Instant::now() + limit))
    }

    /// Writes a file (mode 0755) and the directories above it.
    ///
    /// # Errors
    /// Where it cannot be written within a minute.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let what = format!("put {path}, {} bytes", bytes.len());
        let _told = Told::new(&what);
        let deadline = Instant::now() + Duration::from_secs(60);
        self.with_agent(|agent| agent.put(path, bytes, deadline))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not there or cannot be read within a minute.
    pub fn get(&self, path: &str) -> Result<Vec<u8>> {
        let what = format!("get {path}");
        let _told = Told::new(&what);
        let deadline = Instant::now() + Duration::from_secs(60);
        self.with_agent(|agent| agent.get(path, deadline))
    }

    /// Takes the power away and gives it back: what was not written is lost. Waits for the agent,
    /// which answers in emergency mode too.
    ///
    /// # Errors
    /// Where the machine does not come back in four minutes.
    pub fn power_cycle(&self) -> Result<()> {
        let mut engine = lock(&self.engine);
        match &mut *engine {
            Engine::UserMode(uml) => {
                uml.kill();
                let cards = lock(&self.cards).clone();
                *uml = Uml::start(self.dir.path(), &self.image, self.slot.number, &cards)?;
            }
            Engine::Qemu(qemu) => {
                if qemu.alive() {
                    qemu.command("system_reset", Value::Null)?;
                    qemu.command("cont", Value::Null)?;
                } else {
                    let disks = lock(&self.disks).clone();
                    let boot = Boot {
                        image: &self.image,
                        overlay: &self.dir.path().join("root.qcow2"),
                        disks: &disks,
                        clock: self.clock,
                        resume: None,
                    };
                    *qemu = Qemu::start(self.dir.path(), &boot)?;
                }
            }
        }
        drop(engine);
        self.await_agent(BOOT)
    }

    /// Kills it at once; [`Self::power_cycle`] starts it again with the same disks.
    pub fn kill(&self) {
        lock(&self.engine).kill();
        *lock(&self.agent) = None;
    }

    /// Whether its process runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        lock(&self.engine).alive()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        match &*lock(&self.engine) {
            Engine::Qemu(qemu) => qemu.id(),
            Engine::UserMode(uml) => uml.id(),
        }
    }

    /// All of the serial console since the start.
    #[must_use]
    pub fn console(&self) -> String {
        let bytes = std::fs::read(self.dir().join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The directory with this machine's sockets and logs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds a disk to the running machine; it appears as the next `/dev/sdX`.
    ///
    /// # Errors
    /// Where QEMU refuses it, or the machine runs no commands.
    pub fn add_disk(&self, file: &Path) -> Result<()> {
        let mut disks = lock(&self.disks);
        let (number, file_name) = (disks.len(), file.to_string_lossy().into_owned());
        let node = format!("disk{number}");
        let mut engine = lock(&self.engine);
        let qemu = engine.qemu()?;
        qemu.command(
            "blockdev-add",
            json!({"driver": "raw", "node-name": node, "file": {"driver": "file", "filename": file_name}}),
        )?;
        qemu.command(
            "device_add",
            json!({"driver": "scsi-hd", "id": format!("scsi{number}"), "drive": node,
                   "bus": "scsi.0", "scsi-id": number, "serial": format!("LAB{number}")}),
        )?;
        disks.push(DiskFile {
            file: file.to_path_buf(),
            throw_away: false,
        });
        drop((disks, engine));
        // The kernel looks for no disk by itself, so that they come in one order (initramfs).
        self.ok(&format!(
            "for host in /sys/class/scsi_host/host*; do echo '0 {number} 0' > $host/scan; done"
        ))?;
        Ok(())
    }

    /// Whether it is not emulated, see [`crate::uml`].
    #[must_use]
    pub fn in_user_mode(&self) -> bool {
        matches!(&*lock(&self.engine), Engine::UserMode(_))
    }

    /// Puts a card into a machine that is not emulated, now and at each power cycle.
    pub(crate) fn plug_in(&self, card: Card) -> Result<()> {
        if let Engine::UserMode(uml) = &*lock(&self.engine) {
            uml.plug(&card)?;
        }
        lock(&self.cards).push(card);
        Ok(())
    }

    /// Sends a QMP command to QEMU, for what has no function here.
    ///
    /// # Errors
    /// Where QEMU refuses it.
    pub fn qemu(&self, command: &str, arguments: Value) -> Result<Value> {
        lock(&self.engine).qemu()?.command(command, arguments)
    }

    /// Stops the machine and keeps it as it is, for any number of machines to go on from: what takes
    /// a minute to set up is set up once. Disks that were added are not kept.
    ///
    /// # Errors
    /// Where QEMU cannot save its state.
    pub fn freeze(self) -> Result<Frozen> {
        let dir = workplace()?;
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

    /// From now on QEMU ends where the guest resets or is reset, and [`Self::alive`] tells of it.
    ///
    /// # Errors
    /// Where QEMU refuses it.
    pub fn end_at_reset(&self) -> Result<()> {
        self.qemu("set-action", json!({"reboot": "shutdown"}))?;
        Ok(())
    }

    /// Stops the machine and saves its memory for a snapshot; it is of no use afterwards.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        lock(&self.engine).qemu()?.save(file)
    }

    fn with_agent<T>(&self, ask: impl FnOnce(&mut Agent) -> Result<T>) -> Result<T> {
        let mut agent = lock(&self.agent);
        ask(agent
            .as_mut()
            .context("the machine is off or still boots")?)
    }
}

/// Tells on standard error, which the test runner shows of a test that fails, what was done in a
/// machine and how long it took.
struct Told<'a> {
    what: &'a str,
    since: Instant,
}

impl<'a> Told<'a> {
    fn new(what: &'a str) -> Self {
        let since = Instant::now();
        Self { what, since }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let took = self.since.elapsed().as_secs_f64();
        eprintln!("lab: {took:6.2} s  {}", self.what);
    }
}

/// A machine at one moment, see [`Machine::freeze`].
#[derive(Debug)]
pub struct Frozen {
    dir: TempDir,
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

/// How the directories of machines begin.
const PREFIX: &str = "nofail-lab-";

/// A directory for one machine's files; its name is short, as a UNIX socket's path must be.
fn workplace() -> Result<TempDir> {
    sweep(&std::env::temp_dir());
    Ok(tempfile::Builder::new().prefix(PREFIX).tempdir()?)
}

/// Removes what machines left whose test was killed: nobody listens at their sockets any more.
fn sweep(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let qmp = entry.path().join("qmp");
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        if ours && UnixStream::connect(qmp).is_err_and(refused) {
            // Another test may sweep at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The last `size` bytes of a text, at a character's border.
fn tail(text: &str, size: usize) -> &str {
    let mut start = text.len().saturating_sub(size);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// Takes a lock even where a thread that had it panicked: the test has failed by then anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_a_killed_machine_left_is_removed_and_a_running_one_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let dir = temporary.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            UnixListener::bind(dir.join("qmp")).unwrap()
        };
        let running = make("nofail-lab-running");
        drop(make("nofail-lab-dead"));
        drop(make("other"));
        std::fs::create_dir(temporary.path().join("nofail-lab-starting")).unwrap();
        sweep(temporary.path());
        let left = |name: &str| temporary.path().join(name).exists();
        assert!(left("nofail-lab-running") && left("nofail-lab-starting") && left("other"));
        assert!(!left("nofail-lab-dead"));
        drop(running);
    }
}
