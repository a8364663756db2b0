//! Cold boots: a machine that really boots with a given fstab, and what became of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::channel::{connect, read_until};
use crate::disk::Disk;
use crate::image::Variant;
use crate::initramfs;
use crate::machine::Machine;
use crate::qemu::{Clock, DiskFile};

/// How a boot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All that was to start has started.
    Normal,
    /// It has booted and some unit failed.
    Degraded,
    /// Emergency mode: no network, no guests, a shell on the console.
    Emergency,
}

/// What systemd says of one unit when it had no more to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitState {
    /// `active`, `inactive`, `failed`, `activating` (emergency mode does not wait for all jobs).
    pub active: String,
    /// `mounted`, `dead`, `failed`, `waiting`, …
    pub sub: String,
    /// `success`, `exit-code`, `timeout`, `resources`, …
    pub result: String,
    /// Seconds of the machine's clock from the start of systemd until it was active, or 0.
    pub active_after: f64,
    /// Seconds of the same clock until its start began, or 0.
    pub started_after: f64,
}

/// A boot's end as systemd tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// Seconds from the start of systemd to the verdict, by this machine's clock; of a power cycle
    /// from power on.
    pub seconds: f64,
    /// Seconds from the start of systemd until it had no more to do; 0 where it still had.
    pub finished: f64,
    /// Mount, swap, automount, target and fsck units by name.
    pub units: BTreeMap<String, UnitState>,
    /// Jobs that still waited (in emergency mode only).
    pub jobs: Vec<String>,
    /// Units that failed.
    pub failed: Vec<String>,
    /// The serial console.
    pub serial_log: String,
}

impl Verdict {
    /// A unit's state; one that systemd does not know is inactive.
    #[must_use]
    pub fn unit(&self, name: &str) -> UnitState {
        self.units.get(name).cloned().unwrap_or_else(|| UnitState {
            active: "inactive".to_owned(),
            sub: "dead".to_owned(),
            ..UnitState::default()
        })
    }

    /// Seconds until the ordinary target was reached (multi-user: what a host is there for).
    #[must_use]
    pub fn reached(&self, target: &str) -> Option<f64> {
        let after = self.unit(target).active_after;
        (after > 0.0).then_some(after)
    }
}

/// A boot to be made.
#[derive(Debug)]
pub struct ColdBoot {
    variant: Variant,
    clock: Clock,
    files: Vec<(PathBuf, u32, Vec<u8>)>,
    disks: Vec<Disk>,
    shared: Vec<DiskFile>,
}

impl Default for ColdBoot {
    fn default() -> Self {
        Self::new()
    }
}

/// The image's own first line: the root file system, which every case keeps.
pub const ROOT_LINE: &str = "/dev/vda / ext4 defaults,errors=remount-ro 0 1\n";

impl ColdBoot {
    /// A boot of the plain image as it is.
    #[must_use]
    pub fn new() -> Self {
        Self {
            variant: Variant::Plain,
            clock: Clock::Counted,
            files: Vec::new(),
            disks: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// What the machine's clock counts; [`Clock::Counted`] where nothing is said.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The image to boot.
    #[must_use]
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// Lays a file over the root before systemd starts, mode 0644.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(path, 0o644, content)
    }

    /// Lays a file with this mode over the root before systemd starts.
    #[must_use]
    pub fn file_with_mode(mut self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        self.files
            .push((PathBuf::from(path), mode, content.as_ref().to_vec()));
        self
    }

    /// These lines as `/etc/fstab`, behind [`ROOT_LINE`].
    #[must_use]
    pub fn fstab(self, lines: impl AsRef<[u8]>) -> Self {
        let text = [ROOT_LINE.as_bytes(), lines.as_ref()].concat();
        self.file("/etc/fstab", text)
    }

    /// Puts a disk in: the first is `/dev/sda`.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// Puts disks in that are made already; what the machine writes to them is thrown away. They come
    /// before those of [`Self::disk`].
    #[must_use]
    pub fn shared_disks(mut self, files: &[PathBuf]) -> Self {
        self.shared.extend(files.iter().map(|file| DiskFile {
            file: file.clone(),
            throw_away: true,
        }));
        self
    }

    /// Gives the machine the address 10.50.1.11/24 on a link that drops all (a dummy). A server
    /// there is unreachable as one behind a dead switch is: nothing answers and nothing refuses.
    #[must_use]
    pub fn empty_network(self) -> Self {
        self.file_with_mode(
            "/etc/NetworkManager/system-connections/storage.nmconnection",
            0o600,
            "[connection]\nid=storage\ntype=dummy\ninterface-name=storage\nautoconnect=true\n\
             [ipv4]\nmethod=manual\naddress1=10.50.1.11/24\nnever-default=true\n\
             [ipv6]\nmethod=disabled\n",
        )
    }

    /// Starts the boot.
    ///
    /// # Errors
    /// Where something the lab needs is missing, or both places stay taken.
    pub fn start(self) -> Result<Booting> {
        let dir = tempfile::Builder::new().prefix("nofail-disks-").tempdir()?;
        let mut disks = self.shared;
        for (number, disk) in self.disks.iter().enumerate() {
            disks.push(DiskFile {
                file: disk.make(dir.path(), &format!("disk{number}"))?,
                throw_away: false,
            });
        }
        let case = initramfs::case(&self.files);
        let machine = Machine::boot(self.variant, self.clock, &case, &disks)?;
        let started = Instant::now();
        Ok(Booting {
            machine,
            started,
            _disks: dir,
        })
    }

    /// Boots, waits for the verdict and ends the machine.
    ///
    /// # Errors
    /// Where no verdict comes within `limit`; the console's text is in the error.
    pub fn verdict(self, limit: Duration) -> Result<Verdict> {
        self.start()?.verdict(limit)
    }
}

/// A boot under way. The machine ends with this value.
#[derive(Debug)]
pub struct Booting {
    /// The machine, whose agent answers soon after systemd has started.
    pub machine: Machine,
    started: Instant,
    _disks: TempDir,
}

impl Booting {
    /// Waits for the verdict. The machine runs on and can be looked at and mended
    /// ([`Machine::await_agent`] first).
    ///
    /// # Errors
    /// Where no verdict comes within `limit`; the console's text is in the error.
    pub fn verdict(&self, limit: Duration) -> Result<Verdict> {
        verdict(&self.machine, self.started, limit)
    }
}

/// Waits for the verdict of a boot of `machine` that began at `started`: also of one that went on
/// from a snapshot and was power-cycled then.
///
/// # Errors
/// Where no verdict comes and the console has been silent for `limit`; its text is in the error.
pub fn verdict(machine: &Machine, started: Instant, limit: Duration) -> Result<Verdict> {
    let mut deadline = Instant::now() + limit;
    let mut said = 0;
    let mut port = connect(&machine.dir().join("verdict"), deadline)?;
    let mut text = Vec::new();
    let mut block = vec![0; 1 << 16];
    while !text.ends_with(b"LAB-END\n") {
        let read = match read_until(&mut port, &mut block, deadline) {
            Ok(read) => read,
            Err(_) if machine.console().len() > said => {
                said = machine.console().len();
                deadline = Instant::now() + limit;
                continue;
            }
            Err(error) => {
                let console = machine.console();
                return Err(error.context(format!("no verdict; console:\n{console}")));
            }
        };
        if read == 0 {
            anyhow::bail!("QEMU ended; console:\n{}", machine.console());
        }
        text.extend_from_slice(&block[..read]);
    }
    let seconds = started.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&text).into_owned();
    parse(&text, seconds, machine.console())
}

/// Reads what `guest/lab-verdict.sh` wrote: properties as `systemctl show` prints them.
pub(crate) fn parse(text: &str, seconds: f64, serial_log: String) -> Result<Verdict> {
    let start = text
        .rfind("LAB-VERDICT ")
        .context("no verdict in what the machine wrote")?;
    let text = &text[start..];
    let (properties, lists) = text
        .split_once("LAB-JOBS\n")
        .context("a verdict cut short")?;
    let (jobs, failed) = lists
        .split_once("LAB-FAILED\n")
        .context("a verdict cut short")?;
    let mut blocks = properties.split("\n\n");
    let head = blocks.next().unwrap_or_default();
    let state = head
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("LAB-VERDICT "));
    let outcome = match state {
        Some("running") => Outcome::Normal,
        Some("degraded") => Outcome::Degraded,
        Some("maintenance") => Outcome::Emergency,
        other => anyhow::bail!("systemd ended in the state {other:?}: {text}"),
    };
    let head = block(head);
    let begin = microseconds(&head, "UserspaceTimestampMonotonic");
    let since = |block: &BTreeMap<&str, &str>, key: &str| {
        let at = microseconds(block, key);
        if at == 0 {
            0.0
        } else {
            at.saturating_sub(begin) as f64 / 1e6
        }
    };
    let mut units = BTreeMap::new();
    for text in blocks {
        let block = block(text);
        let Some(id) = block.get("Id") else { continue };
        let get = |key: &str| block.get(key).copied().unwrap_or_default().to_owned();
        let unit = UnitState {
            active: get("ActiveState"),
            sub: get("SubState"),
            result: get("Result"),
            active_after: since(&block, "ActiveEnterTimestampMonotonic"),
            started_after: since(&block, "InactiveExitTimestampMonotonic"),
        };
        units.insert((*id).to_owned(), unit);
    }
    let lines = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let failed = lines(failed.split("LAB-END").next().unwrap_or_default());
    let first = |line: &String| {
        let mut words = line.split_whitespace().filter(|word| *word != "●");
        words.next().unwrap_or_default().to_owned()
    };
    Ok(Verdict {
        outcome,
        seconds,
        finished: since(&head, "FinishTimestampMonotonic"),
        units,
        jobs: lines(jobs),
        failed: failed.iter().map(first).collect(),
        serial_log,
    })
}

/// `Key=value` lines of one unit.
fn block(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .collect()
}

fn microseconds(block: &BTreeMap<&str, &str>, key: &str) -> u64 {
    block
        .get(key)
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_back() {
        let text = "noise\nLAB-VERDICT maintenance\nuptime 20.1\n\
            UserspaceTimestampMonotonic=4000000\nFinishTimestampMonotonic=0\n\n\
            Id=data.mount\nActiveState=failed\nSubState=failed\nResult=exit-code\n\
            InactiveExitTimestampMonotonic=9000000\nActiveEnterTimestampMonotonic=0\n\n\
            Id=local-fs.target\nActiveState=inactive\nSubState=dead\n\n\
            LAB-JOBS\n 12 a.mount start running\nLAB-FAILED\n● data.mount loaded failed failed /data\nLAB-END\n";
        let verdict = parse(text, 30.0, String::new()).unwrap();
        assert_eq!(verdict.outcome, Outcome::Emergency);
        assert_eq!(verdict.unit("data.mount").result, "exit-code");
        assert!((verdict.unit("data.mount").started_after - 5.0).abs() < 1e-9);
        assert_eq!(verdict.reached("local-fs.target"), None);
        assert_eq!(verdict.unit("other.mount").active, "inactive");
        assert_eq!(verdict.jobs, ["12 a.mount start running"]);
        assert_eq!(verdict.failed, ["data.mount"]);
    }

    #[test]
    fn half_a_verdict_is_an_error() {
        assert!(parse("LAB-VERDICT running\n", 1.0, String::new()).is_err());
        assert!(parse("", 1.0, String::new()).is_err());
        let odd = "LAB-VERDICT weird\n\nLAB-JOBS\nLAB-FAILED\nLAB-END\n";
        assert!(
            parse(odd, 1.0, String::new())
                .unwrap_err()
                .to_string()
                .contains("weird")
        );
    }
}
