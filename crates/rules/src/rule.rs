//! What a rule is, and what it sees.

use crate::finding::Finding;
use analysis::boot::{self, UnitPlan};
use facts::{Snapshot, Source};
use model::Estate;
use std::cell::OnceCell;

/// One rule. Each lives in its own file as `pub const RULE: Rule`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// `area/slug`, named for the defect.
    pub id: &'static str,
    /// One line: what it finds.
    pub summary: &'static str,
    /// Sources without which it cannot be checked on a host. A source that only sharpens it is
    /// not listed.
    pub needs: &'static [Source],
    /// How far a machine may mend it.
    pub remedy: Remedy,
    /// Its page (Markdown): what it finds, why it matters, evidence, example, remedy, when to
    /// ignore it, references.
    pub doc: &'static str,
    /// The check itself.
    pub check: Check,
}

/// How far a machine may mend what a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Mended by `nofail fix` without further question.
    Safe,
    /// Mended only when asked for (`--unsafe`).
    Unsafe,
    /// Told to a person; no machine mends it.
    Shown,
}

/// The check of a rule.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Looks at one host at a time.
    Host(fn(&Host<'_>, &mut Report)),
    /// Looks at all hosts together; run once, with the hosts whose needed sources were read.
    Site(fn(&Estate, &[&Snapshot], &mut Report)),
}

/// One host as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// What was read from it.
    pub snapshot: &'a Snapshot,
    /// The whole estate.
    pub estate: &'a Estate,
    /// The units of its fstab, planned by the first rule that asks.
    pub(crate) units: &'a OnceCell<Vec<UnitPlan>>,
}

impl<'a> Host<'a> {
    /// The host's name.
    pub fn name(&self) -> &str {
        &self.snapshot.host
    }

    /// What systemd's generator makes of each line of fstab, in its order.
    pub(crate) fn units(&self) -> &'a [UnitPlan] {
        self.units
            .get_or_init(|| boot::plan::plan(&self.snapshot.fstab, &boot::Host::of(self.snapshot)))
    }
}

/// Where a rule puts what it finds.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) findings: Vec<Finding>,
    pub(crate) not_checked: Vec<(String, String)>,
}

impl Report {
    /// Adds a finding.
    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Says that something about one host could not be checked although its sources were read:
    /// one value in them is unreadable.
    pub fn not_checked(&mut self, host: impl Into<String>, reason: impl Into<String>) {
        self.not_checked.push((host.into(), reason.into()));
    }
}
