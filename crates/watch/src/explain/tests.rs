//! Judgements over records of real guests.

use super::*;
use facts::history::{GuestsAction, History, Stopping, What, qemu_log};

const LOG: &str = include_str!("../../../../testdata/fixtures/qemu-log/signals.log");

fn shut_off() -> Guest {
    Guest {
        name: "term".into(),
        state: Some("shut-off".into()),
        persistent: true,
        autostart: Some(false),
        ..Guest::default()
    }
}

/// The log up to and with the n-th stop.
fn until_stop(n: usize) -> History {
    let mut traces = qemu_log::parse("/var/log/libvirt/qemu/term.log", LOG);
    let stops: Vec<usize> = traces
        .iter()
        .enumerate()
        .filter(|(_, t)| matches!(t.what, What::Stopped { .. }))
        .map(|(at, _)| at)
        .collect();
    traces.truncate(stops[n] + 1);
    History {
        guest: "term".into(),
        traces,
        read: vec!["journal".into()],
        ..History::default()
    }
}

fn judge(history: &History, guest: &Guest) -> Explanation {
    explain(&Case {
        guest: Some(guest),
        history,
        since: None,
    })
}

fn with(mut history: History, after: i64, what: What) -> History {
    let at = history.traces.last().unwrap().at + after;
    history
        .traces
        .push(Trace::of_record(at, what, "journal", "…"));
    history.traces.sort_by_key(|t| t.at);
    history
}

#[test]
fn a_signal_names_its_sender() {
    let answer = judge(&until_stop(0), &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::Signal);
    assert!(
        answer.causes[0]
            .text
            .contains("signal 15 from bash (process 1)")
    );
    assert!(
        answer.causes[0].evidence.iter().any(|e| e
            .text
            .as_deref()
            .unwrap()
            .contains("terminating"))
    );
}

#[test]
fn crashed_is_weighed_by_what_the_kernel_says() {
    let bare = until_stop(1);
    assert_eq!(judge(&bare, &shut_off()).causes[0].cause, Cause::Signal);
    let kill = |guest: Option<&str>| What::OutOfMemory {
        pid: 9,
        process: "qemu-system-x86".into(),
        guest: guest.map(str::to_owned),
        cgroup: true,
    };
    let answer = judge(
        &with(until_stop(1), -SECOND, kill(Some("term"))),
        &shut_off(),
    );
    assert_eq!(
        (answer.causes[0].cause, answer.causes[0].confidence),
        (Cause::OutOfMemory, 98)
    );
    // Another guest's.
    let answer = judge(
        &with(until_stop(1), -SECOND, kill(Some("other"))),
        &shut_off(),
    );
    assert_eq!(answer.causes[0].cause, Cause::Signal);
    let fault = What::Fault {
        pid: None,
        process: "qemu-system-x86".into(),
    };
    let answer = judge(&with(until_stop(1), SECOND, fault), &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::QemuCrash);
    // Without the kernel's messages nothing is sure.
    let mut unread = until_stop(1);
    unread.read.clear();
    let answer = judge(&unread, &shut_off());
    assert!(answer.causes[0].confidence < 50, "{answer:?}");
    assert!(!answer.causes[0].against.is_empty());
}

#[test]
fn who_was_there_at_a_power_cut() {
    let mut history = until_stop(1);
    if let What::Stopped { reason } = &mut history.traces.last_mut().unwrap().what {
        *reason = "destroyed".into();
    }
    let open = What::SessionOpened {
        user: "root".into(),
        address: Some("10.50.1.5".into()),
        key: "sshd[7]".into(),
    };
    let history = with(history, -SECOND, open);
    let history = with(
        history,
        SECOND,
        What::SessionClosed {
            key: "sshd[7]".into(),
        },
    );
    let answer = judge(&history, &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::VirshDestroy);
    assert_eq!(answer.actors[0].address.as_deref(), Some("10.50.1.5"));
    assert_eq!(answer.actors[0].confidence, 80);
    // A command on record beats it.
    let mut history = history;
    let stop = history
        .traces
        .iter()
        .find(|t| matches!(t.what, What::Stopped { .. }))
        .map(|_| ())
        .is_some();
    assert!(stop);
    let command = What::Command {
        user: "alice".into(),
        terminal: Some("pts/0".into()),
        line: "/usr/bin/virsh destroy term".into(),
    };
    history = with(history, -2 * SECOND, command);
    let answer = judge(&history, &shut_off());
    assert_eq!(
        (answer.actors[0].user.as_str(), answer.actors[0].confidence),
        ("alice", 95)
    );
}

#[test]
fn a_boot_after_a_silent_end_is_a_reset_unless_a_shutdown_came_before() {
    let mut traces = qemu_log::parse("term.log", LOG);
    traces.truncate(1);
    let history = History {
        guest: "term".into(),
        traces,
        read: vec!["journal".into(), "/var/log/wtmp".into()],
        ..History::default()
    };
    let booted = with(history.clone(), 100 * SECOND, What::HostBooted);
    let answer = judge(&booted, &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::HostReset);
    assert_eq!(
        answer.still_off.as_ref().unwrap().cause,
        Cause::NotAutostarted
    );
    assert!(
        answer
            .next_time
            .iter()
            .any(|t| t.contains("virsh autostart term"))
    );
    let stopped = with(
        booted,
        -20 * SECOND,
        What::HostStopping {
            how: Stopping::Reboot,
        },
    );
    let answer = judge(&stopped, &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::HostShutdown);

    // libvirt-guests asked it, in vain as far as is known; and with its word that the guest was down.
    let service = |mut history: History, text: &str| {
        let what = What::GuestsService {
            action: GuestsAction::ShutDown,
            guest: Some("term".into()),
        };
        let at = history.traces.last().unwrap().at - 25 * SECOND;
        let trace = Trace::of_record(at, what, "journal", text);
        history.traces.push(trace);
        history.traces.sort_by_key(|t| t.at);
        history
    };
    let asked = service(stopped, "Starting shutdown on guest: term");
    let answer = judge(&asked, &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::HostShutdown);
    assert!(answer.causes[0].text.contains("nothing tells that it did"));
    let mut signalled = asked.clone();
    let at = signalled.traces.last().unwrap().at - 24 * SECOND;
    let what = What::Signal {
        number: 15,
        pid: 494,
        process: "/usr/sbin/libvirtd".into(),
    };
    let trace = Trace::of_record(at, what, "term.log", "terminating on signal 15");
    signalled.traces.push(trace);
    signalled.traces.sort_by_key(|t| t.at);
    let answer = judge(&signalled, &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::LibvirtGuests);
    let done = service(asked, "Shutdown of guest term complete.");
    let answer = judge(&done, &shut_off());
    assert_eq!(answer.causes[0].cause, Cause::LibvirtGuests);
}

#[test]
fn a_guest_that_runs_and_never_stopped_is_no_case() {
    let mut traces = qemu_log::parse("term.log", LOG);
    traces.truncate(1);
    let history = History {
        guest: "term".into(),
        traces,
        ..History::default()
    };
    let guest = Guest {
        state: Some("running".into()),
        ..shut_off()
    };
    let answer = judge(&history, &guest);
    assert!(answer.causes.is_empty() && answer.at.is_none() && answer.still_off.is_none());
}

#[test]
fn a_pause_for_a_disk_error() {
    let guest = Guest {
        state: Some("paused".into()),
        state_reason: Some("ioerror".into()),
        status_file: Some("/run/libvirt/qemu/term.xml".into()),
        ..shut_off()
    };
    let mut traces = qemu_log::parse("term.log", LOG);
    traces.truncate(1);
    let history = History {
        guest: "term".into(),
        traces,
        ..History::default()
    };
    let answer = judge(&history, &guest);
    assert_eq!(answer.causes[0].cause, Cause::IoErrorPause);
    assert!(answer.next_time[0].contains("virsh domblkerror term"));
}

#[test]
fn since_leaves_older_stops_alone() {
    let history = until_stop(0);
    let since = history.traces.last().unwrap().at + SECOND;
    let answer = explain(&Case {
        guest: Some(&shut_off()),
        history: &history,
        since: Some(since),
    });
    assert!(answer.causes.is_empty());
}
