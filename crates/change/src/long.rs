//! Commands that take as long as they take: copies of hundreds of gigabytes. Their deadline is
//! that they get on, not that they end.

use crate::engine::{output, succeeded};
use crate::error::Error;
use crate::plan::{Command, Gauge, Long};
use crate::show;
use collect::command::{self, CommandError, Glance, Seen};
use facts::domain::Disk;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Told how many bytes of how many are done.
pub(crate) type Tell<'a> = dyn FnMut(u64, u64) + 'a;

/// How often a block job is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Seconds without progress that a rollback bears at least.
const LEAST_OF_ROLLBACK: u64 = 90;
/// One question to libvirt about a job.
const ASK: u64 = 20;

/// Set from outside (a signal's handler): the present step then fails and the plan is taken back.
/// A rollback does not heed it.
pub fn interrupt() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

pub(crate) fn not_interrupted() -> Result<(), Error> {
    if interrupt().load(Ordering::Relaxed) {
        Err(Error::Interrupted)
    } else {
        Ok(())
    }
}

/// Runs a long command to its end; `heed` an interruption.
pub(crate) fn execute(
    command: &Command,
    seconds: u64,
    long: &Long,
    heed: bool,
    tell: &mut Tell<'_>,
) -> Result<(), Error> {
    if let Gauge::Job { starts: true, .. } = &long.gauge {
        crate::engine::execute(command, seconds)?;
        crate::failpoint::hit();
        return follow(long, heed, tell);
    }
    let (program, args) = command
        .argv
        .split_first()
        .map_or(("", &[] as &[String]), |(program, args)| (program, args));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let input = command.input.as_deref().unwrap_or_default().as_bytes();
    let mut percent = 0;
    let mut look = |glance: &Glance<'_>| {
        if heed && not_interrupted().is_err() {
            return Seen::Stop;
        }
        match &long.gauge {
            Gauge::Output { bytes } => {
                percent = last_percent(glance.said).unwrap_or(percent);
                tell(share(*bytes, percent), *bytes);
                Seen::At(moved_bytes(glance.pid).wrapping_add(percent))
            }
            Gauge::Job { guest, disk, .. } => match job(guest, disk) {
                Ok(Some(job)) => {
                    tell(job.done, job.of);
                    Seen::At(job.done.wrapping_mul(31).wrapping_add(job.of))
                }
                Ok(None) | Err(_) => Seen::At(0),
            },
        }
    };
    // A rollback that gives up leaves things half done, and some of its commands (a definition) show
    // no progress: it is never as impatient as somebody may be with a copy.
    let stall = Duration::from_secs(if heed {
        long.stall
    } else {
        long.stall.max(LEAST_OF_ROLLBACK)
    });
    match command::run_watched(program, &args, input, stall, &mut look) {
        Ok(done) => succeeded(command, done),
        // A terminal's interrupt reaches the child first.
        Err(CommandError::Interrupted { .. }) => Err(Error::Interrupted),
        Err(error) => Err(error.into()),
    }
    .map_err(|error| match not_interrupted() {
        Err(interrupted) if heed => interrupted,
        _ => error,
    })
}

/// Hundredths of a percent, of a number of bytes.
fn share(bytes: u64, percent: u64) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(percent) / 10_000).unwrap_or(bytes)
}

/// The last `(12.34/100%)` of a piece of output, in hundredths of a percent.
fn last_percent(said: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(said);
    let (before, _) = text.rsplit_once("/100%)")?;
    let (_, number) = before.rsplit_once('(')?;
    let (whole, part) = number.trim().split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 100 + part.get(..2)?.parse::<u64>().ok()?)
}

/// Bytes that a process read and wrote so far (proc_pid_io(5)), cached or not.
fn moved_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| matches!(*name, "rchar" | "wchar"))
        .filter_map(|(_, number)| number.trim().parse::<u64>().ok())
        .fold(0, u64::wrapping_add)
}

/// A block job, as `virsh blockjob --raw` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    done: u64,
    of: u64,
}

fn parse_job(text: &str) -> Option<Job> {
    let number = |name: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(name)?.parse().ok())
    };
    Some(Job {
        done: number("cur=")?,
        of: number("end=")?,
    })
}

/// The block job of a disk; `None` where there is none.
fn job(guest: &str, disk: &str) -> Result<Option<Job>, CommandError> {
    let argv = ["virsh", "blockjob", guest, disk, "--raw"].map(str::to_owned);
    let done = output(&argv, None, ASK)?;
    if !done.status.success() {
        return Err(CommandError::Failed {
            line: show::command(&argv),
            status: done.status,
            stderr: done.stderr,
        });
    }
    Ok(parse_job(&String::from_utf8_lossy(&done.stdout)))
}

/// Waits until a copy that has begun follows every write of the guest. libvirtd may be away
/// meanwhile: the job is QEMU's.
fn follow(long: &Long, heed: bool, tell: &mut Tell<'_>) -> Result<(), Error> {
    let Gauge::Job {
        guest, disk, to, ..
    } = &long.gauge
    else {
        return Ok(());
    };
    let ended = |why: String| Error::Job {
        guest: guest.clone(),
        disk: disk.clone(),
        why,
    };
    let (mut last, mut moved) = (None, Instant::now());
    let mut gone = 0;
    loop {
        if heed {
            not_interrupted()?;
        }
        match job(guest, disk) {
            Ok(Some(now)) => {
                gone = 0;
                if last.replace(now) != Some(now) {
                    moved = Instant::now();
                }
                tell(now.done, now.of);
                let ready =
                    || self::disk(guest, disk, false, ASK).is_ok_and(|disk| disk.mirror_ready);
                if now.done == now.of && ready() {
                    return Ok(());
                }
            }
            // Twice: what is seen between two of libvirtd's lives is not believed.
            Ok(None) => gone += 1,
            Err(CommandError::Failed { stderr, .. }) if is_off(&stderr) => {
                return Err(ended(format!(
                    "the guest was shut down meanwhile; its disks lie where they were. Run nofail evacuate {guest} again: it copies a guest that is off just as well"
                )));
            }
            // libvirtd is away or slow.
            Err(_) => {}
        }
        if gone >= 2 {
            return Err(ended(why_gone(guest, to)));
        }
        if moved.elapsed() >= Duration::from_secs(long.stall) {
            return Err(Error::Stalled {
                guest: guest.clone(),
                disk: disk.clone(),
                seconds: long.stall,
            });
        }
        std::thread::sleep(LOOK);
    }
}

/// What libvirt says of a guest that does not run (`VIR_ERR_OPERATION_INVALID`).
fn is_off(said: &str) -> bool {
    said.contains("domain is not running") || said.contains("failed to get domain")
}

fn why_gone(guest: &str, to: &str) -> String {
    let directory = to.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let free = rustix::fs::statvfs(directory).map(|vfs| vfs.f_bavail * vfs.f_frsize);
    match free {
        Ok(free) if free < 1 << 20 => {
            format!("{directory} is full (make room there, then evacuate again)")
        }
        _ => format!(
            "the old image could not be read or the new one not written; QEMU's reason stands in /var/log/libvirt/qemu/{guest}.log"
        ),
    }
}

/// A guest's disk, as libvirt tells it now.
///
/// # Errors
/// libvirt does not answer, or the guest has no such disk.
pub(crate) fn disk(
    guest: &str,
    target: &str,
    definition: bool,
    seconds: u64,
) -> Result<Disk, Error> {
    let mut argv = vec!["virsh".to_owned(), "dumpxml".to_owned()];
    if definition {
        argv.push("--inactive".to_owned());
    }
    argv.push(guest.to_owned());
    let done = output(&argv, None, seconds)?;
    let said = |said: String| Error::Probe {
        line: show::command(&argv),
        said,
    };
    if !done.status.success() {
        return Err(said(done.stderr));
    }
    let text = String::from_utf8_lossy(&done.stdout);
    let read = facts::domain::parse(&text).map_err(|error| said(error.to_string()))?;
    let mut disks = read.disks.into_iter();
    disks
        .find(|disk| disk.target == target)
        .ok_or_else(|| said(format!("there is no disk {target}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_as_the_programs_print_it() {
        assert_eq!(
            last_percent(b"    (1.00/100%)\r    (34.56/100%)\r"),
            Some(3456)
        );
        assert_eq!(last_percent(b"    (100.00/100%)\r\n"), Some(10_000));
        assert_eq!(last_percent(b"no (x/100%)"), None);
        assert_eq!(last_percent(b""), None);
        assert_eq!(share(1000, 3456), 345);
        assert_eq!(share(u64::MAX, 10_000), u64::MAX);
        let text = " type=Block Copy\n bandwidth=0\n cur=66060288\n end=67108864\n\n";
        let job = Job {
            done: 66_060_288,
            of: 67_108_864,
        };
        assert_eq!(parse_job(text), Some(job));
        assert_eq!(parse_job("\n"), None);
    }
}
