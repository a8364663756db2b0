//! Alertmanager's API, version 2 (`POST /api/v2/alerts`). It forgets alerts that are not told
//! again, so what stands is sent again and again; grouping and silencing are its own work.

use super::book::{Batch, Item};
use super::http::Client;
use super::names::Finder;
use super::{Failure, Teller};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// How often what stands is sent.
const REFRESH: Duration = Duration::from_secs(60);
/// Without news for so long, Alertmanager takes an alert as over: our own death must not look
/// like a recovery too early, nor hang on for ever.
const ENDS: SignedDuration = SignedDuration::from_mins(10);

pub(super) struct Alertmanager {
    client: Client,
}

impl Alertmanager {
    pub(super) fn new(url: &str, finder: Finder) -> Result<Self, Failure> {
        let client = Client::new(
            &format!("{}/api/v2/alerts", url.trim_end_matches('/')),
            finder,
        )?;
        Ok(Self { client })
    }
}

impl Teller for Alertmanager {
    fn tell(&mut self, host: &str, batch: &Batch) -> Result<(), Failure> {
        let mut alerts = alerts(host, batch, Timestamp::now());
        if batch.heartbeat {
            alerts.push(json!({
                "labels": {"alertname": "NofailWatches", "host": host, "severity": "none"},
                "annotations": {"summary": "nofail watches: route this to a dead-man's switch"},
            }));
        }
        if alerts.is_empty() {
            return Ok(());
        }
        let body = serde_json::to_vec(&alerts).map_err(|e| e.to_string())?;
        self.client
            .post(&[("Content-Type", "application/json")], &body)
    }

    fn refreshes(&self) -> Option<Duration> {
        Some(REFRESH)
    }
}

fn alerts(host: &str, batch: &Batch, now: Timestamp) -> Vec<Value> {
    let ends = now.checked_add(ENDS).unwrap_or(now);
    let standing = batch.raised.iter().map(|item| alert(host, item, ends));
    // An event that is over at once: it fires and ends by itself.
    let notes = batch.notes.iter().map(|item| alert(host, item, ends));
    let over = batch
        .cleared
        .iter()
        .map(|(item, end)| alert(host, item, *end));
    standing.chain(notes).chain(over).collect()
}

/// Labels identify an alert: its kind is none of them where the alert can change its kind; the
/// key is.
fn alert(host: &str, item: &Item, ends: Timestamp) -> Value {
    let mut labels = json!({
        "alertname": "Nofail",
        "host": host,
        "subject": item.subject,
        "topic": item.key.split('/').nth(1).unwrap_or("event"),
        "severity": item.severity,
        "kind": item.kind,
    });
    if let Some(guest) = &item.guest {
        labels["guest"] = json!(guest);
    }
    json!({
        "labels": labels,
        "annotations": {
            "summary": format!("{}: {}", item.subject, item.message),
            "event": item.id.to_string(),
        },
        "startsAt": item.since,
        "endsAt": ends.max(item.since),
    })
}
