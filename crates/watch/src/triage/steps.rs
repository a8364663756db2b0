//! The next steps, least harmful first, and what not to do.

use super::examine::sick_mounts;
use super::{Ailment, Case, Harm, Step};

fn step(command: impl Into<String>, harm: Harm, why: impl Into<String>) -> Step {
    Step {
        command: command.into(),
        why: why.into(),
        harm,
    }
}

/// What to do.
pub fn of(case: &Case<'_>, ailment: Ailment) -> Vec<Step> {
    let name = change::show::quoted(&case.guest.name);
    let pid = case.guest.pid.unwrap_or(0);
    let mut steps = Vec::new();
    let mut add = |command: String, harm: Harm, why: &str| steps.push(step(command, harm, why));
    match ailment {
        Ailment::Off => {
            add(
                format!("nofail explain {name}"),
                Harm::None,
                "why it went down, before it is started into the same trouble",
            );
            add(
                format!("virsh start {name}"),
                Harm::Gentle,
                "start it, once the reason is known",
            );
        }
        Ailment::Stopped => {
            add(
                format!("grep -E 'State|TracerPid' /proc/{pid}/status"),
                Harm::None,
                "a debugger at work (TracerPid not 0) is to be asked first",
            );
            add(
                format!("kill -CONT {pid}"),
                Harm::Gentle,
                "let QEMU go on; the guest only sees a jump of its clock",
            );
        }
        Ailment::StorageHangs => {
            for (mount, _) in sick_mounts(case) {
                let mount = change::show::quoted(&mount);
                add(
                    format!("nofail audit --only mounts storage # {mount}"),
                    Harm::None,
                    "which server, which other guests hang on the same mount",
                );
                add(
                    format!("grep ' {mount} ' /proc/self/mountinfo"),
                    Harm::None,
                    "which server to bring back; with a hard mount everything goes on by itself when it answers",
                );
            }
        }
        Ailment::IoError => {
            add(
                format!("virsh domblkerror {name}"),
                Harm::None,
                "which disk, which error",
            );
            add(
                "df -h; dmesg --time-format=iso | tail -30".to_owned(),
                Harm::None,
                "no space left, or a disk that fails",
            );
            add(
                format!("virsh resume {name}"),
                Harm::Gentle,
                "after the storage is mended: QEMU repeats the request, nothing is lost",
            );
        }
        Ailment::Paused => {
            add(
                format!("virsh domstate --reason {name}; nofail events --guest {name}"),
                Harm::None,
                "who paused it, and why",
            );
            add(
                format!("virsh resume {name}"),
                Harm::Gentle,
                "let it go on, unless a backup or a migration holds it",
            );
        }
        Ailment::LibvirtHangs => {
            add(
                "systemctl status libvirtd virtqemud; journalctl -u libvirtd -u virtqemud -n 50"
                    .to_owned(),
                Harm::None,
                "what the daemon waits for: a pool on a dead NAS, a hook that calls virsh",
            );
            add(
                "systemctl restart libvirtd # or virtqemud".to_owned(),
                Harm::Gentle,
                "guests go on running while the daemon restarts",
            );
        }
        Ailment::MonitorHangs => {
            add(
                format!(
                    "cat /proc/{pid}/task/*/wchan | sort | uniq -c; tail /var/log/libvirt/qemu/{name}.log"
                ),
                Harm::None,
                "what its threads wait for",
            );
            add(
                format!("gcore -o /var/tmp/{name} {pid}"),
                Harm::Gentle,
                "keeps the evidence (stops it for seconds; needs room for its memory)",
            );
        }
        Ailment::Network => {
            for port in &case.vitals.ports {
                let device = &port.device;
                if port.carrier != Some(true) {
                    add(
                        format!("virsh domif-setlink {name} {device} up"),
                        Harm::Gentle,
                        "the link was set down; only this port changes",
                    );
                }
                if let Some((pvid, tagged)) = &case.plan {
                    add(
                        format!("bridge vlan show dev {device}"),
                        Harm::None,
                        "the VLANs that the port has",
                    );
                    add(
                        format!("bridge vlan add dev {device} vid {pvid} pvid untagged"),
                        Harm::Gentle,
                        "only this guest's port, not the host's own",
                    );
                    for vid in tagged {
                        add(
                            format!("bridge vlan add dev {device} vid {vid}"),
                            Harm::Gentle,
                            "a VLAN of the plan, tagged",
                        );
                    }
                }
            }
        }
        Ailment::HostStalls => {
            add(
                "ps -eo pid,stat,rss,comm --sort=-rss | head -15".to_owned(),
                Harm::None,
                "what takes the memory or the disks",
            );
            add(
                "cat /proc/pressure/*".to_owned(),
                Harm::None,
                "whether it gets better by itself",
            );
        }
        Ailment::Spins | Ailment::Silent => {
            add(
                format!("virsh console {name} # leave with Ctrl-]"),
                Harm::None,
                "what stands on its console: a panic, a full disk, a login prompt",
            );
            add(
                format!("virsh screenshot {name} /var/tmp/{name}.ppm"),
                Harm::None,
                "the same for a guest with a screen",
            );
            add(
                format!("virsh dump --memory-only --live {name} /var/tmp/{name}.core"),
                Harm::Gentle,
                "keeps the evidence for later (needs room for its memory)",
            );
        }
        Ailment::Inside => {
            add(
                format!("virsh guestinfo {name}"),
                Harm::None,
                "file systems, users, load as the agent tells them",
            );
            add(
                format!("virsh domfsinfo {name}"),
                Harm::None,
                "a file system that is full or missing",
            );
            add(
                format!("virsh console {name} # or SSH to it"),
                Harm::None,
                "its own logs: systemctl --failed; journalctl -p err",
            );
        }
    }
    if restart_helps(ailment) {
        add(
            format!("virsh reboot {name} --mode agent || virsh reboot {name} --mode acpi"),
            Harm::Restart,
            "the guest restarts itself in good order",
        );
        add(
            format!("virsh reset {name}"),
            Harm::PowerCut,
            "last: as its reset button; its disks and VLANs stay, what it had not written is lost",
        );
    }
    steps.sort_by_key(|s| s.harm);
    steps
}

/// Whether a restart of the guest can mend it at all.
fn restart_helps(ailment: Ailment) -> bool {
    matches!(
        ailment,
        Ailment::Spins | Ailment::Silent | Ailment::Inside | Ailment::MonitorHangs
    )
}

/// What not to do.
pub fn not(case: &Case<'_>, ailment: Ailment) -> Vec<(String, String)> {
    let name = change::show::quoted(&case.guest.name);
    let mut not = Vec::new();
    let others = case.others.len();
    let mut why = match others {
        0 => "it would cure nothing that a restart of this guest does not".to_owned(),
        1 => format!("1 healthy guest would die to cure 1: {}", case.others[0]),
        n => format!(
            "{n} healthy guests would die to cure 1: {}",
            case.others.join(", ")
        ),
    };
    if !case.lost_with_host.is_empty() {
        why.push_str(&format!(
            "; lost with the host: {}",
            case.lost_with_host.join(", ")
        ));
    }
    not.push((format!("reboot {}", case.host), why));
    match ailment {
        Ailment::StorageHangs => {
            not.push((format!("virsh destroy {name}"), "a process that waits for dead storage cannot be killed, and its start would fail on the same storage".to_owned()));
            not.push(("umount -f, umount -l".to_owned(), "QEMU would get errors for what it only waits for now: the guest's file systems may break".to_owned()));
        }
        Ailment::IoError => {
            not.push((
                format!("virsh reset {name}, virsh destroy {name}"),
                "the writes that QEMU holds back would be lost".to_owned(),
            ));
        }
        Ailment::Stopped => {
            not.push((
                format!("virsh reset {name}"),
                "a stopped QEMU does not hear it; virsh would hang, too".to_owned(),
            ));
        }
        Ailment::LibvirtHangs => {
            not.push((
                format!("kill {}", case.guest.pid.unwrap_or(0)),
                "QEMU is not what hangs".to_owned(),
            ));
        }
        Ailment::Network => {
            not.push((
                format!("virsh destroy {name}"),
                "the guest is well; a restart gives its port the same VLANs again".to_owned(),
            ));
            not.push(("bridge vlan … self, nmcli on the bridge".to_owned(), "the host's own VLAN is not what is wrong; without the console at hand it may cut the host off".to_owned()));
        }
        _ => {
            not.push((
                format!("virsh destroy {name}"),
                "a power cut, before the evidence is kept and a restart in good order was tried"
                    .to_owned(),
            ));
        }
    }
    if case.twins.is_empty() && case.guest.state.as_deref() == Some("running") {
        return not;
    }
    if !case.twins.is_empty() {
        not.push((
            format!("touching {}", case.twins.join(", ")),
            "the twin carries the service now".to_owned(),
        ));
    }
    not
}
