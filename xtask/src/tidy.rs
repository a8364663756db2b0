//! `cargo xtask tidy`: what the compiler does not check.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Which of our crates each crate may depend on. Everything else is an import against the order.
const EDGES: &[(&str, &[&str])] = &[
    ("facts", &[]),
    ("collect", &["facts"]),
    ("model", &["facts"]),
    ("analysis", &["facts", "model"]),
    ("rules", &["facts", "model", "analysis"]),
    (
        "change",
        &["facts", "model", "analysis", "rules", "collect"],
    ),
    (
        "watch",
        &["facts", "model", "analysis", "rules", "change", "collect"],
    ),
    (
        "nofail",
        &[
            "facts", "collect", "model", "analysis", "rules", "change", "watch",
        ],
    ),
    ("xtask", &["lab", "collect", "facts"]),
    ("lab", &[]),
];

/// Lines of a file without its tests, above which it hides two subjects.
const LONGEST: usize = 800;

/// Runs every check and names all that is wrong.
pub fn run() -> anyhow::Result<()> {
    let root = crate::root();
    let mut wrong = Vec::new();
    edges(&root, &mut wrong)?;
    for folder in ["crates", "xtask", "lab"] {
        let mut files = Vec::new();
        rust_files(&root.join(folder), &mut files)?;
        for file in files {
            source(&root, &file, &mut wrong)?;
        }
    }
    if wrong.is_empty() {
        println!("tidy: all well");
        return Ok(());
    }
    bail!("\n{}", wrong.join("\n"))
}

fn edges(root: &Path, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let ours: Vec<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in EDGES {
        let folder = if ["xtask", "lab"].contains(name) {
            root.join(name)
        } else {
            root.join("crates").join(name)
        };
        let manifest = folder.join("Cargo.toml");
        if !manifest.exists() {
            continue;
        }
        let text =
            std::fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        // Development dependencies are free: a test may use whatever shows the truth.
        let mut in_dependencies = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                in_dependencies = line == "[dependencies]" || line == "[build-dependencies]";
                continue;
            }
            let dependency = line.split(['.', '=', ' ']).next().unwrap_or("");
            if in_dependencies && ours.contains(&dependency) && !allowed.contains(&dependency) {
                wrong.push(format!(
                    "{}:{}: `{name}` may not import `{dependency}` (ARCHITECTURE.md)",
                    manifest.strip_prefix(root).unwrap_or(&manifest).display(),
                    number + 1
                ));
            }
        }
    }
    Ok(())
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "target") {
                rust_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn source(root: &Path, file: &Path, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let name = file.strip_prefix(root).unwrap_or(file).display();
    if !text.starts_with("//!") {
        wrong.push(format!(
            "{name}:1: begins without `//!`: say what the file is for"
        ));
    }
    let lines = text
        .split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or("")
        .lines()
        .count();
    let is_test = file.components().any(|c| c.as_os_str() == "tests")
        || file.file_name().is_some_and(|n| n == "tests.rs");
    if lines > LONGEST && !is_test {
        wrong.push(format!(
            "{name}: {lines} lines without its tests, the most is {LONGEST}: split it"
        ));
    }
    Ok(())
}
