//! Where images, kernels and snapshots lie: outside the tree, under a name made of their content's
//! recipe, put there in one rename so that a build that was broken off leaves nothing behind.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

/// The cache's directory: `NOFAIL_LAB_CACHE`, else `nofail-lab` in `XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// Where none of the three variables is set.
pub fn directory() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let dir = if let Some(dir) = set("NOFAIL_LAB_CACHE") {
        PathBuf::from(dir)
    } else if let Some(base) = set("XDG_CACHE_HOME") {
        PathBuf::from(base).join("nofail-lab")
    } else if let Some(home) = set("HOME") {
        PathBuf::from(home).join(".cache/nofail-lab")
    } else {
        bail!("set NOFAIL_LAB_CACHE to a directory for the lab's images");
    };
    fs::create_dir_all(&dir)
        .with_context(|| format!("cannot create the lab's cache {}", dir.display()))?;
    Ok(dir)
}

/// After this time without use an entry makes room for a new one of its kind.
const UNUSED: Duration = Duration::from_secs(3 * 24 * 3600);

/// A short name for a recipe. Stable for one toolchain; a new one at worst builds once more.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write_u8(0);
    }
    format!("{:016x}", hasher.finish())
}

/// The directory `name` in the cache, filled by `build` where it is missing.
///
/// `build` gets an empty directory beside it, which is renamed when all of it is there. Entries
/// of the same `kind` that were long unused are removed then. Others who want the same wait.
///
/// # Errors
/// Where `build` fails or another builder takes longer than 20 minutes.
pub fn entry(kind: &str, digest: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = directory()?;
    let name = format!("{kind}-{digest}");
    let done = cache.join(&name);
    if done.exists() {
        // Marks the use for the clearing below; a cache that is read-only is used all the same.
        let _ = File::open(&done).and_then(|dir| dir.set_modified(SystemTime::now()));
        return Ok(done);
    }
    let _lock = exclusive(
        &cache.join(format!("{kind}.building")),
        Duration::from_secs(1200),
    )?;
    if done.exists() {
        return Ok(done);
    }
    let prefix = format!("{kind}-");
    for old in fs::read_dir(&cache)?.flatten() {
        let unused = old.metadata()?.modified()?.elapsed().unwrap_or_default() > UNUSED;
        if unused && old.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_dir_all(old.path())
                .with_context(|| format!("cannot remove {}", old.path().display()))?;
        }
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        // Its builder was killed: the lock is ours, so nobody works on it.
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir(&partial)?;
    if let Err(error) = build(&partial) {
        let _ = fs::remove_dir_all(&partial);
        return Err(error.context(format!("building the lab's {kind}")));
    }
    fs::rename(&partial, &done)?;
    Ok(done)
}

/// Takes a lock file alone, waiting for whoever has it. Freed on drop and on any end of the process.
fn exclusive(path: &Path, limit: Duration) -> Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let deadline = Instant::now() + limit;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() > deadline {
            bail!("another process has held {} for {limit:?}", path.display());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(file)
}

/// Two sorts of machines, which have places of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Emulated ones: each takes a core.
    Emulated,
    /// Kernels as programs ([`crate::uml`]): they wait most of the time.
    Program,
}

impl Sort {
    /// How the names of its lock files begin.
    fn name(self) -> &'static str {
        match self {
            Self::Emulated => "machine",
            Self::Program => "program",
        }
    }

    /// How many of it may run at once on this machine's two cores.
    fn places(self) -> usize {
        match self {
            Self::Emulated => 2,
            Self::Program => 3,
        }
    }
}

/// One of the places for running machines of a sort.
#[derive(Debug)]
pub struct Slot {
    _file: File,
    /// From 0.
    pub number: usize,
}

/// Waits for a place until `deadline`.
///
/// # Errors
/// Where all places stay taken.
pub fn slot(sort: Sort, deadline: Instant) -> Result<Slot> {
    slot_in(&directory()?, sort, deadline)
}

/// Waits for two places at once. A test with two machines takes them so: two such tests, each with
/// one place and waiting for the other, would wait for ever.
///
/// # Errors
/// Where they are never free together.
pub fn both_slots(sort: Sort, deadline: Instant) -> Result<[Slot; 2]> {
    both_in(&directory()?, sort, deadline)
}

/// As [`slot`], with the lock files in `dir`.
fn slot_in(dir: &Path, sort: Sort, deadline: Instant) -> Result<Slot> {
    loop {
        for number in 0..sort.places() {
            if let Some(slot) = try_slot(dir, sort, number)? {
                return Ok(slot);
            }
        }
        pause(dir, sort, deadline)?;
    }
}

/// As [`both_slots`], with the lock files in `dir`.
fn both_in(dir: &Path, sort: Sort, deadline: Instant) -> Result<[Slot; 2]> {
    loop {
        // Always in the same order, and the first is given back where the second is taken.
        if let Some(first) = try_slot(dir, sort, 0)?
            && let Some(second) = try_slot(dir, sort, 1)?
        {
            return Ok([first, second]);
        }
        pause(dir, sort, deadline)?;
    }
}

/// Takes one place if it is free.
fn try_slot(dir: &Path, sort: Sort, number: usize) -> Result<Option<Slot>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(format!("{}-{number}.lock", sort.name())))?;
    let taken = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    Ok(taken.then_some(Slot {
        _file: file,
        number,
    }))
}

/// Waits a moment, or tells who to ask when the time is up.
fn pause(dir: &Path, sort: Sort, deadline: Instant) -> Result<()> {
    if Instant::now() > deadline {
        bail!(
            "the places for lab machines stay taken ({} at once at most; `fuser -v {}/{}-*.lock` names their holders)",
            sort.places(),
            dir.display(),
            sort.name()
        );
    }
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_each_part_and_their_borders() {
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["a", "b"]), digest(&["ab", ""]));
    }

    #[test]
    fn a_third_machine_waits_for_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let soon = || Instant::now() + Duration::from_millis(100);
        let sort = Sort::Emulated;
        let first = slot_in(dir.path(), sort, soon()).unwrap();
        let second = slot_in(dir.path(), sort, soon()).unwrap();
        let error = slot_in(dir.path(), sort, soon()).unwrap_err().to_string();
        assert!(error.contains("2 at once at most"), "{error}");
        assert!(both_in(dir.path(), sort, soon()).is_err());
        assert!(slot_in(dir.path(), Sort::Program, soon()).is_ok());
        drop(first);
        assert!(both_in(dir.path(), sort, soon()).is_err());
        assert_eq!(slot_in(dir.path(), sort, soon()).unwrap().number, 0);
        drop(second);
        let both = both_in(dir.path(), sort, soon()).unwrap();
        assert_eq!(both.map(|slot| slot.number), [0, 1]);
    }
}
