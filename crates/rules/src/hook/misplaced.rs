//! `hook/misplaced`: a hook script where libvirt does not look for it.

use super::{executable, mode_evidence};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::hook::{HookScript, reads_directories};
use facts::{Snapshot, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/misplaced",
    summary: "a hook script stands where libvirt does not run it",
    needs: &[Source::Hooks],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
An executable that looks like a libvirt hook and is none, because of where it stands: under another
name in `/etc/libvirt/hooks` (`qemu.sh`, `qemu-vlan`, `QEMU`), under a hook's name in a directory
that libvirt does not read (`/usr/share/libvirt/hooks/qemu`, `/etc/libvirt/qemu/hooks/qemu`), or in
`/etc/libvirt/hooks/qemu.d` of a libvirt older than 6.5. It is an error where the script sets the
VLANs of guest ports, else a warning. A file that a script which is run mentions by its path is
passed over: that is a helper.

## Why it matters
The directory and the names are built into libvirt. A script beside them is never run, nothing says
so, and guests start without what it should have done.

## Evidence
Mode and owner of the file, and the version of libvirt.

## Example
    $ ls -l /etc/libvirt/hooks
    -rwxr-xr-x. 1 root root 2151 Apr 12 21:02 qemu.sh

## Remedy
Move it: to `/etc/libvirt/hooks/qemu.d/` from libvirt 6.5 on, else to `/etc/libvirt/hooks/qemu`
where there is none yet; then `systemctl reload libvirtd` (or `virtqemud`). Asked for, not done by
itself: a script that never ran would run at the next start of every guest. What a package has put
under /usr stays there; it is copied.

## When to ignore it
A script that is kept there on purpose: take its execute bit, or name it `.disabled`.

## References
libvirt, \"Hooks for specific system management\"; `LIBVIRT_HOOK_DIR` in libvirt's `virhook.c`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    let version = host.snapshot.libvirt_version.as_deref();
    for script in &hooks.misplaced {
        let helper = hooks
            .scripts
            .iter()
            .filter_map(|s| s.text.as_deref())
            .any(|text| text.contains(&script.path));
        if helper || !executable(script) || super::is_copy(&script.path) {
            continue;
        }
        let why = format!("{} is no place from which libvirt runs a hook", script.path);
        report.find(finding(host, script, why));
    }
    let dropped = || hooks.scripts.iter().filter(|s| s.path.contains(".d/"));
    match reads_directories(version) {
        Some(true) => {}
        Some(false) => {
            for script in dropped().filter(|s| executable(s) && !super::is_copy(&s.path)) {
                let version = version.unwrap_or_default();
                let why = format!(
                    "{} is not run: libvirt {version} reads no {}.d (6.5 and later do)",
                    script.path, script.hook
                );
                report.find(finding(host, script, why));
            }
        }
        None if dropped().next().is_some() => {
            report.not_checked(host.name(), "the version of libvirt is not known");
        }
        None => {}
    }
}

fn finding(host: &Host<'_>, script: &HookScript, why: String) -> Finding {
    let severity = if script.sets_vlans {
        Severity::Error
    } else {
        Severity::Warning
    };
    let daemon =
        super::daemon(&host.snapshot.daemons, &script.hook).map_or("libvirtd", |d| d.name.as_str());
    let place = place(host.snapshot, script);
    Finding::new(severity, host.name(), &script.path, why)
        .consequence("Guests start without what it should do, and nothing tells")
        .evidence(mode_evidence(script))
        .fix(match place {
            Some(place) => format!("mv {} {place} && systemctl reload {daemon}", script.path),
            None => format!(
                "join it with /etc/libvirt/hooks/{}, the only place that this libvirt reads",
                script.hook
            ),
        })
}

/// Where a host's libvirt would run a script; `None` where another stands in the only place.
pub fn place(snapshot: &Snapshot, script: &HookScript) -> Option<String> {
    let main = format!("/etc/libvirt/hooks/{}", script.hook);
    let taken = |path: &str| snapshot.hooks.scripts.iter().any(|s| s.path == path);
    if reads_directories(snapshot.libvirt_version.as_deref()) != Some(true) {
        return (!taken(&main)).then_some(main);
    }
    let name = script.path.rsplit('/').next().unwrap_or("hook");
    let inside = format!("{main}.d/{name}");
    (!taken(&inside)).then_some(inside)
}
