//! The real daemon with real receivers: rsyslog, Prometheus, Alertmanager, an SMTP server, a
//! webhook. Receivers go away and come back, the daemon is killed: everything arrives, the file
//! of lines and the mailbox hold nothing twice. And quiet hours.
//!
//! All in a network namespace of its own, on its loopback. Needs root and the packages rsyslog,
//! prometheus, prometheus-alertmanager, python3-aiosmtpd; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
mod namespaces;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit, Zoned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use watch::recorder::Limits;
use watch::{Event, Kind, Recorder};

#[test]
fn every_sink_delivers_through_losses_and_kills() {
    namespaces::in_namespaces("every_sink_delivers_through_losses_and_kills", 150, inside);
}

fn start(program: &str, args: &[&str]) -> Child {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}"))
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(40), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn get(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut text = Vec::new();
    let _ = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// A webhook that keeps what it was sent.
fn webhook(port: u16) -> Arc<Mutex<Vec<String>>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
            let mut bytes = Vec::new();
            let mut block = [0_u8; 4096];
            while let Ok(length @ 1..) = stream.read(&mut block) {
                bytes.extend(&block[..length]);
            }
            keep.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&bytes).into_owned());
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    kept
}

fn record(db: &Path, kind: Kind, subject: &str) {
    let event = Event::new(
        Timestamp::now(),
        "kvm-01",
        "test",
        kind,
        subject,
        format!("about {subject}"),
    );
    Recorder::open(db, Limits::default())
        .unwrap()
        .record(&[event])
        .unwrap();
}

fn inside() {
    assert!(
        Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status()
            .unwrap()
            .success()
    );
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_default();
    std::fs::write(
        path("rsyslog.conf"),
        format!(
            "module(load=\"imtcp\")\nmodule(load=\"imudp\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"1514\")\n\
             input(type=\"imudp\" address=\"127.0.0.1\" port=\"1515\")\n\
             template(name=\"t\" type=\"string\" string=\"%inputname% %syslogfacility-text%.%syslogseverity-text% %hostname% %msgid% %structured-data% %msg%\\n\")\n\
             local0.crit action(type=\"omfile\" file=\"{}\" template=\"t\")\n",
            text("syslog.txt")
        ),
    )
    .unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    std::fs::write(
        path("prometheus.yml"),
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}/contrib/prometheus/nofail-alerts.yml]\n\
             scrape_configs: [{{job_name: nofail, static_configs: [{{targets: ['127.0.0.1:9107']}}]}}]\n",
            root.display()
        ),
    )
    .unwrap();
    std::fs::write(
        path("am.yml"),
        "route: {receiver: none}\nreceivers: [{name: none}]\n",
    )
    .unwrap();
    std::fs::write(
        path("watch.toml"),
        format!(
            "host = \"kvm-01\"\nwithout = [\"kernel-log\", \"libvirt\", \"audit\", \"space\"]\n[metrics]\nlisten = \"127.0.0.1:9107\"\n\
             [sinks.tcp]\ntype = \"syslog\"\nto = \"tcp://127.0.0.1:1514\"\n\
             [sinks.udp]\ntype = \"syslog\"\nto = \"udp://127.0.0.1:1515\"\nseverity = \"critical\"\n\
             [sinks.wazuh]\ntype = \"lines\"\npath = \"{}\"\n\
             [sinks.am]\ntype = \"alertmanager\"\nurl = \"http://127.0.0.1:9093\"\ngroup_seconds = 1\n\
             [sinks.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:8088/x\"\ngroup_seconds = 1\n\
             [sinks.slack]\ntype = \"webhook\"\nform = \"slack\"\nurl = \"http://localhost:8089/x\"\ngroup_seconds = 1\n\
             [sinks.mail]\ntype = \"mail\"\nurl = \"smtp+plain://127.0.0.1:1025\"\nfrom = \"nofail@kvm-01.example\"\nto = [\"root@example.org\"]\ngroup_seconds = 1\n",
            text("events.json")
        ),
    )
    .unwrap();
    let db = path("events.db");
    let daemon = || {
        start(
            env!("CARGO_BIN_EXE_nofail"),
            &[
                "watch",
                "--config",
                &text("watch.toml"),
                "--db",
                &text("events.db"),
            ],
        )
    };
    let rsyslog = || {
        start(
            "rsyslogd",
            &[
                "-n",
                "-f",
                &text("rsyslog.conf"),
                "-i",
                &text("rsyslog.pid"),
            ],
        )
    };
    let alertmanager = || {
        let storage = format!("--storage.path={}", text("am"));
        let config = format!("--config.file={}", text("am.yml"));
        start(
            "prometheus-alertmanager",
            &[
                &config,
                &storage,
                "--web.listen-address=127.0.0.1:9093",
                "--cluster.listen-address=",
            ],
        )
    };
    let mut syslog_server = rsyslog();
    let mut alert_server = alertmanager();
    let storage = format!("--storage.tsdb.path={}", text("tsdb"));
    let config = format!("--config.file={}", text("prometheus.yml"));
    let mut prometheus = start(
        "prometheus",
        &[&config, &storage, "--web.listen-address=127.0.0.1:9090"],
    );
    let mail = [
        "-m",
        "aiosmtpd",
        "-n",
        "-l",
        "127.0.0.1:1025",
        "-c",
        "aiosmtpd.handlers.Mailbox",
        &text("mail"),
    ];
    let mut mail_server = start("/usr/bin/python3", &mail);
    let hook = webhook(8088);
    let slack = webhook(8089);
    eventually("receivers listen", || {
        [1514, 9093, 9090, 1025]
            .iter()
            .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
    });
    let mails = || std::fs::read_dir(path("mail/new")).map_or(0, Iterator::count);
    let alerts = || get(9093, "/api/v2/alerts");

    // All is well: an event that another process records reaches everybody.
    let mut watch = daemon();
    eventually("the daemon listens", || {
        get(9107, "/healthz").contains("ok")
    });
    record(&db, Kind::MountStale, "/mnt/first");
    eventually("rsyslog by TCP", || {
        read("syslog.txt").contains("imtcp local0.crit kvm-01 mount.stale [nofail@32473 id=")
    });
    eventually("rsyslog by UDP", || {
        read("syslog.txt").contains("imudp local0.crit kvm-01 mount.stale")
    });
    eventually("the file of lines", || {
        read("events.json").contains("/mnt/first")
    });
    eventually("Alertmanager", || alerts().contains("/mnt/first"));
    eventually("the webhook", || {
        hook.lock()
            .unwrap()
            .iter()
            .any(|t| t.contains("nofail.alerts/1") && t.contains("/mnt/first"))
    });
    eventually("Slack's form", || {
        slack
            .lock()
            .unwrap()
            .iter()
            .any(|t| t.contains("\"text\":\"*[kvm-01] critical: /mnt/first"))
    });
    eventually("a mail", || mails() == 1);
    let metrics = get(9107, "/metrics");
    let body = metrics.split("\r\n\r\n").nth(1).unwrap();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(body.as_bytes())
        .unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    eventually("Prometheus has read it", || {
        get(9090, "/api/v1/query?query=nofail_build_info").contains("\"version\":")
    });

    // The network is gone, then the daemon is killed; another event; the daemon comes back first.
    end(&mut syslog_server);
    end(&mut alert_server);
    end(&mut mail_server);
    record(&db, Kind::MountStale, "/mnt/second");
    eventually("a sink that does not deliver is an event", || {
        read("events.json").contains("sink.failed")
    });
    end(&mut watch);
    record(&db, Kind::MountStale, "/mnt/third");
    let mut watch = daemon();
    eventually("the file of lines goes on", || {
        read("events.json").contains("/mnt/third")
    });
    let mut syslog_server = rsyslog();
    let mut alert_server = alertmanager();
    let mut mail_server = start("/usr/bin/python3", &mail);
    for subject in ["/mnt/second", "/mnt/third"] {
        eventually(&format!("rsyslog has {subject}"), || {
            read("syslog.txt").contains(&format!(
                "imtcp local0.crit kvm-01 mount.stale [nofail@32473 id=\"{}",
                id_of(&read("events.json"), subject)
            ))
        });
        eventually("Alertmanager", || alerts().contains(subject));
    }
    eventually("the mails", || mails() >= 2);

    // What is over is told as well.
    record(&db, Kind::MountHealthy, "/mnt/first");
    eventually("the webhook tells the end", || {
        hook.lock()
            .unwrap()
            .iter()
            .any(|t| t.contains("\"cleared\"") && t.contains("/mnt/first"))
    });
    eventually("Alertmanager resolves", || !alerts().contains("/mnt/first"));
    let lines = read("events.json");
    let mut ids: Vec<i64> = lines
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).unwrap()["id"]
                .as_i64()
                .unwrap()
        })
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "nothing twice in the file");
    for child in [
        &mut syslog_server,
        &mut alert_server,
        &mut mail_server,
        &mut prometheus,
        &mut watch,
    ] {
        end(child);
    }
}

fn id_of(lines: &str, subject: &str) -> i64 {
    let line = lines
        .lines()
        .find(|l| l.contains(&format!("\"subject\":\"{subject}\"")))
        .unwrap();
    serde_json::from_str::<serde_json::Value>(line).unwrap()["id"]
        .as_i64()
        .unwrap()
}

#[test]
fn quiet_hours_hold_back_what_is_told_at_their_end() {
    namespaces::in_namespaces(
        "quiet_hours_hold_back_what_is_told_at_their_end",
        60,
        quiet_hours,
    );
}

/// Quiet hours that begin a minute ago and end in some seconds.
fn quiet_hours() {
    const QUIET: Duration = Duration::from_secs(6);
    daemon::sh("ip link set lo up");
    let dir = tempfile::tempdir().unwrap();
    let hook = webhook(8088);
    let told = |subject: &str| {
        let posts = hook.lock().unwrap();
        posts.iter().filter(|post| post.contains(subject)).count()
    };
    let end = Zoned::now().with_time_zone(TimeZone::UTC) + QUIET;
    let end = end.round(Unit::Second).unwrap();
    let clock = |time: &Zoned| time.strftime("%H:%M:%S").to_string();
    let settings = format!(
        "host = \"kvm-01\"\nwithout = {}\n[sinks.hook]\ntype = \"webhook\"\n\
         url = \"http://127.0.0.1:8088/x\"\ngroup_seconds = 0.1\nquiet = \"{}-{}\"\n",
        daemon::all_but(&[]),
        clock(&(&end - Duration::from_secs(66))),
        clock(&end),
    );
    std::fs::write(dir.path().join("watch.toml"), settings).unwrap();
    let mut watch = daemon::Daemon::start(dir.path(), &[("TZ", Path::new("UTC"))]);

    watch.record(Kind::UnitFailed, "first.service");
    watch.record(Kind::UnitFailed, "second.service");
    watch.record(Kind::UnitRecovered, "second.service");
    watch.record(Kind::MountStale, "/mnt/critical");
    // The critical one is told at once; the others are recorded, and nothing is said of them.
    eventually("the critical one", || told("/mnt/critical") == 1);
    assert!(Zoned::now() < end, "told while it was quiet");
    watch.next(Kind::UnitFailed, "first.service");
    while Zoned::now() + Duration::from_millis(300) < end {
        assert_eq!((told("first.service"), told("second.service")), (0, 0));
        std::thread::sleep(Duration::from_millis(100));
    }
    // No event comes at the end of the quiet hours: what waited is told all the same, once. What was
    // over before anybody was told is not.
    let began = Zoned::now();
    eventually("what was held back", || told("first.service") == 1);
    let late = began.until(&Zoned::now()).unwrap();
    assert!(
        late.total(Unit::Second).unwrap() < 5.0,
        "{late}: not at the next look, a minute later"
    );
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((told("first.service"), told("/mnt/critical")), (1, 1));
    assert_eq!(told("second.service"), 0);
}
