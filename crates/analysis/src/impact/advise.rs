//! Which single mend helps a service most.

use super::faults::{Assume, Faults, faults};
use super::shared::solve_up_to;
use crate::cutsets::CutSetError;
use model::graph::{Graph, Index, Regime};

/// How likely components fail where nobody says: the same for all, so that the structure alone
/// ranks them.
pub const EQUAL: f64 = 0.001;

/// One component, ranked.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// The component.
    pub index: Index,
    /// Probability that it is down.
    pub probability: f64,
    /// Birnbaum importance: how much the top event's probability changes with this one's.
    pub birnbaum: f64,
    /// Fussell-Vesely importance: the part of the top event's probability in which it has a hand.
    pub fussell_vesely: f64,
}

/// The advice for one component.
#[derive(Debug)]
pub struct Advised {
    /// Probability that it is down.
    pub probability: f64,
    /// Every component that it rests on, the one whose mend helps most first.
    pub ranked: Vec<Advice>,
    /// How many of them have a probability from site.toml.
    pub known: usize,
}

/// Hours that a repair takes where nobody says.
const REPAIR_HOURS: f64 = 4.0;

/// The probability of each basic event of `faults`, and how many of them site.toml tells.
pub fn probabilities(graph: &Graph, faults: &Faults) -> (Vec<f64>, usize) {
    let mut known = 0;
    let of = |index: &Index| match graph.component(*index).mttf_hours {
        Some(hours) if hours > 0.0 => {
            known += 1;
            REPAIR_HOURS / (hours + REPAIR_HOURS)
        }
        _ => EQUAL,
    };
    (faults.components.iter().map(of).collect(), known)
}

/// Ranks what `index` rests on. A component with a mean time to failure is down for
/// `repair / (mttf + repair)` of the time; the others share one probability.
///
/// # Errors
/// The diagrams grow beyond their limit.
pub fn advise(graph: &Graph, index: Index, regime: Regime) -> Result<Advised, CutSetError> {
    let assume = Assume {
        again: true,
        ..Assume::default()
    };
    let faults = faults(graph, index, regime, &assume);
    let solution = solve_up_to(&faults, None)?;
    let (probabilities, known) = probabilities(graph, &faults);
    let probability = solution.probability(&probabilities)?;
    let mut ranked: Vec<Advice> = solution
        .importance(&probabilities)?
        .into_iter()
        .map(|i| {
            let at = i.event.0 as usize;
            Advice {
                index: faults.components[at],
                probability: probabilities[at],
                birnbaum: i.birnbaum,
                fussell_vesely: i.fussell_vesely,
            }
        })
        .filter(|a| a.index != index)
        .collect();
    ranked.sort_by(|a, b| {
        let gain = |x: &Advice| x.birnbaum * x.probability;
        gain(b).total_cmp(&gain(a)).then(a.index.cmp(&b.index))
    });
    Ok(Advised {
        probability,
        ranked,
        known,
    })
}
