//! The ends that a boot with a circle in its order may come to: one is what mostly happens, the others
//! are told beside it.

use super::attempt::World;
use super::order::{Circles, Way};
use super::predict::{Boot, MountResult, Otherwise, Run};

/// More ends than these are not told.
const MAX_TOLD: usize = 8;

/// Ways that come to the same for outcome and mounts.
struct End {
    boot: Boot,
    /// Unit and end of every mount and swap.
    results: Vec<(String, MountResult)>,
    run: Run,
    dropped: Vec<String>,
    times: u64,
}

/// Unit and end of every mount and swap.
fn results(boot: &Boot) -> Vec<(String, MountResult)> {
    boot.mounts
        .iter()
        .chain(&boot.swaps)
        .filter_map(|mounted| Some((mounted.unit.clone()?, mounted.result)))
        .collect()
}

/// Makes every way's boot and gives the most frequent end, with the others in it.
pub(super) fn most_frequent(
    circles: &Circles,
    world: &World<'_>,
    run: impl Fn(&Way) -> Run,
) -> (Boot, Run) {
    let mut ends: Vec<End> = Vec::new();
    for way in &circles.ways {
        let run = run(way);
        let boot = run.boot(circles, Some(way), world);
        let results = results(&boot);
        // What a person would call the same end.
        let same = |end: &&mut End| {
            (end.boot.outcome, end.boot.delay_seconds) == (boot.outcome, boot.delay_seconds)
                && end.results == results
        };
        match ends.iter_mut().find(same) {
            Some(end) => end.times += way.times,
            None => ends.push(End {
                boot,
                results,
                run,
                dropped: way
                    .dropped
                    .iter()
                    .filter_map(|(_, jobs)| jobs.first().cloned())
                    .collect(),
                times: way.times,
            }),
        }
    }
    // Of two that are as frequent the worse one leads.
    ends.sort_by_key(|end| {
        (
            std::cmp::Reverse(end.times),
            std::cmp::Reverse(end.boot.outcome),
        )
    });
    let tried: u64 = ends.iter().map(|end| end.times).sum();
    let mut ends = ends.into_iter();
    let Some(End {
        mut boot,
        results: usual,
        run,
        ..
    }) = ends.next()
    else {
        // There is a way for each circle.
        let nothing = run(&Way {
            dropped: Vec::new(),
            times: 0,
        });
        return (nothing.boot(circles, None, world), nothing);
    };
    boot.otherwise = ends
        .take(MAX_TOLD)
        .map(|end| Otherwise {
            outcome: end.boot.outcome,
            delay_seconds: end.boot.delay_seconds,
            dropped: end.dropped,
            mounts: end
                .results
                .into_iter()
                .filter(|result| !usual.contains(result))
                .collect(),
            share: end.times as f64 / tried as f64,
        })
        .collect();
    (boot, run)
}
