//! The recorder on a file system that fills up: a tmpfs of some megabytes. Needs root.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the failure of the test"
)]

use jiff::Timestamp;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use watch::recorder::Limits;
use watch::{Event, Kind, Query, Recorder, RecorderError};

struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn new(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = std::ffi::CString::new(format!("size={size}")).unwrap();
        mount(
            "nofail-test",
            dir.path(),
            "tmpfs",
            MountFlags::NODEV,
            data.as_c_str(),
        )
        .unwrap();
        Self(dir)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

fn event(second: i64) -> Event {
    let time = Timestamp::from_second(second).unwrap();
    Event::new(
        time,
        "kvm-01",
        "test",
        Kind::LinkUp,
        "eno1",
        "x".repeat(300),
    )
}

#[test]
fn on_a_full_disk_the_oldest_make_room_and_nothing_acknowledged_is_lost() {
    let disk = Tmpfs::new("10m");
    let path = disk.0.path().join("events.db");
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    let mut acknowledged = Vec::new();
    // Others fill the disk after a while: what is left is what the recorder already has.
    for n in 0..3_000 {
        acknowledged.extend(recorder.record(&[event(n)]).unwrap());
    }
    let filler = disk.0.path().join("filler");
    let block = vec![1_u8; 64 << 10];
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    let mut refused = 0;
    for n in 3_000..9_000 {
        match recorder.record(&[event(n)]) {
            Ok(ids) => acknowledged.extend(ids),
            Err(RecorderError::Full(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 0, "the oldest make room");
    // The numbers have no gap and the newest are all there.
    assert!(acknowledged.windows(2).all(|w| w[1] == w[0] + 1));
    drop(recorder);
    let recorder = Recorder::open_to_read(&path).unwrap();
    let stored = recorder.query(&Query::default()).unwrap();
    let last = *acknowledged.last().unwrap();
    assert_eq!(stored.last().unwrap().id, last);
    assert_eq!(stored.len() as i64, last - stored[0].id + 1);
    assert!(stored.len() > 1_000, "{}", stored.len());
}

#[test]
fn a_disk_that_is_full_from_the_start_says_so_and_works_once_there_is_space() {
    let disk = Tmpfs::new("6m");
    let filler = disk.0.path().join("filler");
    std::fs::write(&filler, vec![1_u8; 1 << 20]).unwrap();
    let path = disk.0.path().join("events.db");
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&filler)
        .unwrap();
    while std::io::Write::write_all(&mut file, &[1_u8; 4096]).is_ok() {}
    std::fs::remove_file(path.with_extension("db.reserve")).ok();
    while std::io::Write::write_all(&mut file, &[1_u8; 4096]).is_ok() {}
    let big: Vec<Event> = (0..2_000).map(event).collect();
    let error = recorder.record(&big).unwrap_err();
    assert!(matches!(error, RecorderError::Full(_)), "{error:?}");
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    recorder.record(&big[..10]).unwrap();
    assert_eq!(recorder.query(&Query::default()).unwrap().len(), 10);
}
