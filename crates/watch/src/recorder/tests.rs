//! The recorder on real files: questions, limits, an older schema, kills, a full disk.

use super::*;
use crate::event::{Evidence, Kind, Severity};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn event(second: i64, kind: Kind, guest: &str) -> Event {
    let event = Event::new(at(second), "kvm-01", "test", kind, "thing", "it happened");
    if guest.is_empty() {
        event
    } else {
        event.of_guest(guest)
    }
}

fn open(dir: &tempfile::TempDir) -> Recorder {
    Recorder::open(&dir.path().join("a/events.db"), Limits::default()).unwrap()
}

#[test]
fn what_was_stored_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = open(&dir);
    let full = event(5, Kind::MountStale, "bind-01")
        .change(Some("ok".into()), "stale")
        .evidence(Evidence::line("/etc/fstab", 3, "x").mark("x"))
        .severity(Severity::Critical);
    let ids = recorder
        .record(&[full.clone(), event(6, Kind::LinkDown, "")])
        .unwrap();
    assert_eq!(ids, [1, 2]);
    drop(recorder);
    let recorder = Recorder::open_to_read(&dir.path().join("a/events.db")).unwrap();
    let all = recorder.query(&Query::default()).unwrap();
    assert_eq!(all.len(), 2);
    // The width of a caret is no part of the record.
    let mut expected = full;
    expected.evidence[0].width = 0;
    assert_eq!(all[0].event, expected);
    assert_eq!(recorder.bounds().unwrap(), Some((1, 2)));
}

#[test]
fn questions_by_guest_kind_time_number_and_severity() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = open(&dir);
    let events: Vec<Event> = (0..100)
        .map(|n| {
            let kind = [Kind::GuestStarted, Kind::MountStale, Kind::MountHealthy][n % 3];
            event(n as i64, kind, ["", "a", "b", "c"][n % 4])
        })
        .collect();
    recorder.record(&events).unwrap();
    let count = |query: Query| recorder.query(&query).unwrap().len();
    let guest = || Query {
        guest: Some("a".into()),
        ..Query::default()
    };
    assert_eq!(count(guest()), 25);
    assert_eq!(
        count(Query {
            since: Some(at(50)),
            until: Some(at(60)),
            ..guest()
        }),
        2
    );
    let kinds = vec![What::parse("mount").unwrap()];
    assert_eq!(count(Query { kinds, ..guest() }), 17);
    let kinds = vec![What::parse("mount.stale").unwrap()];
    assert_eq!(
        count(Query {
            kinds,
            ..Query::default()
        }),
        33
    );
    assert_eq!(What::parse("moun"), None);
    let severity = Some(Severity::Error);
    assert_eq!(
        count(Query {
            severity,
            ..Query::default()
        }),
        33
    );
    let last = recorder
        .query(&Query {
            newest_first: true,
            limit: Some(2),
            ..Query::default()
        })
        .unwrap();
    assert_eq!(last.iter().map(|r| r.id).collect::<Vec<_>>(), [100, 99]);
    assert_eq!(
        count(Query {
            after: Some(98),
            ..Query::default()
        }),
        2
    );
}

#[test]
fn age_and_size_are_bounded_and_numbers_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        bytes: 1 << 20,
        age: Duration::from_secs(100),
    };
    let mut recorder = Recorder::open(&dir.path().join("events.db"), limits).unwrap();
    recorder
        .record(&[
            event(0, Kind::Remark, ""),
            event(999, Kind::Remark, "young"),
        ])
        .unwrap();
    assert_eq!(recorder.prune(at(1000)).unwrap(), 1);
    let many: Vec<Event> = (0..20_000)
        .map(|n| event(1000 + n / 1000, Kind::LinkUp, ""))
        .collect();
    recorder.record(&many).unwrap();
    assert!(recorder.used().unwrap() > limits.bytes);
    assert!(recorder.prune(at(1001)).unwrap() >= 5_000);
    assert!(recorder.used().unwrap() <= limits.bytes);
    let (first, last) = recorder.bounds().unwrap().unwrap();
    assert!(first > 5_000, "{first}");
    assert_eq!(last, 20_002);
    recorder.limits.age = Duration::ZERO;
    recorder.prune(at(9_999)).unwrap();
    assert_eq!(recorder.bounds().unwrap(), None);
    assert_eq!(recorder.last_id().unwrap(), 20_002);
    assert_eq!(
        recorder.record(&[event(1, Kind::Remark, "")]).unwrap(),
        [20_003]
    );
}

#[test]
fn an_older_schema_is_migrated_and_a_newer_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(schema::first_step()).unwrap();
    old.execute_batch(
        "INSERT INTO events (time, host, kind, guest, subject, severity, message, source)
         VALUES (1000000, 'kvm-01', 'guest.started', 'bind-01', 'bind-01', 0, 'old', 'libvirt');
         INSERT INTO events (time, host, kind, subject, severity, message, source)
         VALUES (2000000, 'kvm-01', 'future.kind', 'x', 9, 'odd', 'libvirt');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    recorder.set_state("a", "b").unwrap();
    recorder.set_state("a", "c").unwrap();
    assert_eq!(recorder.state("a").unwrap().as_deref(), Some("c"));
    assert_eq!(recorder.state("none").unwrap(), None);
    let all = recorder.query(&Query::default()).unwrap();
    assert_eq!(all[0].event.message, "old");
    assert_eq!(all[1].event.message, "[future.kind] odd");
    assert_eq!(all[1].event.severity, Severity::Critical);
    recorder
        .connection
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    drop(recorder);
    for error in [
        Recorder::open(&path, Limits::default()).unwrap_err(),
        Recorder::open_to_read(&path).unwrap_err(),
    ] {
        assert!(error.to_string().contains("schema 99"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    std::fs::write(
        &path,
        "this is not a database, and long enough to show it".repeat(99),
    )
    .unwrap();
    assert!(matches!(
        Recorder::open(&path, Limits::default()).unwrap_err(),
        RecorderError::Open { .. }
    ));
    assert!(Recorder::open_to_read(&path).is_err());
    assert!(matches!(
        Recorder::open_to_read(&dir.path().join("none")).unwrap_err(),
        RecorderError::Absent(_)
    ));
}

#[test]
fn two_writers_do_not_lose_or_fail() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
                for n in 0..50 {
                    recorder.record(&[event(n, Kind::Remark, "")]).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let recorder = Recorder::open_to_read(&path).unwrap();
    assert_eq!(recorder.query(&Query::default()).unwrap().len(), 200);
}

/// Not a test of its own: the process that the next test kills.
#[test]
fn child_that_records_until_it_is_killed() {
    let Some(path) = std::env::var_os("NOFAIL_TEST_RECORDER") else {
        return;
    };
    let mut recorder = Recorder::open(Path::new(&path), Limits::default()).unwrap();
    for n in 0..1_000_000 {
        let ids = recorder.record(&[event(n, Kind::Remark, "")]).unwrap();
        println!("acknowledged {}", ids[0]);
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let mut acknowledged = 0;
    for round in 1..=10 {
        #[expect(
            clippy::disallowed_methods,
            reason = "a child that is meant to be killed"
        )]
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("recorder::tests::child_that_records_until_it_is_killed")
            .env("NOFAIL_TEST_RECORDER", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            let Some(id) = line.split("acknowledged ").nth(1) else {
                continue;
            };
            acknowledged = id.trim().parse::<i64>().unwrap();
            seen += 1;
            if seen == round * 7 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let recorder = Recorder::open(&path, Limits::default()).unwrap();
        let (_, last) = recorder.bounds().unwrap().unwrap();
        assert!(last >= acknowledged, "{last} < {acknowledged}");
        let count = recorder.query(&Query::default()).unwrap().len();
        assert_eq!(count as i64, last, "no gap in {round}");
    }
}

#[test]
fn a_damaged_database_is_set_aside_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let noise = [0x5a_u8; 8_192];
    std::fs::write(&path, noise).unwrap();
    let error = Recorder::open(&path, Limits::default()).unwrap_err();
    assert!(error.is_damaged(), "{error:?}");
    let said = change::error::chain(&error);
    assert_eq!(said.matches("not a database").count(), 1, "{said}");
    assert!(said.contains("move it away"), "{said}");
    assert!(Recorder::open_to_read(&path).unwrap_err().is_damaged());

    // SQLite itself removes one that belongs to no database.
    std::fs::write(dir.path().join("events.db-wal"), "wal").unwrap();
    let now = at(1_776_000_000);
    // A file that is none of ours stays where it is.
    assert_eq!(set_aside(&path, now).unwrap(), None);
    assert_eq!(std::fs::read(&path).unwrap(), noise);
    std::fs::write(dir.path().join("events.db.reserve"), "").unwrap();
    let aside = set_aside(&path, now).unwrap().unwrap();
    assert_eq!(aside, dir.path().join("events.db.damaged-1776000000"));
    assert_eq!(std::fs::read(&aside).unwrap(), noise);
    assert!(dir.path().join("events.db.damaged-1776000000-wal").exists());
    assert!(!dir.path().join("events.db-wal").exists());
    drop(Recorder::open(&path, Limits::default()).unwrap());
}
