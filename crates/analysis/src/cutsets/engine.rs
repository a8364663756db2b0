//! Chooses how to solve each module, within a budget of diagram nodes.
//!
//! No variable order and no algorithm is best everywhere, and the wrong one may cost thousands of
//! times more. So all are tried with a small budget, then those that came farthest with a larger
//! one, and so on: the sum of the tries costs little more than the best of them.

use super::bdd::FrozenBdd;
use super::build::{self, Stopped};
use super::modules::{Input, Part};
use super::order::{Heuristic, Order, order};
use super::zbdd::{self, FrozenZbdd, NO_LIMIT, Zbdd};
use super::{CutSetError, Options};

/// The budget of the first tries, in nodes.
const FIRST_BUDGET: usize = 1 << 12;
/// How much each budget is larger than the one before.
const BUDGET_GROWTH: usize = 6;
/// Only so many tries are worth budgets above this many nodes.
const MIDDLE_TRIES: usize = 4;
/// See [`MIDDLE_TRIES`].
const MIDDLE_BUDGET: usize = 100_000;
/// Only so many tries are worth the largest budgets.
const LATE_TRIES: usize = 2;
/// Budgets above this many nodes are late ones.
const LATE_BUDGET: usize = 1 << 21;

/// A function of inputs, as a BDD.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    /// The inputs by level.
    pub inputs: Vec<Input>,
    pub bdd: FrozenBdd,
}

/// A module with its minimal cut sets, and its function if a BDD was built on the way.
#[derive(Debug, Clone)]
pub(crate) struct Solved {
    pub part: Part,
    /// The inputs by level of `family`.
    pub inputs: Vec<Input>,
    pub family: FrozenZbdd,
    pub function: Option<Function>,
    /// The least order of any cut set; `u32::MAX` if there is none within the limit.
    pub least_order: u32,
    /// Sets above the order limit may have been left out.
    pub cut: bool,
}

/// One way to solve a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    /// The BDD under an order, then its minimal solutions.
    Bdd(Heuristic),
    /// Families of sets from the start.
    Zbdd(Heuristic),
}

/// Solves one module; `solved` holds those that it may use.
pub(crate) fn solve(
    part: Part,
    solved: &[Solved],
    options: &Options,
    events: &[String],
) -> Result<Solved, CutSetError> {
    let coherent = part.is_syntactically_coherent();
    let strategies = strategies(&part, coherent, options);
    let mut ranking: Vec<(f64, Strategy)> = strategies.iter().map(|&s| (0.0, s)).collect();
    let mut budget = FIRST_BUDGET.min(options.max_nodes);
    let mut orders = Orders::default();
    loop {
        for (progress, strategy) in &mut ranking {
            // The best order costs more to find than a small module costs to solve: it is kept for
            // the second round, and goes first there.
            if *strategy == Strategy::Bdd(Heuristic::Drawn) && budget == FIRST_BUDGET {
                *progress = 1.0;
                continue;
            }
            let order = orders.get(&part, *strategy);
            match attempt(
                &part, *strategy, order, solved, options, budget, events, coherent,
            )? {
                Ok(mut result) => {
                    result.part = part;
                    return Ok(result);
                }
                Err(stopped) => *progress = stopped.progress,
            }
        }
        if budget >= options.max_nodes {
            return Err(CutSetError::TooLarge {
                nodes: options.max_nodes,
            });
        }
        budget = (budget * BUDGET_GROWTH).min(options.max_nodes);
        // Among equals the families go first: they may end where every order fails, and their
        // steps are bounded more tightly.
        let place = |strategy| match strategy {
            Strategy::Zbdd(_) => None,
            Strategy::Bdd(_) => strategies.iter().position(|s| *s == strategy),
        };
        ranking.sort_by(|a, b| b.0.total_cmp(&a.0).then(place(a.1).cmp(&place(b.1))));
        if budget > MIDDLE_BUDGET {
            ranking.truncate(MIDDLE_TRIES);
        }
        if budget > LATE_BUDGET {
            ranking.truncate(LATE_TRIES);
        }
    }
}

/// The orders that were already worked out, each for all budgets.
#[derive(Default)]
struct Orders(Vec<(Heuristic, Order)>);

impl Orders {
    fn get(&mut self, part: &Part, strategy: Strategy) -> &Order {
        let (Strategy::Bdd(heuristic) | Strategy::Zbdd(heuristic)) = strategy;
        let at = match self.0.iter().position(|(known, _)| *known == heuristic) {
            Some(at) => at,
            None => {
                self.0.push((heuristic, order(part, heuristic)));
                self.0.len() - 1
            }
        };
        &self.0[at].1
    }
}

fn strategies(part: &Part, coherent: bool, options: &Options) -> Vec<Strategy> {
    let mut bdd: Vec<Strategy> = Heuristic::ALL.map(Strategy::Bdd).to_vec();
    if part.gates.len() == 1 {
        bdd.truncate(1);
    }
    if coherent {
        let direct = Strategy::Zbdd(Heuristic::AsWritten);
        let place = if options.max_order.is_some() {
            0
        } else {
            bdd.len()
        };
        bdd.insert(place, direct);
    }
    bdd
}

#[allow(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename them"
)]
fn attempt(
    part: &Part,
    strategy: Strategy,
    order: &Order,
    solved: &[Solved],
    options: &Options,
    budget: usize,
    events: &[String],
    coherent: bool,
) -> Result<Result<Solved, Stopped>, CutSetError> {
    let inputs = by_level(part, order);
    let least: Vec<u32> = inputs.iter().map(|&i| least_order(i, solved)).collect();
    let (family, truncated, function) = match strategy {
        Strategy::Zbdd(_) => {
            let limit = options.max_order.unwrap_or(NO_LIMIT);
            match build::family(part, order, least.clone(), limit, budget) {
                Ok((family, truncated)) => (family, truncated, None),
                Err(stopped) => return Ok(Err(stopped)),
            }
        }
        Strategy::Bdd(_) => {
            let bdd = match build::function(part, order, budget) {
                Ok(bdd) => bdd,
                Err(stopped) => return Ok(Err(stopped)),
            };
            if !coherent {
                match bdd.first_non_monotone_level(budget.saturating_mul(64)) {
                    Ok(None) => {}
                    Ok(Some(level)) => {
                        let event = name(inputs[level as usize], solved, events);
                        return Err(CutSetError::NonCoherent { event });
                    }
                    Err(_) => return Ok(Err(Stopped { progress: 1.0 })),
                }
            }
            let mut zbdd = Zbdd::new(budget + budget / 2, least.clone());
            match zbdd.minimal_solutions(&bdd) {
                Ok(root) => {
                    let function = Function {
                        inputs: inputs.clone(),
                        bdd,
                    };
                    (zbdd.freeze(root), false, Some(function))
                }
                Err(_) => return Ok(Err(Stopped { progress: 1.0 })),
            }
        }
    };
    let inner_cut = inputs.iter().any(|&input| match input {
        Input::Module(module) => solved[module as usize].cut,
        Input::Event(_) => false,
    });
    Ok(Ok(Solved {
        part: Part::default(),
        least_order: family.least_order(&least),
        cut: inner_cut || truncated,
        inputs,
        family,
        function,
    }))
}

/// Builds the function of a module whose sets were found without it.
pub(crate) fn function(part: &Part, max_nodes: usize) -> Result<Function, CutSetError> {
    let mut budget = FIRST_BUDGET.min(max_nodes);
    loop {
        for heuristic in Heuristic::ALL {
            let order = order(part, heuristic);
            if let Ok(bdd) = build::function(part, &order, budget) {
                return Ok(Function {
                    inputs: by_level(part, &order),
                    bdd,
                });
            }
        }
        if budget >= max_nodes {
            return Err(CutSetError::TooLarge { nodes: max_nodes });
        }
        budget = (budget * BUDGET_GROWTH).min(max_nodes);
    }
}

fn least_order(input: Input, solved: &[Solved]) -> u32 {
    match input {
        Input::Event(_) => 1,
        Input::Module(module) => solved[module as usize].least_order,
    }
}

fn name(input: Input, solved: &[Solved], events: &[String]) -> String {
    let mut input = input;
    loop {
        match input {
            Input::Event(event) => return events[event as usize].clone(),
            Input::Module(module) => match solved[module as usize].inputs.first() {
                Some(&first) => input = first,
                None => return String::new(),
            },
        }
    }
}

fn by_level(part: &Part, order: &Order) -> Vec<Input> {
    let mut inputs = part.inputs.clone();
    for (input, &level) in part.inputs.iter().zip(&order.level_of_input) {
        inputs[level as usize] = *input;
    }
    inputs
}

impl FrozenZbdd {
    /// The least order of any set, where level `l` counts `least[l]`.
    fn least_order(&self, least: &[u32]) -> u32 {
        let mut orders = vec![u32::MAX; self.nodes.len()];
        orders[zbdd::UNIT as usize] = 0;
        for (at, &(level, lo, hi)) in self.nodes.iter().enumerate().skip(2) {
            let with = orders[hi as usize].saturating_add(least[level as usize]);
            orders[at] = orders[lo as usize].min(with);
        }
        orders[self.root as usize]
    }
}
