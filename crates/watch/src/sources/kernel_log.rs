//! The kernel's log, record by record from `/dev/kmsg`: how far it was read is kept with the
//! events, so that each record is told once, also across restarts.

mod classify;

pub use classify::{Finding, classify};

use super::{IDLE, Pulse, Source, SourceError, usual};
use crate::daemon::Context;
use crate::event::{Event, Evidence};
use jiff::{SignedDuration, Timestamp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, read};
use rustix::time::{ClockId, clock_gettime};
use std::convert::Infallible;

/// The source.
pub const SOURCE: Source = Source {
    name: "kernel-log",
    silent_after: usual,
    run,
};

const DEVICE: &str = "/dev/kmsg";
/// Boot and number of the last record that was read.
const POSITION: &str = "kernel-log.position";
/// The longest record (linux/printk.h has 1,024 for the text; the dictionary adds to it).
const RECORD: usize = 8 << 10;

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let device = rustix::fs::open(DEVICE, flags, Mode::empty()).map_err(|e| match e {
        Errno::NOENT => SourceError::Absent(format!("there is no {DEVICE}")),
        e => SourceError::failed(DEVICE, &e),
    })?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot = boot.trim();
    let position = context.state(POSITION);
    let mut last = position.as_deref().and_then(|text| {
        let (known, number) = text.split_once(' ')?;
        (known == boot)
            .then(|| number.parse::<u64>().ok())
            .flatten()
    });
    let mut buffer = vec![0; RECORD];
    loop {
        pulse.beat();
        let mut events: Vec<Event> = Vec::new();
        let before = last;
        // A burst ends here, so that it is stored.
        while events.len() < 256 {
            let length = match read(&device, &mut buffer[..]) {
                Ok(length) => length,
                // Records were overwritten before we read them; the next read goes on behind.
                Err(Errno::PIPE) => continue,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR | Errno::INVAL) => continue,
                Err(error) => return Err(SourceError::failed(DEVICE, &error)),
            };
            let text = String::from_utf8_lossy(&buffer[..length]);
            let Some(record) = Record::parse(&text) else {
                continue;
            };
            if last.is_some_and(|last| record.number <= last) {
                continue;
            }
            last = Some(record.number);
            if record.facility == 0 {
                events.extend(event(context, &record));
            }
        }
        if last != before || !events.is_empty() {
            // The position alone is worth no write: at worst records without a finding are read
            // again.
            if !events.is_empty() {
                let position = format!("{boot} {}", last.unwrap_or(0));
                context.tell_with(events, vec![(POSITION.to_owned(), position)]);
            }
            continue;
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(IDLE.as_secs()).unwrap_or(60),
            tv_nsec: 0,
        };
        match poll(&mut [PollFd::new(&device, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(SourceError::failed(DEVICE, &error)),
        }
    }
}

/// One record, see the kernel's Documentation/ABI/testing/dev-kmsg.
struct Record<'a> {
    facility: u32,
    number: u64,
    /// Microseconds of the monotonic clock.
    time: u64,
    text: &'a str,
}

impl<'a> Record<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (head, rest) = text.split_once(';')?;
        let mut fields = head.split(',');
        let priority: u32 = fields.next()?.parse().ok()?;
        Some(Self {
            facility: priority >> 3,
            number: fields.next()?.parse().ok()?,
            time: fields.next()?.parse().ok()?,
            text: rest.lines().next().unwrap_or(""),
        })
    }
}

fn event(context: &Context, record: &Record<'_>) -> Option<Event> {
    let found = classify(record.text)?;
    let mut event = context
        .event("kernel-log", found.kind, found.subject, found.message)
        .evidence(Evidence::measured(DEVICE, record.text));
    event.guest = found.guest;
    event.time = wall_clock(record.time).unwrap_or(event.time);
    Some(event)
}

/// The moment of a time of the kernel's log, which stands still while the machine sleeps.
fn wall_clock(microseconds: u64) -> Option<Timestamp> {
    let monotonic = clock_gettime(ClockId::Monotonic);
    let now = monotonic.tv_sec * 1_000_000 + monotonic.tv_nsec / 1_000;
    let ago = now.checked_sub(i64::try_from(microseconds).ok()?)?;
    Timestamp::now()
        .checked_sub(SignedDuration::from_micros(ago))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_kmsg() {
        let record = Record::parse(
            "3,1234,56789012,-;nfs: server nas not responding, still trying\n SUBSYSTEM=x\n",
        )
        .unwrap();
        assert_eq!(
            (record.facility, record.number, record.time),
            (0, 1234, 56_789_012)
        );
        assert_eq!(record.text, "nfs: server nas not responding, still trying");
        assert_eq!(Record::parse("30,1,2,-;a").unwrap().facility, 3);
        for bad in ["", "a,b,c;d", "1,2;x", "no head"] {
            assert!(Record::parse(bad).is_none(), "{bad}");
        }
    }
}
