//! `nofail hook verify`.

use super::VerifyArgs;
use super::install::snapshot;
use crate::cli::{Exit, Format};
use crate::hook::verify::{judge, look};
use crate::{render, wire};
use model::Estate;
use rules::engine::Selection;

/// Runs the command.
///
/// # Errors
/// The host cannot be read.
pub fn run(args: &VerifyArgs, format: Format) -> anyhow::Result<Exit> {
    format.only("hook verify", &[Format::Human, Format::Json])?;
    let root = args.root.as_deref();
    let snapshot = snapshot(root)?;
    let selection = Selection {
        only: vec!["hook".to_owned()],
    };
    let rules = selection.rules().map_err(anyhow::Error::msg)?;
    let audit = rules::audit(&Estate::of(snapshot.clone()), &rules);
    let mut looked = look::look(root, &snapshot, args.deadline);
    if args.start_probe {
        looked.probe = Some(look::start_probe(&snapshot));
    }
    let verified = judge(&snapshot, &audit, looked);
    match format {
        Format::Json => wire::print(&verified)?,
        _ => render::hook::verified(&verified)?,
    }
    Ok(if verified.cause.is_some() || !verified.also.is_empty() {
        Exit::Found
    } else {
        Exit::Good
    })
}
