//! What [`super::judge`] judges and no snapshot holds: the path that libvirt was built with, denials
//! of SELinux, the map, what the hook would do for a running guest, and a throw-away guest.

use super::{Check, Looked, avc};
use crate::hook::{SITE, probe, script};
use crate::wire::hook::{GuestRow, PortRow};
use change::vlan::{Kernel, Ports, Shown, delta, demand};
use collect::command;
use facts::Snapshot;
use facts::domain;
use facts::hook::HookScript;
use model::vlan::VlanMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where libvirt's library and daemons may lie; the hook's directory is in one of them.
const BUILT: &[&str] = &[
    "usr/lib64/libvirt.so.0",
    "usr/lib/x86_64-linux-gnu/libvirt.so.0",
    "usr/lib/aarch64-linux-gnu/libvirt.so.0",
    "usr/lib/libvirt.so.0",
    "usr/sbin/virtqemud",
    "usr/sbin/libvirtd",
];
/// The usual directory.
const HOOKS: &str = "/etc/libvirt/hooks";
/// So much of the end of the audit log is read.
const LOG_TAIL: u64 = 8 << 20;
/// Time for virsh to start or end a guest without a disk.
const VIRSH: Duration = Duration::from_secs(60);

/// Looks at everything that can be looked at without starting anything.
pub fn look(root: Option<&Path>, snapshot: &Snapshot, deadline: Duration) -> Looked {
    let base = root.unwrap_or(Path::new("/"));
    let mut checks = vec![built(base)];
    let ours = snapshot
        .hooks
        .scripts
        .iter()
        .find(|s| s.text.as_deref().is_some_and(script::is_ours));
    if ours.is_some() {
        checks.push(map(base));
    }
    let mut looked = Looked::default();
    if let (None, Some(ours)) = (root, ours) {
        looked.called = Some(called(ours, deadline));
    }
    let selinux = &snapshot.hooks.selinux;
    if !selinux.is_absent() && selinux.known().is_none_or(|mode| mode != "disabled") {
        let file = log_tail(&base.join("var/log/audit/audit.log"));
        // Without auditd the kernel's records go to its log, and with it to the journal.
        looked.denials = Some(match file {
            Err(missing) if root.is_none() => journalled(deadline)
                .map_err(|reason| format!("{missing}; and the journal: {reason}")),
            read => read,
        });
    }
    if root.is_none() {
        looked.guests = guests(snapshot, deadline);
    }
    looked.checks = checks;
    looked
}

/// The directory that this libvirt was built with, in the bytes of its library.
fn built(base: &Path) -> Check {
    for name in BUILT {
        let Ok(bytes) = std::fs::read(base.join(name)) else {
            continue;
        };
        let Some(path) = path_in(&bytes) else {
            continue;
        };
        return if path == HOOKS {
            Check::Good(format!("libvirt was built to look in {path} (/{name})"))
        } else {
            Check::Bad(format!(
                "libvirt was built to look in {path}, not in {HOOKS} (/{name})"
            ))
        };
    }
    Check::NotChecked(
        "where libvirt was built to look for hooks: its library was not found".to_owned(),
    )
}

/// The NUL-terminated path that ends in `/libvirt/hooks`.
fn path_in(bytes: &[u8]) -> Option<String> {
    const END: &[u8] = b"/libvirt/hooks\0";
    let at = bytes.windows(END.len()).position(|window| window == END)?;
    let start = bytes[..at].iter().rposition(|b| !b.is_ascii_graphic());
    let path = &bytes[start.map_or(0, |s| s + 1)..at + END.len() - 1];
    Some(String::from_utf8_lossy(path).into_owned())
}

fn map(base: &Path) -> Check {
    let path = base.join(SITE.trim_start_matches('/'));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            return Check::Bad(format!(
                "it does not know the VLANs: {SITE}: {error}; `nofail hook install --site FILE` \
                 copies the map"
            ));
        }
    };
    match VlanMap::parse(&text) {
        Ok(map) if map.is_empty() => Check::Bad(format!("{SITE} says nothing of VLANs")),
        Ok(_) => Check::Good(format!("it can read the VLAN map, {SITE}")),
        Err(error) => Check::Bad(format!("it cannot read the VLAN map: {SITE}:{error}")),
    }
}

/// Calls our own script as libvirt would, in a phase in which it changes nothing.
fn called(script: &HookScript, deadline: Duration) -> Check {
    let xml = b"<domain type='qemu'><name>nofail-dry-run</name><memory unit='MiB'>1</memory>\
                <os><type>hvm</type></os></domain>";
    let args = ["nofail-dry-run", "prepare", "begin", "-"];
    match command::run(&script.path, &args, xml, deadline + Duration::from_secs(3)) {
        Ok(done) if !done.stdout.is_empty() => Check::Bad(format!(
            "{} prints on standard output, which libvirt takes for new XML",
            script.path
        )),
        Ok(done) if !done.status.success() => Check::Bad(format!(
            "{} ended with {}: {}",
            script.path, done.status, done.stderr
        )),
        Ok(_) => Check::Good(format!("called by hand, {} does its work", script.path)),
        Err(error) => Check::Bad(error.to_string()),
    }
}

/// So many records of the journal are read, the newest.
const MAX_RECORDS: &str = "--lines=5000";

/// Denials that the kernel told the journal: as records of its audit, or as lines of its log.
fn journalled(deadline: Duration) -> Result<Vec<avc::Denial>, String> {
    let args = [
        "--no-pager",
        "--quiet",
        "--output=short-unix",
        "--grep=avc: +denied",
        MAX_RECORDS,
        "_TRANSPORT=audit",
        "+",
        "_TRANSPORT=kernel",
    ];
    let done = command::run("journalctl", &args, &[], deadline + Duration::from_secs(3))
        .map_err(|error| error.to_string())?;
    // 1 is also said where no record fits; only then is nothing written to standard error.
    if !done.status.success() && !done.stderr.is_empty() {
        return Err(done.stderr);
    }
    Ok(avc::denials(&String::from_utf8_lossy(&done.stdout)))
}

fn log_tail(path: &Path) -> Result<Vec<avc::Denial>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))
        .map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(avc::denials(&String::from_utf8_lossy(&bytes)))
}

/// Each running guest: when it was started, when the hook last left a trace, and how its ports are
/// beside what the hook would make of them.
fn guests(snapshot: &Snapshot, deadline: Duration) -> Vec<GuestRow> {
    let text = std::fs::read_to_string(SITE).unwrap_or_default();
    let map = VlanMap::parse(&text).unwrap_or_default();
    let states = Kernel::until(Instant::now() + deadline)
        .read()
        .unwrap_or_default();
    let running = snapshot.guests.iter().filter(|guest| guest.pid.is_some());
    let rows = running.map(|guest| {
        let file = PathBuf::from(format!("/run/libvirt/qemu/{}.xml", guest.name));
        let live = std::fs::read_to_string(file)
            .ok()
            .and_then(|text| domain::parse(&text).ok());
        let live = live.as_ref().unwrap_or(guest);
        let demand = demand::of_guest(&map, &snapshot.host, live, &states);
        let ports = demand.targets.iter().filter_map(|target| {
            let state = states.iter().find(|s| s.name == target.port)?;
            Some(PortRow {
                port: target.port.clone(),
                has: Shown(&state.entries).to_string(),
                pvid: target.wanted.pvid,
                tagged: target.wanted.tagged.clone(),
                right: delta(&state.entries, &target.wanted).is_empty(),
            })
        });
        let hooks = &snapshot.hooks;
        let started = hooks.guest_starts.iter().find(|s| s.guest == guest.name);
        let trace = hooks.traces.iter().find(|t| t.guest == guest.name);
        GuestRow {
            guest: guest.name.clone(),
            started_at: started.map(|s| s.started_at),
            last_fired: trace.map(|t| t.at.clone()),
            said: trace.map(|t| t.text.clone()),
            ports: ports.collect(),
        }
    });
    rows.collect()
}

/// Starts a throw-away guest, paused and without disk, network or kernel, and looks whether the
/// hook left its mark. The guest is transient: nothing remains of it.
pub fn start_probe(snapshot: &Snapshot) -> Check {
    let name = format!("{}{}", probe::PREFIX, std::process::id());
    let xml = format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>\
         <os><type>hvm</type></os></domain>"
    );
    let virsh = |args: &[&str], input: &[u8]| {
        let mut all = vec!["--connect", "qemu:///system"];
        all.extend(args);
        command::run("virsh", &all, input, VIRSH)
    };
    let created = virsh(&["create", "--paused", "/dev/stdin"], xml.as_bytes());
    let fired = probe::take(&name);
    let _ = virsh(&["destroy", &name], b"");
    let _ = probe::take(&name);
    let ours = snapshot
        .hooks
        .scripts
        .iter()
        .any(|s| s.text.as_deref().is_some_and(script::is_ours));
    match created {
        Err(error) => Check::NotChecked(format!("no guest could be started: {error}")),
        Ok(_) if !fired.is_empty() => Check::Good(format!(
            "a throw-away guest was started, and the hook was called at {}",
            fired.join(", ")
        )),
        Ok(done) if !done.status.success() => {
            let said = done.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = format!("a throw-away guest does not start: {said}");
            // libvirt's "Hook script execution failed"; any other reason says nothing of hooks.
            if said.to_lowercase().contains("hook") {
                Check::Bad(text)
            } else {
                Check::NotChecked(text)
            }
        }
        Ok(_) if ours => {
            Check::Bad("a throw-away guest was started, and the hook was not called".to_owned())
        }
        Ok(_) => Check::NotChecked(
            "a throw-away guest was started; only nofail's own hook leaves a mark that tells \
             whether it was called"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_in_a_library() {
        let bytes = b"\0junk\0/usr/local/etc/libvirt/hooks\0more";
        assert_eq!(
            path_in(bytes).as_deref(),
            Some("/usr/local/etc/libvirt/hooks")
        );
        assert_eq!(path_in(b"/libvirt/hooks"), None);
        assert_eq!(
            path_in(b"/libvirt/hooks\0").as_deref(),
            Some("/libvirt/hooks")
        );
    }
}
