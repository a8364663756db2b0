//! Tests of incidents: parsing, and each state an item can be in.

use super::{Incident, State, measure};
use facts::{Snapshot, Source, domain::Guest};
use jiff::civil::date;
use model::Estate;

const FILE: &str = r#"
id = "INC-1"
title = "a night"
[[items]]
id = 5
text = "bind-02 autostarts"
[[items.checks]]
rules = ["guests/autostart-off"]
hosts = ["kvm-02"]
subjects = ["bind-*"]
[[items]]
id = 8
text = "the console is there"
confirmed = { by = "ann", on = "2026-04-14", until = "2026-07-14" }
"#;

fn estate(autostart: bool) -> Estate {
    let mut host = Snapshot::new("kvm-02");
    host.guests = vec![Guest {
        name: "bind-02".to_owned(),
        autostart: Some(autostart),
        state: Some("running".to_owned()),
        persistent: true,
        ..Guest::default()
    }];
    Estate::of(host)
}

fn states(file: &str, estate: &Estate, month: i8) -> Vec<State> {
    let incident = Incident::parse(file).unwrap();
    measure(&incident, estate, date(2026, month, 20))
        .into_iter()
        .map(|m| m.state)
        .collect()
}

#[test]
fn a_quiet_rule_holds_and_a_firing_one_breaks() {
    assert_eq!(
        states(FILE, &estate(true), 5),
        [State::Holds, State::Confirmed]
    );
    assert_eq!(
        states(FILE, &estate(false), 5),
        [State::Broken, State::Confirmed]
    );
}

#[test]
fn an_item_covered_in_part_does_not_hold_by_its_checks() {
    let file = FILE.replace(
        "text = \"bind-02",
        "uncovered = \"the watch\"\ntext = \"bind-02",
    );
    assert_eq!(states(&file, &estate(true), 5)[0], State::NotChecked);
    assert_eq!(states(&file, &estate(false), 5)[0], State::Broken);
}

#[test]
fn a_confirmation_expires() {
    assert_eq!(states(FILE, &estate(true), 8)[1], State::Expired);
}

#[test]
fn no_word_closes_a_temporary_change() {
    let file = FILE.replace(
        "text = \"the console",
        "temporary = true\ntext = \"the console",
    );
    assert_eq!(states(&file, &estate(true), 5)[1], State::NotChecked);
}

#[test]
fn what_was_not_read_does_not_hold() {
    let mut unread = estate(true);
    unread.hosts[0].not_read(Source::Guests, "permission denied");
    assert_eq!(states(FILE, &unread, 5)[0], State::NotChecked);
    let other = FILE.replace("hosts = [\"kvm-02\"]", "hosts = [\"kvm-01\"]");
    assert_eq!(states(&other, &estate(true), 5)[0], State::NotChecked);
}

#[test]
fn a_misspelt_rule_is_met_at_its_line() {
    let error = Incident::parse(&FILE.replace("autostart-off", "autostart-of")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "8:1: no rule `guests/autostart-of`: did you mean `guests/autostart-off`?"
    );
}
