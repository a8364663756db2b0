//! `mounts/stale`: a network mount that is there and of no use.

use crate::fstab::line::guests_below;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::fstab::fstype_is_network;
use facts::mount::{HealthState, Mount};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "mounts/stale",
    summary: "a network mount is stale, silent, empty or read-only against its options",
    needs: &[Source::Mounts, Source::MountHealth],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A network mount that stands in the mount table and does not serve: the file handle is stale, the
server does not answer within the deadline, the root directory is empty, writing is refused as
read-only although it is mounted `rw`, or another error comes back.

## Why it matters
The mount table says that all is well, and so does every tool that reads only that. Whoever touches
a dead mount blocks, often uninterruptibly: a guest whose disk lies there, `df`, a backup, libvirt's
pool refresh. An empty mount is worse in its own way: programs run and find nothing.

## Evidence
The line of the mount table, and what a probe in a disposable child process got as an answer.

## Example
    nas-01:/volume1/vms on /mnt/nas/vms type nfs4 (rw,…)
    $ ls /mnt/nas/vms
    ls: cannot access '/mnt/nas/vms': Stale file handle

## Remedy
Silent: look at the server and the network first; the mount recovers by itself when the server
answers. Stale: `umount -l TARGET && mount TARGET`, after the guests that use it are stopped.
Never reboot the host for it: its healthy guests would die too.

## When to ignore it
An export that is empty on purpose. A FUSE mount of another user refuses root: it is listed as not
checked, not as stale.

## References
nfs(5) on hard and soft, umount(8) `-l`, statvfs(3).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for mount in &host.snapshot.mounts {
        let Some(health) = &mount.health else {
            continue;
        };
        // What is no network type and stands in no fstab is somebody's own FUSE mount; it may be
        // empty or broken as it likes, but not silent.
        let wanted = fstype_is_network(&mount.fstype)
            || host
                .snapshot
                .fstab
                .iter()
                .any(|e| e.mount_point() == mount.target);
        let silent = matches!(
            health.state,
            HealthState::NotResponding | HealthState::Stale
        );
        match health.state {
            HealthState::Ok => {}
            HealthState::NoPermission => report.not_checked(
                host.name(),
                format!("the health of {}: {}", mount.target, health.detail),
            ),
            _ if wanted || silent => report_mount(host, mount, health.state, report),
            _ => {}
        }
    }
}

fn report_mount(host: &Host<'_>, mount: &Mount, state: HealthState, report: &mut Report) {
    let target = &mount.target;
    let guests = guests_below(host.snapshot, target);
    let (message, fix) = match state {
        HealthState::Stale => (
            format!("{target} is stale: {} no longer knows it", mount.source),
            format!("stop what uses it, then `umount -l {target} && mount {target}`"),
        ),
        HealthState::NotResponding => (
            format!("{target} does not answer"),
            format!(
                "look at {} and the way there; do not reboot this host for it",
                mount.source
            ),
        ),
        HealthState::Empty => (
            format!("{target} is mounted and empty"),
            format!("compare with the export on {}", mount.source),
        ),
        HealthState::ReadOnly => (
            format!("{target} is mounted rw and refuses writing"),
            format!(
                "look at the export's options on {} and at the kernel log",
                mount.source
            ),
        ),
        _ => (
            format!("{target} gives an error"),
            format!("look at {} and at the kernel log", mount.source),
        ),
    };
    let dead = matches!(
        state,
        HealthState::Stale | HealthState::NotResponding | HealthState::Failed
    );
    let severity = if dead && !guests.is_empty() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let consequence = match (dead, guests.is_empty()) {
        (true, false) => format!(
            "The disks of {} lie there: these guests hang or do not start",
            guests.join(", ")
        ),
        (true, true) => "Whoever touches it blocks or fails".to_owned(),
        (false, false) => format!("{} may not start or not write", guests.join(", ")),
        (false, true) => "Programs that use it find nothing, or cannot write".to_owned(),
    };
    let health = mount.health.as_ref();
    let detail = health.map_or_else(String::new, |h| {
        format!("{} (after {} ms)", h.detail, h.milliseconds)
    });
    report.find(
        Finding::new(severity, host.name(), target, message)
            .consequence(consequence)
            .evidence(Evidence::measured(format!("probe of {target}"), detail))
            .evidence(Evidence::measured(
                "/proc/self/mountinfo",
                format!(
                    "{} {} {} {}",
                    mount.source,
                    target,
                    mount.fstype,
                    mount.options.join(",")
                ),
            ))
            .fix(fix),
    );
}
