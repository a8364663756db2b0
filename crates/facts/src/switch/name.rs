//! Names of switch ports: the long form and its abbreviations.

use super::{Switch, SwitchPort};

/// Interface types of IOS and IOS-XE, with the short form that their tables print.
const TYPES: &[(&str, &str)] = &[
    ("Ethernet", "Et"),
    ("FastEthernet", "Fa"),
    ("GigabitEthernet", "Gi"),
    ("TwoGigabitEthernet", "Tw"),
    ("FiveGigabitEthernet", "Fi"),
    ("TenGigabitEthernet", "Te"),
    ("TwentyFiveGigE", "Twe"),
    ("FortyGigabitEthernet", "Fo"),
    ("FiftyGigE", "Fif"),
    ("HundredGigE", "Hu"),
    ("TwoHundredGigE", "TwoH"),
    ("FourHundredGigE", "Fou"),
    ("AppGigabitEthernet", "Ap"),
    ("Port-channel", "Po"),
    ("Vlan", "Vl"),
    ("Loopback", "Lo"),
    ("Tunnel", "Tu"),
    ("Null", "Nu"),
    ("Bluetooth", "Bl"),
];

/// Types that are no port a cable or a bundle of cables ends in.
const NOT_A_PORT: &[&str] = &["Vlan", "Loopback", "Tunnel", "Null", "Bluetooth"];

/// The full name of a port: `Te1/0/2`, `ten 1/0/2`, `TenGigabitEthernet1/0/2` are all
/// `TenGigabitEthernet1/0/2`. `None` where the text is no port name or the abbreviation stands
/// for several types (`t1/0/1`).
pub fn canonical_port_name(text: &str) -> Option<String> {
    let (letters, number) = split(text)?;
    let exact = |&&(long, short): &&(&str, &str)| {
        letters.eq_ignore_ascii_case(short) || letters.eq_ignore_ascii_case(long)
    };
    let found = TYPES.iter().find(exact).or_else(|| {
        let mut starting = TYPES.iter().filter(|(long, _)| abbreviates(letters, long));
        starting.next().filter(|_| starting.next().is_none())
    });
    found.map(|(long, _)| format!("{long}{number}"))
}

/// The short form that the switch's own tables print: `Te1/0/2`. What is no known port name is
/// given back as it is.
pub fn short_port_name(name: &str) -> String {
    let Some((letters, number)) = split(name) else {
        return name.to_owned();
    };
    TYPES
        .iter()
        .find(|(long, _)| long.eq_ignore_ascii_case(letters))
        .map_or_else(|| name.to_owned(), |(_, short)| format!("{short}{number}"))
}

/// Whether a full name is that of a port (not of a VLAN interface or a loopback).
pub(super) fn is_port(full: &str) -> bool {
    !full.contains('.') && !NOT_A_PORT.iter().any(|kind| full.starts_with(kind))
}

impl Switch {
    /// The port of that name, in any abbreviation that fits only one port of this switch; a bare
    /// number (`1/0/2`) as well, where only one port has it.
    pub fn port(&self, name: &str) -> Option<&SwitchPort> {
        if let Some(port) = canonical_port_name(name).and_then(|full| self.ports.get(&full)) {
            return Some(port);
        }
        let name = name.trim();
        let (letters, number) = split(name).unwrap_or(("", name));
        let mut fitting = self.ports.values().filter(|port| {
            split(&port.name).is_some_and(|(kind, at)| at == number && abbreviates(letters, kind))
        });
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

fn abbreviates(letters: &str, long: &str) -> bool {
    long.get(..letters.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(letters))
}

/// Letters and number of a port name; `None` where it is none.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let at = text.find(|c: char| c.is_ascii_digit())?;
    let (letters, number) = (text[..at].trim_end(), &text[at..]);
    let letter = |c: char| c.is_ascii_alphabetic() || c == '-';
    (!letters.is_empty() && letters.chars().all(letter) && is_number(number))
        .then_some((letters, number))
}

/// `1`, `0/2`, `1/0/2`, `1/0/2.100`, `1/0/2:1`.
fn is_number(text: &str) -> bool {
    text.len() <= 32
        && text.ends_with(|c: char| c.is_ascii_digit())
        && !text.contains("//")
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '/' | '.' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_abbreviation_of_one_port_is_that_port() {
        for (given, full) in [
            ("Te1/0/2", "TenGigabitEthernet1/0/2"),
            ("ten 1/0/2", "TenGigabitEthernet1/0/2"),
            ("TenGigabitEthernet1/0/2", "TenGigabitEthernet1/0/2"),
            ("g1/0/1", "GigabitEthernet1/0/1"),
            ("Gig1/0/1", "GigabitEthernet1/0/1"),
            ("Tw1/0/1", "TwoGigabitEthernet1/0/1"),
            ("Twe1/1/1", "TwentyFiveGigE1/1/1"),
            ("TwentyFiveGigE1/1/1", "TwentyFiveGigE1/1/1"),
            ("Fo1/1/1", "FortyGigabitEthernet1/1/1"),
            ("Hu1/0/49", "HundredGigE1/0/49"),
            ("Fa0/1", "FastEthernet0/1"),
            ("Ap1/0/1", "AppGigabitEthernet1/0/1"),
            ("po1", "Port-channel1"),
            ("port-channel 12", "Port-channel12"),
            ("vlan100", "Vlan100"),
        ] {
            assert_eq!(canonical_port_name(given).as_deref(), Some(full), "{given}");
        }
        for none in [
            "", "Te", "t1/0/1", "1/0/2", "Te1//2", "Te1/0/", "hello", "x-1",
        ] {
            assert_eq!(canonical_port_name(none), None, "{none}");
        }
        assert_eq!(short_port_name("TenGigabitEthernet1/0/2"), "Te1/0/2");
        assert_eq!(short_port_name("Port-channel1"), "Po1");
        assert_eq!(short_port_name("eno1"), "eno1");
    }

    #[test]
    fn an_ambiguous_abbreviation_is_decided_by_the_ports_there_are() {
        let mut switch = Switch::default();
        for name in [
            "TwentyFiveGigE1/1/1",
            "GigabitEthernet1/0/1",
            "TenGigabitEthernet1/0/1",
        ] {
            let name = name.to_owned();
            let port = SwitchPort {
                name: name.clone(),
                ..SwitchPort::default()
            };
            switch.ports.insert(name, port);
        }
        let found = |name: &str| switch.port(name).map(|p| p.name.as_str());
        assert_eq!(found("tw1/1/1"), Some("TwentyFiveGigE1/1/1"));
        assert_eq!(found("t1/1/1"), Some("TwentyFiveGigE1/1/1"));
        assert_eq!(found("1/1/1"), Some("TwentyFiveGigE1/1/1"));
        assert_eq!(found("1/0/1"), None);
        assert_eq!(found("te1/0/1"), Some("TenGigabitEthernet1/0/1"));
        assert_eq!(found("te1/0/9"), None);
    }
}
