//! `nofail reboot-check`.

use super::graph::{Common, Model};
use super::{Exit, Format};
use crate::{render, wire};
use analysis::impact::reboot::{Verdict, check};
use anyhow::bail;

/// Flags of `nofail reboot-check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nofail reboot-check kvm-01 --site site.toml

Exit code: 0 safe, 1 safe with losses, 2 could not run, 3 unsafe.")]
pub struct Args {
    /// The host.
    #[arg(id = "rebooted", value_name = "HOST")]
    pub host: String,
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or the host was not read: it cannot be judged then.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("reboot-check", &[Format::Human, Format::Json])?;
    let model = Model::read(&args.common.input)?;
    let name = args.host.strip_prefix("host:").unwrap_or(&args.host);
    let Some(boot) = model.boots.get(name) else {
        let known: Vec<&str> = model.boots.keys().map(String::as_str).collect();
        bail!(
            "`{name}` is no host that was read with its fstab; those are: {}",
            known.join(", ")
        );
    };
    let host = model.pick(&format!("host:{name}"), &[])?;
    let check = check(&model.graph, &model.estate, host, boot);
    match format {
        Format::Json => wire::print(&wire::reboot_check::Document::of(&model, name, &check))?,
        _ => render::print(&render::reboot_check::text(
            &model,
            host,
            &check,
            args.common.why,
        ))?,
    }
    Ok(match check.verdict {
        Verdict::Safe => Exit::Good,
        Verdict::Losses => Exit::Found,
        Verdict::Unsafe => Exit::Unsafe,
    })
}
