//! The tables, and the steps from each version of them to the next.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// Step `n` leads from version `n` to `n + 1`. Steps are only ever added.
const STEPS: &[&str] = &[
    // `severity` is the place in `Severity::ALL`; `time` is microseconds since 1970, UTC;
    // `evidence` a JSON list or nothing.
    "CREATE TABLE events (
         id       INTEGER PRIMARY KEY AUTOINCREMENT,
         time     INTEGER NOT NULL,
         host     TEXT NOT NULL,
         kind     TEXT NOT NULL,
         guest    TEXT,
         subject  TEXT NOT NULL,
         severity INTEGER NOT NULL,
         before   TEXT,
         after    TEXT,
         message  TEXT NOT NULL,
         evidence TEXT,
         source   TEXT NOT NULL
     );
     CREATE INDEX events_by_time ON events (time);
     CREATE INDEX events_by_kind ON events (kind, time);",
    // What sources and sinks remember; events of one guest.
    "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
     CREATE INDEX events_by_guest ON events (guest, time) WHERE guest IS NOT NULL;",
];

/// The version that this program writes.
pub(super) const KNOWN: i64 = STEPS.len() as i64;

/// The version of a database; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Goes every step that is missing, each in a transaction of its own together with the number.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    for (from, step) in (0_i64..).zip(STEPS) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Asked under the lock: another process may have gone this step meanwhile.
        if version(&transaction)? == from {
            transaction.execute_batch(step)?;
            transaction.execute_batch(&format!("PRAGMA user_version = {}", from + 1))?;
        }
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) fn first_step() -> &'static str {
    STEPS[0]
}

pub(super) fn set(
    transaction: &Transaction<'_>,
    name: &str,
    value: &str,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO state (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}
