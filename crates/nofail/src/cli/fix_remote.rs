//! `nofail fix` on another host: a copy of this program is sent, run there with the same flags on
//! this very terminal, and removed.

use super::fix::Args;
use super::{Exit, Format};
use crate::render::output;
use ::collect::remote::Remote;
use anyhow::Context;
use std::io::IsTerminal;
use std::time::Duration;

/// Mends the host at an address.
///
/// # Errors
/// It cannot be reached, or nofail cannot run there.
pub fn run(args: &Args, address: &str, format: Format) -> anyhow::Result<Exit> {
    let remote = Remote {
        ssh_config: args.ssh_config.clone(),
        program: args.agent.clone(),
        sudo: args.sudo,
        deadline: Duration::from_secs(60),
        probe_deadline: Duration::from_secs(2),
    };
    let mut words: Vec<String> = vec!["fix".to_owned()];
    words.extend(args.rules.iter().cloned());
    if format == Format::Json {
        words.push("--format=json".to_owned());
    }
    for (flag, set) in [
        ("--dry-run", args.dry_run),
        ("--yes", args.yes),
        ("--unsafe", args.also_unsafe),
    ] {
        if set {
            words.push(flag.to_owned());
        }
    }
    words.extend(
        args.reason
            .iter()
            .map(|reason| format!("--reason={reason}")),
    );
    if let Some(directory) = &args.changes {
        // On the host, where `net apply` is to find them.
        words.push(format!("--changes={}", directory.display()));
    }
    let pairs = args.address.iter();
    words.extend(pairs.map(|(name, address)| format!("--address={name}={address}")));
    // The site's intent goes along on the command's side of the pipe.
    let site = args.site.as_deref().map(std::fs::read).transpose();
    let site = site
        .context("cannot read the site's file")?
        .unwrap_or_default();
    let terminal = std::io::stdin().is_terminal() && output::is_terminal();
    let host = args.host.as_deref().unwrap_or_default();
    let code = remote.run_program(address, &words, host, &site, terminal)?;
    Ok(match code {
        0 => Exit::Good,
        1 => Exit::Found,
        3 => Exit::Unsafe,
        _ => Exit::Failed,
    })
}
