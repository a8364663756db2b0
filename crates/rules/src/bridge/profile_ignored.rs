//! `bridge/profile-ignored`: a profile that its program passes over.

use crate::bridge::persist::quoted;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/profile-ignored",
    summary: "NetworkManager passes over a profile because of its owner or mode",
    needs: &[Source::Profiles],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A keyfile under /etc/NetworkManager/system-connections that does not belong to root or that others
than root may read or write. An error where it is the profile of a bridge or of a bridge's port.

## Why it matters
Passwords may stand in keyfiles, so NetworkManager loads none that others could read. It says so in
the journal and goes on. A connection that is already up stays up: the fault shows at the next boot,
when the host comes back without its network. It is made by `cp`, an editor, or a configuration tool
with a wrong umask.

## Evidence
Owner and mode of the file. In a tree that was copied without modes nothing is concluded.

## Example
    $ ls -l /etc/NetworkManager/system-connections
    -rw-r--r-- 1 root root 301 br-mgmt.nmconnection

## Remedy
`chown root:root FILE && chmod 600 FILE`, then `nmcli connection load FILE`. Safe: it does not touch
a running connection.

## When to ignore it
Never; a profile that is not wanted should be deleted.

## References
nm-settings-keyfile(5): files that others can read are ignored.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for profile in &host.snapshot.profiles {
        let Some(reason) = &profile.ignored else {
            continue;
        };
        if profile.active == Some(false) || !profile.autoconnect {
            continue;
        }
        let weighty = profile.kind_of_link == "bridge" || profile.controller.is_some();
        let severity = if weighty {
            Severity::Error
        } else {
            Severity::Warning
        };
        let subject = profile.interface.as_ref().unwrap_or(&profile.name);
        let file = quoted(&profile.file);
        report.find(
            Finding::new(
                severity,
                host.name(),
                subject,
                format!("NetworkManager ignores the profile of {subject}: {reason}"),
            )
            .consequence("It may be up now; after the next boot it stays down")
            .evidence(Evidence::measured(&profile.file, reason))
            .fix(format!(
                "chown root:root {file} && chmod 600 {file} && nmcli connection load {file}"
            )),
        );
    }
}
