//! Command lines and decisions.

use super::*;

fn of(line: &str) -> Option<Act> {
    let mut words = line.split(' ').map(str::to_owned);
    let name = words.next().unwrap();
    act(&name, &words.collect::<Vec<_>>())
}

#[test]
fn what_takes_the_host_down_and_what_does_not() {
    for line in [
        "reboot",
        "reboot -f",
        "shutdown -r +5",
        "systemctl reboot",
        "systemctl --force --force reboot",
        "systemctl -i kexec",
        "systemctl isolate reboot.target",
        "systemctl start reboot.target",
        "kexec -e",
        "init 6",
        "telinit 6",
        "poweroff --reboot",
        "systemctl -t service reboot",
        "systemctl soft-reboot",
    ] {
        assert_eq!(of(line), Some(Act::Reboot), "{line}");
    }
    for line in [
        "poweroff",
        "halt",
        "shutdown now",
        "shutdown -h now",
        "systemctl poweroff",
        "init 0",
        "reboot -p",
        "systemctl isolate runlevel0.target",
    ] {
        assert_eq!(of(line), Some(Act::PowerOff), "{line}");
    }
    for line in [
        "systemctl rescue",
        "systemctl isolate emergency",
        "init 1",
        "systemctl isolate rescue.target",
    ] {
        assert_eq!(of(line), Some(Act::Rescue), "{line}");
    }
    for line in [
        "reboot --help",
        "reboot -w",
        "shutdown -c",
        "shutdown -k now",
        "systemctl status reboot.target",
        "systemctl restart libvirtd",
        "systemctl -H kvm-02 reboot",
        "systemctl --user poweroff",
        "systemctl isolate multi-user.target",
        "systemctl",
        "kexec -l /boot/vmlinuz",
        "init q",
        "systemctl is-active poweroff.target",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
}

fn found(verdict: Verdict) -> Assessment {
    Assessment {
        host: "kvm-01".into(),
        verdict,
        healthy: (1..=7).map(|n| format!("guest-{n}")).collect(),
        ill: vec!["ipsk-mgr-01".into()],
        reasons: vec![
            "kvm-01 would stop in emergency mode".into(),
            "7 running guests would die: …".into(),
            "b".into(),
            "c".into(),
        ],
        instead: vec!["mend fstab".into()],
        on_battery: false,
    }
}

#[test]
fn five_lines_say_what_it_would_cost() {
    let lines = lines(Act::Reboot, &found(Verdict::Unsafe));
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[1],
        "7 healthy guests would die to cure 1; try: nofail triage ipsk-mgr-01"
    );
    assert!(lines[2].contains("emergency"));
}

#[test]
fn who_goes_on() {
    let not_safe = found(Verdict::Unsafe);
    assert_eq!(decide(&found(Verdict::Go), &Asker::Script), Decision::Go);
    assert!(matches!(
        decide(&not_safe, &Asker::Script),
        Decision::Refuse(_)
    ));
    assert_eq!(decide(&not_safe, &Asker::Person(None)), Decision::Ask);
    let typed = |host: &str, reason: &str| {
        decide(
            &not_safe,
            &Asker::Person(Some((host.into(), reason.into()))),
        )
    };
    assert_eq!(
        typed("KVM-01", " fire "),
        Decision::Overridden("fire".into())
    );
    assert_eq!(
        typed("kvm-01.example.org", "fire"),
        Decision::Overridden("fire".into())
    );
    assert!(matches!(typed("kvm-02", "fire"), Decision::Refuse(_)));
    assert!(matches!(typed("kvm-01", " "), Decision::Refuse(_)));
    assert!(matches!(typed("", "x"), Decision::Refuse(_)));
    let by = |text: &str| decide(&not_safe, &Asker::Override(text.into()));
    assert_eq!(by("kvm-01: fire"), Decision::Overridden("fire".into()));
    assert!(matches!(by("fire"), Decision::Refuse(_)));
    assert!(matches!(by("kvm-02: fire"), Decision::Refuse(_)));
    // A UPS on battery, and a nofail that cannot say, stop nobody.
    assert_eq!(
        decide(
            &Assessment {
                on_battery: true,
                ..not_safe.clone()
            },
            &Asker::Script
        ),
        Decision::Go
    );
    assert!(matches!(
        decide(&found(Verdict::Unknown), &Asker::Script),
        Decision::Open(_)
    ));
}

#[test]
fn twins_hold_each_other() {
    use peers::{Peer, against};
    let peer = |state| vec![("kvm-02".to_owned(), vec!["bind-02".to_owned()], state)];
    assert!(against(&peer(Peer::Up)).is_empty());
    assert!(against(&peer(Peer::GoingDown))[0].contains("bind-02"));
    assert!(against(&peer(Peer::Silent))[0].contains("may be down"));
}

#[test]
fn an_installation_and_its_removal_name_the_same_paths() {
    use change::plan::Act as Do;
    let path = |p: &change::plan::Proposal| match &p.act {
        Do::Write { path, .. } | Do::Link { path, .. } | Do::Remove { path } => Some(path.clone()),
        _ => None,
    };
    let mut made: Vec<String> = install::install(
        "/usr/local/bin/nofail",
        Some("/etc/nofail/si\"te.toml"),
        None,
        true,
    )
    .iter()
    .filter_map(path)
    .collect();
    let mut gone: Vec<String> = install::uninstall(&install::paths(), true)
        .iter()
        .filter_map(path)
        .collect();
    made.sort();
    gone.sort();
    assert_eq!(made, gone);
}
