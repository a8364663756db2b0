//! The exact probability of the top event, and the importance of each basic event.
//!
//! One pass up each module's BDD gives the probability (Shannon's expansion), one pass down its
//! derivative by every input; modules chain by the product rule.

use super::engine::{self, Function};
use super::modules::Input;
use super::{CutSetError, EventId, Solution, on_stack};

/// How much a basic event matters to the top event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    /// The event.
    pub event: EventId,
    /// Birnbaum's measure: the probability of the top event if the event is certain, less that if
    /// it is impossible.
    pub birnbaum: f64,
    /// Fussell-Vesely's measure, as the share of the top event's probability that would go if the
    /// event were impossible. 0 where the top event is impossible.
    pub fussell_vesely: f64,
}

/// The probability of every module, with the functions that gave it.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub top: f64,
    modules: Vec<f64>,
    functions: Vec<Function>,
}

/// Checks the probabilities and evaluates all modules.
pub(super) fn evaluate(
    solution: &Solution,
    probabilities: &[f64],
) -> Result<Evaluation, CutSetError> {
    let mut modules = Vec::with_capacity(solution.modules.len());
    let mut functions = Vec::with_capacity(solution.modules.len());
    for module in &solution.modules {
        check(&module.inputs, probabilities)?;
        let function = match &module.function {
            Some(function) => function.clone(),
            None => on_stack(module.inputs.len(), || {
                engine::function(&module.part, solution.options.max_nodes)
            })?,
        };
        let values = up(&function, probabilities, &modules);
        modules.push(signed(&values, function.bdd.root));
        functions.push(function);
    }
    let constant = if solution.constant { 1.0 } else { 0.0 };
    Ok(Evaluation {
        top: modules.last().copied().unwrap_or(constant),
        modules,
        functions,
    })
}

fn check(inputs: &[Input], probabilities: &[f64]) -> Result<(), CutSetError> {
    for input in inputs {
        let Input::Event(event) = input else { continue };
        match probabilities.get(*event as usize) {
            Some(p) if (0.0..=1.0).contains(p) => {}
            Some(p) => {
                let message = format!("basic event {event} has probability {p}, not in 0 to 1");
                return Err(CutSetError::BadProbability { message });
            }
            None => {
                let message = format!("basic event {event} has no probability");
                return Err(CutSetError::BadProbability { message });
            }
        }
    }
    Ok(())
}

/// The importance of every event that the top event depends on.
pub(super) fn importance(
    solution: &Solution,
    probabilities: &[f64],
) -> Result<Vec<Importance>, CutSetError> {
    let evaluation = evaluate(solution, probabilities)?;
    let mut weight = vec![0.0; evaluation.modules.len()];
    if let Some(top) = weight.last_mut() {
        *top = 1.0;
    }
    let mut result = Vec::new();
    for (at, function) in evaluation.functions.iter().enumerate().rev() {
        let derivatives = down(function, probabilities, &evaluation.modules);
        for (&input, derivative) in function.inputs.iter().zip(derivatives) {
            let derivative = derivative * weight[at];
            match input {
                Input::Module(module) => weight[module as usize] += derivative,
                Input::Event(event) => {
                    let gone = derivative * probabilities[event as usize];
                    let top = evaluation.top;
                    result.push(Importance {
                        event: EventId(event),
                        birnbaum: derivative,
                        fussell_vesely: if top > 0.0 { gone / top } else { 0.0 },
                    });
                }
            }
        }
    }
    result.sort_by_key(|importance| importance.event);
    Ok(result)
}

fn of_input(input: Input, probabilities: &[f64], modules: &[f64]) -> f64 {
    match input {
        Input::Event(event) => probabilities[event as usize],
        Input::Module(module) => modules[module as usize],
    }
}

fn signed(values: &[f64], f: u32) -> f64 {
    let value = values[(f >> 1) as usize];
    if f & 1 == 1 { 1.0 - value } else { value }
}

/// The probability of each node's uncomplemented function.
fn up(function: &Function, probabilities: &[f64], modules: &[f64]) -> Vec<f64> {
    let mut values = vec![1.0; function.bdd.nodes.len()];
    for (at, &(level, lo, hi)) in function.bdd.nodes.iter().enumerate().skip(1) {
        let p = of_input(function.inputs[level as usize], probabilities, modules);
        values[at] = p * signed(&values, hi) + (1.0 - p) * signed(&values, lo);
    }
    values
}

/// The derivative of the function by each level's probability.
fn down(function: &Function, probabilities: &[f64], modules: &[f64]) -> Vec<f64> {
    let values = up(function, probabilities, modules);
    let mut reach = vec![0.0; values.len()];
    let sign = |f: u32| if f & 1 == 1 { -1.0 } else { 1.0 };
    reach[(function.bdd.root >> 1) as usize] = sign(function.bdd.root);
    let mut derivatives = vec![0.0; function.inputs.len()];
    for (at, &(level, lo, hi)) in function.bdd.nodes.iter().enumerate().skip(1).rev() {
        let p = of_input(function.inputs[level as usize], probabilities, modules);
        let here = reach[at];
        derivatives[level as usize] += here * (signed(&values, hi) - signed(&values, lo));
        reach[(hi >> 1) as usize] += here * p * sign(hi);
        reach[(lo >> 1) as usize] += here * (1.0 - p) * sign(lo);
    }
    derivatives
}
