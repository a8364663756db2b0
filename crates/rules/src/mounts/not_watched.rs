//! `mounts/not-watched`: a network mount may die without a word.

use crate::fstab::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::unit::keeper::watches_mounts;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "mounts/not-watched",
    summary: "network mounts are there, and nothing that runs here finds one that hangs or is empty",
    needs: &[Source::Fstab, Source::Units],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Network mounts in fstab on a host whose monitoring does not look into mounts by itself. Agents that
report failed units see a mount that systemd gave up; they do not see one that hangs, has gone stale, or
is an empty directory. `nofail watch` and Checkmk's agent do. A host without any monitoring is told by
`host/not-watched`.

## Why it matters
The incident began here: the mounts had failed silently, and the first to learn it was the start of a
guest whose disk lies there, at the worst moment.

## Evidence
The fstab lines, and the enabled units of monitoring agents.

## Example
    $ ls /mnt/nas/vms
    (nothing, for weeks)

## Remedy
`systemctl enable --now nofail-watch` beside the agent that you have: it speaks syslog, Wazuh's JSON,
Prometheus and mail. Or teach your agent a test of each mount that runs in a process of its own with a
deadline; a plain `stat` or `df` hangs with the server.

## When to ignore it
Where such a test exists already.

## References
nfs(5), on `hard` and `timeo`; node_exporter issues 244, 1353; goss issue 444.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let entries = host.snapshot.fstab.iter();
    let watched: Vec<_> = entries
        .filter(|e| e.is_network() && !e.is_swap() && !e.noauto())
        .collect();
    if watched.is_empty() {
        return;
    }
    let Some(monitors) = &host.snapshot.units.monitors else {
        report.not_checked(
            host.name(),
            "the snapshot does not tell which monitoring starts with the host: collect it anew",
        );
        return;
    };
    if monitors.is_empty() || monitors.iter().any(|m| watches_mounts(&m.name)) {
        return;
    }
    let names: Vec<&str> = monitors.iter().map(|m| m.name.as_str()).collect();
    let mut finding = Finding::new(
        Severity::Warning,
        host.name(),
        host.name(),
        format!(
            "nothing here finds a network mount that hangs or is empty ({} in fstab)",
            watched.len()
        ),
    )
    .consequence("A dead mount is found by the guest or the backup that needs it");
    for entry in watched {
        finding = finding.evidence(line::mark_field(entry, 2));
    }
    report.find(
        finding
            .evidence(Evidence::measured(
                "systemd",
                format!("enabled: {}", names.join(", ")),
            ))
            .fix("systemctl enable --now nofail-watch (unit in contrib/systemd)"),
    );
}
