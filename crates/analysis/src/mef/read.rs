//! XML to definitions: every element checked for its form, names not yet resolved.

use roxmltree::{Document, Node, ParsingOptions};

use super::MefError;
use super::expression::{Expr, ExprId, Table};
use crate::cutsets::Op;

/// A place in a file: its number and a byte offset. Line and column are counted when an error
/// needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub file: usize,
    pub offset: usize,
}

/// What kind of event a reference asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    Gate,
    BasicEvent,
    HouseEvent,
}

/// A formula as written. Arguments are numbers of formulas in the same file set.
#[derive(Debug)]
pub(super) enum Formula {
    Operator { op: Op, args: Vec<usize> },
    Reference { name: String, wanted: Wanted },
    Constant(bool),
}

/// What a definition defines.
#[derive(Debug)]
pub(super) enum Body {
    Gate { formula: usize },
    HouseEvent { value: bool },
    BasicEvent { expression: Option<ExprId> },
    Parameter { expression: ExprId },
}

/// A named definition in its scope.
#[derive(Debug)]
pub(super) struct Definition {
    pub name: String,
    /// The path of the containers around it, joined with dots; empty in model data.
    pub scope: String,
    pub private: bool,
    pub place: Place,
    pub body: Body,
}

/// All files, read and checked one by one.
#[derive(Debug)]
pub(super) struct Raw<'f> {
    pub files: &'f [(String, String)],
    pub name: Option<String>,
    pub definitions: Vec<Definition>,
    pub formulas: Vec<(Formula, Place)>,
    /// The scope in which each formula's names are looked up.
    pub formula_scopes: Vec<usize>,
    pub scopes: Vec<String>,
    /// Fault trees and components, for duplicates: full path and place.
    pub containers: Vec<(String, Place)>,
    pub expressions: Table,
}

impl Raw<'_> {
    pub fn error(&self, place: Place, message: impl Into<String>) -> MefError {
        let (line, column) = self.line_and_column(place);
        MefError {
            file: self.file_name(place).to_owned(),
            line,
            column,
            message: message.into(),
        }
    }

    /// The place as file:line:column.
    pub fn describe(&self, place: Place) -> String {
        let (line, column) = self.line_and_column(place);
        format!("{}:{line}:{column}", self.file_name(place))
    }

    fn file_name(&self, place: Place) -> &str {
        self.files.get(place.file).map_or("", |(name, _)| name)
    }

    fn line_and_column(&self, place: Place) -> (u32, u32) {
        let text = self.files.get(place.file).map_or("", |(_, text)| text);
        let before = text.get(..place.offset).unwrap_or(text);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or("");
        (line as u32, last.chars().count() as u32 + 1)
    }
}

/// Reads all files.
pub(super) fn read(files: &[(String, String)]) -> Result<Raw<'_>, MefError> {
    let mut raw = Raw {
        files,
        name: None,
        definitions: Vec::new(),
        formulas: Vec::new(),
        formula_scopes: Vec::new(),
        scopes: Vec::new(),
        containers: Vec::new(),
        expressions: Table::default(),
    };
    for (number, (name, text)) in files.iter().enumerate() {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options).map_err(|error| MefError {
            file: name.clone(),
            line: error.pos().row,
            column: error.pos().col,
            message: format!("not well-formed XML: {}", without_position(&error)),
        })?;
        let mut reader = Reader {
            raw: &mut raw,
            file: number,
        };
        reader.model(document.root_element())?;
    }
    Ok(raw)
}

/// The XML library's message without its own " at LINE:COLUMN".
fn without_position(error: &roxmltree::Error) -> String {
    let text = error.to_string();
    let at = format!(" at {}", error.pos());
    text.replace(&at, "")
}

/// A container whose children are read: scope number and whether its elements are private.
#[derive(Clone, Copy)]
struct Scope {
    number: usize,
    private: bool,
}

struct Reader<'a, 'f> {
    raw: &'a mut Raw<'f>,
    file: usize,
}

type Element<'a, 'i> = Node<'a, 'i>;

fn elements<'a, 'i: 'a>(node: Element<'a, 'i>) -> impl Iterator<Item = Element<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// Elements that may stand beside a definition's content and mean nothing to the analysis.
fn is_remark(node: &Element<'_, '_>) -> bool {
    matches!(node.tag_name().name(), "label" | "attributes")
}

fn content<'a, 'i: 'a>(node: Element<'a, 'i>) -> impl Iterator<Item = Element<'a, 'i>> {
    elements(node).filter(|child| !is_remark(child))
}

impl Reader<'_, '_> {
    fn place(&self, node: Element<'_, '_>) -> Place {
        Place {
            file: self.file,
            offset: node.range().start,
        }
    }

    fn fail<T>(&self, node: Element<'_, '_>, message: impl Into<String>) -> Result<T, MefError> {
        Err(self.raw.error(self.place(node), message))
    }

    fn attribute<'n>(&self, node: Element<'n, '_>, name: &str) -> Result<&'n str, MefError> {
        match node.attribute(name).map(str::trim) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => {
                let tag = node.tag_name().name();
                self.fail(node, format!("<{tag}> needs the attribute {name:?}"))
            }
        }
    }

    fn number(&self, node: Element<'_, '_>, name: &str) -> Result<u32, MefError> {
        let text = self.attribute(node, name)?;
        match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => self.fail(
                node,
                format!("{name}={text:?} is not a whole number from 0"),
            ),
        }
    }

    fn model(&mut self, root: Element<'_, '_>) -> Result<(), MefError> {
        let tag = root.tag_name().name();
        if tag != "opsa-mef" {
            return self.fail(root, format!("expected <opsa-mef>, found <{tag}>"));
        }
        if self.raw.name.is_none() {
            self.raw.name = root.attribute("name").map(str::to_owned);
        }
        let top = self.scope(String::new(), false);
        for child in content(root) {
            match child.tag_name().name() {
                "define-fault-tree" => self.container(child, top)?,
                "model-data" => self.members(child, top)?,
                "define-substitution" => {
                    return self.fail(child, "substitutions are not supported");
                }
                "include" => return self.fail(child, INCLUDE),
                tag if tag.starts_with("define-") => {}
                tag => return self.fail(child, format!("unknown element <{tag}> in a model")),
            }
        }
        Ok(())
    }

    fn scope(&mut self, path: String, private: bool) -> Scope {
        self.raw.scopes.push(path);
        Scope {
            number: self.raw.scopes.len() - 1,
            private,
        }
    }

    /// A fault tree or a component, and all containers in it.
    fn container(&mut self, node: Element<'_, '_>, outer: Scope) -> Result<(), MefError> {
        let mut waiting = vec![(node, outer)];
        while let Some((node, outer)) = waiting.pop() {
            let name = self.name(node)?;
            let path = join(&self.raw.scopes[outer.number], name);
            let place = self.place(node);
            self.raw.containers.push((path.clone(), place));
            let private = self.role(node, outer.private)?;
            let scope = self.scope(path, private);
            let mut inner = Vec::new();
            for child in content(node) {
                match child.tag_name().name() {
                    "define-component" => inner.push((child, scope)),
                    "model-data" => self.members(child, scope)?,
                    "include" => return self.fail(child, INCLUDE),
                    _ => self.member(child, scope)?,
                }
            }
            waiting.extend(inner.into_iter().rev());
        }
        Ok(())
    }

    fn members(&mut self, node: Element<'_, '_>, scope: Scope) -> Result<(), MefError> {
        for child in content(node) {
            self.member(child, scope)?;
        }
        Ok(())
    }

    fn member(&mut self, node: Element<'_, '_>, scope: Scope) -> Result<(), MefError> {
        let body = match node.tag_name().name() {
            "define-gate" => {
                let formula = self.only(node, "a formula")?;
                let formula = self.formula(formula, scope)?;
                Body::Gate { formula }
            }
            "define-house-event" => {
                let mut children = content(node);
                let value = match children.next() {
                    None => false,
                    Some(child) if child.tag_name().name() == "constant" => self.boolean(child)?,
                    Some(child) => return self.fail(child, "a house event takes <constant>"),
                };
                Body::HouseEvent { value }
            }
            "define-basic-event" => {
                let expression = match content(node).next() {
                    None => None,
                    Some(child) => Some(self.expression(child, scope)?),
                };
                Body::BasicEvent { expression }
            }
            "define-parameter" => {
                let expression = self.only(node, "an expression")?;
                Body::Parameter {
                    expression: self.expression(expression, scope)?,
                }
            }
            "define-CCF-group" => return Ok(()),
            "define-extern-function" | "define-extern-library" => return Ok(()),
            "include" => return self.fail(node, INCLUDE),
            tag => return self.fail(node, format!("unknown element <{tag}> here")),
        };
        let definition = Definition {
            name: self.name(node)?.to_owned(),
            scope: self.raw.scopes[scope.number].clone(),
            private: self.role(node, scope.private)?,
            place: self.place(node),
            body,
        };
        self.raw.definitions.push(definition);
        Ok(())
    }

    /// A name. The format keeps the dot for paths; other programs write names such as `P-1.A` all
    /// the same, and as long as none of them is another's path, they are as good as any.
    fn name<'n>(&self, node: Element<'n, '_>) -> Result<&'n str, MefError> {
        self.attribute(node, "name")
    }

    fn role(&self, node: Element<'_, '_>, inherited: bool) -> Result<bool, MefError> {
        match node.attribute("role") {
            None => Ok(inherited),
            Some("private") => Ok(true),
            Some("public") => Ok(false),
            Some(other) => self.fail(
                node,
                format!("role={other:?} is neither public nor private"),
            ),
        }
    }

    fn boolean(&self, node: Element<'_, '_>) -> Result<bool, MefError> {
        match self.attribute(node, "value")? {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => self.fail(node, format!("value={other:?} is neither true nor false")),
        }
    }

    fn only<'n, 'i: 'n>(
        &self,
        node: Element<'n, 'i>,
        what: &str,
    ) -> Result<Element<'n, 'i>, MefError> {
        let mut children = content(node);
        let tag = node.tag_name().name();
        let Some(first) = children.next() else {
            return self.fail(node, format!("<{tag}> needs {what}"));
        };
        match children.next() {
            None => Ok(first),
            Some(second) => {
                let extra = second.tag_name().name();
                self.fail(
                    second,
                    format!("<{tag}> takes only one child; <{extra}> is too many"),
                )
            }
        }
    }

    /// A formula and all formulas nested in it; depth costs no stack.
    fn formula(&mut self, node: Element<'_, '_>, scope: Scope) -> Result<usize, MefError> {
        let mut frame = Frame::new(node);
        let mut outer: Vec<Frame<'_, '_>> = Vec::new();
        loop {
            if let Some(child) = frame.children.pop() {
                outer.push(std::mem::replace(&mut frame, Frame::new(child)));
                continue;
            }
            let formula = self.one_formula(frame.node, frame.args)?;
            let place = self.place(frame.node);
            self.raw.formulas.push((formula, place));
            self.raw.formula_scopes.push(scope.number);
            let number = self.raw.formulas.len() - 1;
            match outer.pop() {
                Some(parent) => frame = parent,
                None => return Ok(number),
            }
            frame.args.push(number);
        }
    }

    fn one_formula(&self, node: Element<'_, '_>, args: Vec<usize>) -> Result<Formula, MefError> {
        let n = args.len();
        let tag = node.tag_name().name();
        let reference = |wanted| {
            let name = self.attribute(node, "name")?.to_owned();
            Ok(Formula::Reference { name, wanted })
        };
        let (op, least, most) = match tag {
            "event" => {
                return reference(match node.attribute("type") {
                    None => Wanted::Any,
                    Some("gate") => Wanted::Gate,
                    Some("basic-event") => Wanted::BasicEvent,
                    Some("house-event") => Wanted::HouseEvent,
                    Some(other) => return self.fail(node, format!("unknown type {other:?}")),
                });
            }
            "gate" => return reference(Wanted::Gate),
            "basic-event" => return reference(Wanted::BasicEvent),
            "house-event" => return reference(Wanted::HouseEvent),
            "constant" => return Ok(Formula::Constant(self.boolean(node)?)),
            "and" => (Op::And, 1, usize::MAX),
            "or" => (Op::Or, 1, usize::MAX),
            "nand" => (Op::Nand, 1, usize::MAX),
            "nor" => (Op::Nor, 1, usize::MAX),
            "not" => (Op::Not, 1, 1),
            "xor" => (Op::Xor, 2, 2),
            "iff" => (Op::Iff, 2, 2),
            "imply" => (Op::Imply, 2, 2),
            "atleast" => (Op::AtLeast(self.number(node, "min")?), 1, usize::MAX),
            "cardinality" => {
                let (min, max) = (self.number(node, "min")?, self.number(node, "max")?);
                if min > max {
                    return self.fail(node, format!("min={min} is greater than max={max}"));
                }
                (Op::Cardinality { min, max }, 1, usize::MAX)
            }
            "include" => return self.fail(node, INCLUDE),
            _ => return self.fail(node, format!("unknown operator <{tag}> in a formula")),
        };
        if n < least {
            let message = format!("<{tag}> needs at least {least} argument(s), found {n}");
            return self.fail(node, message);
        }
        if n > most {
            return self.fail(node, format!("<{tag}> takes {most} argument(s), found {n}"));
        }
        if let Op::AtLeast(min) = op
            && min as usize > n
        {
            return self.fail(
                node,
                format!("<atleast min=\"{min}\"> has only {n} argument(s)"),
            );
        }
        Ok(Formula::Operator { op, args })
    }

    /// An expression for a probability. What is not understood is kept as unknown, not refused:
    /// cut sets do not need it.
    fn expression(&mut self, node: Element<'_, '_>, scope: Scope) -> Result<ExprId, MefError> {
        self.expression_at(node, scope, 0)
    }

    fn expression_at(
        &mut self,
        node: Element<'_, '_>,
        scope: Scope,
        depth: usize,
    ) -> Result<ExprId, MefError> {
        let tag = node.tag_name().name();
        let expr = match tag {
            "float" | "int" => {
                let text = self.attribute(node, "value")?;
                match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Expr::Number(value),
                    _ => return self.fail(node, format!("value={text:?} is not a number")),
                }
            }
            "parameter" => Expr::Parameter {
                name: self.attribute(node, "name")?.to_owned(),
                scope: self.raw.scopes[scope.number].clone(),
                target: None,
            },
            "system-mission-time" => Expr::MissionTime,
            "pi" => Expr::Number(std::f64::consts::PI),
            // Deeper than any expression that a person writes; unknown rather than out of stack.
            _ if depth >= 64 => Expr::Unknown,
            _ => {
                let mut args = Vec::new();
                for child in content(node) {
                    args.push(self.expression_at(child, scope, depth + 1)?);
                }
                Expr::call(tag, args)
            }
        };
        Ok(self.raw.expressions.push(expr, self.place(node)))
    }
}

/// A formula whose arguments are being read.
struct Frame<'a, 'i> {
    node: Element<'a, 'i>,
    /// Arguments not yet read, the next one last.
    children: Vec<Element<'a, 'i>>,
    args: Vec<usize>,
}

impl<'a, 'i: 'a> Frame<'a, 'i> {
    fn new(node: Element<'a, 'i>) -> Self {
        let mut children: Vec<_> = if is_leaf(node) {
            Vec::new()
        } else {
            content(node).collect()
        };
        children.reverse();
        Frame {
            node,
            children,
            args: Vec::new(),
        }
    }
}

const INCLUDE: &str = "included files are not supported: name each file on the command line";

/// References and constants take no arguments.
fn is_leaf(node: Element<'_, '_>) -> bool {
    matches!(
        node.tag_name().name(),
        "event" | "gate" | "basic-event" | "house-event" | "constant"
    )
}

/// A path one name longer.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
