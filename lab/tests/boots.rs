//! `nofail boot` against real boots: some random fstabs each time, and the boots that taught something,
//! kept in `testdata/boots` with systemd's own verdict. The long series is run by hand with
//! `cargo xtask lab boots`.
//!
//! Needs root, QEMU, systemd-nspawn, nfs-ganesha and `NOFAIL_STATIC` (see `./test`).

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::path::{Path, PathBuf};

use lab::corpus::{self, Record, Series};
use lab::fstabs::Place;

fn nofail() -> PathBuf {
    std::env::var_os("NOFAIL_STATIC")
        .map(PathBuf::from)
        .expect("NOFAIL_STATIC names a static nofail, see ./test")
}

/// Boots some cases and compares each with what was foretold.
fn boot(place: Place, seed: u64, count: u64) {
    let nofail = nofail();
    let series = Series {
        seed,
        first: 0,
        count,
        place,
        nofail: Some(&nofail),
    };
    let mut wrong = Vec::new();
    corpus::run(&series, |record| {
        println!("{:?} in {:.0} s", record.outcome, record.seconds);
        if !record.disagreements.is_empty() {
            wrong.push(record.clone());
        }
        Ok(())
    })
    .unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn random_fstabs_boot_as_foretold_in_machines() {
    boot(Place::Machine, 3, 2);
}

#[test]
fn random_fstabs_boot_as_foretold_in_containers() {
    boot(Place::Container, 7, 12);
}

#[test]
fn the_boots_that_taught_something_are_foretold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/boots");
    let mut kept: Vec<Record> = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        kept.push(serde_json::from_str(&text).unwrap());
    }
    assert!(kept.len() >= 5, "{}", kept.len());
    let mut wrong = Vec::new();
    corpus::again(kept, &nofail(), |record| {
        if !record.disagreements.is_empty() {
            wrong.push(record.clone());
        }
        Ok(())
    })
    .unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
