//! Webhooks: our own document, ntfy, and those that take Slack's form.

use super::book::{Batch, Item};
use super::http::Client;
use super::names::Finder;
use super::{Failure, Teller, text};
use crate::Severity;
use crate::settings::WebhookForm;
use serde_json::{Value, json};

/// ntfy cuts messages at 4,096 bytes, Slack at 40,000 characters.
const LONGEST: usize = 3_500;

pub(super) struct Webhook {
    client: Client,
    form: WebhookForm,
}

impl Webhook {
    pub(super) fn new(url: &str, form: WebhookForm, finder: Finder) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(url, finder)?,
            form,
        })
    }
}

impl Teller for Webhook {
    fn tell(&mut self, host: &str, batch: &Batch) -> Result<(), Failure> {
        let json_type = ("Content-Type", "application/json");
        match self.form {
            WebhookForm::Generic => self
                .client
                .post(&[json_type], document(host, batch).to_string().as_bytes()),
            WebhookForm::Slack => {
                let text = format!(
                    "*{}*\n{}",
                    text::title(host, batch),
                    short(&text::body(host, batch))
                );
                self.client
                    .post(&[json_type], json!({"text": text}).to_string().as_bytes())
            }
            WebhookForm::Ntfy => {
                let worst = batch
                    .raised
                    .iter()
                    .chain(&batch.notes)
                    .filter_map(|i| text::rank(&i.severity))
                    .max();
                let (priority, tag) = match worst {
                    Some(Severity::Critical) => ("5", "rotating_light"),
                    Some(Severity::Error) => ("4", "warning"),
                    Some(_) => ("3", "warning"),
                    None => ("2", "white_check_mark"),
                };
                // Headers are ASCII without control characters.
                let title: String = text::title(host, batch)
                    .chars()
                    .map(|c| {
                        if c.is_ascii_graphic() || c == ' ' {
                            c
                        } else {
                            '?'
                        }
                    })
                    .take(200)
                    .collect();
                let headers = [
                    ("Title", title.as_str()),
                    ("Priority", priority),
                    ("Tags", tag),
                ];
                self.client
                    .post(&headers, short(&text::body(host, batch)).as_bytes())
            }
        }
    }
}

fn short(text: &str) -> String {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// `nofail.alerts/1`.
fn document(host: &str, batch: &Batch) -> Value {
    let item = |state: &str, item: &Item| {
        json!({
            "state": state, "id": item.id, "key": item.key, "kind": item.kind, "severity": item.severity,
            "guest": item.guest, "subject": item.subject, "message": item.message, "since": item.since,
        })
    };
    let mut alerts: Vec<Value> = batch.raised.iter().map(|i| item("raised", i)).collect();
    alerts.extend(batch.notes.iter().map(|i| item("event", i)));
    for (over, end) in &batch.cleared {
        let mut value = item("cleared", over);
        value["until"] = json!(end);
        alerts.push(value);
    }
    json!({
        "schema": "nofail.alerts/1", "host": host, "title": text::title(host, batch), "alerts": alerts,
        "standing": batch.standing, "heartbeat": batch.heartbeat,
    })
}
