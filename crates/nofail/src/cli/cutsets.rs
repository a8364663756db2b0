//! `nofail cutsets`.

use super::graph::{Common, Model as SiteModel};
use super::{Exit, Format};
use crate::render::output;
use crate::{render, wire};
use analysis::cutsets::{FaultTree, Importance, Options, Solution, solve};
use analysis::impact::advise::probabilities;
use analysis::impact::faults::{Assume, faults};
use analysis::impact::shared::solve_up_to;
use analysis::mef::{self, Model};
use anyhow::{Context as _, bail};
use model::graph::{Kind, Regime};
use std::collections::HashSet;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::time::Instant;

/// Flags of `nofail cutsets`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail cutsets wireless --site site.toml --list            what takes a service down
  nofail cutsets bind-01 --site site.toml --cold             what keeps a guest from coming up
  nofail cutsets --fault-tree tree.xml                       count the minimal cut sets
  nofail cutsets --fault-tree tree.xml events.xml --list     several files; list the sets
  nofail cutsets --fault-tree tree.xml --max-order 3         nothing above triples
  nofail cutsets --fault-tree tree.xml --probability         exact probability, importance")]
pub struct Args {
    /// A service, HA group or any other component of the site.
    #[arg(value_name = "SERVICE", conflicts_with = "fault_tree")]
    #[arg(required_unless_present = "fault_tree")]
    pub service: Option<String>,
    /// Of SERVICE: what keeps it from coming up in a cold start, not what takes it down.
    #[arg(long, conflicts_with = "fault_tree")]
    pub cold: bool,
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
    /// Open-PSA MEF XML files that together make the model.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub fault_tree: Vec<PathBuf>,
    /// The top event, where several gates are referenced by no other.
    #[arg(long, value_name = "NAME")]
    pub top: Option<String>,
    /// Leave out sets with more events than this; what is shown stays exact.
    #[arg(long, value_name = "N")]
    pub max_order: Option<u32>,
    /// List the sets, not only their numbers.
    #[arg(long)]
    pub list: bool,
    /// Compute the top event's exact probability and each event's importance.
    #[arg(long)]
    pub probability: bool,
    /// The mission time in hours, for events that are given by a failure rate.
    #[arg(long, value_name = "HOURS", default_value_t = mef::DEFAULT_MISSION_TIME)]
    pub mission_time: f64,
}

/// What was found, for either way of printing it.
#[derive(Debug)]
pub struct Found<'a> {
    /// The model's name, or its first file's.
    pub model: String,
    /// The top event's name.
    pub top: &'a str,
    /// The fault tree, for names.
    pub tree: &'a FaultTree,
    /// The cut sets.
    pub solution: &'a Solution,
    /// The order limit.
    pub max_order: Option<u32>,
    /// Whether to list the sets.
    pub list: bool,
    /// The top event's probability and the importance of each event, the greatest first.
    pub probability: Option<(f64, Vec<Importance>)>,
    /// How long it took.
    pub seconds: f64,
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read or is malformed, no single top event, a tree that is not coherent or
/// too large.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("cutsets", &[Format::Human, Format::Json])?;
    let start = Instant::now();
    if let Some(service) = &args.service {
        return of_service(args, service, format, start);
    }
    let mut files = Vec::new();
    for path in &args.fault_tree {
        files.push((path.display().to_string(), read(path)?));
    }
    let model = mef::parse(&files)?;
    let top = model.top(args.top.as_deref())?;
    let options = Options {
        max_order: args.max_order,
        ..Options::default()
    };
    let solution = solve(&model.tree, top, &options)?;
    let probability = if args.probability {
        Some(probability(&model, &solution, args.mission_time)?)
    } else {
        None
    };
    let found = Found {
        model: name(&model, &args.fault_tree),
        top: model.gate_name(top),
        tree: &model.tree,
        solution: &solution,
        max_order: args.max_order,
        list: args.list,
        probability,
        seconds: start.elapsed().as_secs_f64(),
    };
    show(&found, format)?;
    // The process ends here: taking apart millions of nodes first would only cost time.
    std::mem::forget(solution);
    Ok(Exit::Good)
}

/// The same for a component of the site.
fn of_service(args: &Args, service: &str, format: Format, start: Instant) -> anyhow::Result<Exit> {
    let site = SiteModel::read(&args.common.input)?;
    let index = site.pick(
        service,
        &[Kind::Service, Kind::Group, Kind::Guest, Kind::Host],
    )?;
    let (regime, words) = if args.cold {
        (Regime::Cold, "cold start")
    } else {
        (Regime::Running, "running")
    };
    let assume = Assume {
        dead: if args.cold {
            site.held()
        } else {
            HashSet::new()
        },
        again: false,
    };
    let faults = faults(&site.graph, index, regime, &assume);
    let solution = solve_up_to(&faults, args.max_order)?;
    let probability = if args.probability {
        let (values, _) = probabilities(&site.graph, &faults);
        let mut importance = solution.importance(&values)?;
        importance.sort_by(|a, b| b.fussell_vesely.total_cmp(&a.fussell_vesely));
        Some((solution.probability(&values)?, importance))
    } else {
        None
    };
    let name = site.name(index);
    let site_name = site.estate.site.as_ref().and_then(|s| s.name.clone());
    let found = Found {
        model: format!("{} ({words})", site_name.as_deref().unwrap_or("site")),
        top: &name,
        tree: &faults.tree,
        solution: &solution,
        max_order: args.max_order,
        list: args.list,
        probability,
        seconds: start.elapsed().as_secs_f64(),
    };
    show(&found, format)?;
    if args.common.why && format == Format::Human {
        let single = solution.single_points();
        let events: Vec<_> = single
            .iter()
            .map(|e| faults.components[e.0 as usize])
            .collect();
        render::print(&render::evidence::paths(&site, index, &events, regime))?;
    }
    Ok(Exit::Good)
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let start = good
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
            let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
            bail!("{name}:{line}:{column}: not UTF-8; convert the file to UTF-8")
        }
    }
}

fn name(model: &Model, files: &[PathBuf]) -> String {
    let stem = || files.first().and_then(|path| path.file_stem());
    let from_file = || stem().map(|stem| stem.to_string_lossy().into_owned());
    model.name.clone().or_else(from_file).unwrap_or_default()
}

/// The top event's probability, if every event that matters has one.
fn probability(
    model: &Model,
    solution: &Solution,
    mission_time: f64,
) -> anyhow::Result<(f64, Vec<Importance>)> {
    let known = model.probabilities(mission_time);
    let unknown = solution
        .events()
        .into_iter()
        .find(|event| known[event.0 as usize].is_none());
    if let Some(event) = unknown {
        bail!(
            "the probability of basic event {:?} is not known: it needs an expression that gives a \
             number from 0 to 1",
            model.event_name(event)
        );
    }
    let values: Vec<f64> = known.into_iter().map(Option::unwrap_or_default).collect();
    let mut importance = solution.importance(&values)?;
    importance.sort_by(|a, b| b.fussell_vesely.total_cmp(&a.fussell_vesely));
    Ok((solution.probability(&values)?, importance))
}

fn document<'a>(found: &'a Found<'_>) -> anyhow::Result<wire::cutsets::CutSets<'a>> {
    let names = found.tree.events();
    let by_order = found.solution.by_order();
    let by_order = by_order.map(|(order, n)| Ok((order, wire::cutsets::number(n)?)));
    let importance = found.probability.as_ref().map(|(_, importance)| {
        let wire = importance.iter().map(|i| wire::cutsets::Importance {
            event: &names[i.event.0 as usize],
            birnbaum: i.birnbaum,
            fussell_vesely: i.fussell_vesely,
        });
        wire.collect()
    });
    Ok(wire::cutsets::CutSets {
        schema: "nofail.cutsets/1",
        model: found.model.clone(),
        top: found.top,
        cut_sets: wire::cutsets::number(&found.solution.count())?,
        by_order: by_order.collect::<anyhow::Result<_>>()?,
        max_order: found.max_order,
        cut: found.solution.is_cut(),
        probability: found.probability.as_ref().map(|(p, _)| *p),
        importance,
        seconds: found.seconds,
    })
}

/// Prints what was found, with the sets where they were asked for.
fn show(found: &Found<'_>, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json if found.list => print_with_sets(found)?,
        Format::Json => wire::print(&document(found)?)?,
        _ => render::cutsets::print(found)?,
    }
    Ok(())
}

/// Prints the document with the sets as its last member, one by one: there may be millions.
fn print_with_sets(found: &Found<'_>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&document(found)?)?;
    let head = text
        .strip_suffix("\n}")
        .context("the document is no JSON object")?;
    let names = found.tree.events();
    let mut out = BufWriter::new(output::stdout());
    write!(out, "{head},\n  \"sets\": [")?;
    for (i, set) in found.solution.sets().enumerate() {
        out.write_all(if i == 0 { b"\n    " } else { b",\n    " })?;
        let set: Vec<&str> = set
            .iter()
            .map(|event| names[event.0 as usize].as_str())
            .collect();
        serde_json::to_writer(&mut out, &set)?;
    }
    writeln!(out, "\n  ]\n}}")?;
    out.flush()?;
    Ok(())
}
