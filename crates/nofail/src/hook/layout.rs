//! Where the hook goes on a host, and what else its firing hangs on: pure, from a snapshot.

use super::script::{self, FORMER, NAME, Settings};
use facts::Snapshot;
use facts::hook::HookScript;
use facts::unit::Daemon;

const HOOKS: &str = "/etc/libvirt/hooks";

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Path.
    pub path: String,
    /// Content.
    pub text: String,
    /// Mode where it is new; a hook has just this mode in any case.
    pub mode: u32,
    /// Whether it is a hook: owner root, mode 0755, the policy's label.
    pub hook: bool,
}

/// What an installation does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Files, in order.
    pub writes: Vec<Write>,
    /// SELinux label for hooks, where the host has SELinux and its policy is known.
    pub label: Option<String>,
    /// What remains for the administrator, and why.
    pub notes: Vec<String>,
    /// The daemon that has to look for hooks again, where it runs.
    pub reload: Option<Daemon>,
}

/// Whether this host's libvirt reads `qemu.d` (6.5 and later).
fn reads_directories(snapshot: &Snapshot) -> bool {
    let in_use = |script: &HookScript| script.path.contains(".d/");
    facts::hook::reads_directories(snapshot.libvirt_version.as_deref())
        .unwrap_or_else(|| snapshot.hooks.scripts.iter().any(in_use))
}

/// The daemon that runs the qemu hook: virtqemud where it runs, else libvirtd.
pub fn daemon(snapshot: &Snapshot) -> Option<&Daemon> {
    ["virtqemud", "libvirtd"]
        .iter()
        .find_map(|name| snapshot.daemons.running.iter().find(|d| d.name == *name))
}

fn runs(script: &HookScript) -> bool {
    script.hook == "qemu" && script.mode & 0o111 != 0
}

/// Plans an installation. `network` puts the hook at libvirt's networks as well.
pub fn install(snapshot: &Snapshot, settings: &Settings<'_>, network: bool) -> Layout {
    let mut layout = Layout::default();
    let hooks = if network {
        &["qemu", "network"][..]
    } else {
        &["qemu"]
    };
    for hook in hooks {
        let main = format!("{HOOKS}/{hook}");
        let existing = snapshot.hooks.scripts.iter().find(|s| s.path == main);
        let ours = |s: &HookScript| s.text.as_deref().is_some_and(script::is_ours);
        let mut write = |path: String, text: String| {
            layout.writes.push(Write {
                path,
                text,
                mode: 0o755,
                hook: true,
            });
        };
        if reads_directories(snapshot) {
            write(format!("{main}.d/{NAME}"), settings.script());
            continue;
        }
        match existing {
            None => write(main, settings.script()),
            Some(script) if ours(script) => {
                let former = snapshot.hooks.scripts.iter().any(|s| s.path == FORMER)
                    || script.text.as_deref().is_some_and(|t| t.contains(FORMER));
                let text = if former {
                    settings.beside()
                } else {
                    settings.script()
                };
                write(main, text);
            }
            Some(script) if *hook == "qemu" => match &script.text {
                Some(text) => {
                    write(FORMER.to_owned(), text.clone());
                    write(main, settings.beside());
                }
                None => layout.notes.push(format!(
                    "{main} is a program; libvirt before 6.5 reads no {main}.d. Rename it to \
                     {FORMER} and install again"
                )),
            },
            Some(_) => layout.notes.push(format!(
                "{main} exists and libvirt before 6.5 reads no {main}.d: not installed there"
            )),
        }
    }
    selinux(snapshot, &mut layout);
    layout.reload = daemon(snapshot).filter(|d| must_look(snapshot, d)).cloned();
    layout
}

/// The scripts of ours that are there, and what each holds afterwards: `None` for nothing.
pub fn uninstall(snapshot: &Snapshot) -> Vec<(String, Option<String>)> {
    let mut changes = Vec::new();
    for found in &snapshot.hooks.scripts {
        let text = found.text.as_deref().unwrap_or_default();
        if !script::is_ours(text) {
            continue;
        }
        changes.push((
            found.path.clone(),
            text.contains(FORMER).then(|| FORMER.to_owned()),
        ));
    }
    changes
}

fn selinux(snapshot: &Snapshot, layout: &mut Layout) {
    let hooks = &snapshot.hooks;
    if hooks.selinux.is_absent() || hooks.selinux.known().is_some_and(|m| m == "disabled") {
        return;
    }
    match hooks.policy_type.known() {
        Some(kind) => layout.label = Some(format!("system_u:object_r:{kind}:s0")),
        None => layout.notes.push(
            "SELinux: which label hooks need could not be read; `restorecon -RF /etc/libvirt/hooks` \
             sets it"
                .to_owned(),
        ),
    }
    let confined = daemon(snapshot).is_none_or(|d| d.name != "libvirtd");
    if hooks.virt_hooks_unconfined.known() == Some(&false) && confined {
        layout.notes.push(
            "SELinux keeps the modular daemons from running hooks while a boolean is off: \
             `setsebool -P virt_hooks_unconfined on`"
                .to_owned(),
        );
    }
}

/// Whether the daemon has to look for hooks again: it looks when it starts, and where it found one
/// then, it reads the directory anew at each event.
fn must_look(snapshot: &Snapshot, daemon: &Daemon) -> bool {
    let Some(started) = daemon.started_at else {
        return true;
    };
    let before = |s: &HookScript| s.changed_at.is_some_and(|changed| changed <= started);
    !snapshot.hooks.scripts.iter().any(|s| runs(s) && before(s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::hook::Policy;
    use facts::Known;
    use std::path::Path;
    use std::time::Duration;

    fn settings() -> Settings<'static> {
        Settings {
            program: Path::new("/usr/local/bin/nofail"),
            site: Path::new("/etc/nofail/site.toml"),
            policy: Policy::Allow,
            deadline: Duration::from_secs(2),
        }
    }

    fn host(version: &str, scripts: &[(&str, &str, i64)]) -> Snapshot {
        let mut snapshot = Snapshot::new("kvm-01");
        snapshot.libvirt_version = Some(version.to_owned());
        snapshot.hooks.selinux = Known::Absent;
        for (path, text, changed) in scripts {
            snapshot.hooks.scripts.push(HookScript {
                path: (*path).to_owned(),
                hook: "qemu".to_owned(),
                mode: 0o755,
                text: Some((*text).to_owned()),
                changed_at: Some(*changed),
                ..HookScript::default()
            });
        }
        snapshot.daemons.running.push(Daemon {
            name: "libvirtd".to_owned(),
            started_at: Some(100),
            ..Daemon::default()
        });
        snapshot
    }

    fn paths(layout: &Layout) -> Vec<&str> {
        layout.writes.iter().map(|w| w.path.as_str()).collect()
    }

    #[test]
    fn beside_what_is_there() {
        let main = "/etc/libvirt/hooks/qemu";
        let other = (main, "#!/bin/sh\n", 50);
        let new = install(&host("9.0.0", &[other]), &settings(), true);
        assert_eq!(
            paths(&new),
            [
                "/etc/libvirt/hooks/qemu.d/50-nofail",
                "/etc/libvirt/hooks/network.d/50-nofail"
            ]
        );
        // The daemon knew of a hook when it started.
        assert_eq!(new.reload, None);
        let old = install(&host("6.0.0", &[other]), &settings(), false);
        assert_eq!(paths(&old), [FORMER, main]);
        assert_eq!(old.writes[0].text, "#!/bin/sh\n");
        assert!(old.writes[1].text.contains(FORMER));
        let fresh = install(&host("6.0.0", &[]), &settings(), false);
        assert_eq!(paths(&fresh), [main]);
        assert!(fresh.reload.is_some());
        // Once more over ourselves: nothing is wrapped twice.
        let ours = (main, old.writes[1].text.as_str(), 150);
        let again = install(&host("6.0.0", &[ours]), &settings(), false);
        assert_eq!(paths(&again), [main]);
        assert_eq!(again.writes[0].text, old.writes[1].text);
        assert_eq!(
            uninstall(&host("6.0.0", &[ours])),
            [(main.to_owned(), Some(FORMER.to_owned()))]
        );
        assert_eq!(uninstall(&host("6.0.0", &[other])), []);
    }

    #[test]
    fn selinux_is_told() {
        let mut snapshot = host("11.0.0", &[]);
        snapshot.hooks.selinux = Known::Known("enforcing".to_owned());
        snapshot.hooks.policy_type = Known::Known("virt_hook_t".to_owned());
        snapshot.hooks.virt_hooks_unconfined = Known::Known(false);
        snapshot.daemons.running[0].name = "virtqemud".to_owned();
        let layout = install(&snapshot, &settings(), false);
        assert_eq!(
            layout.label.as_deref(),
            Some("system_u:object_r:virt_hook_t:s0")
        );
        assert!(layout.notes[0].contains("setsebool -P virt_hooks_unconfined on"));
    }
}
