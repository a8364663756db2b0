//! Definitions to a model: names resolved, circles and duplicates refused.

use std::collections::HashMap;

use super::expression::{ExprId, Table};
use super::read::{Body, Formula, Place, Raw, Wanted, join};
use super::{MefError, Model, Target};
use crate::cutsets::{Arg, FaultTree, GateId, Op};

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
struct Entry {
    definition: usize,
    target: Target,
    kind: Wanted,
}

/// Names of one kind (events, or parameters) under the scoping rules.
#[derive(Debug)]
struct Names<T> {
    public: HashMap<String, T>,
    by_path: HashMap<String, T>,
}

impl<T: Copy> Names<T> {
    fn new() -> Self {
        Names {
            public: HashMap::new(),
            by_path: HashMap::new(),
        }
    }

    /// Adds a definition; gives back the earlier one that it collides with.
    fn add(&mut self, scope: &str, name: &str, private: bool, value: T) -> Option<T> {
        let path = join(scope, name);
        if let Some(earlier) = self.by_path.insert(path, value) {
            return Some(earlier);
        }
        if private {
            None
        } else {
            self.public.insert(name.to_owned(), value)
        }
    }

    /// Looks a reference up: in the scope, then in those around it, then among the public names.
    fn find(&self, reference: &str, scope: &str) -> Option<T> {
        let mut scope = scope;
        while !scope.is_empty() {
            if let Some(&found) = self.by_path.get(&join(scope, reference)) {
                return Some(found);
            }
            scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
        let by_path = self.by_path.get(reference);
        by_path
            .filter(|_| reference.contains('.'))
            .or_else(|| self.public.get(reference))
            .copied()
    }
}

/// Builds the model.
pub(super) fn build(raw: &Raw<'_>) -> Result<Model, MefError> {
    containers(raw)?;
    let mut tree = FaultTree::new();
    let (names, named, event_expressions) = declare(raw, &mut tree)?;
    let args = formulas(raw, &names, &mut tree)?;
    for (gate, definition) in &named {
        if let Body::Gate { formula } = raw.definitions[*definition].body {
            define(raw, &mut tree, *gate, formula, &args);
        }
    }
    let expressions = parameters(raw)?;
    circles(raw, &tree, &named)?;
    let roots = roots(&tree, &named);
    let path = |at: usize| join(&raw.definitions[at].scope, &raw.definitions[at].name);
    let named = named
        .iter()
        .map(|&(gate, definition)| (gate, path(definition)))
        .collect();
    Ok(Model {
        name: raw.name.clone(),
        tree,
        named,
        roots,
        expressions,
        event_expressions,
    })
}

fn containers(raw: &Raw<'_>) -> Result<(), MefError> {
    let mut seen: HashMap<&str, Place> = HashMap::new();
    for (path, place) in &raw.containers {
        if let Some(earlier) = seen.insert(path, *place) {
            let at = raw.describe(earlier);
            return Err(raw.error(*place, format!("{path:?} is already defined at {at}")));
        }
    }
    Ok(())
}

type Declared = (Names<Entry>, Vec<(GateId, usize)>, Vec<Option<ExprId>>);

/// Gives every event its place in the tree.
fn declare(raw: &Raw<'_>, tree: &mut FaultTree) -> Result<Declared, MefError> {
    let mut names = Names::new();
    let mut gates = Vec::new();
    let mut expressions = Vec::new();
    for (number, definition) in raw.definitions.iter().enumerate() {
        let name = if definition.private {
            join(&definition.scope, &definition.name)
        } else {
            definition.name.clone()
        };
        let (target, kind): (Target, Wanted) = match definition.body {
            Body::Gate { .. } => {
                let gate = tree.declare(name);
                gates.push((gate, number));
                (gate.into(), Wanted::Gate)
            }
            Body::HouseEvent { value } => (value.into(), Wanted::HouseEvent),
            Body::BasicEvent { expression } => {
                expressions.push(expression);
                (tree.event(name).into(), Wanted::BasicEvent)
            }
            Body::Parameter { .. } => continue,
        };
        let entry = Entry {
            definition: number,
            target,
            kind,
        };
        let clash = names.add(
            &definition.scope,
            &definition.name,
            definition.private,
            entry,
        );
        if let Some(earlier) = clash {
            let at = raw.describe(raw.definitions[earlier.definition].place);
            let message = format!("event {:?} is already defined at {at}", definition.name);
            return Err(raw.error(definition.place, message));
        }
    }
    Ok((names, gates, expressions))
}

/// Turns every formula into an argument; nested operators become gates without a name.
fn formulas(
    raw: &Raw<'_>,
    names: &Names<Entry>,
    tree: &mut FaultTree,
) -> Result<Vec<Arg>, MefError> {
    let mut top_level = vec![false; raw.formulas.len()];
    for definition in &raw.definitions {
        if let Body::Gate { formula } = definition.body {
            top_level[formula] = true;
        }
    }
    let mut args: Vec<Arg> = Vec::with_capacity(raw.formulas.len());
    for (number, (formula, place)) in raw.formulas.iter().enumerate() {
        args.push(match formula {
            Formula::Constant(value) => Arg::Constant(*value),
            Formula::Reference { name, wanted } => {
                let scope = &raw.scopes[raw.formula_scopes[number]];
                resolve(raw, names, name, *wanted, scope, *place)?
            }
            // The gate that this formula defines takes its place.
            Formula::Operator { .. } if top_level[number] => Arg::Constant(false),
            Formula::Operator { op, args: inner } => {
                let inner = inner.iter().map(|&i| args[i]).collect();
                tree.gate("", *op, inner).into()
            }
        });
    }
    Ok(args)
}

fn resolve(
    raw: &Raw<'_>,
    names: &Names<Entry>,
    name: &str,
    wanted: Wanted,
    scope: &str,
    place: Place,
) -> Result<Target, MefError> {
    let what = match wanted {
        Wanted::Any => "event",
        Wanted::Gate => "gate",
        Wanted::BasicEvent => "basic event",
        Wanted::HouseEvent => "house event",
    };
    match names.find(name, scope) {
        Some(entry) if wanted == Wanted::Any || wanted == entry.kind => Ok(entry.target),
        Some(entry) => {
            let at = raw.describe(raw.definitions[entry.definition].place);
            let message = format!("{name:?} is not a {what}: see its definition at {at}");
            Err(raw.error(place, message))
        }
        None => {
            let message = format!(
                "{what} {name:?} is not defined; if another file defines it, give that file too"
            );
            Err(raw.error(place, message))
        }
    }
}

fn define(raw: &Raw<'_>, tree: &mut FaultTree, gate: GateId, formula: usize, args: &[Arg]) {
    match &raw.formulas[formula].0 {
        Formula::Operator { op, args: inner } => {
            tree.define(gate, *op, inner.iter().map(|&i| args[i]).collect());
        }
        _ => tree.define(gate, Op::And, vec![args[formula]]),
    }
}

/// Resolves the parameters that expressions refer to.
fn parameters(raw: &Raw<'_>) -> Result<Table, MefError> {
    let mut names = Names::new();
    for (number, definition) in raw.definitions.iter().enumerate() {
        if let Body::Parameter { expression } = definition.body {
            let entry = (number, expression);
            let clash = names.add(
                &definition.scope,
                &definition.name,
                definition.private,
                entry,
            );
            if let Some((earlier, _)) = clash {
                let at = raw.describe(raw.definitions[earlier].place);
                let message = format!("parameter {:?} is already defined at {at}", definition.name);
                return Err(raw.error(definition.place, message));
            }
        }
    }
    let mut table = raw.expressions.clone();
    for (place, name, scope, target) in table.parameters() {
        match names.find(name, scope) {
            Some((_, expression)) => *target = Some(expression),
            None => {
                return Err(raw.error(place, format!("parameter {name:?} is not defined")));
            }
        }
    }
    Ok(table)
}

/// Refuses gates that are their own cause, and names the loop.
fn circles(raw: &Raw<'_>, tree: &FaultTree, named: &[(GateId, usize)]) -> Result<(), MefError> {
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut state = vec![0u8; tree.gates().len()];
    for (start, _) in named {
        let mut stack = vec![(start.0 as usize, 0usize)];
        while let Some((gate, next)) = stack.last_mut() {
            if *next == 0 {
                if state[*gate] == DONE {
                    stack.pop();
                    continue;
                }
                state[*gate] = OPEN;
            }
            let Some(arg) = tree.gates()[*gate].args.get(*next) else {
                state[*gate] = DONE;
                stack.pop();
                continue;
            };
            *next += 1;
            if let Arg::Gate(child) = *arg {
                if state[child.0 as usize] == OPEN {
                    return Err(circle(raw, tree, named, &stack, child));
                }
                stack.push((child.0 as usize, 0));
            }
        }
    }
    Ok(())
}

fn circle(
    raw: &Raw<'_>,
    tree: &FaultTree,
    named: &[(GateId, usize)],
    stack: &[(usize, usize)],
    closing: GateId,
) -> MefError {
    let start = stack
        .iter()
        .position(|(gate, _)| *gate == closing.0 as usize);
    let on_loop = &stack[start.unwrap_or(0)..];
    let mut loop_gates: Vec<usize> = on_loop
        .iter()
        .map(|(gate, _)| *gate)
        .filter(|&gate| !tree.gates()[gate].name.is_empty())
        .collect();
    loop_gates.extend(loop_gates.first().copied());
    let path: Vec<&str> = loop_gates
        .iter()
        .map(|&gate| tree.gates()[gate].name.as_str())
        .collect();
    let definition = named
        .iter()
        .find(|(gate, _)| Some(&(gate.0 as usize)) == loop_gates.first());
    let place = definition.map_or(Place { file: 0, offset: 0 }, |&(_, number)| {
        raw.definitions[number].place
    });
    raw.error(
        place,
        format!("the gates form a circle: {}", path.join(" -> ")),
    )
}

/// The named gates that no gate references.
fn roots(tree: &FaultTree, named: &[(GateId, usize)]) -> Vec<GateId> {
    let mut referenced = vec![false; tree.gates().len()];
    for gate in tree.gates() {
        for arg in &gate.args {
            if let Arg::Gate(child) = arg {
                referenced[child.0 as usize] = true;
            }
        }
    }
    let is_root = |gate: &GateId| !referenced[gate.0 as usize];
    named
        .iter()
        .map(|(gate, _)| *gate)
        .filter(is_root)
        .collect()
}
