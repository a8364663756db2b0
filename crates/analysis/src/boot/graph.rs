//! The units of a boot and how they end: a small model of systemd's transaction.
//!
//! Jobs are the units that the default target pulls in. A job runs when all that it is ordered
//! after have ended, well or badly; it fails at once when one that it requires has failed
//! (systemd.unit(5)). What becomes of a circle in the order is in [`super::order`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempt::Attempt;

/// One unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    pub requires: BTreeSet<String>,
    pub wants: BTreeSet<String>,
    pub after: BTreeSet<String>,
    /// What starting it comes to; the default succeeds at once.
    pub attempt: Option<Attempt>,
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct End {
    pub ok: bool,
    /// Seconds from the moment at which local mounts may begin.
    pub at: f64,
    /// The unit that failed first; itself, or one that it requires.
    pub blame: Option<String>,
}

/// All units. A clone shares them, until one of the two writes: the ways in which a circle may be
/// broken differ in their jobs alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub units: Arc<BTreeMap<String, Unit>>,
    pub jobs: BTreeSet<String>,
}

impl Graph {
    pub fn unit(&mut self, name: &str) -> &mut Unit {
        let units = Arc::make_mut(&mut self.units);
        units.entry(name.to_owned()).or_default()
    }

    /// `unit` waits for `other`.
    pub fn after(&mut self, unit: &str, other: &str) {
        self.unit(unit).after.insert(other.to_owned());
    }

    /// `unit` needs `other`.
    pub fn requires(&mut self, unit: &str, other: &str) {
        self.unit(unit).requires.insert(other.to_owned());
    }

    /// `unit` pulls `other` in.
    pub fn wants(&mut self, unit: &str, other: &str) {
        self.unit(unit).wants.insert(other.to_owned());
    }

    /// Everything that starting `anchor` pulls in.
    pub fn gather(&mut self, anchor: &str) {
        let mut open = vec![anchor.to_owned()];
        while let Some(name) = open.pop() {
            let Some(unit) = self.units.get(&name) else {
                continue;
            };
            if self.jobs.insert(name.clone()) {
                open.extend(unit.requires.iter().chain(&unit.wants).cloned());
            }
        }
    }

    fn ordered_after<'g>(&'g self, name: &str) -> impl Iterator<Item = &'g String> {
        self.units
            .get(name)
            .into_iter()
            .flat_map(|unit| &unit.after)
            .filter(|other| self.jobs.contains(*other))
    }

    /// How every job ends.
    pub fn run(&self) -> BTreeMap<String, End> {
        let mut ends: BTreeMap<String, End> = BTreeMap::new();
        let mut waiting: BTreeSet<&String> = self.jobs.iter().collect();
        while !waiting.is_empty() {
            let ready: Vec<&String> = waiting
                .iter()
                .copied()
                .filter(|name| self.before_it(name).all(|other| ends.contains_key(other)))
                .collect();
            if ready.is_empty() {
                // A circle of which no job can be spared: systemd refuses it all.
                break;
            }
            for name in ready {
                let end = self.end(name, &ends);
                ends.insert(name.clone(), end);
                waiting.remove(name);
            }
        }
        ends
    }

    fn before_it<'g>(&'g self, name: &str) -> impl Iterator<Item = &'g String> {
        self.ordered_after(name)
    }

    fn end(&self, name: &str, ends: &BTreeMap<String, End>) -> End {
        let Some(unit) = self.units.get(name) else {
            return End {
                ok: true,
                ..End::default()
            };
        };
        let broken = unit
            .requires
            .iter()
            .filter_map(|other| {
                ends.get(other)
                    .filter(|end| !end.ok)
                    .map(|end| (other, end))
            })
            .min_by(|(_, a), (_, b)| a.at.total_cmp(&b.at));
        if let Some((other, end)) = broken {
            return End {
                ok: false,
                at: end.at,
                blame: end.blame.clone().or_else(|| Some(other.clone())),
            };
        }
        let start = self
            .ordered_after(name)
            .filter_map(|other| ends.get(other))
            .map(|end| end.at)
            .fold(0.0, f64::max);
        let attempt = unit.attempt.clone().unwrap_or(Attempt {
            ok: true,
            ..Attempt::default()
        });
        End {
            ok: attempt.ok,
            at: start + attempt.seconds,
            blame: (!attempt.ok).then(|| name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(seconds: f64) -> Option<Attempt> {
        Some(Attempt {
            ok: false,
            seconds,
            ..Attempt::default()
        })
    }

    #[test]
    fn a_clone_shares_the_units_until_one_is_written() {
        let mut graph = Graph::default();
        graph.wants("end", "a");
        graph.gather("end");
        let mut other = graph.clone();
        other.jobs.remove("a");
        assert!(Arc::ptr_eq(&graph.units, &other.units));
        other.unit("a").attempt = failing(90.0);
        assert!(!Arc::ptr_eq(&graph.units, &other.units));
        assert!(!graph.units.contains_key("a"), "{graph:?}");
    }

    #[test]
    fn a_wanted_failure_delays_and_a_required_one_fails() {
        let mut graph = Graph::default();
        graph.wants("end", "a");
        graph.after("end", "a");
        graph.unit("a").attempt = failing(90.0);
        graph.gather("end");
        assert_eq!(
            graph.run()["end"],
            End {
                ok: true,
                at: 90.0,
                blame: None
            }
        );
        graph.requires("end", "a");
        let end = &graph.run()["end"];
        assert!(!end.ok && end.blame.as_deref() == Some("a"));
    }
}
