//! Cases from real logs, of libvirt 9.0, QEMU 7.2, Linux 6, systemd 252.

use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const LOG: &str = include_str!("../../../../testdata/fixtures/qemu-log/signals.log");

fn whats(traces: &[Trace]) -> Vec<&What> {
    traces.iter().map(|t| &t.what).collect()
}

#[test]
fn a_guests_log_is_starts_signals_and_stops() {
    let traces = qemu_log::parse("term.log", LOG);
    let stopped = |reason: &str| What::Stopped {
        reason: reason.to_owned(),
    };
    let signal = |pid, process: &str| What::Signal {
        number: 15,
        pid,
        process: process.to_owned(),
    };
    let started = What::Started {
        host: Some("vm".to_owned()),
        incoming: false,
    };
    assert_eq!(
        whats(&traces),
        [
            &started,
            &signal(1, "bash"),
            &stopped("shutdown"),
            &started,
            &stopped("crashed"),
            &started,
            &stopped("crashed"),
            &started,
            &stopped("saved"),
            &signal(18, "libvirtd"),
        ]
    );
    assert_eq!(traces[1].at, 1_795_390_255_461_077);
    assert_eq!(
        traces[1].evidence.line,
        LOG.lines()
            .position(|l| l.contains("bash"))
            .map(|n| n as u32 + 1)
    );
}

#[test]
fn an_assertion_without_a_time_takes_the_one_before() {
    let log = "2026-11-22 23:30:52.604+0000: starting up libvirt version: 9.0.0, hostname: kvm-01\nLC_ALL=C \\\n-incoming defer\n\
        qemu-system-x86_64: ../block.c:12: bdrv_x: Assertion `0' failed.\n2026-11-22 23:30:53.000+0000: shutting down, reason=crashed\n";
    let traces = qemu_log::parse("x.log", log);
    assert!(matches!(
        &traces[0].what,
        What::Started { incoming: true, .. }
    ));
    assert!(
        matches!(&traces[1].what, What::Qemu { text } if text.contains("Assertion")),
        "{traces:?}"
    );
    assert_eq!(traces.len(), 3);
}

#[test]
fn the_daemons_log_gives_errors_and_calls_on_this_guest() {
    let log = "2026-11-22 23:31:03.255+0000: 23: error : virNetDevGetMTU:417 : Cannot get interface MTU on 'br-none': No such device\n\
        2026-11-22 23:31:04.255+0000: 23: debug : virDomainShutdown:722 : dom=0x7f, (VM: name=bind-01, uuid=2f08)\n\
        2026-11-22 23:31:05.255+0000: 23: debug : virDomainShutdown:722 : dom=0x7f, (VM: name=bind-02, uuid=2f08)\n\
        2026-11-22 23:31:06.255+0000: 23: error : virNetDevSendEthtoolIoctl:3034 : ethtool ioctl error on ifb1: No such device\n";
    let traces = daemon_log::parse("libvirtd.log", log, "bind-01");
    assert_eq!(traces.len(), 2);
    assert!(
        matches!(&traces[0].what, What::DaemonError { text } if text.starts_with("Cannot get interface MTU"))
    );
    assert_eq!(
        traces[1].what,
        What::Asked {
            act: "shutdown".to_owned()
        }
    );
}

#[test]
fn messages_of_the_journal() {
    let told = |who: &str, words: &str| message::classify(who, Some("77"), words, "bind-01");
    assert_eq!(
        told(
            "kernel",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=emulator,mems_allowed=0,oom_memcg=/machine.slice/machine-qemu\\x2d3\\x2dbind\\x2d01.scope,task_memcg=/machine.slice/machine-qemu\\x2d3\\x2dbind\\x2d01.scope/libvirt/emulator,task=qemu-system-x86,pid=338,uid=64055"
        ),
        Some(What::OutOfMemory {
            pid: 338,
            process: "qemu-system-x86".into(),
            guest: Some("bind-01".into()),
            cgroup: true
        })
    );
    assert_eq!(
        told(
            "kernel",
            "Memory cgroup out of memory: Killed process 338 (qemu-system-x86) total-vm:1kB, anon-rss:2kB"
        ),
        Some(What::OutOfMemory {
            pid: 338,
            process: "qemu-system-x86".into(),
            guest: None,
            cgroup: true
        })
    );
    assert_eq!(
        told(
            "sshd",
            "Accepted publickey for root from 10.50.1.5 port 52014 ssh2: ED25519 SHA256:x"
        ),
        Some(What::SessionOpened {
            user: "root".into(),
            address: Some("10.50.1.5".into()),
            key: "sshd[77]".into()
        })
    );
    assert_eq!(
        told(
            "sshd",
            "pam_unix(sshd:session): session closed for user root"
        ),
        Some(What::SessionClosed {
            key: "sshd[77]".into()
        })
    );
    assert!(matches!(
        told("sudo", "   alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/virsh destroy bind-01"),
        Some(What::Command { user, terminal: Some(terminal), .. }) if user == "alice" && terminal == "pts/0"
    ));
    assert_eq!(
        told(
            "sudo",
            "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow"
        ),
        None
    );
    assert_eq!(
        told("libvirt-guests.sh", "Starting shutdown on guest: bind-01"),
        Some(What::GuestsService {
            action: GuestsAction::ShutDown,
            guest: Some("bind-01".into())
        })
    );
    assert_eq!(
        told("systemd-logind", "System is rebooting."),
        Some(What::HostStopping {
            how: Stopping::Reboot
        })
    );
    assert!(matches!(
        told(
            "kernel",
            "nfs: server 10.50.1.70 not responding, still trying"
        ),
        Some(What::StorageServer { .. })
    ));
    assert_eq!(told("kernel", "XFS (sdb1): Mounting V5 Filesystem"), None);
}

#[test]
fn syslog_of_both_kinds() {
    let utc = TimeZone::UTC;
    let latest = time::absolute("2027-01-02T00:00:00Z").unwrap();
    let text = "Dec 31 23:59:58 kvm-01 sshd[12]: Accepted password for root from 10.0.0.9 port 1 ssh2\n\
        2026-12-31T23:59:59.5+00:00 kvm-01 kernel: [  12.3] qemu-system-x86[9]: segfault at 0 ip 0 sp 0 error 4\nnonsense\n";
    let traces = syslog::parse("/var/log/syslog", text, "g", &utc, latest);
    assert_eq!(traces.len(), 2);
    assert_eq!(
        traces[0].at,
        time::absolute("2026-12-31T23:59:58Z").unwrap()
    );
    assert_eq!(
        traces[1].what,
        What::Fault {
            pid: Some(9),
            process: "qemu-system-x86".into()
        }
    );
}

#[test]
fn the_audit_log_and_packages_and_a_shells_history() {
    let text = "type=VIRT_CONTROL msg=audit(1763854252.604:123): pid=9 uid=0 msg='virt=qemu op=stop reason=destroyed vm=\"g\" uuid=1 exe=\"/usr/sbin/libvirtd\" res=success'UID=\"root\"\n";
    let traces = audit::parse("audit.log", text, "g");
    assert_eq!(
        (traces[0].at, &traces[0].what),
        (
            1_763_854_252_604_000,
            &What::Stopped {
                reason: "destroyed".into()
            }
        )
    );
    assert!(audit::parse("audit.log", text, "other").is_empty());
    let text = "2026-11-22 23:00:00 upgrade libvirt0:amd64 1 2\n2026-11-22 23:00:00 upgrade nano:amd64 1 2\n";
    assert_eq!(packages::dpkg("dpkg.log", text, &TimeZone::UTC).len(), 1);
    let text = "#1763854252\nvirsh destroy g\n#1763854253\nls\n";
    assert_eq!(shell::parse("h", text, "root").len(), 1);
}

#[test]
fn wtmp_tells_boots_shutdowns_and_logins() {
    let record = |kind: i16, line: &str, user: &str, host: &str, seconds: u32| {
        let mut bytes = vec![0_u8; 384];
        bytes[0..2].copy_from_slice(&kind.to_le_bytes());
        bytes[8..8 + line.len()].copy_from_slice(line.as_bytes());
        bytes[44..44 + user.len()].copy_from_slice(user.as_bytes());
        bytes[76..76 + host.len()].copy_from_slice(host.as_bytes());
        bytes[340..344].copy_from_slice(&seconds.to_le_bytes());
        bytes
    };
    let file = [
        record(2, "~", "reboot", "6.1.0", 100),
        record(7, "pts/0", "root", "10.50.1.5", 110),
        record(8, "pts/0", "", "", 120),
        record(1, "~~", "shutdown", "6.1.0", 130),
    ]
    .concat();
    let traces = wtmp::parse("/var/log/wtmp", &file[..file.len()]);
    assert_eq!(traces.len(), 4);
    assert_eq!(
        traces[3].what,
        What::HostStopping {
            how: Stopping::Either
        }
    );
    assert_eq!(wtmp::parse("/var/log/wtmp", &file[..400]).len(), 1);
}

#[test]
fn two_records_of_one_thing_are_one_trace() {
    let trace = |at, file: &str| Trace::of_record(at, What::HostBooted, file, "x");
    let mut history = History {
        traces: vec![trace(5, "a"), trace(1_000_000, "b"), trace(9_000_000, "a")],
        ..History::default()
    };
    history.settle();
    assert_eq!(history.traces.len(), 2);
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..1000)) {
        let _ = qemu_log::parse("f", &text);
        let _ = daemon_log::parse("f", &text, "g");
        let _ = syslog::parse("f", &text, "g", &TimeZone::UTC, 0);
        let _ = audit::parse("f", &text, "g");
        let _ = message::guest_of_cgroup(&text);
        let _ = wtmp::parse("f", &bytes);
        for who in ["kernel", "sshd", "sudo", "libvirt-guests.sh", "systemd-coredump", "cron", "libvirtd"] {
            let _ = message::classify(who, None, &text, "g");
        }
    }
}
