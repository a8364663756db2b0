//! `/etc/nofail/watch.toml`: how often to look, what is too slow or too full, whom to tell.
//! Everything has a default; the daemon works without the file.

use crate::event::Severity;
use crate::recorder::Limits;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Where the file is looked for.
pub const DEFAULT_PATH: &str = "/etc/nofail/watch.toml";

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Name of this host in events; the kernel's host name where not said.
    pub host: Option<String>,
    /// Sources that are not started, by name.
    pub without: Vec<String>,
    /// The recorder.
    pub recorder: RecorderSettings,
    /// Mounts and their health.
    pub mounts: Mounts,
    /// Free space.
    pub space: Space,
    /// Links and their counters.
    pub links: Links,
    /// BMCs.
    pub bmc: Bmc,
    /// Captures of switches.
    pub switches: Switches,
    /// VRRP.
    pub vrrp: Vrrp,
    /// VLANs of guests' ports.
    pub vlans: Vlans,
    /// The audit.
    pub audit: Audit,
    /// `/metrics`.
    pub metrics: Metrics,
    /// Whom to tell, by a name of one's own.
    pub sinks: BTreeMap<String, SinkKind>,
}

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The text is not what it should be; the source says where.
    #[error("{file} cannot be used")]
    Text {
        /// The file.
        file: String,
        /// What and where.
        source: toml::de::Error,
    },
    /// A sink has a field that its type does not have.
    #[error("{file}: [sinks.{sink}]: a sink of type {kind} has no `{field}`; it has {known}")]
    Field {
        /// The file.
        file: String,
        /// The sink's name.
        sink: String,
        /// Its type.
        kind: String,
        /// The field.
        field: String,
        /// The fields that it may have.
        known: String,
    },
}

/// Fields of each type of sink. (serde cannot refuse unknown fields where a structure is
/// flattened into another.)
const FIELDS: &[(&str, &[&str], bool)] = &[
    ("syslog", &["to", "severity"], false),
    ("journal", &["socket", "severity"], false),
    ("lines", &["path", "severity", "megabytes"], false),
    ("alertmanager", &["url"], true),
    ("webhook", &["url", "form"], true),
    (
        "mail",
        &["url", "from", "to", "password_file", "ca_file"],
        true,
    ),
];

/// Fields of [`Alerting`].
const ALERTING: &[&str] = &[
    "severity",
    "group_seconds",
    "repeat_hours",
    "recovery",
    "quiet",
    "heartbeat_hours",
];

impl Settings {
    /// Reads the text of the file; `file` is its name in errors.
    ///
    /// # Errors
    /// What is wrong, with the line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let failed = |source| SettingsError::Text {
            file: file.to_owned(),
            source,
        };
        let settings: Self = toml::from_str(text).map_err(failed)?;
        let table: toml::Table = toml::from_str(text).map_err(failed)?;
        let sinks = table.get("sinks").and_then(toml::Value::as_table);
        for (name, sink) in sinks.into_iter().flatten() {
            let Some(sink) = sink.as_table() else {
                continue;
            };
            let kind = sink.get("type").and_then(toml::Value::as_str).unwrap_or("");
            let Some((_, own, alerting)) = FIELDS.iter().find(|(known, _, _)| *known == kind)
            else {
                continue;
            };
            let shared: &[&str] = if *alerting { ALERTING } else { &[] };
            let known: Vec<&str> = own.iter().chain(shared).copied().collect();
            if let Some(field) = sink
                .keys()
                .find(|k| *k != "type" && !known.contains(&k.as_str()))
            {
                return Err(SettingsError::Field {
                    file: file.to_owned(),
                    sink: name.clone(),
                    kind: kind.to_owned(),
                    field: field.clone(),
                    known: known.join(", "),
                });
            }
        }
        Ok(settings)
    }
}

/// How much is kept, and where.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecorderSettings {
    /// The database.
    pub path: PathBuf,
    /// Its size, MiB.
    pub megabytes: u64,
    /// Age of the oldest event, days.
    pub days: u64,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self {
            path: crate::recorder::DEFAULT_PATH.into(),
            megabytes: 256,
            days: 400,
        }
    }
}

impl RecorderSettings {
    /// The same as the recorder takes it.
    pub fn limits(&self) -> Limits {
        Limits {
            bytes: self.megabytes.saturating_mul(1 << 20),
            age: Duration::from_secs(self.days.saturating_mul(86_400)),
        }
    }
}

/// Mounts and their health.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mounts {
    /// Between two probes of a network mount.
    #[serde(rename = "interval_seconds", deserialize_with = "seconds")]
    pub interval: Duration,
    /// After this a probe counts as unanswered.
    #[serde(rename = "deadline_seconds", deserialize_with = "seconds")]
    pub deadline: Duration,
    /// A mount that takes longer twice in a row is slow, milliseconds.
    pub slow_milliseconds: u64,
    /// When a mount that is stale, empty, failed or gone is mounted again.
    pub remount: Remount,
}

impl Default for Mounts {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            deadline: Duration::from_secs(5),
            slow_milliseconds: 1_000,
            remount: Remount::Never,
        }
    }
}

/// When to mount again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remount {
    /// A person does.
    #[default]
    Never,
    /// Only where no guest has a disk there.
    WhenUnused,
    /// Also below running guests.
    Force,
}

/// Free space.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Space {
    /// Between two looks.
    #[serde(rename = "interval_seconds", deserialize_with = "seconds")]
    pub interval: Duration,
    /// Less than this much free is too little, percent.
    pub low_percent: u64,
    /// More directories to look at than those of pools and of guests' disks.
    pub directories: Vec<String>,
}

impl Default for Space {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            low_percent: 5,
            directories: vec!["/".into(), "/var".into()],
        }
    }
}

/// Links and their counters.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// Between two looks at error counters.
    #[serde(rename = "interval_seconds", deserialize_with = "seconds")]
    pub interval: Duration,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
        }
    }
}

/// BMCs: addresses come from site.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bmc {
    /// Between two looks.
    #[serde(rename = "interval_seconds", deserialize_with = "seconds")]
    pub interval: Duration,
}

impl Default for Bmc {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
        }
    }
}

/// Captures of switches: site.toml names them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Between two looks: they come by hand or by a nightly job.
    #[serde(rename = "interval_seconds", deserialize_with = "seconds")]
    pub interval: Duration,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
        }
    }
}

/// VRRP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vrrp {
    /// Whether to listen; where not said, if site.toml names a guest with `ready = "vrrp"`.
    pub listen: Option<bool>,
}

/// VLANs of guests' ports.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vlans {
    /// What is done about a port that is not as site.toml plans it.
    pub policy: VlanPolicy,
}

/// What is done about a port that is not as planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VlanPolicy {
    /// Nobody looks.
    Off,
    /// It is told.
    #[default]
    Report,
    /// It is put right, and told.
    Repair,
}

/// The audit.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Hours between two audits; 0 does none.
    pub interval_hours: u64,
    /// Seconds from the start of the daemon to the first one: a boot has better things to do.
    /// As long after one that failed.
    pub after_start_seconds: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            interval_hours: 24,
            after_start_seconds: 120,
        }
    }
}

/// `/metrics` for Prometheus.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port to listen on; nobody listens where not said.
    pub listen: Option<std::net::SocketAddr>,
}

/// One way to tell somebody.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SinkKind {
    /// Syslog: RFC 5424, facility local0.
    Syslog {
        /// `/dev/log` (the system's form of RFC 3164), `udp://ADDRESS:PORT` or
        /// `tcp://ADDRESS:PORT` (RFC 5424, octet counting of RFC 6587).
        #[serde(default = "dev_log")]
        to: String,
        /// Events milder than this are not told.
        #[serde(default = "info", deserialize_with = "severity")]
        severity: Severity,
    },
    /// The journal, in its native protocol, with fields.
    Journal {
        /// The socket.
        #[serde(default = "journal_socket")]
        socket: PathBuf,
        /// Events milder than this are not told.
        #[serde(default = "info", deserialize_with = "severity")]
        severity: Severity,
    },
    /// One JSON object per line, made for Wazuh's agent.
    Lines {
        /// The file.
        #[serde(default = "lines_file")]
        path: PathBuf,
        /// Events milder than this are not told.
        #[serde(default = "info", deserialize_with = "severity")]
        severity: Severity,
        /// At this size the file is renamed to `FILE.1`, MiB.
        #[serde(default = "sixteen")]
        megabytes: u64,
    },
    /// Alertmanager, API version 2.
    Alertmanager {
        /// Its base URL: `http://127.0.0.1:9093`.
        url: String,
        /// What all of these have in common.
        #[serde(flatten)]
        alerting: Alerting,
    },
    /// A webhook.
    Webhook {
        /// Its URL.
        url: String,
        /// `generic`, `ntfy` or `slack`.
        #[serde(default)]
        form: WebhookForm,
        /// What all of these have in common.
        #[serde(flatten)]
        alerting: Alerting,
    },
    /// Mail.
    Mail {
        /// `smtps://[USER@]HOST[:465]`, `smtp://HOST:587` (STARTTLS) or
        /// `smtp+plain://ADDRESS:25` (no TLS).
        url: String,
        /// Sender.
        from: String,
        /// Receivers.
        to: Vec<String>,
        /// File of mode 0600 that holds the password.
        #[serde(default)]
        password_file: Option<PathBuf>,
        /// More certificates to trust, PEM.
        #[serde(default)]
        ca_file: Option<PathBuf>,
        /// What all of these have in common.
        #[serde(flatten)]
        alerting: Alerting,
    },
}

/// What a webhook expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookForm {
    /// Our own document, `nofail.alerts/1`.
    #[default]
    Generic,
    /// ntfy: text as the body, title and priority in headers.
    Ntfy,
    /// Slack's incoming webhooks, and those that take the same (Mattermost, Rocket.Chat).
    Slack,
}

/// How people are told of alerts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Alerting {
    /// Alerts milder than this are not told.
    #[serde(deserialize_with = "severity")]
    pub severity: Severity,
    /// So long is waited for more of the same moment, so that they come in one message.
    #[serde(rename = "group_seconds", deserialize_with = "seconds")]
    pub group: Duration,
    /// An alert that stays is told again after so many hours; 0 never.
    pub repeat_hours: u64,
    /// Whether to tell that an alert is over.
    pub recovery: bool,
    /// From when to when (`22:00-06:30`, local time) only critical ones are told; the others
    /// wait for the end.
    #[serde(deserialize_with = "quiet_hours")]
    pub quiet: Option<Quiet>,
    /// Hours between two signs of life, so that silence is noticed; 0 gives none.
    pub heartbeat_hours: u64,
}

impl Default for Alerting {
    fn default() -> Self {
        Self {
            severity: Severity::Error,
            group: Duration::from_secs(10),
            repeat_hours: 24,
            recovery: true,
            quiet: None,
            heartbeat_hours: 0,
        }
    }
}

/// Hours of the night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Begin.
    pub from: jiff::civil::Time,
    /// End; earlier than the begin means the next day.
    pub to: jiff::civil::Time,
}

impl Quiet {
    /// Whether it is quiet at this time of day.
    pub fn holds(&self, time: jiff::civil::Time) -> bool {
        if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }

    /// How long it is still quiet; `None` where it is not.
    pub fn left(&self, time: jiff::civil::Time) -> Option<Duration> {
        if !self.holds(time) {
            return None;
        }
        let left = time.duration_until(self.to);
        let day = jiff::SignedDuration::from_hours(24);
        let left = if left.is_negative() { left + day } else { left };
        Some(left.unsigned_abs())
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        Some(Self {
            from: from.trim().parse().ok()?,
            to: to.trim().parse().ok()?,
        })
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if !(0.1..=86_400.0).contains(&seconds) {
        return Err(serde::de::Error::custom("seconds from 0.1 to 86400"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let name = String::deserialize(deserializer)?;
    Severity::parse(&name).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{name}` is none of info, warning, error, critical"
        ))
    })
}

fn quiet_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quiet>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Quiet::parse(&text).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is no span of hours such as 22:00-06:30"))
    })
}

fn dev_log() -> String {
    "/dev/log".to_owned()
}

fn journal_socket() -> PathBuf {
    "/run/systemd/journal/socket".into()
}

fn lines_file() -> PathBuf {
    "/var/log/nofail/events.json".into()
}

fn info() -> Severity {
    Severity::Info
}

fn sixteen() -> u64 {
    16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default_and_every_sink_can_be_said() {
        Settings::parse("x", "").unwrap();
        let text = r#"
            without = ["vrrp"]
            [mounts]
            interval_seconds = 5
            remount = "when-unused"
            [metrics]
            listen = "127.0.0.1:9107"
            [sinks.log]
            type = "syslog"
            severity = "critical"
            [sinks.wazuh]
            type = "lines"
            [sinks.journal]
            type = "journal"
            [sinks.am]
            type = "alertmanager"
            url = "http://127.0.0.1:9093"
            severity = "warning"
            [sinks.phone]
            type = "webhook"
            form = "ntfy"
            url = "https://ntfy.example/x"
            quiet = "22:00-06:30"
            [sinks.mail]
            type = "mail"
            url = "smtps://10.0.0.1"
            from = "nofail@kvm-01"
            to = ["root@example"]
            heartbeat_hours = 24
        "#;
        let settings = Settings::parse("x", text).unwrap();
        assert_eq!(settings.sinks.len(), 6);
        assert_eq!(settings.mounts.remount, Remount::WhenUnused);
        let SinkKind::Webhook { alerting, form, .. } = &settings.sinks["phone"] else {
            panic!()
        };
        assert_eq!(*form, WebhookForm::Ntfy);
        let quiet = alerting.quiet.unwrap();
        let at = |text: &str| quiet.holds(text.parse().unwrap());
        let left = |text: &str| quiet.left(text.parse().unwrap());
        assert_eq!(left("06:29:59.75"), Some(Duration::from_millis(250)));
        assert_eq!(left("22:00"), Some(Duration::from_secs(8 * 3600 + 1800)));
        assert_eq!((left("06:30"), left("21:59")), (None, None));
        assert!(at("23:00") && at("06:29") && !at("06:30") && !at("12:00"));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, what) in [
            ("[mounts]\ninterval_secnds = 1", "2"),
            ("[mounts]\ninterval_seconds = 0", "86400"),
            ("[sinks.a]\ntype = \"pigeon\"", "pigeon"),
            (
                "[sinks.a]\ntype = \"webhook\"\nurl = \"x\"\nquiet = \"late\"",
                "late",
            ),
            (
                "[sinks.a]\ntype = \"webhook\"\nurl = \"x\"\nrepeat = 1",
                "repeat_hours",
            ),
            ("[sinks.a]\ntype = \"syslog\"\nseverity = \"bad\"", "bad"),
        ] {
            let error = change::error::chain(&Settings::parse("watch.toml", text).unwrap_err());
            assert!(
                error.contains("watch.toml") && error.contains(what),
                "{error}"
            );
        }
    }
}
