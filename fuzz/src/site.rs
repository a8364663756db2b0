//! Files of nofail's own formats, fault trees, and what is concluded from arbitrary facts: a
//! panic in a rule is caught by the engine in the product, but not here.

use crate::{text, two};
use analysis::boot::{self, Conditions};
use analysis::cutsets::{Options, solve};
use analysis::mef;
use facts::{Snapshot, Source, fstab as tab, names};
use model::{Estate, Site};
use rules::Selection;
use rules::incident::Incident;

/// Fault trees in the Open-PSA format, read and solved.
pub fn mef(data: &[u8]) {
    if let Ok(model) = mef::parse(&[("a.xml".to_owned(), text(data).into_owned())]) {
        let known = model.probabilities(mef::DEFAULT_MISSION_TIME);
        let Ok(top) = model.top(None) else { return };
        // Small diagrams: what is looked for is a panic, not an answer.
        let options = Options {
            max_nodes: 4000,
            ..Options::default()
        };
        if let Ok(solution) = solve(&model.tree, top, &options) {
            assert_eq!(solution.count(), solution.by_order().map(|(_, n)| n).sum());
            let values: Vec<f64> = known.iter().map(|p| p.unwrap_or(0.5)).collect();
            if let Ok(probability) = solution.probability(&values) {
                assert!((-1e-9..=1.0 + 1e-9).contains(&probability), "{probability}");
            }
        }
    }
}

/// site.toml.
pub fn site(data: &[u8]) {
    if let Ok(site) = Site::parse("site.toml", &text(data)) {
        let _ = site.all_groups();
        for name in site.hosts.keys() {
            let _ = site.evidence("hosts", name, None);
            let _ = site.bridge_plan(name, "br0");
        }
    }
}

/// incident.toml.
pub fn incident(data: &[u8]) {
    if let Ok(incident) = Incident::parse(&text(data)) {
        let _ = incident.rules();
    }
}

/// Snapshot files: what was read can be written and read again.
pub fn snapshot(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::from_json(&text(data)) {
        let written = serde_json::to_string(&snapshot).expect("a snapshot can be written");
        let again = Snapshot::from_json(&written).expect("what was written can be read");
        assert_eq!(again, snapshot);
    }
}

/// A host whose fstab (before the first NUL) and hosts file (behind it) are given.
fn host(data: &[u8]) -> Snapshot {
    let (fstab, hosts) = two(data);
    let mut snapshot = Snapshot::new("a");
    let document = tab::parse(&fstab);
    snapshot.fstab = document.entries();
    snapshot.fstab_errors = document.errors().to_vec();
    snapshot.names.hosts = names::parse_hosts(&hosts);
    snapshot
}

/// The next boot with an arbitrary fstab, all well and with every server out of reach.
pub fn boot(data: &[u8]) {
    let snapshot = host(data);
    let _ = boot::predict(&snapshot, &Conditions::default());
    let unreachable = snapshot.fstab.iter().map(|e| e.source.clone()).collect();
    let conditions = Conditions {
        unreachable,
        ..Conditions::default()
    };
    let _ = boot::predict(&snapshot, &conditions);
}

fn audited(snapshot: Snapshot, site: Option<Site>) {
    let all = Selection::default().rules().unwrap_or_default();
    let estate = Estate {
        site,
        ..Estate::of(snapshot)
    };
    let audit = rules::audit(&estate, &all);
    for finding in &audit.findings {
        assert!(!finding.message.is_empty(), "{finding:?}");
    }
}

/// Every rule over an arbitrary fstab.
pub fn audit_fstab(data: &[u8]) {
    let mut snapshot = host(data);
    for source in [Source::Mounts, Source::BlockDevices] {
        snapshot.not_read(source, "fuzzed");
    }
    audited(snapshot, None);
}

/// Every rule over an arbitrary snapshot, and a draft of its site.
pub fn audit_snapshot(data: &[u8]) {
    let (snapshot, site) = two(data);
    if let Ok(snapshot) = Snapshot::from_json(&snapshot) {
        let draft = model::draft::draft(&Estate::of(snapshot.clone()));
        Site::parse("draft", &draft).expect("a drafted site.toml is one");
        audited(snapshot, Site::parse("site.toml", &site).ok());
    }
}
