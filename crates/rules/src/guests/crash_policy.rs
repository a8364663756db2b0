//! `guests/crash-policy`: a guest that stays off after its own crash or reboot.

use crate::storage::support::guest_evidence;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::domain::Guest;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/crash-policy",
    summary: "a guest that matters is not restarted after its own reboot or crash",
    needs: &[Source::Guests],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A critical guest or a member of an HA group
- whose `<on_reboot>` is `destroy` or `preserve`: a reboot from inside leaves it off (error);
- whose `<on_crash>` is `destroy` or `preserve`, or not said (then `destroy`), while it has a panic
  device: a kernel panic leaves it off (warning).

## Why it matters
`on_reboot=destroy` is what installers write for the time of the installation; left behind, the next
update that reboots the guest turns it off for good. With a panic device QEMU learns of a guest's
kernel panic, and libvirt does what `on_crash` says: by default it ends the guest, and autostart does
not bring it back before the host's next boot. Without a panic device `on_crash` has no effect at
all; the guest's own `kernel.panic` setting decides.

## Evidence
The elements of the definition, and whether it has a `<panic>` device.

## Example
    <on_reboot>destroy</on_reboot>
    <on_crash>destroy</on_crash>  …  <panic model='isa'/>

## Remedy
`virsh edit GUEST`: `<on_reboot>restart</on_reboot>`, `<on_crash>restart</on_crash>` (or
`coredump-restart`, with room for the dump). It takes effect at the guest's next start.

## When to ignore it
A guest whose cluster manager restarts it and must not be raced.

## References
libvirt, formatdomain, \"Events configuration\" and \"panic device\".
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in host
        .snapshot
        .guests
        .iter()
        .filter(|g| host.estate.is_important(&g.name))
    {
        let off = |policy: Option<&str>| matches!(policy, Some("destroy" | "preserve"));
        if let Some(policy) = guest.on_reboot.as_deref().filter(|p| off(Some(p))) {
            let message = format!("{} is left off by a reboot from inside", guest.name);
            find(
                host,
                guest,
                Severity::Error,
                ("on_reboot", policy),
                message,
                report,
            );
        }
        let on_crash = guest.on_crash.as_deref().unwrap_or("destroy");
        if guest.panic_device && off(Some(on_crash)) {
            let message = format!("{} is left off by a kernel panic", guest.name);
            find(
                host,
                guest,
                Severity::Warning,
                ("on_crash", on_crash),
                message,
                report,
            );
        }
    }
}

fn find(
    host: &Host<'_>,
    guest: &Guest,
    severity: Severity,
    (element, policy): (&str, &str),
    message: String,
    report: &mut Report,
) {
    let mut evidence = guest_evidence(guest, format!("<{element}>{policy}</{element}>"));
    // The line known is that of the name.
    evidence.line = None;
    report.find(
        Finding::new(severity, host.name(), &guest.name, message)
            .consequence("It stays off until a person starts it, or the host boots again")
            .evidence(evidence.mark(policy))
            .fix(format!(
                "virsh edit {}: <{element}>restart</{element}>",
                guest.name
            )),
    );
}
