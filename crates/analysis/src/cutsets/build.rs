//! Builds the diagram of one module, gate by gate, under an order and a node budget.

use super::bdd::{self, Bdd, FrozenBdd};
use super::graph::{Kind, Lit};
use super::modules::Part;
use super::order::Order;
use super::store::Full;
use super::zbdd::{self, FrozenZbdd, Zbdd};

/// The budget ran out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stopped {
    /// The share of the gates that were finished, from 0 to 1.
    pub progress: f64,
}

/// Which operation stopped, counted against all gates.
fn stopped(part: &Part, finished: usize) -> Stopped {
    Stopped {
        progress: finished as f64 / part.gates.len() as f64,
    }
}

/// How often the result of each gate is still needed.
fn uses(part: &Part) -> Vec<u32> {
    let n = part.inputs.len();
    let mut uses = vec![0u32; part.gates.len()];
    for gate in &part.gates {
        for arg in gate.args.iter().filter(|a| a.node() >= n) {
            uses[arg.node() - n] += 1;
        }
    }
    uses
}

/// The module's function as a BDD.
///
/// # Errors
/// More than `limit` nodes were needed.
pub(crate) fn function(part: &Part, order: &Order, limit: usize) -> Result<FrozenBdd, Stopped> {
    let mut finished = 0;
    function_until(part, order, limit, &mut finished).map_err(|_| stopped(part, finished))
}

fn function_until(
    part: &Part,
    order: &Order,
    limit: usize,
    finished: &mut usize,
) -> Result<FrozenBdd, Full> {
    let n = part.inputs.len();
    let mut bdd = Bdd::new(limit);
    let mut uses = uses(part);
    let mut done: Vec<Option<bdd::Ref>> = vec![None; part.gates.len()];
    let mut root = bdd::FALSE;
    for &gate in &order.gates {
        let local = &part.gates[gate as usize];
        let mut args = Vec::with_capacity(local.args.len());
        for arg in &local.args {
            let f = match arg.node().checked_sub(n) {
                None => bdd.var(order.level_of_input[arg.node()])?,
                Some(child) => done[child].unwrap_or(bdd::FALSE),
            };
            args.push(f ^ (arg.0 & 1));
        }
        // Deep levels first: what is added on top leaves what lies below as it is.
        args.sort_by_key(|&f| std::cmp::Reverse(bdd.level(f)));
        let result = match local.kind {
            Kind::And => {
                let mut result = bdd::TRUE;
                for &arg in &args {
                    result = bdd.and(result, arg)?;
                }
                result
            }
            Kind::Or => {
                let mut result = bdd::FALSE;
                for &arg in &args {
                    result = bdd.or(result, arg)?;
                }
                result
            }
            Kind::AtLeast(min) => bdd.at_least(min as usize, &args)?,
            Kind::Xor => bdd.xor(args[0], args[1])?,
            Kind::Constant => bdd::TRUE,
            Kind::Var(_) => bdd::FALSE,
        };
        finish(&mut done, &mut uses, gate, result, &local.args, n);
        root = result;
        *finished += 1;
        bdd.collect(done.iter().copied().flatten());
    }
    Ok(bdd.freeze(root))
}

/// The module's minimal cut sets of orders up to `max_order`, bottom-up, and whether that limit
/// left out any set on the way.
///
/// # Errors
/// More than `limit` nodes were needed.
pub(crate) fn family(
    part: &Part,
    order: &Order,
    weights: Vec<u32>,
    max_order: u32,
    limit: usize,
) -> Result<(FrozenZbdd, bool), Stopped> {
    let mut finished = 0;
    family_until(
        part,
        order,
        Zbdd::new(limit, weights),
        max_order,
        &mut finished,
    )
    .map_err(|_| stopped(part, finished))
}

fn family_until(
    part: &Part,
    order: &Order,
    mut zbdd: Zbdd,
    max_order: u32,
    finished: &mut usize,
) -> Result<(FrozenZbdd, bool), Full> {
    let n = part.inputs.len();
    let mut uses = uses(part);
    let mut done: Vec<Option<u32>> = vec![None; part.gates.len()];
    let mut root = zbdd::EMPTY;
    for &gate in &order.gates {
        let local = &part.gates[gate as usize];
        let mut args = Vec::with_capacity(local.args.len());
        for arg in &local.args {
            args.push(match arg.node().checked_sub(n) {
                None => zbdd.single(order.level_of_input[arg.node()], max_order)?,
                Some(child) => done[child].unwrap_or(zbdd::EMPTY),
            });
        }
        args.sort_by_key(|&f| std::cmp::Reverse(zbdd.level(f)));
        let result = match local.kind {
            Kind::And => {
                let mut result = zbdd::UNIT;
                for &arg in &args {
                    result = if result == zbdd::UNIT {
                        arg
                    } else {
                        zbdd.product(result, arg, max_order)?
                    };
                }
                result
            }
            Kind::AtLeast(min) => zbdd.at_least(min as usize, &args, max_order)?,
            _ => {
                let mut result = zbdd::EMPTY;
                for &arg in &args {
                    result = zbdd.union(result, arg)?;
                }
                result
            }
        };
        finish(&mut done, &mut uses, gate, result, &local.args, n);
        root = result;
        *finished += 1;
        zbdd.collect(done.iter().copied().flatten());
    }
    Ok((zbdd.freeze(root), zbdd.truncated()))
}

/// Keeps a gate's result, and lets go of its arguments that nobody else waits for.
fn finish(
    done: &mut [Option<u32>],
    uses: &mut [u32],
    gate: u32,
    result: u32,
    args: &[Lit],
    inputs: usize,
) {
    done[gate as usize] = Some(result);
    for child in args.iter().filter_map(|a| a.node().checked_sub(inputs)) {
        uses[child] -= 1;
        if uses[child] == 0 {
            done[child] = None;
        }
    }
}
