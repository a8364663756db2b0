//! Fills a recorder with made-up events for `benches/events.sh`: `fill FILE COUNT`.

use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;
use watch::event::Evidence;
use watch::recorder::Limits;
use watch::{Event, Kind, Recorder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(count)) = (args.next(), args.next()) else {
        return Err("usage: fill FILE COUNT".into());
    };
    let count: u64 = count.parse()?;
    let limits = Limits {
        bytes: u64::MAX,
        age: Duration::MAX,
    };
    let mut recorder = Recorder::open(Path::new(&file), limits)?;
    // A year that ends in summer 2026, evenly.
    let begin = 1_751_328_000_000_000_i64;
    let step = 365 * 86_400_000_000_i64 / i64::try_from(count.max(1))?;
    let mut batch = Vec::with_capacity(10_000);
    // A small generator of our own: the same events in each run.
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap_or(0)
    };
    for n in 0..count {
        let time = Timestamp::from_microsecond(begin + step * i64::try_from(n)?)?;
        let kind = Kind::ALL[next(Kind::ALL.len())];
        let guest = format!("guest-{:03}", next(200));
        let of_guest = kind.area() == "guest";
        let subject = if of_guest {
            guest.clone()
        } else {
            format!("/mnt/{}", next(50))
        };
        let mut event = Event::new(
            time,
            "kvm-01",
            "bench",
            kind,
            subject,
            "something happened that takes a sentence to tell",
        )
        .evidence(Evidence::measured(
            "bench",
            "a line of a log, as long as such lines are",
        ));
        if of_guest || next(3) == 0 {
            event = event.of_guest(guest);
        }
        batch.push(event);
        if batch.len() == 10_000 {
            recorder.record(&batch)?;
            batch.clear();
        }
    }
    recorder.record(&batch)?;
    Ok(())
}
