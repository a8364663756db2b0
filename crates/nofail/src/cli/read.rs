//! `nofail read KIND FILE`: what one parser makes of one file.

use super::{Exit, Format};
use crate::wire;
use anyhow::{Context, bail};
use clap::ValueEnum;
use facts::{SyntaxError, bridge, domain, fstab, mount, profile, switch};
use serde_json::{Value, json};
use std::io::Read;

/// Flags of `nofail read`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A malformed file: the place on standard error, exit code 2; of an fstab every good line is
still printed.

Examples:
  nofail read fstab /etc/fstab
  virsh dumpxml bind-01 | nofail read domain -
  nofail read ios saved/show-running-config.txt --format json")]
pub struct Args {
    /// What the file is.
    #[arg(value_enum)]
    pub kind: Kind,
    /// The file; `-` is standard input.
    pub file: String,
}

/// The parsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// /etc/fstab, as libmount reads it.
    Fstab,
    /// A libvirt domain XML, persistent or status.
    Domain,
    /// A NetworkManager keyfile.
    Keyfile,
    /// A Red Hat ifcfg file.
    Ifcfg,
    /// A systemd-networkd .network or .netdev file.
    Networkd,
    /// A netplan YAML file.
    Netplan,
    /// An interfaces(5) file, ifupdown or ifupdown2.
    Ifupdown,
    /// The output of `bridge -j vlan show`.
    BridgeVlan,
    /// Any saved Cisco IOS or IOS-XE text.
    Ios,
    /// /proc/self/mountinfo.
    Mountinfo,
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read. A malformed file is no error of this function: it ends with
/// [`Exit::Failed`] after it said where.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("read", &[Format::Human, Format::Json])?;
    let text = input(&args.file)?;
    let (document, errors) = parse(args.kind, &args.file, &text);
    if let Some(document) = document {
        match format {
            Format::Json => wire::print(&document)?,
            _ => human(&document)?,
        }
    }
    for error in &errors {
        eprintln!("{}:{error}", args.file);
    }
    Ok(if errors.is_empty() {
        Exit::Good
    } else {
        Exit::Failed
    })
}

/// No file that a parser is for is larger; `/dev/zero` has no end at all.
const MAX_FILE: u64 = 256 << 20;

fn input(file: &str) -> anyhow::Result<String> {
    let failed = || format!("cannot read {file}");
    let source: Box<dyn Read> = if file == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let opened = std::fs::File::open(file).with_context(failed)?;
        if opened.metadata().with_context(failed)?.is_dir() {
            bail!("{file} is a directory; name a file");
        }
        Box::new(opened)
    };
    let mut bytes = Vec::new();
    source
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .with_context(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{file} is larger than 256 MiB: no file of this kind is");
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The document, where there is one, and every error.
fn parse(kind: Kind, file: &str, text: &str) -> (Option<Value>, Vec<SyntaxError>) {
    let (key, parsed) = match kind {
        Kind::Fstab => return read_fstab(text),
        Kind::Domain => ("guest", domain::parse(text).map(|g| json!(g))),
        Kind::Keyfile => (
            "profiles",
            profile::keyfile::parse(file, text).map(|p| json!(p)),
        ),
        Kind::Ifcfg => (
            "profiles",
            profile::ifcfg::parse(file, text).map(|p| json!(p)),
        ),
        Kind::Networkd => (
            "profiles",
            profile::networkd::parse(file, text).map(|p| json!(p)),
        ),
        Kind::Netplan => (
            "profiles",
            profile::netplan::parse(file, text).map(|p| json!(p)),
        ),
        Kind::Ifupdown => (
            "profiles",
            profile::ifupdown::parse(file, text).map(|p| json!(p)),
        ),
        Kind::BridgeVlan => ("ports", bridge::parse_vlan_show(text).map(|p| json!(p))),
        Kind::Ios => ("switch", switch::parse(file, text).map(|s| json!(s))),
        Kind::Mountinfo => ("mounts", mount::parse_mountinfo(text).map(|m| json!(m))),
    };
    match parsed {
        Ok(value) => (
            Some(json!({"schema": "nofail.read/1", key: value})),
            Vec::new(),
        ),
        Err(error) => (None, vec![error]),
    }
}

fn read_fstab(text: &str) -> (Option<Value>, Vec<SyntaxError>) {
    let document = fstab::parse(text);
    let entries = document.entries();
    let rows: Vec<Value> = entries
        .iter()
        .map(|e| {
            json!({"line": e.line, "source": e.source, "target": e.target, "fstype": e.fstype,
                "options": e.options, "dump": e.dump, "pass": e.pass})
        })
        .collect();
    let errors = document.errors().to_vec();
    let document = json!({"schema": "nofail.read/1", "fstab": rows, "errors": errors});
    (Some(document), errors)
}

/// The same facts for a person: every list one block per element, absent values left out.
fn human(document: &Value) -> anyhow::Result<()> {
    let mut text = String::new();
    if let Value::Object(sections) = document {
        for (name, value) in sections {
            if name != "schema" && name != "errors" {
                outline(value, 0, &mut text);
            }
        }
    }
    crate::render::print(&text)
}

fn outline(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Null => {}
                    Value::Array(list) if list.is_empty() => {}
                    Value::Object(fields) if fields.is_empty() => {}
                    Value::Array(list) if list.iter().all(|v| !v.is_object() && !v.is_array()) => {
                        let list: Vec<String> = list.iter().map(scalar).collect();
                        text.push_str(&format!("{indent}{name}: {}\n", list.join(", ")));
                    }
                    Value::Array(_) | Value::Object(_) => {
                        text.push_str(&format!("{indent}{name}:\n"));
                        outline(value, depth + 1, text);
                    }
                    other => text.push_str(&format!("{indent}{name}: {}\n", scalar(other))),
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    text.push('\n');
                }
                outline(value, depth, text);
            }
        }
        other => text.push_str(&format!("{indent}{}\n", scalar(other))),
    }
}

/// One value on one line; control characters of the file never reach the terminal.
fn scalar(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
