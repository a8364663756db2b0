//! Each refusal, and what lifts it.

use super::*;
use facts::bmc::check::Answer;

fn proof() -> Check {
    Check {
        host: "kvm-02".to_owned(),
        from_host: "desk".to_owned(),
        from_address: Some("10.50.1.200".parse().unwrap()),
        on_link: true,
        at: "2026-04-13T20:00:00Z".to_owned(),
        reachable: Answer::good(""),
        login: Answer::good(""),
        power: Answer::good("on"),
        ..Check::default()
    }
}

fn asked<'a>(proof: Option<&'a Check>) -> Asked<'a> {
    Asked {
        ssh: true,
        ends: None,
        console: false,
        incident: false,
        reason: None,
        proof,
        proof_age: 60,
        own_addresses: vec!["10.50.1.12".parse().unwrap()],
        guest_addresses: vec![
            ("bind-02".to_owned(), "10.50.1.91".parse().unwrap()),
            ("vyos-02".to_owned(), "10.50.1.3".parse().unwrap()),
        ],
        gateway_guests: Vec::new(),
        in_window: None,
    }
}

fn refused(asked: &Asked<'_>) -> String {
    match judge(asked) {
        Judgement::Refused(refusals) => refusals
            .iter()
            .map(|r| format!("{} [{}]\n", r.why, r.instead))
            .collect(),
        Judgement::Go(grounds) => panic!("not refused: {grounds}"),
    }
}

#[test]
fn over_ssh_a_way_in_must_be_proven() {
    assert!(refused(&asked(None)).contains("nobody has shown"));
    let good = proof();
    assert!(matches!(judge(&asked(Some(&good))), Judgement::Go(_)));
    let old = Asked {
        proof_age: 7_200,
        ..asked(Some(&good))
    };
    assert!(refused(&old).contains("not of this hour"));
    let mut dead = proof();
    dead.login = Answer::bad("user or password are wrong");
    assert!(refused(&asked(Some(&dead))).contains("login: user or password"));
    let at_console = Asked {
        ssh: false,
        ..asked(None)
    };
    assert!(matches!(judge(&at_console), Judgement::Go(_)));
    let says_so = Asked {
        console: true,
        ..asked(None)
    };
    assert!(matches!(judge(&says_so), Judgement::Go(_)));
}

#[test]
fn a_way_in_through_what_is_changed_does_not_count() {
    let with = |change: &dyn Fn(&mut Check)| {
        let mut proof = proof();
        change(&mut proof);
        refused(&asked(Some(&proof)))
    };
    let own = with(&|p| p.from_address = Some("10.50.1.12".parse().unwrap()));
    assert!(own.contains("this very host"), "{own}");
    let guest = with(&|p| p.from_address = Some("10.50.1.91".parse().unwrap()));
    assert!(guest.contains("bind-02, a guest of this host"), "{guest}");
    let routed = with(&|p| {
        p.on_link = false;
        p.gateway = Some("10.50.1.3".parse().unwrap());
    });
    assert!(routed.contains("leads through vyos-02"), "{routed}");
    let unknown = with(&|p| p.on_link = false);
    assert!(unknown.contains("which way it took"), "{unknown}");
    // A shared address (VRRP) is not in site.toml; the site's gateway hangs on a guest of ours.
    let mut over_vrrp = proof();
    over_vrrp.on_link = false;
    over_vrrp.gateway = Some("10.50.1.1".parse().unwrap());
    let alone = Asked {
        gateway_guests: vec!["vyos-02".to_owned()],
        ..asked(Some(&over_vrrp))
    };
    assert!(refused(&alone).contains("hangs on vyos-02"));
    assert!(matches!(judge(&asked(Some(&over_vrrp))), Judgement::Go(_)));
}

#[test]
fn outside_the_window_and_in_an_incident_a_reason_is_asked_for() {
    let good = proof();
    let outside = Asked {
        in_window: Some(false),
        ..asked(Some(&good))
    };
    assert!(refused(&outside).contains("--reason TEXT"));
    let with_reason = Asked {
        reason: Some("switch replaced"),
        ..outside.clone()
    };
    assert!(matches!(judge(&with_reason), Judgement::Go(_)));
    let incident = Asked {
        incident: true,
        ..asked(None)
    };
    let both = refused(&incident);
    assert!(
        both.contains("without a word on why") && both.contains("nobody has shown"),
        "{both}"
    );
    let why = Asked {
        reason: Some("INC-2026-04-13-001"),
        ..incident.clone()
    };
    match judge(&why) {
        Judgement::Go(grounds) => assert!(grounds.contains("override"), "{grounds}"),
        Judgement::Refused(refusals) => panic!("{refusals:?}"),
    }
    let blank = Asked {
        reason: Some("  "),
        ..incident
    };
    assert!(matches!(judge(&blank), Judgement::Refused(_)));
}

#[test]
fn windows_over_midnight_belong_to_the_day_they_begin() {
    let window = |from: &str, to: &str| Window {
        days: vec!["sun".to_owned()],
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let night = [window("22:00", "02:00")];
    assert_eq!(in_window(&night, 6, 23 * 60), Some(true));
    assert_eq!(in_window(&night, 0, 60), Some(true));
    assert_eq!(in_window(&night, 6, 60), Some(false));
    assert_eq!(in_window(&night, 0, 23 * 60), Some(false));
    let early = [window("02:00", "05:00")];
    assert_eq!(in_window(&early, 6, 180), Some(true));
    assert_eq!(in_window(&early, 6, 300), Some(false));
    assert_eq!(in_window(&[], 6, 180), None);
}
