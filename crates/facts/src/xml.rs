//! What the libvirt parsers share: a parsed XML document with cheap line numbers.

use crate::syntax::SyntaxError;
use roxmltree::{Document, Node, ParsingOptions};

/// No definition of libvirt's has a thousandth of this; what has would only cost memory.
const MAX_NODES: u32 = 1_000_000;

/// A document, and where its lines begin.
pub(crate) struct Xml<'a> {
    /// The text as it stands in the file.
    text: &'a str,
    /// The parsed document.
    document: Document<'a>,
    /// Byte offsets at which the lines begin.
    lines: Vec<usize>,
}

impl<'a> Xml<'a> {
    /// Parses a document. Document type definitions are refused: libvirt writes none, and their
    /// entities can grow without bound.
    pub(crate) fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options).map_err(|error| {
            let place = error.pos();
            let message = match error {
                roxmltree::Error::DtdDetected => {
                    "a document type definition (<!DOCTYPE …>) is not accepted: remove it, \
                     libvirt writes none"
                        .to_owned()
                }
                other => without_place(&other.to_string()),
            };
            SyntaxError::new(place.row, place.col, message)
        })?;
        let mut lines = vec![0];
        lines.extend(
            text.bytes()
                .enumerate()
                .filter_map(|(at, byte)| (byte == b'\n').then_some(at + 1)),
        );
        Ok(Self {
            text,
            document,
            lines,
        })
    }

    /// The root element.
    pub(crate) fn root(&self) -> Node<'_, 'a> {
        self.document.root_element()
    }

    /// Line of a node's first character, from 1.
    pub(crate) fn line(&self, node: Node) -> u32 {
        u32::try_from(self.row(node.range().start)).unwrap_or(u32::MAX)
    }

    /// The line that a node begins in, as it stands in the file.
    pub(crate) fn line_text(&self, node: Node) -> String {
        let row = self.row(node.range().start);
        let begin = self.lines[row - 1];
        let end = self.lines.get(row).copied().unwrap_or(self.text.len());
        self.text[begin..end].trim_end().to_owned()
    }

    /// An error at a node.
    pub(crate) fn error(&self, node: Node, message: impl Into<String>) -> SyntaxError {
        let start = node.range().start;
        let row = self.row(start);
        let column = self.text[self.lines[row - 1]..start].chars().count() + 1;
        SyntaxError::new(
            u32::try_from(row).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(u32::MAX),
            message,
        )
    }

    /// Row of a byte offset, from 1; never past the last.
    fn row(&self, offset: usize) -> usize {
        self.lines.partition_point(|&begin| begin <= offset).max(1)
    }
}

/// The parser's message without the place it ends with: a [`SyntaxError`] has its own.
fn without_place(message: &str) -> String {
    match message.rfind(" at ") {
        Some(at)
            if message[at + 4..]
                .chars()
                .all(|c| c.is_ascii_digit() || c == ':') =>
        {
            message[..at].to_owned()
        }
        _ => message.to_owned(),
    }
}

/// The first child element of a name.
pub(crate) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

/// Every child element of a name.
pub(crate) fn children<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.is_element() && child.has_tag_name(name))
}

/// An attribute's value; an empty one counts as missing, as libvirt treats it.
pub(crate) fn attribute(node: Node, name: &str) -> Option<String> {
    node.attribute(name)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

/// The trimmed text of a child element; `None` where it is missing or empty.
pub(crate) fn text_of(node: Node, name: &str) -> Option<String> {
    let text = child(node, name)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An attribute of a child element.
pub(crate) fn child_attribute(node: Node, name: &str, attribute_name: &str) -> Option<String> {
    attribute(child(node, name)?, attribute_name)
}
