//! A running machine: what a test holds.

mod engine;
mod start;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::agent::{Agent, Output, Running};
use crate::cache::Slot;
use crate::image::Image;
use crate::qemu::{Boot, Clock, DiskFile, Qemu};
use crate::uml::{Card, Uml};
use crate::workplace::Workplace;
use engine::Engine;
pub use start::{Frozen, PLACE};

/// Time for a cold boot until the agent answers, with both cores taken by others.
pub const BOOT: Duration = Duration::from_secs(240);

/// A machine. It ends with this value, at a panic and when the test process is killed.
#[derive(Debug)]
pub struct Machine {
    // Order of the fields is order of the drops: it ends before its place and files are given up.
    engine: Mutex<Engine>,
    agent: Mutex<Option<Agent>>,
    slot: Slot,
    dir: Workplace,
    image: Image,
    clock: Clock,
    disks: Mutex<Vec<DiskFile>>,
    cards: Mutex<Vec<Card>>,
}

impl Machine {
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
        let in_user_mode = self.in_user_mode();
        loop {
            // A kernel that is a program ends where another would reboot.
            if in_user_mode && !self.alive() {
                return self.power_cycle();
            }
            if !in_user_mode {
                self.await_agent(BOOT)?;
                if self.boot_id().is_ok_and(|id| id != before) {
                    return Ok(());
                }
            }
            let now = self.console().len();
            if now > said {
                (said, since) = (now, Instant::now());
            }
            if since.elapsed() > BOOT {
                bail!("no reboot; console: {}", tail(&self.console(), 2000));
            }
            std::thread::sleep(Duration::from_millis(if in_user_mode { 50 } else { 1000 }));
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

    /// From now on QEMU ends where the guest resets or is reset, and [`Self::alive`] tells of it.
    ///
    /// # Errors
    /// Where QEMU refuses it.
    pub fn end_at_reset(&self) -> Result<()> {
        self.qemu("set-action", json!({"reboot": "shutdown"}))?;
        Ok(())
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
