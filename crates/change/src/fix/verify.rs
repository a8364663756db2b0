//! The new fstab before it is written, as others read it: util-linux (`findmnt --verify`) and
//! systemd's own generator, where this machine has them.

use collect::command;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Where systemd keeps it (systemd.generator(7)).
const GENERATOR: &str = "/usr/lib/systemd/system-generators/systemd-fstab-generator";

/// What another program says of the new fstab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It agrees: who, and what it saw.
    Agrees(String),
    /// It was not asked: why.
    NotAsked(String),
    /// It finds something that it did not find in the old text.
    Objects(String),
}

/// Asks all that are here. `scratch` is an empty directory for their files.
pub fn fstab(old: &str, new: &str, scratch: &Path) -> Vec<Verdict> {
    vec![findmnt(old, new, scratch), generator(old, new, scratch)]
}

fn objections(text: &str, scratch: &Path) -> Result<BTreeSet<String>, String> {
    let file = scratch.join("fstab");
    std::fs::write(&file, text).map_err(|e| e.to_string())?;
    let file = file.display().to_string();
    let args = ["--verify", "--tab-file", &file];
    let done = command::run("findmnt", &args, &[], Duration::from_secs(10));
    let done = done.map_err(|error| crate::error::chain(&error))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + "\n" + &done.stderr;
    // "[E] …" is an error, "[W] …" a warning: missing targets and sources are those of the
    // machine that asks, so that only errors of form count.
    let errors = said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("[E]"));
    Ok(errors
        .filter(|line| !line.contains("unreachable"))
        .map(str::to_owned)
        .collect())
}

fn findmnt(old: &str, new: &str, scratch: &Path) -> Verdict {
    match (objections(old, scratch), objections(new, scratch)) {
        (Ok(old), Ok(new)) => match new.difference(&old).next() {
            Some(error) => Verdict::Objects(format!("findmnt --verify: {error}")),
            None => Verdict::Agrees("findmnt --verify finds no new error".to_owned()),
        },
        (Err(why), _) | (_, Err(why)) => Verdict::NotAsked(format!("findmnt --verify: {why}")),
    }
}

/// Links below `*.requires` and `*.wants`: `local-fs.target.requires/mnt.mount`.
fn links(text: &str, scratch: &Path, name: &str) -> Result<BTreeSet<String>, String> {
    let fail = |e: std::io::Error| e.to_string();
    let file = scratch.join(format!("{name}.fstab"));
    std::fs::write(&file, text).map_err(fail)?;
    let out = scratch.join(name);
    std::fs::create_dir_all(&out).map_err(fail)?;
    let fstab = format!("SYSTEMD_FSTAB={}", file.display());
    let out_text = out.display().to_string();
    // An empty kernel command line: root= and fstab= of this boot say nothing of that host.
    let args = [
        "SYSTEMD_LOG_TARGET=console",
        "SYSTEMD_IN_INITRD=0",
        "SYSTEMD_PROC_CMDLINE=",
        &fstab,
        GENERATOR,
        &out_text,
        &out_text,
        &out_text,
    ];
    let done = command::run("env", &args, &[], Duration::from_secs(10));
    done.map_err(|error| crate::error::chain(&error))?;
    let mut links = BTreeSet::new();
    for entry in std::fs::read_dir(&out).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let unit = entry.file_name().to_string_lossy().into_owned();
        if unit.ends_with(".requires") || unit.ends_with(".wants") {
            for link in std::fs::read_dir(entry.path()).map_err(fail)? {
                let link = link.map_err(fail)?.file_name();
                links.insert(format!("{unit}/{}", link.to_string_lossy()));
            }
        }
        if unit.ends_with(".mount") || unit.ends_with(".swap") || unit.ends_with(".automount") {
            links.insert(unit);
        }
    }
    Ok(links)
}

fn generator(old: &str, new: &str, scratch: &Path) -> Verdict {
    if !Path::new(GENERATOR).exists() {
        return Verdict::NotAsked("systemd-fstab-generator is not on this machine".to_owned());
    }
    let (before, after) = match (links(old, scratch, "old"), links(new, scratch, "new")) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(why), _) | (_, Err(why)) => {
            return Verdict::NotAsked(format!("systemd-fstab-generator: {why}"));
        }
    };
    let lost = before
        .difference(&after)
        .find(|link| !link.contains('/') && !link.ends_with(".swap"));
    if let Some(unit) = lost {
        return Verdict::Objects(format!("systemd-fstab-generator no longer makes {unit}"));
    }
    let required = |links: &BTreeSet<String>| -> BTreeSet<String> {
        let boot = links.iter().filter(|l| {
            l.starts_with("local-fs.target.requires/")
                || l.starts_with("remote-fs.target.requires/")
        });
        boot.cloned().collect()
    };
    if let Some(link) = required(&after).difference(&required(&before)).next() {
        return Verdict::Objects(format!("systemd-fstab-generator: new requirement {link}"));
    }
    Verdict::Agrees(format!(
        "systemd-fstab-generator: {} units, required by the boot {} instead of {}",
        after.iter().filter(|l| !l.contains('/')).count(),
        required(&after).len(),
        required(&before).len()
    ))
}
