//! What the rules about the boot share: each line of fstab with the unit that systemd makes of it.

use crate::Host;
use analysis::boot::plan::{Kind, LOCAL_FS, PulledIn, Requirement};
use analysis::boot::{UnitPlan, options};
use facts::Evidence;
use facts::fstab::Entry;
use facts::path;
use std::collections::HashMap;

/// One line and its unit.
pub(super) struct Planned<'a> {
    pub entry: &'a Entry,
    pub plan: &'a UnitPlan,
}

/// Every line of the host's fstab.
pub(super) fn lines<'a>(host: &Host<'a>) -> Vec<Planned<'a>> {
    let entries = host.snapshot.fstab.iter();
    entries
        .zip(host.units())
        .map(|(entry, plan)| Planned { entry, plan })
        .collect()
}

impl Planned<'_> {
    /// The line as evidence, `needle` marked.
    pub fn evidence(&self, needle: &str) -> Evidence {
        let entry = self.entry;
        let text = if entry.text.is_empty() {
            format!(
                "{} {} {} {} {} {}",
                entry.source,
                entry.target,
                entry.fstype,
                entry.options.join(","),
                entry.dump,
                entry.pass
            )
        } else {
            entry.text.clone()
        };
        Evidence::line("/etc/fstab", entry.line, text).mark(needle)
    }

    /// The option field, for the caret.
    pub fn option_field(&self) -> String {
        self.entry.options.join(",")
    }

    /// Whether a target requires the mount itself (not merely its automount).
    pub fn required_by(&self, target: &str) -> bool {
        self.plan.pulled_in_by.iter().any(|link: &PulledIn| {
            link.target == target
                && link.requirement == Requirement::Requires
                && Some(&link.unit) == self.plan.unit.as_ref()
        })
    }

    /// Whether its failure means emergency mode.
    pub fn stops_boot(&self) -> bool {
        self.required_by(LOCAL_FS)
    }

    /// The option field with these options added, `defaults` given up for them.
    pub fn with(&self, added: &[&str]) -> String {
        let mut all: Vec<&str> = self
            .entry
            .options
            .iter()
            .map(String::as_str)
            .filter(|option| *option != "defaults")
            .collect();
        for option in added {
            if !options::has(&self.entry.options.join(","), &[option]) {
                all.push(option);
            }
        }
        if all.is_empty() {
            all.push("defaults");
        }
        all.join(",")
    }

    /// How to say what to edit.
    pub fn edit(&self, added: &[&str]) -> String {
        format!(
            "in /etc/fstab, line {}, make the options {}",
            self.entry.line,
            self.with(added)
        )
    }
}

/// The network mounts of an fstab by their mount points.
pub(super) struct NetworkMounts<'l, 'a>(HashMap<&'l str, &'l Planned<'a>>);

impl<'l, 'a> NetworkMounts<'l, 'a> {
    pub(super) fn of(lines: &'l [Planned<'a>]) -> Self {
        let mounts = lines.iter().filter(|line| {
            line.plan.network && line.plan.unit.is_some() && line.plan.kind == Kind::Mount
        });
        Self(
            mounts
                .map(|line| (line.plan.mount_point.as_str(), line))
                .collect(),
        )
    }

    /// The one that a path lies on or below, the nearest.
    pub(super) fn above(&self, path: &str) -> Option<&'l Planned<'a>> {
        let path = path::simplify(path);
        path::ancestors(&path).find_map(|point| self.0.get(point).copied())
    }
}
