//! The grammar of interfaces(5): stanzas with options, includes, `auto` lines.

use crate::SyntaxError;
use crate::profile::text::{column, number};

/// One option of a stanza.
#[derive(Clone, Debug)]
pub(super) struct Opt {
    /// Name with dashes (`bridge_ports` and `bridge-ports` are the same).
    pub key: String,
    pub value: String,
    pub line: u32,
    pub column: u32,
}

/// One `iface` stanza.
#[derive(Clone, Debug)]
pub(super) struct Iface {
    pub name: String,
    pub inherits: Option<String>,
    pub file: String,
    pub line: u32,
    pub options: Vec<Opt>,
}

impl Iface {
    /// The last option of that name.
    pub(super) fn get(&self, key: &str) -> Option<&Opt> {
        self.options.iter().rev().find(|o| o.key == key)
    }
}

/// What the files hold, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Interfaces {
    pub ifaces: Vec<Iface>,
    /// Interfaces that come up at boot: of `auto`, `allow-auto`, `allow-hotplug`; patterns too.
    pub auto: Vec<String>,
}

/// A file that another one includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// Path or pattern (wordexp(3)); relative to the including file's directory.
    pub pattern: String,
    /// `source-directory`: the files in it whose names consist of letters, digits, `_` and `-`.
    pub directory: bool,
    /// Line.
    pub line: u32,
}

/// The `source` and `source-directory` lines of a file, in order.
pub fn includes(text: &str) -> Vec<Include> {
    let mut includes = Vec::new();
    for (line, _, body) in logical_lines(text) {
        let mut words = body.split_whitespace();
        let directory = match words.next() {
            Some("source") => false,
            Some("source-directory" | "source-dir") => true,
            _ => continue,
        };
        includes.extend(words.map(|pattern| Include {
            pattern: pattern.to_owned(),
            directory,
            line,
        }));
    }
    includes
}

/// Reads one file's stanzas into `all`.
pub(super) fn read(file: &str, text: &str, all: &mut Interfaces) -> Result<(), SyntaxError> {
    // What option lines belong to: an iface (its index), or a mapping (passed over).
    enum Inside {
        Nothing,
        Iface,
        Mapping,
    }
    let mut inside = Inside::Nothing;
    for (line, raw, body) in logical_lines(text) {
        let at = column(raw, raw.trim_start());
        let wrong = |message: &str| SyntaxError::new(line, at, message);
        if body.starts_with('%') || body.contains("${") && body.contains("<%") {
            return Err(wrong(
                "a mako template of ifupdown2: only ifupdown2 itself can expand it",
            ));
        }
        let mut words = body.split_whitespace();
        let key = words.next().unwrap_or("");
        match key {
            "iface" => {
                let name = words
                    .next()
                    .ok_or_else(|| wrong("`iface` without the name of an interface"))?;
                let words: Vec<&str> = words.collect();
                let inherits = words
                    .iter()
                    .position(|w| *w == "inherits")
                    .map(|at| words.get(at + 1).copied())
                    .map(|parent| parent.ok_or_else(|| wrong("`inherits` without a name")))
                    .transpose()?;
                all.ifaces.push(Iface {
                    name: name.to_owned(),
                    inherits: inherits.map(str::to_owned),
                    file: file.to_owned(),
                    line,
                    options: Vec::new(),
                });
                inside = Inside::Iface;
            }
            "mapping" => inside = Inside::Mapping,
            "auto" | "allow-auto" | "allow-hotplug" => {
                all.auto.extend(words.map(str::to_owned));
                inside = Inside::Nothing;
            }
            "source" | "source-directory" | "source-dir" | "no-auto-down" | "no-scripts"
            | "rename" | "template" | "vlan" | "vxlan" => inside = Inside::Nothing,
            _ if key.starts_with("allow-") => inside = Inside::Nothing,
            _ => match inside {
                Inside::Nothing => {
                    return Err(wrong(&format!(
                        "`{key}` is neither a stanza (iface, auto, mapping, source, …) nor within one"
                    )));
                }
                Inside::Mapping => {}
                Inside::Iface => {
                    let value = body.get(key.len()..).unwrap_or("").trim();
                    let raw_value = raw.trim_start().get(key.len()..).unwrap_or("").trim_start();
                    if let Some(iface) = all.ifaces.last_mut() {
                        iface.options.push(Opt {
                            key: key.replace('_', "-"),
                            value: value.to_owned(),
                            line,
                            column: column(raw, raw_value),
                        });
                    }
                }
            },
        }
    }
    Ok(())
}

/// Lines without comments and blanks, those ended by a backslash joined: number and text of the
/// first, and the whole, trimmed.
fn logical_lines(text: &str) -> Vec<(u32, &str, String)> {
    let mut all = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, raw)) = lines.next() {
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let mut body = trimmed.to_owned();
        while body.ends_with('\\') {
            body.pop();
            let Some((_, next)) = lines.next() else { break };
            body.truncate(body.trim_end().len());
            body.push(' ');
            body.push_str(next.trim());
        }
        all.push((number(index), raw, body.trim().to_owned()));
    }
    all
}
