//! `hook/wrong-selinux-label`: a hook under a label that its daemon may not execute.

use super::{confined, executable};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::hook::{HookScript, selinux};
use facts::{Evidence, Known, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/wrong-selinux-label",
    summary: "a hook script carries an SELinux label that the policy does not give it",
    needs: &[Source::Hooks, Source::Daemons],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
On a host with SELinux, an executable hook script whose type is not the one that the host's own
policy gives to files below `/etc/libvirt/hooks`. It is an error where SELinux enforces and the
daemon that runs the hook is confined (the modular daemons, `virtqemud_t`), a warning under the
monolithic libvirtd (which the targeted policy leaves unconfined), and for information only where
SELinux is permissive.

Right is the type that the policy's `file_contexts` names: `virt_hook_t` since the middle of 2024
(Fedora 40, RHEL 9.5 and 10), `virt_etc_rw_t` before and on Debian. `bin_t` is taken as right too:
any daemon may execute it. Without a readable `file_contexts` these three and `virt_etc_t` are.

## Why it matters
A script that was written in a home directory and moved (`mv`) keeps that directory's label
(`admin_home_t`, `user_home_t`, `user_tmp_t`). A confined daemon may not execute it, and nothing
shows but a denial in the audit log.

## Evidence
The file's label (`security.selinux`), and the type that the policy gives.

## Example
    $ ls -Z /etc/libvirt/hooks/qemu
    unconfined_u:object_r:admin_home_t:s0 /etc/libvirt/hooks/qemu

## Remedy
`restorecon -RFv /etc/libvirt/hooks`. Safe. With the type `virt_hook_t` the boolean
`virt_hooks_unconfined` must be on as well: see hook/selinux-boolean-off.

## When to ignore it
A label of your own that a policy module of yours allows. Better tell the policy:
`semanage fcontext -a -t TYPE '/etc/libvirt/hooks(/.*)?'`, which nofail reads too.

## References
restorecon(8), file_contexts(5); selinux-policy, `virt.fc`, pull request 2195 (\"Add support for
libvirt hooks\").
";

fn check(host: &Host<'_>, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    let enforcing = match &hooks.selinux {
        Known::Known(mode) if mode == "enforcing" => true,
        Known::Known(mode) if mode == "permissive" => false,
        Known::Known(_) | Known::Absent => return,
        Known::Unreadable(reason) => {
            if !hooks.scripts.is_empty() {
                report.not_checked(host.name(), reason);
            }
            return;
        }
    };
    for script in hooks.scripts.iter().filter(|s| executable(s)) {
        let kind = match &script.label {
            Known::Known(label) => selinux::type_of(label).unwrap_or("unlabeled_t"),
            // A file without a label counts as unlabeled_t once SELinux runs.
            Known::Absent => "unlabeled_t",
            Known::Unreadable(reason) => {
                report.not_checked(host.name(), format!("{}: {reason}", script.path));
                continue;
            }
        };
        let right = match hooks.policy_type.known() {
            Some(policy) => kind == policy || kind == "bin_t",
            None => ["virt_hook_t", "virt_etc_rw_t", "virt_etc_t", "bin_t"].contains(&kind),
        };
        if !right {
            tell(host, script, kind, enforcing, report);
        }
    }
}

fn tell(host: &Host<'_>, script: &HookScript, kind: &str, enforcing: bool, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    let confined = confined(&host.snapshot.daemons, &script.hook);
    let (severity, consequence) = match (enforcing, confined) {
        (false, _) => (
            Severity::Info,
            "SELinux is permissive: it would matter once it enforces",
        ),
        (true, Some(false)) => (
            Severity::Warning,
            "The monolithic libvirtd still runs it; the modular daemons may not execute it",
        ),
        (true, Some(true) | None) => (
            Severity::Error,
            "SELinux keeps the confined daemon from executing it, and only the audit log says so",
        ),
    };
    let expected = hooks
        .policy_type
        .known()
        .map_or("virt_hook_t", String::as_str);
    let label = script.label.known().map_or("none", String::as_str);
    report.find(
        Finding::new(
            severity,
            host.name(),
            &script.path,
            format!(
                "{} has the SELinux type {kind}, the policy says {expected}",
                script.path
            ),
        )
        .consequence(consequence)
        .evidence(Evidence::measured(&script.path, label).mark(kind))
        .fix("restorecon -RFv /etc/libvirt/hooks"),
    );
}
