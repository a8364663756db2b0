//! `cargo xtask examples`: makes the snapshots of the examples anew from their trees.
//!
//! A tree cannot hold kernel state (VLANs, mounts, link state), so each tree `HOST/` has a
//! `HOST.kernel.json` beside it that is laid over what the tree gave.

use anyhow::{Context, bail};
use collect::{LocalReader, Options};
use facts::Snapshot;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Folders that hold trees with their overlays.
const FOLDERS: &[&str] = &[
    "examples/incident-2026-04-13",
    "examples/incident-2026-04-13/mended",
];

/// Writes every snapshot; with `check` only tells which are not current.
pub fn run(check: bool) -> anyhow::Result<()> {
    let root = crate::root();
    let mut stale = Vec::new();
    for folder in FOLDERS {
        for overlay in overlays(&root.join(folder))? {
            let (file, text) = snapshot(&overlay)?;
            if std::fs::read_to_string(&file).ok().as_deref() == Some(text.as_str()) {
                continue;
            }
            if check {
                stale.push(file.display().to_string());
            } else {
                std::fs::write(&file, text).with_context(|| file.display().to_string())?;
                println!("wrote {}", file.display());
            }
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        "not current, run `cargo xtask examples`:\n{}",
        stale.join("\n")
    )
}

fn overlays(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".kernel.json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Where the snapshot of an overlay's tree belongs, and its text.
fn snapshot(overlay: &Path) -> anyhow::Result<(PathBuf, String)> {
    let base = PathBuf::from(overlay.to_string_lossy().replace(".kernel.json", ""));
    let reader = LocalReader::rooted(&base).with_context(|| base.display().to_string())?;
    let collected = collect::collect(&reader, &Options::default());
    let mut whole = serde_json::to_value(collected)?;
    let text = std::fs::read_to_string(overlay)?;
    let over: Value = serde_json::from_str(&text).with_context(|| overlay.display().to_string())?;
    lay(&mut whole, &over);
    let mut snapshot: Snapshot = serde_json::from_value(whole)?;
    // What the overlay gives was read.
    snapshot
        .unread
        .retain(|u| over.get(u.source.section()).is_none());
    // Who owns the tree's files here is nobody's business.
    for script in &mut snapshot.hooks.scripts {
        (script.uid, script.gid) = (0, 0);
    }
    let file = base.with_extension("json");
    Ok((file, serde_json::to_string_pretty(&snapshot)? + "\n"))
}

/// Lays one JSON value over another: objects key by key, lists of named things by name, the
/// rest replaced.
fn lay(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(under), Value::Array(over)) if name_key(under, over).is_some() => {
            let key = name_key(under, over).unwrap_or("name");
            for value in over {
                match under.iter_mut().find(|u| u[key] == value[key]) {
                    Some(same) => lay(same, value),
                    None => under.push(value.clone()),
                }
            }
        }
        // A guest's interfaces have no name: by position.
        (Value::Array(under), Value::Array(over))
            if under.len() == over.len() && over.iter().all(Value::is_object) =>
        {
            for (under, over) in under.iter_mut().zip(over) {
                lay(under, over);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// The key that names every element of two lists.
fn name_key(under: &[Value], over: &[Value]) -> Option<&'static str> {
    let all = |key: &&&str| under.iter().chain(over).all(|v| v.get(**key).is_some());
    let named = ["name", "path"].iter().find(all).copied();
    named.filter(|_| !under.is_empty() && !over.is_empty())
}
