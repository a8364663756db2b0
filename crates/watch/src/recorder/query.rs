//! Questions to the recorder.

use super::{Recorded, Recorder, RecorderError};
use crate::event::{Event, Kind, Severity};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use std::ops::ControlFlow;

/// A kind, or a whole area of kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One kind.
    Kind(Kind),
    /// Every kind whose name begins with `area.`.
    Area(String),
}

impl What {
    /// A kind or an area by its name: `mount.stale` or `mount`.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(kind) = Kind::parse(name) {
            return Some(Self::Kind(kind));
        }
        Kind::ALL
            .iter()
            .any(|kind| kind.area() == name)
            .then(|| Self::Area(name.to_owned()))
    }
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Of this guest.
    pub guest: Option<String>,
    /// Of one of these kinds; all where empty.
    pub kinds: Vec<What>,
    /// At least as bad as this.
    pub severity: Option<Severity>,
    /// With a larger number than this; then in the order of numbers, else of time.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
    /// The newest first; with a limit, the newest so many.
    pub newest_first: bool,
}

const COLUMNS: &str = "id, time, host, kind, guest, subject, severity, before, after, message,
                       evidence, source";

impl Query {
    fn sql(&self) -> (String, Vec<Value>) {
        let mut wheres: Vec<String> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut and = |text: &str, value: Value| {
            values.push(value);
            wheres.push(text.replace('?', &format!("?{}", values.len())));
        };
        if let Some(since) = self.since {
            and("time >= ?", since.as_microsecond().into());
        }
        if let Some(until) = self.until {
            and("time < ?", until.as_microsecond().into());
        }
        if let Some(guest) = &self.guest {
            and("guest = ?", guest.clone().into());
        }
        if let Some(severity) = self.severity {
            and("severity >= ?", (severity as i64).into());
        }
        if let Some(after) = self.after {
            and("id > ?", after.into());
        }
        if !self.kinds.is_empty() {
            let names = Kind::ALL.iter().filter(|kind| {
                self.kinds.iter().any(|what| match what {
                    What::Kind(one) => one == *kind,
                    What::Area(area) => kind.area() == area,
                })
            });
            // Names are our own constants.
            let names: Vec<String> = names.map(|kind| format!("'{}'", kind.name())).collect();
            // With a guest, the index of guests is the better one: a plus sign keeps SQLite off
            // the index of kinds.
            let column = if self.guest.is_some() {
                "+kind"
            } else {
                "kind"
            };
            wheres.push(format!("{column} IN ({})", names.join(", ")));
        }
        let mut sql = format!("SELECT {COLUMNS} FROM events");
        if !wheres.is_empty() {
            sql += &format!(" WHERE {}", wheres.join(" AND "));
        }
        let order = if self.newest_first { "DESC" } else { "ASC" };
        sql += &if self.after.is_some() {
            format!(" ORDER BY id {order}")
        } else {
            format!(" ORDER BY time {order}, id {order}")
        };
        if let Some(limit) = self.limit {
            sql += &format!(" LIMIT {limit}");
        }
        (sql, values)
    }
}

impl Recorder {
    /// The events that a query asks for.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn query(&self, query: &Query) -> Result<Vec<Recorded>, RecorderError> {
        let mut all = Vec::new();
        self.each(query, |recorded| {
            all.push(recorded);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Hands out the events that a query asks for one by one, until there are no more or the
    /// taker breaks off.
    ///
    /// # Errors
    /// [`RecorderError::Read`].
    pub fn each(
        &self,
        query: &Query,
        mut take: impl FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), RecorderError> {
        let (sql, values) = query.sql();
        let mut statement = self
            .connection
            .prepare_cached(&sql)
            .map_err(RecorderError::Read)?;
        let mut rows = statement
            .query(params_from_iter(values))
            .map_err(RecorderError::Read)?;
        while let Some(row) = rows.next().map_err(RecorderError::Read)? {
            if take(recorded(row).map_err(RecorderError::Read)?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn recorded(row: &Row<'_>) -> Result<Recorded, rusqlite::Error> {
    let name: String = row.get(3)?;
    let kind = Kind::parse(&name);
    let message: String = row.get(9)?;
    let severity: u16 = row.get(6)?;
    let evidence: Option<String> = row.get(10)?;
    Ok(Recorded {
        id: row.get(0)?,
        event: Event {
            time: Timestamp::from_microsecond(row.get(1)?).unwrap_or_default(),
            host: row.get(2)?,
            // An event that a newer nofail stored is shown, not hidden.
            message: match kind {
                Some(_) => message,
                None => format!("[{name}] {message}"),
            },
            kind: kind.unwrap_or(Kind::Remark),
            guest: row.get(4)?,
            subject: row.get(5)?,
            severity: Severity::ALL
                .get(usize::from(severity))
                .copied()
                .unwrap_or(Severity::Critical),
            before: row.get(7)?,
            after: row.get(8)?,
            evidence: evidence
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            source: row.get(11)?,
        },
    })
}
