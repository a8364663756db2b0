//! YAML to a small tree that knows the place of each node.
//!
//! Built from saphyr-parser's events, not by a loader: duplicate keys, depth and aliases stay in
//! our hands, so that no file can make it recurse or grow without bound.

use crate::SyntaxError;
use saphyr_parser::{Event, Parser, Span};
use std::collections::BTreeMap;

/// Deepest nesting that is read; netplan itself needs six levels.
const DEEPEST: usize = 64;
/// Most nodes that aliases may add.
const MOST_ALIASED: usize = 10_000;

/// A node and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: u32,
    pub column: u32,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A scalar as text; plain `null`, `~` and nothing at all are empty.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The scalar's text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// A mapping's keys and values, in order; nothing for what is no mapping.
    pub(super) fn pairs(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// The same by their scalar keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.pairs()
            .iter()
            .filter_map(|(key, node)| Some((key.text()?, node)))
    }

    /// A mapping's value; of equal keys the last.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .filter(|(k, _)| *k == key)
            .last()
            .map(|(_, n)| n)
    }

    /// A sequence's members; a scalar that is not empty is a sequence of one.
    pub(super) fn members(&self) -> &[Self] {
        match &self.value {
            Value::List(members) => members,
            Value::Scalar(text) if !text.is_empty() => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// An error at this place.
    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.line, self.column, message)
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::List(members) => members.iter().map(Self::size).sum(),
            Value::Map(pairs) => pairs.iter().map(|(k, v)| k.size() + v.size()).sum(),
        }
    }
}

/// A collection that is not closed yet.
struct Open {
    line: u32,
    column: u32,
    anchor: usize,
    map: bool,
    nodes: Vec<Node>,
}

/// Reads the first document; `None` where the text holds none.
pub(super) fn read(text: &str) -> Result<Option<Node>, SyntaxError> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: BTreeMap<usize, Node> = BTreeMap::new();
    let mut aliased = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            SyntaxError::new(place(at.line()), place(at.col() + 1), error.info())
        })?;
        let (line, column) = start(&span);
        let done = match event {
            Event::Scalar(text, style, anchor, _) => {
                let null = matches!(style, saphyr_parser::ScalarStyle::Plain)
                    && matches!(&*text, "~" | "null" | "Null" | "NULL");
                let text = if null {
                    String::new()
                } else {
                    text.into_owned()
                };
                let value = Value::Scalar(text);
                Some((
                    anchor,
                    Node {
                        line,
                        column,
                        value,
                    },
                ))
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                if open.len() >= DEEPEST {
                    return Err(SyntaxError::new(line, column, "nested too deeply"));
                }
                open.push(Open {
                    line,
                    column,
                    anchor,
                    map: matches!(event, Event::MappingStart(..)),
                    nodes: Vec::new(),
                });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(close),
            Event::Alias(anchor) => {
                let node = anchors.get(&anchor).cloned().ok_or_else(|| {
                    SyntaxError::new(line, column, "an alias (`*name`) without its anchor")
                })?;
                aliased += node.size();
                if aliased > MOST_ALIASED {
                    return Err(SyntaxError::new(line, column, "aliases repeat too much"));
                }
                Some((0, node))
            }
            _ => None,
        };
        let Some((anchor, node)) = done else { continue };
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => return Ok(Some(node)),
        }
    }
    Ok(None)
}

fn close(open: Open) -> (usize, Node) {
    let value = if open.map {
        let mut pairs = Vec::with_capacity(open.nodes.len() / 2);
        let mut nodes = open.nodes.into_iter();
        while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
            pairs.push((key, value));
        }
        Value::Map(pairs)
    } else {
        Value::List(open.nodes)
    };
    let (line, column) = (open.line, open.column);
    (
        open.anchor,
        Node {
            line,
            column,
            value,
        },
    )
}

fn start(span: &Span) -> (u32, u32) {
    (place(span.start.line()), place(span.start.col() + 1))
}

fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}
