//! What [`solve`](super::solve) found.

use num_bigint::BigUint;

use super::count;
use super::engine::Solved;
use super::modules::Input;
use super::sets::Sets;
use super::{CutSetError, EventId, Options};

/// The minimal cut sets of one top event, as diagrams: counted without listing, listed on demand.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The modules, children first; none if the top event is constant.
    pub(crate) modules: Vec<Solved>,
    pub(crate) constant: bool,
    pub(crate) options: Options,
    by_order: Vec<BigUint>,
    cut: bool,
}

impl Solution {
    pub(crate) fn constant(value: bool, options: &Options) -> Self {
        Solution {
            modules: Vec::new(),
            constant: value,
            options: *options,
            by_order: if value {
                vec![BigUint::from(1u8)]
            } else {
                Vec::new()
            },
            cut: false,
        }
    }

    pub(crate) fn new(modules: Vec<Solved>, options: &Options) -> Self {
        let counted: Vec<_> = modules
            .iter()
            .map(|m| (m.inputs.as_slice(), &m.family))
            .collect();
        let max_order = options
            .max_order
            .map_or(usize::MAX - 1, |order| order as usize);
        let by_order = count::by_order(&counted, max_order);
        let cut = options.max_order.is_some_and(|limit| {
            let top = modules.last();
            top.is_some_and(|top| top.cut) || greatest_order(&modules) > u64::from(limit)
        });
        Solution {
            modules,
            constant: false,
            options: *options,
            by_order,
            cut,
        }
    }

    /// The number of minimal cut sets (within the order limit, if there is one).
    ///
    /// A top event that always happens has one, the empty set; one that never happens has none.
    pub fn count(&self) -> BigUint {
        self.by_order.iter().sum()
    }

    /// The number of minimal cut sets with so many events each: (order, number), without zeros.
    pub fn by_order(&self) -> impl Iterator<Item = (u32, &BigUint)> {
        let numbered = self.by_order.iter().enumerate();
        numbered
            .filter(|(_, n)| **n != BigUint::ZERO)
            .map(|(order, n)| (order as u32, n))
    }

    /// Whether the order limit left out sets, or may have.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Lists the minimal cut sets, single events first, then pairs, and so on.
    pub fn sets(&self) -> Sets<'_> {
        Sets::new(self)
    }

    /// The events that are each a minimal cut set on their own: single points of failure.
    pub fn single_points(&self) -> Vec<EventId> {
        self.sets()
            .take_while(|set| set.len() == 1)
            .flatten()
            .collect()
    }

    /// The basic events that the top event depends on, by number.
    pub fn events(&self) -> Vec<EventId> {
        let inputs = self.modules.iter().flat_map(|module| &module.inputs);
        let mut events: Vec<EventId> = inputs
            .filter_map(|input| match input {
                Input::Event(event) => Some(EventId(*event)),
                Input::Module(_) => None,
            })
            .collect();
        events.sort_unstable();
        events
    }

    /// The exact probability of the top event; `probabilities` holds one for each basic event of
    /// the tree, all independent.
    ///
    /// # Errors
    /// A probability outside 0 to 1 or missing, or a function whose BDD is too large.
    pub fn probability(&self, probabilities: &[f64]) -> Result<f64, CutSetError> {
        Ok(super::probability::evaluate(self, probabilities)?.top)
    }

    /// How much each basic event of the top event matters, in the order of their numbers.
    ///
    /// # Errors
    /// As for [`probability`](Self::probability).
    pub fn importance(&self, probabilities: &[f64]) -> Result<Vec<super::Importance>, CutSetError> {
        super::probability::importance(self, probabilities)
    }
}

/// The greatest order of any set in the diagrams, or more than any limit if it does not fit.
fn greatest_order(modules: &[Solved]) -> u64 {
    let mut greatest: Vec<u64> = Vec::with_capacity(modules.len());
    for module in modules {
        let mut orders = vec![0u64; module.family.nodes.len()];
        for (at, &(level, lo, hi)) in module.family.nodes.iter().enumerate().skip(2) {
            let with = match module.inputs[level as usize] {
                Input::Event(_) => 1,
                Input::Module(inner) => greatest[inner as usize],
            };
            orders[at] = orders[lo as usize].max(orders[hi as usize].saturating_add(with));
        }
        greatest.push(orders[module.family.root as usize]);
    }
    greatest.last().copied().unwrap_or(0)
}
