//! One lock and one history: a plan and a network change exclude each other, and both are listed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use change::history::{self, Entry};
use change::journal::Status;
use change::lock::Lock;
use change::net::record::{Handle, Phase, Record, RecordError, SCHEMA, Store};
use change::net::session::{Connection, Process};
use change::net::{State, deadman};
use change::origin::Origin;
use change::{Act, Draft, Error, Proposal, Root, engine, prepare};
use std::path::Path;

struct Host {
    home: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// This machine, with its state in a directory of the test; no file but those is written.
    fn root(&self) -> Root {
        Root::live().unwrap().at_home(self.home.path())
    }

    fn store(&self) -> Store {
        Store::new(self.home.path())
    }

    fn begin(&self, id: &str) -> Result<Handle, RecordError> {
        let program = Path::new("/bin/true");
        self.store().create(&self.root(), &record(id), program)
    }

    fn plan(&self, name: &str) -> Result<change::Plan, Error> {
        let proposal = Proposal {
            act: Act::Write {
                path: self.home.path().join(name).display().to_string(),
                content: b"new\n".to_vec(),
                mode: 0o644,
            },
            rules: Vec::new(),
            safe: true,
        };
        let draft = Draft {
            title: "nofail fix".to_owned(),
            origin: origin(),
            proposals: vec![proposal],
            ..Draft::default()
        };
        let root = self.root();
        let mut plan = prepare(&root, draft)?;
        engine::apply(&root, &mut plan, &mut |_| {})?;
        Ok(plan)
    }
}

fn origin() -> Origin {
    Origin::here("", Some("a drill".to_owned()))
}

fn record(id: &str) -> Record {
    Record {
        schema: SCHEMA.to_owned(),
        id: id.to_owned(),
        host: "kvm-02".to_owned(),
        boot_id: String::new(),
        origin: origin(),
        connection: Connection::default(),
        applier: Process::own(),
        grounds: "not over SSH".to_owned(),
        before: State::default(),
        target: State::default(),
        devices: ["nofail-none".to_owned()].into(),
        has_vlans: true,
        commands: vec!["bridge vlan add dev br-mgmt vid 100 self".to_owned()],
        confirm_seconds: 60.0,
        probe_seconds: 1.0,
        probes: Vec::new(),
        persist: Vec::new(),
        profiles: Vec::new(),
        edits: Vec::new(),
        boot_unit: None,
    }
}

#[test]
fn while_a_network_change_is_open_no_plan_starts_and_its_way_back_needs_no_lock() {
    let host = Host::new();
    let handle = host.begin("20260413-210501-000000").unwrap();
    let refused = host.plan("one").unwrap_err();
    assert!(
        matches!(&refused, Error::OpenChange { id, .. } if *id == handle.id),
        "{refused}"
    );
    assert!(refused.to_string().contains("nofail net rollback"));
    assert!(!host.home.path().join("one").exists());
    // Somebody holds the host's lock: the old state comes back all the same.
    handle
        .advance(&[Phase::Prepared], Phase::Failed, None)
        .unwrap();
    let held = host.store().lock(&host.root(), &origin()).unwrap();
    let record = handle.record().unwrap();
    deadman::restore(&handle, &record).unwrap();
    drop(held);
    host.plan("one").unwrap();
    assert!(host.home.path().join("one").exists());
}

#[test]
fn while_a_plan_runs_or_is_broken_off_no_network_change_starts() {
    let host = Host::new();
    let held = Lock::take(&host.root(), "nofail fix", &origin()).unwrap();
    let refused = host.begin("20260413-210501-000000").unwrap_err();
    let RecordError::Change(error) = &refused else {
        panic!("{refused}")
    };
    assert!(matches!(**error, Error::Locked(_)), "{refused}");
    assert!(refused.to_string().contains("nofail fix"), "{refused}");
    drop(held);
    let plan = host.plan("one").unwrap();
    let progress = host.home.path().join(format!("plans/{}/progress", plan.id));
    std::fs::write(&progress, "{\"event\":\"begun\",\"step\":0}\n").unwrap();
    let refused = host.begin("20260413-210501-000000").unwrap_err();
    assert!(refused.to_string().contains("broken off"), "{refused}");
}

#[test]
fn both_stand_in_one_history() {
    let host = Host::new();
    let handle = host.begin("20200101-000000-000000").unwrap();
    let restored = handle.advance(&[Phase::Prepared], Phase::Restored, None);
    restored.unwrap();
    let plan = host.plan("one").unwrap();
    let all = history::list(&host.root()).unwrap();
    let ids: Vec<&str> = all.iter().map(Entry::id).collect();
    assert_eq!(ids, ["20200101-000000-000000", plan.id.as_str()]);
    assert_eq!(all[0].status(), Some(Status::RolledBack));
    assert_eq!(all[1].status(), Some(Status::Applied));
    let Entry::Net(_, Ok(change)) = history::load(&host.root(), &handle.id).unwrap() else {
        panic!("no network change")
    };
    assert_eq!(change.origin().reason.as_deref(), Some("a drill"));
    assert_eq!(change.steps().len(), 1);
    assert_eq!(change.step_state(0), "undone");
    // A record that is damaged hides nothing else.
    let file = host
        .home
        .path()
        .join("net/20200101-000000-000000/record.json");
    std::fs::write(file, "{").unwrap();
    let all = history::list(&host.root()).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].status(), None);
}
