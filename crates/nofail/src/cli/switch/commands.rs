//! `nofail switch commands`: the lines that mend what was found, to be typed by a person.

use super::{Exit, Format, captures};
use crate::input::Input;
use crate::render::output;
use crate::wire;
use ::rules::{Audit, Finding, Selection, audit};
use anyhow::bail;
use model::Estate;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// Flags of `nofail switch commands`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The output can be pasted into the switch's terminal: what needs a look first is a comment (`!`),
and so is every line that must wait for something. Nothing is sent to a switch.

Examples:
  nofail switch commands --site site.toml
  nofail switch commands --site site.toml --only switch/radius-group-member-missing
  nofail switch commands --capture sw-01.txt     one switch, without a site")]
pub struct Args {
    /// Where to read from: only a site names switches.
    #[command(flatten)]
    pub input: Input,
    /// Captures of one switch, or directories of them.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["site", "root", "snapshot"])]
    pub capture: Vec<PathBuf>,
    /// Only what these rules found.
    #[arg(long, value_name = "RULE", num_args = 1..)]
    pub only: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// No site and no capture is named, or what is named cannot be used.
pub(super) fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("switch commands", &[Format::Human, Format::Json])?;
    let estate = estate(args)?;
    let only = if args.only.is_empty() {
        vec!["switch".to_owned()]
    } else {
        args.only.clone()
    };
    let selected = match (Selection { only }).rules() {
        Ok(selected) => selected,
        Err(name) => bail!("no rule or area `{name}`; `nofail rules` lists them"),
    };
    let audit = audit(&estate, &selected);
    let mut switches: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in audit
        .findings
        .iter()
        .filter(|f| estate.switches.contains_key(&f.host))
    {
        switches.entry(&finding.host).or_default().push(finding);
    }
    match format {
        Format::Json => wire::print(&document(&switches, &audit))?,
        _ => human(&switches, &audit)?,
    }
    Ok(if switches.is_empty() {
        Exit::Good
    } else {
        Exit::Found
    })
}

fn estate(args: &Args) -> anyhow::Result<Estate> {
    if !args.capture.is_empty() {
        let switch = captures(&args.capture)?;
        let name = switch.name.clone().unwrap_or_else(|| "switch".to_owned());
        return Ok(Estate {
            switches: BTreeMap::from([(name, switch)]),
            ..Estate::default()
        });
    }
    if args.input.site.is_none() {
        bail!(
            "name the site (`--site site.toml`) or the captures of one switch (`--capture FILE…`)"
        );
    }
    args.input.estate()
}

/// Lines for configuration mode, and lines for the prompt.
fn parts(finding: &Finding) -> (Vec<&str>, Vec<&str>) {
    let lines = finding.commands.iter().map(String::as_str);
    lines.partition(|line| !::rules::switch::is_exec(line))
}

fn document(switches: &BTreeMap<&str, Vec<&Finding>>, audit: &Audit) -> Value {
    let finding = |finding: &&Finding| {
        let (configure, execute) = parts(finding);
        json!({
            "rule": finding.rule,
            "severity": finding.severity.name(),
            "subject": finding.subject,
            "message": finding.message,
            "configure": configure,
            "execute": execute,
            "caution": finding.caution,
            "fix": finding.fix,
        })
    };
    let switch = |(name, findings): (&&str, &Vec<&Finding>)| json!({"switch": name, "findings": findings.iter().map(finding).collect::<Vec<_>>()});
    let missing: Vec<Value> = audit
        .not_checked
        .iter()
        .map(|n| json!({"host": &*n.host, "source": n.source, "reason": &*n.reason}))
        .collect();
    json!({
        "schema": "nofail.switch-commands/1",
        "switches": switches.iter().map(switch).collect::<Vec<_>>(),
        "not_checked": missing,
    })
}

fn human(switches: &BTreeMap<&str, Vec<&Finding>>, audit: &Audit) -> std::io::Result<()> {
    let mut out = output::stdout();
    for (name, findings) in switches {
        writeln!(out, "! ===== {name} =====")?;
        let (typed, by_hand): (Vec<&&Finding>, Vec<&&Finding>) = findings
            .iter()
            .partition(|finding| !finding.commands.is_empty());
        // Saving comes last: it makes permanent what the lines above changed.
        let (saving, typed): (Vec<&&Finding>, Vec<&&Finding>) = typed
            .into_iter()
            .partition(|f| f.rule == "switch/unsaved-configuration");
        let configures = typed
            .iter()
            .any(|f| f.caution.is_none() && !parts(f).0.is_empty());
        for finding in typed.iter().chain(&saving) {
            block(&mut out, finding)?;
        }
        for finding in by_hand {
            heading(&mut out, finding)?;
            if let Some(fix) = &finding.fix {
                writeln!(out, "! no line on the switch mends it: {fix}")?;
            }
        }
        if configures && saving.is_empty() {
            writeln!(
                out,
                "! When it works as it should:\n! copy running-config startup-config"
            )?;
        }
    }
    if switches.is_empty() {
        writeln!(out, "! nothing to mend on a switch")?;
    }
    for missing in &audit.not_checked {
        writeln!(
            out,
            "! not checked: {}: {}: {}",
            missing.host, missing.source, missing.reason
        )?;
    }
    Ok(())
}

fn heading(out: &mut impl Write, finding: &Finding) -> std::io::Result<()> {
    let severity = finding.severity.name();
    writeln!(
        out,
        "!\n! {severity}[{}]: {}",
        finding.rule, finding.message
    )
}

/// The lines of one finding; as comments where something must come first.
fn block(out: &mut impl Write, finding: &Finding) -> std::io::Result<()> {
    heading(out, finding)?;
    let mark = match &finding.caution {
        Some(caution) => {
            writeln!(out, "! First: {caution}. Then, without the mark:")?;
            "! "
        }
        None => "",
    };
    let (configure, execute) = parts(finding);
    if !configure.is_empty() {
        writeln!(out, "{mark}configure terminal")?;
        for (index, line) in configure.iter().enumerate() {
            let indent = if index == 0 { " " } else { "  " };
            writeln!(out, "{mark}{indent}{line}")?;
        }
        writeln!(out, "{mark}end")?;
    }
    for line in execute {
        writeln!(out, "{mark}{line}")?;
    }
    Ok(())
}
