//! What this machine's own apt offers: the kernel package and the archive lines. Asked once for
//! each state of apt's lists, as apt takes over a second for it.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cache;
use crate::process::run_text;

/// apt's answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offer {
    /// The package that Debian's kernel metapackage stands for.
    pub kernel: String,
    /// The version that would be installed.
    pub version: String,
    /// The version of the package user-mode-linux.
    pub user_mode: String,
    /// Lines as sources.list(5) has them, Debian's archives only.
    pub sources: Vec<String>,
}

/// Asks apt, or the cache where apt's lists have not changed since.
///
/// # Errors
/// Where apt knows no Debian archive or no kernel: `apt-get update` was not run.
pub fn offer() -> Result<Offer> {
    // What is kept of apt's answers is a part of the name, too.
    let mut stamps = vec!["kernel, user_mode, sources".to_owned()];
    for place in [
        "/var/lib/apt/lists",
        "/etc/apt/sources.list.d",
        "/etc/apt/sources.list",
    ] {
        let stamp = Path::new(place).metadata().and_then(|meta| meta.modified());
        let stamp = stamp
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        stamps.push(format!("{place} {stamp:?}"));
    }
    let stamps: Vec<&str> = stamps.iter().map(String::as_str).collect();
    let dir = cache::entry("apt", &cache::digest(&stamps), |dir| {
        std::fs::write(dir.join("offer.json"), serde_json::to_vec(&ask()?)?)?;
        Ok(())
    })?;
    let text = std::fs::read(dir.join("offer.json"))?;
    Ok(serde_json::from_slice(&text)?)
}

/// Asks apt itself.
fn ask() -> Result<Offer> {
    let limit = Duration::from_secs(60);
    let meta = run_text(
        "/usr/bin/apt-cache",
        &["depends", "linux-image-amd64"],
        limit,
    )?;
    let kernel = meta
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .context("apt knows no package linux-image-amd64: run apt-get update first")?
        .to_owned();
    let version = candidate(&kernel)?;
    let user_mode = candidate("user-mode-linux")?;
    let format = "$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let args = ["indextargets", "--format", format, "Created-By: Packages"];
    let text = run_text("/usr/bin/apt-get", &args, limit)?;
    let mut sources: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("Debian|"))
        .map(str::to_owned)
        .collect();
    sources.sort();
    sources.dedup();
    if sources.is_empty() {
        bail!("apt has no package lists of Debian: run apt-get update first");
    }
    Ok(Offer {
        kernel,
        version,
        user_mode,
        sources,
    })
}

/// The version of a package that apt would install.
fn candidate(package: &str) -> Result<String> {
    let policy = ["policy", package];
    run_text("/usr/bin/apt-cache", &policy, Duration::from_secs(60))?
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
        .with_context(|| format!("apt can install no version of {package}: run apt-get update"))
}
