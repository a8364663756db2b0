//! nofail's own state on this machine: records of BMC checks, of network changes.

use anyhow::Context;
use facts::bmc::{Check, check};
use std::path::{Path, PathBuf};

/// Where it lies, unless `NOFAIL_STATE_DIR` or a flag says otherwise.
pub const DIRECTORY: &str = "/var/lib/nofail";

/// Where it lies.
pub fn directory() -> PathBuf {
    std::env::var_os("NOFAIL_STATE_DIR").map_or_else(|| DIRECTORY.into(), PathBuf::from)
}

/// The kept check of a host's BMC; `None` where there is none. A name that is no plain file name
/// has none.
///
/// # Errors
/// It is there and cannot be used.
pub fn bmc_check(state: &Path, host: &str) -> anyhow::Result<Option<Check>> {
    let Some(file) = bmc_file(state, host) else {
        return Ok(None);
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => parse_bmc_check(&text)
            .map(Some)
            .with_context(|| file.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// A check as `nofail bmc check` wrote it.
///
/// # Errors
/// It is no JSON of that shape.
pub fn parse_bmc_check(text: &str) -> anyhow::Result<Check> {
    let check: Check = serde_json::from_str(text).context("this is no check of a BMC")?;
    if check.schema != check::SCHEMA {
        anyhow::bail!(
            "this is no check of a BMC: its schema is {:?}, not {:?}",
            check.schema,
            check::SCHEMA
        );
    }
    Ok(check)
}

/// Keeps a check.
///
/// # Errors
/// The disk refuses, or the host's name is no file name.
pub fn keep_bmc_check(state: &Path, check: &Check) -> anyhow::Result<PathBuf> {
    let file = bmc_file(state, &check.host)
        .with_context(|| format!("`{}` is no name of a host", check.host))?;
    let folder = file.parent().unwrap_or(state);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let text = serde_json::to_vec_pretty(check)?;
    change::place::replace(&file, &text, 0o644)?;
    Ok(file)
}

fn bmc_file(state: &Path, host: &str) -> Option<PathBuf> {
    let plain = !host.is_empty() && !host.starts_with('.') && !host.contains('/');
    plain.then(|| state.join("bmc").join(format!("{host}.json")))
}
