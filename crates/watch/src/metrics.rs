//! `/metrics`: numbers for Prometheus, in its text format (prometheus.io, "exposition formats").

use crate::daemon::Context;
use crate::event::Event;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every metric: its name, type and help. Names and units follow Prometheus's conventions.
const METRICS: &[(&str, &str, &str)] = &[
    (
        "nofail_audit_findings",
        "gauge",
        "Findings of the last audit.",
    ),
    (
        "nofail_audit_timestamp_seconds",
        "gauge",
        "When the last audit was done.",
    ),
    ("nofail_bmc_up", "gauge", "Whether the BMC answers."),
    (
        "nofail_build_info",
        "gauge",
        "1, with the version as a label.",
    ),
    (
        "nofail_events_dropped_total",
        "counter",
        "Events dropped since too many came at once.",
    ),
    (
        "nofail_events_total",
        "counter",
        "Events since the daemon started.",
    ),
    ("nofail_guests", "gauge", "Guests by state."),
    (
        "nofail_link_errors_total",
        "counter",
        "Errors counted on a link.",
    ),
    (
        "nofail_mount_healthy",
        "gauge",
        "Whether the mount is well.",
    ),
    (
        "nofail_mount_probe_seconds",
        "gauge",
        "How long the last probe of the mount took.",
    ),
    ("nofail_mounts", "gauge", "Mounts that are watched."),
    (
        "nofail_probes_hanging",
        "gauge",
        "Probe processes that hang in the kernel.",
    ),
    ("nofail_problem", "gauge", "1 while the alert stands."),
    (
        "nofail_recorder_bytes",
        "gauge",
        "Bytes that recorded events take.",
    ),
    (
        "nofail_recorder_last_event",
        "gauge",
        "Number of the last recorded event.",
    ),
    (
        "nofail_sink_behind",
        "gauge",
        "Recorded events that the sink has not taken yet.",
    ),
    ("nofail_sink_up", "gauge", "Whether the sink delivers."),
    (
        "nofail_source_up",
        "gauge",
        "Whether the source runs and is heard.",
    ),
    (
        "nofail_space_free_bytes",
        "gauge",
        "Free space of a directory's file system.",
    ),
    (
        "nofail_space_size_bytes",
        "gauge",
        "Size of a directory's file system.",
    ),
    (
        "nofail_vrrp_masters",
        "gauge",
        "Routers of a VRRP group that say that they are master.",
    ),
];

/// The names of all metrics.
pub fn names() -> impl Iterator<Item = &'static str> {
    METRICS.iter().map(|(name, _, _)| *name)
}

type Key = (&'static str, String);

/// The numbers, set by sources and sinks.
#[derive(Debug, Default)]
pub struct Gauges {
    values: Mutex<BTreeMap<Key, f64>>,
}

impl Gauges {
    /// Sets a metric. Its name must stand in the list above; a test looks.
    pub fn set(&self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        self.values().insert((name, encode(labels)), value);
    }

    /// Takes away one metric.
    pub fn remove(&self, name: &'static str, labels: &[(&str, &str)]) {
        self.values().remove(&(name, encode(labels)));
    }

    /// Takes away what stands under a name, for metrics whose labels come and go.
    pub fn clear(&self, name: &'static str) {
        self.values().retain(|(known, _), _| *known != name);
    }

    /// Counts an event.
    pub(crate) fn count(&self, event: &Event) {
        let labels = encode(&[
            ("kind", event.kind.name()),
            ("severity", event.severity.name()),
        ]);
        *self
            .values()
            .entry(("nofail_events_total", labels))
            .or_default() += 1.0;
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<Key, f64>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them as text.
    fn text(&self) -> String {
        let values = self.values();
        let mut out = String::new();
        for (name, kind, help) in METRICS {
            let range = values.range((*name, String::new())..);
            let mut mine = range.take_while(|((known, _), _)| known == name).peekable();
            if mine.peek().is_none() {
                continue;
            }
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for ((_, labels), value) in mine {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        }
        out
    }
}

/// Labels as they stand in the text, with backslash, quote and line feed escaped.
fn encode(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let one = |(name, value): &(&str, &str)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    format!(
        "{{{}}}",
        labels.iter().map(one).collect::<Vec<_>>().join(",")
    )
}

/// Answers Prometheus until the process ends.
pub(crate) async fn serve(listener: tokio::net::TcpListener, context: Arc<Context>) {
    let app = Router::new()
        .route("/metrics", get(page))
        .route("/healthz", get(async || "ok\n"))
        .with_state(context);
    if let Err(error) = axum::serve(listener, app).await {
        eprintln!("nofail: /metrics: {error}");
    }
}

async fn page(State(context): State<Arc<Context>>) -> impl axum::response::IntoResponse {
    let format = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, format)], render(&context))
}

fn render(context: &Context) -> String {
    let gauges = &context.gauges;
    gauges.set(
        "nofail_build_info",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1.0,
    );
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of events and bytes are far below 2^53"
    )]
    {
        gauges.set(
            "nofail_events_dropped_total",
            &[],
            context.desk.dropped() as f64,
        );
        let reader = context.reader();
        gauges.set(
            "nofail_recorder_bytes",
            &[],
            reader.used().unwrap_or(0) as f64,
        );
        gauges.set(
            "nofail_recorder_last_event",
            &[],
            reader.last_id().unwrap_or(0) as f64,
        );
    }
    gauges.clear("nofail_problem");
    for (key, kind) in context.standing() {
        // HOST/topic/subject; a subject may hold slashes.
        let subject = key.splitn(3, '/').nth(2).unwrap_or(&key);
        let labels = [
            ("kind", kind.name()),
            ("severity", kind.severity().name()),
            ("subject", subject),
        ];
        gauges.set("nofail_problem", &labels, 1.0);
    }
    gauges.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use jiff::Timestamp;

    #[test]
    fn text_that_prometheus_reads() {
        let gauges = Gauges::default();
        gauges.set("nofail_mount_healthy", &[("target", "/mnt/\"a\"\\b")], 1.0);
        gauges.set("nofail_mount_healthy", &[("target", "/mnt/c")], 0.0);
        let event = Event::new(Timestamp::UNIX_EPOCH, "h", "s", Kind::MountStale, "x", "x");
        gauges.count(&event);
        gauges.count(&event);
        assert_eq!(
            gauges.text(),
            "# HELP nofail_events_total Events since the daemon started.\n\
             # TYPE nofail_events_total counter\n\
             nofail_events_total{kind=\"mount.stale\",severity=\"critical\"} 2\n\
             # HELP nofail_mount_healthy Whether the mount is well.\n\
             # TYPE nofail_mount_healthy gauge\n\
             nofail_mount_healthy{target=\"/mnt/\\\"a\\\"\\\\b\"} 1\n\
             nofail_mount_healthy{target=\"/mnt/c\"} 0\n"
        );
        gauges.clear("nofail_mount_healthy");
        assert!(!gauges.text().contains("/mnt"));
    }

    #[test]
    fn the_list_is_sorted_and_counters_are_named_so() {
        assert!(METRICS.windows(2).all(|w| w[0].0 < w[1].0));
        for (name, kind, help) in METRICS {
            assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
            assert!(help.ends_with('.'), "{name}");
        }
    }
}
