//! The fault tree that a caller builds: named basic events and gates.

/// A basic event of a [`FaultTree`], by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u32);

/// A gate of a [`FaultTree`], by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GateId(pub u32);

/// What a gate takes as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arg {
    /// A basic event.
    Event(EventId),
    /// The output of another gate.
    Gate(GateId),
    /// A constant, as a house event gives it.
    Constant(bool),
}

impl From<EventId> for Arg {
    fn from(id: EventId) -> Self {
        Arg::Event(id)
    }
}

impl From<GateId> for Arg {
    fn from(id: GateId) -> Self {
        Arg::Gate(id)
    }
}

impl From<bool> for Arg {
    fn from(value: bool) -> Self {
        Arg::Constant(value)
    }
}

/// The Boolean operator of a gate, with the meaning that Open-PSA MEF gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// All arguments. Without any argument: true.
    And,
    /// Any argument. Without any argument: false.
    Or,
    /// At least so many of the arguments; an argument given twice counts twice.
    AtLeast(u32),
    /// Not the one argument.
    Not,
    /// An odd number of the arguments.
    Xor,
    /// Not all arguments.
    Nand,
    /// None of the arguments.
    Nor,
    /// Both arguments or neither.
    Iff,
    /// The second argument, or not the first.
    Imply,
    /// From `min` to `max` of the arguments, both included.
    Cardinality {
        /// The least number of true arguments.
        min: u32,
        /// The greatest number of true arguments.
        max: u32,
    },
}

/// A gate: its name, operator and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The name, for messages; empty for a formula that was nested in another gate.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// The arguments, in the order in which they were given.
    pub args: Vec<Arg>,
}

/// A fault tree (a directed acyclic graph, in truth): basic events and gates over them.
///
/// Gates may be declared before they are defined, so that references may run forward.
/// A gate that was declared and never defined is an `or` without arguments: it never occurs.
#[derive(Debug, Clone, Default)]
pub struct FaultTree {
    events: Vec<String>,
    gates: Vec<Gate>,
}

impl FaultTree {
    /// An empty fault tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a basic event. Two calls make two events, even with the same name.
    pub fn event(&mut self, name: impl Into<String>) -> EventId {
        self.events.push(name.into());
        EventId((self.events.len() - 1) as u32)
    }

    /// Adds a gate with its operator and arguments.
    pub fn gate(&mut self, name: impl Into<String>, op: Op, args: Vec<Arg>) -> GateId {
        let id = self.declare(name);
        self.define(id, op, args);
        id
    }

    /// Adds a gate whose definition follows with [`define`](Self::define).
    pub fn declare(&mut self, name: impl Into<String>) -> GateId {
        self.gates.push(Gate {
            name: name.into(),
            op: Op::Or,
            args: Vec::new(),
        });
        GateId((self.gates.len() - 1) as u32)
    }

    /// Gives a declared gate its operator and arguments.
    pub fn define(&mut self, id: GateId, op: Op, args: Vec<Arg>) {
        if let Some(gate) = self.gates.get_mut(id.0 as usize) {
            gate.op = op;
            gate.args = args;
        }
    }

    /// The names of all basic events, by number.
    pub fn events(&self) -> &[String] {
        &self.events
    }

    /// All gates, by number.
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }
}
