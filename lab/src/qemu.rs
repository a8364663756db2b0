//! One QEMU process: its command line, its sockets, its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::channel::Channel;
use crate::image::Image;
use crate::process::{Guard, Guarded, run, run_text};
use crate::tools;

/// The kernel's command line: predictable `ethN`, messages of systemd on the serial console.
const COMMAND_LINE: &str = "root=/dev/vda rw console=ttyS0 quiet mitigations=off net.ifnames=0 \
     systemd.show_status=1 systemd.log_color=0 random.trust_cpu=on no_timer_check tsc=reliable norandmaps";

/// Free places for network cards put in later.
pub const CARD_SLOTS: usize = 3;

/// The program.
const QEMU: &str = "/usr/bin/qemu-system-x86_64";

/// Time for what QEMU answers by itself, without the guest.
pub const PROMPT: Duration = Duration::from_secs(20);

/// A running QEMU and the directory with its sockets, overlay and logs.
#[derive(Debug)]
pub struct Qemu {
    process: Guarded,
    control: Channel,
    dir: PathBuf,
}

/// What a machine's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// This machine's time. Two processors.
    Host,
    /// The instructions that its only processor has run, 4 ns each; while the guest is idle, time.
    /// However busy this machine is, the guest's own limits do not run out by it. (QEMU could let
    /// the clock leap over idle time too, but then it also leaps while the guest waits for its
    /// disk, and a plain boot took 200 of the guest's seconds.)
    Counted,
}

impl Clock {
    /// Its name in the cache.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Counted => "counted",
        }
    }

    /// The processor. An older one where it makes no difference to a snapshot that all tests use:
    /// emulating AVX and five levels of page tables costs a tenth more.
    fn processor(self) -> &'static str {
        match self {
            Self::Host => "Nehalem,+rdrand",
            Self::Counted => "Nehalem,+rdrand",
        }
    }

    /// QEMU's options: accelerator and processors.
    fn options(self) -> Vec<String> {
        let options: &[&str] = match self {
            Self::Host => &["-accel", "tcg,thread=multi", "-smp", "1"],
            Self::Counted => &[
                "-accel",
                "tcg,thread=single",
                "-smp",
                "1",
                "-icount",
                "shift=2,sleep=on",
            ],
        };
        options.iter().map(|option| (*option).to_owned()).collect()
    }
}

/// A disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFile {
    /// The raw file.
    pub file: PathBuf,
    /// Whether what the machine writes ends with QEMU's process, the file being shared by many.
    pub throw_away: bool,
}

/// What to start.
#[derive(Debug)]
pub struct Boot<'a> {
    /// Base image and kernel.
    pub image: &'a Image,
    /// Overlay on the image's disk or on a snapshot's disk.
    pub overlay: &'a Path,
    /// Further disks, as `/dev/sda`, `/dev/sdb` … in this order.
    pub disks: &'a [DiskFile],
    /// What its clock counts.
    pub clock: Clock,
    /// Memory image to go on from, instead of booting.
    pub resume: Option<&'a Path>,
}

impl Qemu {
    /// Starts QEMU in `dir`.
    ///
    /// # Errors
    /// Where it does not start; its own words are in the error.
    pub fn start(dir: &Path, boot: &Boot<'_>) -> Result<Self> {
        tools::require(&[QEMU, "/usr/bin/qemu-img", "/usr/bin/setpriv"])?;
        let mut args = arguments(dir, boot);
        if let Some(state) = boot.resume {
            args.push("-incoming".to_owned());
            args.push(format!("exec:cat '{}'", state.display()));
        }
        let log = dir.join("qemu.log");
        let mut process = Guarded::start(Guard::Single, QEMU, &args, &log)?;
        let deadline = Instant::now() + PROMPT;
        let control = Channel::connect(&dir.join("qmp"), "QEMU", deadline).and_then(|mut qmp| {
            qmp.execute("qmp_capabilities", Value::Null, deadline)?;
            Ok(qmp)
        });
        match control {
            Ok(control) => Ok(Self {
                process,
                control,
                dir: dir.to_path_buf(),
            }),
            Err(error) => {
                process.kill();
                let said = fs::read_to_string(&log).unwrap_or_default();
                Err(error.context(format!("QEMU did not start: {said}")))
            }
        }
    }

    /// Lets a machine that was started with [`Boot::resume`] run on, as soon as its state is read.
    ///
    /// # Errors
    /// Where the state does not fit this QEMU or takes over a minute.
    pub fn go_on(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let state = self.command("query-status", Value::Null).with_context(|| {
                fs::read_to_string(self.dir.join("qemu.log")).unwrap_or_default()
            })?;
            // It was saved while stopped, and so it is stopped now.
            if state["status"] != "inmigrate" {
                break;
            }
            if Instant::now() > deadline {
                bail!("reading the snapshot takes too long");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.command("cont", Value::Null)?;
        Ok(())
    }

    /// Sends a QMP command.
    ///
    /// # Errors
    /// Where QEMU refuses it or is silent.
    pub fn command(&mut self, command: &str, arguments: Value) -> Result<Value> {
        self.control
            .execute(command, arguments, Instant::now() + PROMPT)
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn alive(&mut self) -> bool {
        self.process.alive()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it; what the guest had not written is lost, as at a power cut.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the guest and writes its memory and devices to `file`.
    ///
    /// # Errors
    /// Where the migration fails or takes over two minutes.
    pub fn save(&mut self, file: &Path) -> Result<()> {
        self.command("stop", Value::Null)?;
        let unlimited = serde_json::json!({"max-bandwidth": 1_u64 << 40});
        self.command("migrate-set-parameters", unlimited)?;
        let uri = format!("exec:cat > '{}'", file.display());
        self.command("migrate", serde_json::json!({ "uri": uri }))?;
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let state = self.command("query-migrate", Value::Null)?;
            match state["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => bail!("QEMU could not save its state: {state}"),
                _ if Instant::now() > deadline => bail!("saving the state takes too long"),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// The version line, a part of a snapshot's name: another QEMU may not read its state.
///
/// # Errors
/// Where QEMU is missing.
pub fn version() -> Result<String> {
    tools::require(&[QEMU])?;
    let text = run_text(QEMU, &["--version"], PROMPT)?;
    text.lines()
        .next()
        .map(str::to_owned)
        .context("QEMU told no version")
}

/// The command line without paths, a part of a snapshot's name.
#[must_use]
pub fn recipe(image: &Image, clock: Clock) -> String {
    let nowhere = Path::new("");
    let boot = Boot {
        image,
        overlay: nowhere,
        disks: &[],
        clock,
        resume: None,
    };
    arguments(nowhere, &boot).join(" ")
}

/// Makes a qcow2 overlay `overlay` that reads from `base` and takes all writes.
///
/// # Errors
/// Where `qemu-img` fails.
pub fn overlay(overlay: &Path, base: &Path, format: &str) -> Result<()> {
    tools::require(&["/usr/bin/qemu-img"])?;
    let (overlay, base) = (overlay.to_string_lossy(), base.to_string_lossy());
    let args = [
        "create", "-q", "-f", "qcow2", "-F", format, "-b", &*base, &*overlay,
    ];
    run("/usr/bin/qemu-img", &args, PROMPT)?;
    Ok(())
}

/// The command line. Software emulation only: on these machines `/dev/kvm` may exist and hang.
fn arguments(dir: &Path, boot: &Boot<'_>) -> Vec<String> {
    let path = |name: &str| dir.join(name).display().to_string();
    let memory = boot.image.variant.memory().to_string();
    let mut args: Vec<String> = [
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "q35,usb=off,vmport=off",
        "-cpu",
        boot.clock.processor(),
        "-m",
        &memory,
        "-rtc",
        "base=utc,clock=host",
        "-device",
        "virtio-rng-pci",
        "-device",
        "vmgenid,guid=auto",
        "-device",
        "virtio-scsi-pci,id=scsi",
        "-device",
        "virtio-serial-pci",
        "-append",
        COMMAND_LINE,
    ]
    .map(str::to_owned)
    .to_vec();
    args.extend(boot.clock.options());
    let mut add = |option: &str, value: String| args.extend([option.to_owned(), value]);
    add("-kernel", boot.image.kernel.image.display().to_string());
    add("-initrd", boot.image.kernel.initramfs.display().to_string());
    let (console, log) = (path("console"), path("console.log"));
    add(
        "-chardev",
        format!("socket,id=console,path={console},server=on,wait=off,logfile={log},logappend=on"),
    );
    add("-serial", "chardev:console".to_owned());
    for name in ["qmp", "qmp-bmc"] {
        add("-qmp", format!("unix:{},server=on,wait=off", path(name)));
    }
    for (number, name) in ["agent", "data", "verdict"].into_iter().enumerate() {
        let socket = path(name);
        add(
            "-chardev",
            format!("socket,id={name},path={socket},server=on,wait=off"),
        );
        let number = number + 1;
        add(
            "-device",
            format!("virtserialport,chardev={name},name=lab.{name},nr={number}"),
        );
    }
    let root = boot.overlay.display();
    add(
        "-drive",
        format!("file={root},format=qcow2,if=none,id=root,cache=unsafe,discard=unmap"),
    );
    add("-device", "virtio-blk-pci,drive=root".to_owned());
    for (number, disk) in boot.disks.iter().enumerate() {
        let (file, kept) = (disk.file.display(), !disk.throw_away);
        let snapshot = if kept { "off" } else { "on" };
        add(
            "-drive",
            format!(
                "file={file},format=raw,if=none,id=disk{number},cache=unsafe,snapshot={snapshot}"
            ),
        );
        add(
            "-device",
            format!("scsi-hd,drive=disk{number},bus=scsi.0,scsi-id={number},serial=LAB{number}"),
        );
    }
    // The way to servers on this machine's loopback; the guest has no default route.
    add("-netdev", "user,id=net0,ipv6=off".to_owned());
    add(
        "-device",
        "virtio-net-pci,netdev=net0,mac=52:54:00:1a:b0:00,romfile=".to_owned(),
    );
    for slot in 1..=CARD_SLOTS {
        add(
            "-device",
            format!("pcie-root-port,id=slot{slot},chassis={slot}"),
        );
    }
    args
}
