//! Lists minimal cut sets by order, straight from the diagrams.

use super::engine::Solved;
use super::modules::Input;
use super::zbdd::{EMPTY, UNIT};
use super::{EventId, Solution};

/// What remains to be chosen: a set of exactly so many events from one node, then the next task.
#[derive(Debug, Clone, Copy)]
struct Task {
    module: u32,
    node: u32,
    order: u32,
    next: Option<u32>,
}

/// A choice not yet followed.
#[derive(Debug, Clone, Copy)]
struct Branch {
    agenda: Option<u32>,
    chosen: usize,
    tasks: usize,
}

/// The minimal cut sets, single events first. Each set is sorted by event number.
///
/// No step leads into a dead end, so the next set costs only its own length times the depth.
#[derive(Debug)]
pub struct Sets<'a> {
    modules: &'a [Solved],
    /// For each module, for each node: the orders of the sets below it, ascending.
    orders: Vec<Vec<Vec<u32>>>,
    /// Orders of the top that are still to be listed, the next one last.
    remaining: Vec<u32>,
    tasks: Vec<Task>,
    branches: Vec<Branch>,
    chosen: Vec<EventId>,
    empty_set: bool,
}

impl<'a> Sets<'a> {
    pub(super) fn new(solution: &'a Solution) -> Self {
        let limit = solution.options.max_order.unwrap_or(u32::MAX);
        let mut orders: Vec<Vec<Vec<u32>>> = Vec::with_capacity(solution.modules.len());
        for module in &solution.modules {
            let found = orders_of(module, &solution.modules, &orders, limit);
            orders.push(found);
        }
        let mut remaining = Vec::new();
        if let (Some(top), Some(found)) = (solution.modules.last(), orders.last()) {
            remaining.clone_from(&found[top.family.root as usize]);
            remaining.reverse();
        }
        Sets {
            modules: &solution.modules,
            orders,
            remaining,
            tasks: Vec::new(),
            branches: Vec::new(),
            chosen: Vec::new(),
            empty_set: solution.modules.is_empty() && solution.constant,
        }
    }

    fn push(&mut self, module: u32, node: u32, order: u32, next: Option<u32>) -> Option<u32> {
        self.tasks.push(Task {
            module,
            node,
            order,
            next,
        });
        Some((self.tasks.len() - 1) as u32)
    }

    fn branch(&mut self, agenda: Option<u32>) {
        self.branches.push(Branch {
            agenda,
            chosen: self.chosen.len(),
            tasks: self.tasks.len(),
        });
    }

    fn has(&self, module: u32, node: u32, order: u32) -> bool {
        self.orders[module as usize][node as usize]
            .binary_search(&order)
            .is_ok()
    }

    /// Does one task, leaving its other choices as branches; gives the agenda that follows.
    fn step(&mut self, task: Task) -> Option<u32> {
        if task.node == UNIT || task.node == EMPTY {
            return task.next;
        }
        let module = &self.modules[task.module as usize];
        let (level, lo, hi) = module.family.nodes[task.node as usize];
        if self.has(task.module, lo, task.order) {
            let agenda = self.push(task.module, lo, task.order, task.next);
            self.branch(agenda);
        }
        match module.inputs[level as usize] {
            Input::Event(event) => {
                if task.order > 0 && self.has(task.module, hi, task.order - 1) {
                    self.chosen.push(EventId(event));
                    return self.push(task.module, hi, task.order - 1, task.next);
                }
            }
            Input::Module(inner) => {
                let root = self.modules[inner as usize].family.root;
                for i in 0..self.orders[inner as usize][root as usize].len() {
                    let order = self.orders[inner as usize][root as usize][i];
                    if order <= task.order && self.has(task.module, hi, task.order - order) {
                        let rest = self.push(task.module, hi, task.order - order, task.next);
                        let agenda = self.push(inner, root, order, rest);
                        self.branch(agenda);
                    }
                }
            }
        }
        // One of the branches just made continues this set: every task has at least one.
        let branch = self.branches.pop()?;
        branch.agenda
    }
}

impl Iterator for Sets<'_> {
    type Item = Vec<EventId>;

    fn next(&mut self) -> Option<Vec<EventId>> {
        if std::mem::take(&mut self.empty_set) {
            return Some(Vec::new());
        }
        let mut agenda = if let Some(branch) = self.branches.pop() {
            self.chosen.truncate(branch.chosen);
            self.tasks.truncate(branch.tasks);
            branch.agenda
        } else {
            let order = self.remaining.pop()?;
            self.chosen.clear();
            self.tasks.clear();
            let top = self.modules.len() - 1;
            self.push(top as u32, self.modules[top].family.root, order, None)
        };
        while let Some(at) = agenda {
            agenda = self.step(self.tasks[at as usize]);
        }
        let mut set = self.chosen.clone();
        set.sort_unstable();
        Some(set)
    }
}

/// The orders of the sets below each node, ascending and up to the limit.
fn orders_of(
    module: &Solved,
    modules: &[Solved],
    solved: &[Vec<Vec<u32>>],
    limit: u32,
) -> Vec<Vec<u32>> {
    let mut orders: Vec<Vec<u32>> = vec![Vec::new(), vec![0]];
    for &(level, lo, hi) in module.family.nodes.iter().skip(2) {
        let mut found = orders[lo as usize].clone();
        let with = &orders[hi as usize];
        match module.inputs[level as usize] {
            Input::Event(_) => found.extend(with.iter().map(|order| order + 1)),
            Input::Module(inner) => {
                let root = modules[inner as usize].family.root;
                for own in &solved[inner as usize][root as usize] {
                    found.extend(with.iter().map(|order| order.saturating_add(*own)));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|&order| order <= limit);
        orders.push(found);
    }
    orders
}
