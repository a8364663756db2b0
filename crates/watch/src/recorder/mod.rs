//! The recorder: every event in one embedded SQLite database, in write-ahead mode.
//!
//! What [`Recorder::record`] has returned for is on disk: each transaction ends with an fsync of
//! the log, so that a kill or a power cut loses nothing that was acknowledged. Several processes
//! may write at once (the daemon, libvirt's hook, the guard). Size and age are bounded; on a full
//! disk the oldest events make room.

mod query;
mod reserve;
mod schema;
#[cfg(test)]
mod tests;

pub use query::{Query, What};

use crate::event::Event;
use jiff::Timestamp;
use reserve::Reserve;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Where the events of a host are, below its root.
pub const DEFAULT_PATH: &str = "/var/lib/nofail/events.db";

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(5);

/// How many events are removed in one transaction.
const CHUNK: i64 = 5_000;

/// How many are removed at once on a full disk: what the log needs for it fits the reserve.
const FEW: i64 = 200;

/// An event with the number under which it is stored. Numbers grow and are never used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The number.
    pub id: i64,
    /// The event.
    pub event: Event,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size of the database, bytes, without its write-ahead log (some MB).
    pub bytes: u64,
    /// Age of the oldest event.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            age: Duration::from_secs(400 * 86_400),
        }
    }
}

/// Why the recorder did not do what it should.
#[derive(Debug, Error)]
pub enum RecorderError {
    /// The directory or the file cannot be made.
    #[error("cannot create {path}")]
    Create {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open {path}{}", source.advice())]
    Open {
        /// The path.
        path: PathBuf,
        /// SQLite's reason.
        source: Reason,
    },
    /// There is none.
    #[error(
        "no events were recorded here: there is no {0} (nofail watch, the hook and the guard write it)"
    )]
    Absent(PathBuf),
    /// It was written by a newer nofail.
    #[error(
        "{path} has schema {found}, this nofail knows {known}: use the nofail that wrote it, or a newer one"
    )]
    Newer {
        /// The path.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file system is full, even after old events made room.
    #[error("no space is left to record events")]
    Full(#[source] rusqlite::Error),
    /// Reading failed.
    #[error("cannot read the recorded events")]
    Read(#[source] rusqlite::Error),
    /// Writing failed.
    #[error("cannot record events")]
    Write(#[source] rusqlite::Error),
}

impl RecorderError {
    /// Whether another process held the database for too long: later it may go.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Open {
                source: Reason(source),
                ..
            }
            | Self::Read(source)
            | Self::Write(source) => {
                let code = source.sqlite_error_code();
                matches!(
                    code,
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                )
            }
            _ => false,
        }
    }

    /// Whether what stands there is no database, or a damaged one: later it will not go either.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Open { source, .. } if source.is_damage())
    }
}

/// Why SQLite opened no database, in its own words and only once.
#[derive(Debug)]
pub struct Reason(rusqlite::Error);

impl Reason {
    fn advice(&self) -> &'static str {
        if self.is_damage() {
            ", which is damaged or something else: move it away, and nofail watch begins a new one"
        } else {
            ""
        }
    }

    fn is_damage(&self) -> bool {
        let code = self.0.sqlite_error_code();
        matches!(
            code,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            rusqlite::Error::SqliteFailure(_, Some(said)) => f.write_str(said),
            other => other.fmt(f),
        }
    }
}

impl std::error::Error for Reason {}

/// Sets a damaged database aside, with what belongs to it, for whoever wants to save something
/// from it; its new name. Nothing where no recorder ever stood there, as its reserve beside it
/// shows: a mistyped path leads to somebody else's file.
///
/// # Errors
/// [`RecorderError::Create`]: it cannot be renamed.
pub fn set_aside(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, RecorderError> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    if !named(reserve::SUFFIX).exists() {
        return Ok(None);
    }
    let mark = format!(".damaged-{}", now.as_second());
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (named(suffix), named(&format!("{mark}{suffix}")));
        match std::fs::rename(&from, &to) {
            Err(source) if suffix.is_empty() || source.kind() != std::io::ErrorKind::NotFound => {
                return Err(RecorderError::Create { path: to, source });
            }
            _ => {}
        }
    }
    Ok(Some(named(&mark)))
}

/// The database of one host's events.
#[derive(Debug)]
pub struct Recorder {
    connection: Connection,
    limits: Limits,
    reserve: Option<Reserve>,
    /// Whether the database takes no new pages, since the disk is full.
    capped: bool,
}

impl Recorder {
    /// Opens the database to write, creates it (directory 0755, file 0640) where there is none,
    /// and brings an older schema up to date.
    ///
    /// # Errors
    /// [`RecorderError`].
    pub fn open(path: &Path, limits: Limits) -> Result<Self, RecorderError> {
        create(path)?;
        let open = |source| RecorderError::Open {
            path: path.to_owned(),
            source: Reason(source),
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(open)?;
        connection.busy_timeout(BUSY).map_err(open)?;
        connection
            .execute_batch(
                "PRAGMA auto_vacuum = INCREMENTAL;
                 PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA cache_size = -256;
                 PRAGMA temp_store = MEMORY;
                 PRAGMA wal_autocheckpoint = 256;",
            )
            .map_err(open)?;
        let found = schema::version(&connection).map_err(open)?;
        if found > schema::KNOWN {
            return Err(RecorderError::Newer {
                path: path.to_owned(),
                found,
                known: schema::KNOWN,
            });
        }
        schema::migrate(&mut connection).map_err(open)?;
        Ok(Self {
            connection,
            limits,
            reserve: Some(Reserve::beside(path)),
            capped: false,
        })
    }

    /// Opens the database to read. Where its directory cannot be written to (a rescue shell's
    /// read-only mount), what still stands in the write-ahead log is not seen.
    ///
    /// # Errors
    /// [`RecorderError::Absent`], `Open`, `Newer`.
    pub fn open_to_read(path: &Path) -> Result<Self, RecorderError> {
        if !path.exists() {
            return Err(RecorderError::Absent(path.to_owned()));
        }
        let plain = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, plain).and_then(|c| {
            c.busy_timeout(BUSY)?;
            Ok((schema::version(&c)?, c))
        });
        let (found, connection) = match opened {
            Ok(opened) => opened,
            Err(_) => {
                // Escaped as sqlite.org/uri.html asks.
                let escaped = path.display().to_string();
                let escaped = escaped
                    .replace('%', "%25")
                    .replace('?', "%3f")
                    .replace('#', "%23");
                let uri = format!("file:{escaped}?immutable=1");
                Connection::open_with_flags(uri, plain | OpenFlags::SQLITE_OPEN_URI)
                    .and_then(|c| Ok((schema::version(&c)?, c)))
                    .map_err(|source| RecorderError::Open {
                        path: path.to_owned(),
                        source: Reason(source),
                    })?
            }
        };
        if found > schema::KNOWN {
            return Err(RecorderError::Newer {
                path: path.to_owned(),
                found,
                known: schema::KNOWN,
            });
        }
        Ok(Self {
            connection,
            limits: Limits::default(),
            reserve: None,
            capped: false,
        })
    }

    /// Stores events, all or none, and gives their numbers. On return they are on disk.
    ///
    /// # Errors
    /// [`RecorderError::Full`] or `Write`: then nothing of it was stored.
    pub fn record(&mut self, events: &[Event]) -> Result<Vec<i64>, RecorderError> {
        self.record_with(events, &[])
    }

    /// Stores events together with named values ([`Self::state`]): both or neither. So a source
    /// that remembers how far it has read tells each thing once, whenever it is killed.
    ///
    /// # Errors
    /// [`RecorderError::Full`] or `Write`: then nothing of it was stored.
    pub fn record_with(
        &mut self,
        events: &[Event],
        state: &[(&str, &str)],
    ) -> Result<Vec<i64>, RecorderError> {
        match self.insert(events, state) {
            Err(error) if is_full(&error) => {
                self.make_room();
                self.insert(events, state).map_err(|error| {
                    if is_full(&error) {
                        RecorderError::Full(error)
                    } else {
                        RecorderError::Write(error)
                    }
                })
            }
            other => other.map_err(RecorderError::Write),
        }
    }

    fn insert(
        &mut self,
        events: &[Event],
        state: &[(&str, &str)],
    ) -> Result<Vec<i64>, rusqlite::Error> {
        // Immediate: a lock that is waited for at the start, not refused in the middle.
        let transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut ids = Vec::with_capacity(events.len());
        {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO events (time, host, kind, guest, subject, severity, before, after,
                                     message, evidence, source)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            for event in events {
                let evidence = (!event.evidence.is_empty())
                    .then(|| serde_json::to_string(&event.evidence).ok())
                    .flatten();
                statement.execute(params![
                    event.time.as_microsecond(),
                    event.host,
                    event.kind.name(),
                    event.guest,
                    event.subject,
                    event.severity as i64,
                    event.before,
                    event.after,
                    event.message,
                    evidence,
                    event.source,
                ])?;
                ids.push(transaction.last_insert_rowid());
            }
            for (name, value) in state {
                schema::set(&transaction, name, value)?;
            }
        }
        transaction.commit()?;
        Ok(ids)
    }

    /// A value kept beside the events under a name.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn state(&self, name: &str) -> Result<Option<String>, RecorderError> {
        self.connection
            .query_row("SELECT value FROM state WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()
            .map_err(RecorderError::Read)
    }

    /// Every value whose name begins so.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn states(&self, prefix: &str) -> Result<Vec<(String, String)>, RecorderError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT name, value FROM state WHERE substr(name, 1, length(?1)) = ?1",
            )?;
            let rows = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(RecorderError::Read)
    }

    /// Keeps a value under a name.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn set_state(&mut self, name: &str, value: &str) -> Result<(), RecorderError> {
        self.record_with(&[], &[(name, value)]).map(|_| ())
    }

    /// The smallest and the largest number that is stored.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn bounds(&self) -> Result<Option<(i64, i64)>, RecorderError> {
        let bound = |order: &str| {
            let query = format!("SELECT id FROM events ORDER BY id {order} LIMIT 1");
            self.connection
                .query_row(&query, [], |row| row.get(0))
                .optional()
                .map_err(RecorderError::Read)
        };
        Ok(bound("ASC")?.zip(bound("DESC")?))
    }

    /// The number that the last event got, also where it has been removed since; 0 before the
    /// first one.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn last_id(&self) -> Result<i64, RecorderError> {
        self.connection
            .query_row(
                "SELECT seq FROM sqlite_sequence WHERE name = 'events'",
                [],
                |row| row.get(0),
            )
            .optional()
            .map(|seq| seq.unwrap_or(0))
            .map_err(RecorderError::Read)
    }

    /// A number that changes whenever another process has written.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn version(&self) -> Result<i64, RecorderError> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(RecorderError::Read)
    }

    /// Bytes that events take in the database, without pages that are free.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn used(&self) -> Result<u64, RecorderError> {
        let number = |pragma: &str| -> Result<i64, RecorderError> {
            self.connection
                .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
                .map_err(RecorderError::Read)
        };
        let pages = number("page_count")? - number("freelist_count")?;
        Ok(u64::try_from(pages * number("page_size")?).unwrap_or(0))
    }

    /// Removes what is older or more than the limits allow, in small transactions, and gives
    /// freed pages back to the file system. Returns how many events went.
    ///
    /// # Errors
    /// [`RecorderError::Write`] or `Read`.
    pub fn prune(&mut self, now: Timestamp) -> Result<u64, RecorderError> {
        let age = i64::try_from(self.limits.age.as_micros()).unwrap_or(i64::MAX);
        let oldest = now.as_microsecond().saturating_sub(age);
        let mut gone = 0;
        loop {
            let removed = self
                .connection
                .execute(
                    "DELETE FROM events WHERE id IN
                       (SELECT id FROM events WHERE time < ?1 ORDER BY time LIMIT ?2)",
                    params![oldest, CHUNK],
                )
                .map_err(RecorderError::Write)?;
            gone += removed as u64;
            if removed == 0 {
                break;
            }
        }
        while self.used()? > self.limits.bytes {
            let removed = self.remove_oldest(CHUNK).map_err(RecorderError::Write)?;
            gone += removed;
            if removed == 0 {
                break;
            }
        }
        if gone > 0 {
            self.connection
                .execute_batch("PRAGMA incremental_vacuum(2000);")
                .map_err(RecorderError::Write)?;
        }
        self.uncap();
        Ok(gone)
    }

    fn remove_oldest(&mut self, count: i64) -> Result<u64, rusqlite::Error> {
        let removed = self.connection.execute(
            "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?1)",
            [count],
        )?;
        Ok(removed as u64)
    }

    /// On a full disk: lets the reserve go, so that the log can be written back and removing old
    /// events finds the pages of log that it needs. From then on the database takes no new page
    /// of the disk, only those that old events leave: a page that exists in the log alone and
    /// finds no place in the file would let the log grow without end. [`Self::prune`] lifts the
    /// cap once there is space for the reserve again.
    fn make_room(&mut self) {
        if let Some(reserve) = &self.reserve {
            reserve.release();
        }
        let restart = "PRAGMA wal_checkpoint(RESTART);";
        // Each step may fail where even this is not enough; the caller's second try tells.
        let written = self.connection.execute_batch(restart);
        if written.is_ok() && !self.capped {
            let pages = self
                .connection
                .query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0));
            if let Ok(pages) = pages {
                let cap = format!("PRAGMA max_page_count = {pages};");
                self.capped = self.connection.execute_batch(&cap).is_ok();
            }
        }
        let _ = self.remove_oldest(FEW);
        let _ = self.connection.execute_batch(restart);
    }

    /// Takes the reserve again, and new pages of the disk, where there is space.
    fn uncap(&mut self) {
        let Some(reserve) = &self.reserve else { return };
        if reserve.refill() && self.capped {
            // The largest that SQLite knows.
            let uncap = "PRAGMA max_page_count = 4294967294;";
            self.capped = self.connection.execute_batch(uncap).is_err();
        }
    }
}

fn create(path: &Path) -> Result<(), RecorderError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let failed = |source| RecorderError::Create {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(failed)?;
    }
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    // A write-ahead log that cannot grow gives SQLITE_FULL, a shared-memory file an I/O error.
    matches!(error, rusqlite::Error::SqliteFailure(e, _)
        if matches!(e.code, ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}
