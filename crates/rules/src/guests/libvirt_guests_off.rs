//! `guests/libvirt-guests-off`: a reboot of the host cuts the guests' power.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/libvirt-guests-off",
    summary: "nothing shuts the guests down when their host goes down",
    needs: &[Source::Guests, Source::Daemons],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A host with guests on which `libvirt-guests.service` is not enabled, or is told to ignore the guests
(`ON_SHUTDOWN=ignore`). Warning.

## Why it matters
At a reboot or a power-off of the host, planned or by the UPS, systemd ends the QEMU processes: for
the guests that is a cut of power. Databases recover or do not; twins that were not told fail over
late.

## Evidence
Whether the unit is enabled, and its settings in `/etc/sysconfig/libvirt-guests` or
`/etc/default/libvirt-guests`.

## Example
    $ systemctl is-enabled libvirt-guests
    disabled

## Remedy
`systemctl enable --now libvirt-guests` with `ON_SHUTDOWN=shutdown` and a `SHUTDOWN_TIMEOUT` that the
slowest guest meets (300 is the default); `PARALLEL_SHUTDOWN` where there are many. Starting the
service does nothing to running guests; only stopping it shuts them down. Libvirt 11.2 and later can
do the same by itself (`auto_shutdown_*` in qemu.conf).

## When to ignore it
Where a cluster manager evacuates the host first, or qemu.conf's `auto_shutdown_*` is in use.

## References
libvirt-guests(8); systemd.kill(5); libvirt's qemu.conf.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let guests = host.snapshot.guests.len();
    if guests == 0 {
        return;
    }
    let daemons = &host.snapshot.daemons;
    let ignore = daemons
        .guests_settings
        .iter()
        .rev()
        .find(|s| s.name == "ON_SHUTDOWN")
        .filter(|s| s.value == "ignore");
    let (what, evidence) = match (daemons.guests_enabled, ignore) {
        (Some(false), _) => (
            "libvirt-guests.service is not enabled",
            Evidence::measured("libvirt-guests.service", "not enabled"),
        ),
        (_, Some(setting)) => (
            "libvirt-guests is told to ignore the guests at shutdown",
            Evidence::line(
                &setting.file,
                setting.line,
                format!("ON_SHUTDOWN={}", setting.value),
            )
            .mark("ignore"),
        ),
        (Some(true), None) => return,
        (None, None) => {
            report.not_checked(
                host.name(),
                "it is not known whether libvirt-guests.service is enabled",
            );
            return;
        }
    };
    report.find(
        Finding::new(Severity::Warning, host.name(), "libvirt-guests", what)
            .consequence(format!(
                "A reboot of the host is a cut of power for its {guests} guests"
            ))
            .evidence(evidence)
            .fix("systemctl enable --now libvirt-guests, with ON_SHUTDOWN=shutdown".to_owned()),
    );
}
