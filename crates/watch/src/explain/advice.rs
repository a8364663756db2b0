//! How to be sure next time, and how to keep it from happening.

use super::{Case, Cause, Explanation};

/// What would have told, or prevented, it.
pub fn of(answer: &Explanation, case: &Case<'_>) -> Vec<String> {
    let guest = &case.history.guest;
    let mut advice = Vec::new();
    let Some(first) = answer.causes.first() else {
        return advice;
    };
    let unsure = first.confidence < 90;
    match first.cause {
        Cause::Inside | Cause::VirshShutdown if unsure => {
            advice.push(
                "let libvirt's daemon log who calls it: in /etc/libvirt/libvirtd.conf (virtqemud.conf) \
                 log_filters=\"1:libvirt.domain\" and log_outputs=\"1:file:/var/log/libvirt/libvirtd.log\""
                    .to_owned(),
            );
            advice.push(format!(
                "run qemu-guest-agent in {guest} and keep its journal: it says whether the power key was pressed or somebody logged in there shut it down"
            ));
        }
        Cause::Signal | Cause::QemuCrash if unsure => {
            advice.push(
                "keep the kernel's messages and core dumps: a persistent journal (mkdir /var/log/journal) and systemd-coredump"
                    .to_owned(),
            );
            advice.push(
                "auditctl -a always,exit -F arch=b64 -S kill -F a1=9 -k qemu-kill records who sends SIGKILL"
                    .to_owned(),
            );
        }
        Cause::OutOfMemory => advice.push(format!(
            "give the host head room: less memory for guests, or a higher limit for {guest} (virsh memtune {guest} --hard-limit …, which libvirt advises against)"
        )),
        Cause::QemuCrash => advice.push(
            "install systemd-coredump, and report the trace with the version of QEMU".to_owned(),
        ),
        Cause::LibvirtGuests | Cause::HostShutdown => advice.push(
            "nofail guard install: whoever shuts the host down is told first which guests go with it".to_owned(),
        ),
        Cause::HostReset => advice.push(
            "read the BMC's event log (nofail bmc check): it tells a power cut from a reset; enable kdump for kernel crashes"
                .to_owned(),
        ),
        Cause::IoErrorPause => {
            advice.push(format!("virsh domblkerror {guest}, mend the storage, then virsh resume {guest}"));
        }
        Cause::StartMissingDisk | Cause::StartMissingBridge | Cause::StartPortInUse | Cause::StartFailed => {
            advice.push(
                "nofail audit finds missing disks and bridges before a start does".to_owned(),
            );
        }
        _ => {}
    }
    if answer
        .still_off
        .as_ref()
        .is_some_and(|c| c.cause == Cause::NotAutostarted)
        && case.guest.is_some_and(|g| g.autostart == Some(false))
    {
        advice.push(format!("virsh autostart {guest}"));
    }
    if first.cause.by_somebody() && answer.actors.iter().all(|a| a.confidence < 90) {
        advice.push(
            "let people use sudo instead of root's own login, or run auditd: then the command itself is on record"
                .to_owned(),
        );
    }
    let recorder =
        |t: &facts::history::Trace| matches!(t.what, facts::history::What::Recorded { .. });
    if !answer.timeline.iter().any(recorder) {
        advice.push(
            "systemctl enable --now nofail-watch: the recorder keeps libvirt's events with their reasons".to_owned(),
        );
    }
    advice
}
