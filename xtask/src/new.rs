//! `cargo xtask new-rule` and `new-source`: the files that a newcomer would otherwise copy.

use anyhow::{Context, bail};
use std::fs;
use std::path::Path;

/// Writes the file of a new rule, its case file and its line in the list.
pub fn rule(id: &str) -> anyhow::Result<()> {
    let Some((area, slug)) = id.split_once('/') else {
        bail!("a rule's ID is area/slug: fstab/missing-nofail");
    };
    let well = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit())
    };
    if !well(area) || !well(slug) {
        bail!("`{id}`: small letters, digits and dashes only");
    }
    let root = crate::root();
    let module = slug.replace('-', "_");
    let folder = root.join("crates/rules/src").join(area);
    let file = folder.join(format!("{module}.rs"));
    if file.exists() {
        bail!("{} is there already", file.display());
    }
    fs::create_dir_all(&folder)?;
    let index = folder.join("mod.rs");
    if !index.exists() {
        fs::write(&index, format!("//! Rules on {area}.\n"))?;
        insert_sorted(
            &root.join("crates/rules/src/lib.rs"),
            "pub mod ",
            &format!("pub mod {area};"),
        )?;
    }
    insert_sorted(&index, "pub mod ", &format!("pub mod {module};"))?;
    let list = root.join("crates/rules/src/registry.rs");
    insert_sorted(
        &list,
        "    &crate::",
        &format!("    &crate::{area}::{module}::RULE,"),
    )?;
    fs::write(&file, RULE.replace("AREA", area).replace("SLUG", slug))?;
    let cases = root.join("testdata/scenarios").join(area);
    fs::create_dir_all(&cases)?;
    let cases = cases.join(format!("{slug}.md"));
    fs::write(&cases, CASES.replace("ID", id))?;
    println!("wrote {} and {}", file.display(), cases.display());
    Ok(())
}

/// Writes the collector's file of a new source and its line in the list.
pub fn source(name: &str) -> anyhow::Result<()> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        bail!("`{name}`: small letters and `_` only");
    }
    let root = crate::root();
    let sources = root.join("crates/collect/src/sources");
    let file = sources.join(format!("{name}.rs"));
    if file.exists() {
        bail!("{} is there already", file.display());
    }
    fs::write(&file, SOURCE.replace("NAME", name))?;
    insert_sorted(&sources.join("mod.rs"), "mod ", &format!("mod {name};"))?;
    println!("wrote {}", file.display());
    println!("now add `{name}::collect` where it belongs in the order of `ALL` in sources/mod.rs,");
    println!(
        "its variant in crates/facts/src/source.rs and its section in crates/facts/src/snapshot.rs"
    );
    Ok(())
}

/// Puts a line among the lines that begin with `prefix`, in order; at the end where there is none.
fn insert_sorted(file: &Path, prefix: &str, line: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut lines: Vec<&str> = text.lines().collect();
    let group: Vec<usize> = (0..lines.len())
        .filter(|&i| lines[i].starts_with(prefix))
        .collect();
    let at = group
        .iter()
        .copied()
        .find(|&i| lines[i] > line)
        .or_else(|| group.last().map(|i| i + 1))
        .unwrap_or(lines.len());
    if group.is_empty() {
        lines.push("");
    }
    lines.insert(at + usize::from(group.is_empty()), line);
    fs::write(file, lines.join("\n") + "\n")?;
    Ok(())
}

const RULE: &str = r#"//! `AREA/SLUG`: say in one line what it finds.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "AREA/SLUG",
    summary: "one line, without a full stop",
    needs: &[Source::Fstab],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds

## Why it matters

## Evidence

## Example

## Remedy

## When to ignore it

## References
";

fn check(host: &Host<'_>, report: &mut Report) {
    for entry in &host.snapshot.fstab {
        let place = Evidence::line("/etc/fstab", entry.line, &entry.text).mark(&entry.source);
        report.find(
            Finding::new(Severity::Info, host.name(), &entry.target, "what is wrong")
                .consequence("what follows")
                .evidence(place)
                .fix("what mends it"),
        );
    }
}
"#;

const CASES: &str = "\
# ID

## It fires: say why
```/etc/fstab
```
```expect
info host /data
```

## A near miss stays quiet
```/etc/fstab
```
```expect
nothing
```

## Without the facts it says so
```snapshot
{}
```
```expect
not-checked host fstab
```
";

const SOURCE: &str = r#"//! NAME: say what is read, from where, and the manual page that describes it.

use super::why;
use crate::{HostReader, Options};
use facts::{Snapshot, Source};

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    const PATH: &str = "/etc/NAME";
    match reader.text(PATH) {
        Ok(_text) => {}
        Err(error) => snapshot.not_read(Source::Fstab, why(PATH, &error)),
    }
}
"#;
