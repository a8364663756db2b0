//! The exec commands whose output is read, in every abbreviation, and by the shape of the output.

use super::{name::canonical_port_name, terminal::Line};

/// What an output is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Running,
    Startup,
    Interfaces,
    Trunk,
    Status,
    ErrDisabled,
    Switchport,
    CounterErrors,
    Vlan,
    Etherchannel,
    SpanningTree,
    ServerGroups,
    AaaServers,
    /// A command that nothing is read from.
    Other,
}

/// A command as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub kind: Kind,
    /// Without abbreviations: `show interfaces trunk`.
    pub full: String,
    /// Whether it asks for less than everything (one interface, a pipe): what is missing from
    /// its output says nothing.
    pub partial: bool,
    /// Whether lines within a block may be missing (`| include`, `| exclude`).
    pub filtered: bool,
}

impl Command {
    /// The command that prints everything of a kind.
    pub(super) fn whole(kind: Kind) -> Self {
        let full = match kind {
            Kind::Running => "show running-config",
            Kind::Startup => "show startup-config",
            Kind::Interfaces => "show interfaces",
            Kind::Trunk => "show interfaces trunk",
            Kind::Status => "show interfaces status",
            Kind::ErrDisabled => "show interfaces status err-disabled",
            Kind::Switchport => "show interfaces switchport",
            Kind::CounterErrors => "show interfaces counters errors",
            Kind::Vlan => "show vlan brief",
            Kind::Etherchannel => "show etherchannel summary",
            Kind::SpanningTree => "show spanning-tree",
            Kind::ServerGroups => "show radius server-group all",
            Kind::AaaServers => "show aaa servers",
            Kind::Other => "",
        };
        Self {
            kind,
            full: full.to_owned(),
            partial: false,
            filtered: false,
        }
    }

    /// A typed `show` command; `None` where it is none.
    pub(super) fn parse(typed: &str) -> Option<Self> {
        let (command, pipe) = match typed.split_once('|') {
            Some((command, pipe)) => (command, Some(pipe.trim().to_ascii_lowercase())),
            None => (typed, None),
        };
        let lower = command.to_ascii_lowercase();
        let mut words = lower.split_whitespace().peekable();
        words.next_if_eq(&"do");
        if !is(words.next()?, "show", 2) {
            return None;
        }
        let words: Vec<&str> = words.collect();
        let (kind, narrowed) = kind_of(&words);
        let mut found = Self::whole(kind);
        found.partial = narrowed || pipe.is_some();
        found.filtered = pipe.is_some_and(|pipe| {
            let verb = pipe.split_whitespace().next().unwrap_or("");
            !is(verb, "section", 1) && !is(verb, "begin", 1)
        });
        Some(found)
    }
}

/// Whether `word` abbreviates `full` with at least `least` letters.
fn is(word: &str, full: &str, least: usize) -> bool {
    word.len() >= least && full.starts_with(word)
}

/// The kind that the words after `show` ask for, and whether they ask for a part of it only.
fn kind_of(words: &[&str]) -> (Kind, bool) {
    let Some((&first, rest)) = words.split_first() else {
        return (Kind::Other, false);
    };
    let any = |full: &str, least| rest.iter().any(|word| is(word, full, least));
    if is(first, "running-config", 2) {
        let whole = rest.iter().all(|w| matches!(*w, "brief" | "view" | "full"));
        (Kind::Running, !whole)
    } else if is(first, "startup-config", 2) || is(first, "configuration", 4) {
        (Kind::Startup, !rest.is_empty())
    } else if is(first, "interfaces", 3) {
        let kind = if any("trunk", 2) {
            Kind::Trunk
        } else if any("switchport", 2) {
            Kind::Switchport
        } else if any("counters", 3) && any("errors", 2) {
            Kind::CounterErrors
        } else if any("err-disabled", 3) {
            Kind::ErrDisabled
        } else if any("status", 4) {
            Kind::Status
        } else if rest.is_empty() || canonical_port_name(&rest.join(" ")).is_some() {
            Kind::Interfaces
        } else {
            Kind::Other
        };
        let named = rest
            .iter()
            .any(|w| w.contains(|c: char| c.is_ascii_digit()));
        (kind, named)
    } else if is(first, "vlan", 2) {
        match rest {
            [] => (Kind::Vlan, false),
            [brief] if is(brief, "brief", 1) => (Kind::Vlan, false),
            [id, ..] if is(id, "id", 2) || is(id, "name", 1) => (Kind::Vlan, true),
            _ => (Kind::Other, false),
        }
    } else if (is(first, "etherchannel", 2) || is(first, "port-channel", 6)) && any("summary", 1) {
        // NX-OS calls it `show port-channel summary`.
        (Kind::Etherchannel, rest.len() > 1)
    } else if is(first, "spanning-tree", 2) && !any("detail", 3) && !any("summary", 1) {
        (Kind::SpanningTree, !rest.is_empty())
    } else if is(first, "radius", 2) && any("server-group", 6) {
        (Kind::ServerGroups, !any("all", 1))
    } else if is(first, "aaa", 2) && any("servers", 3) {
        (Kind::AaaServers, false)
    } else {
        (Kind::Other, false)
    }
}

/// The kind of output that starts with this line, told by its shape; `config` is what a line of
/// configuration counts as (nothing in it tells whether it runs or starts up).
pub(super) fn kind_by_shape(line: &Line, config: Kind) -> Option<Kind> {
    let text = line.text.as_str();
    let has = |words: &[&str]| {
        let mut rest = text;
        words.iter().all(|word| match rest.find(word) {
            Some(at) => {
                rest = &rest[at + word.len()..];
                true
            }
            None => false,
        })
    };
    let first = text.split_whitespace().next()?;
    // NX-OS heads the same tables otherwise.
    let nexus = first == "Port" && has(&["Native", "Status"]);
    let kind = if text.starts_with("Building configuration")
        || text.starts_with("Current configuration :")
    {
        Kind::Running
    } else if text.starts_with("Using ") && has(&["out of", "bytes"]) {
        Kind::Startup
    } else if first == "Port" && has(&["Mode", "Encapsulation", "Status", "Native"])
        || nexus
        || first == "Port"
            && text.to_ascii_lowercase().contains("vlans ")
            && !text.contains("Reason")
    {
        Kind::Trunk
    } else if first == "Port" && has(&["Status", "Reason"]) {
        Kind::ErrDisabled
    } else if first == "Port" && has(&["Name", "Status", "Vlan", "Duplex"]) {
        Kind::Status
    } else if first == "Port" && has(&["Align-Err", "FCS-Err"]) {
        Kind::CounterErrors
    } else if first == "VLAN" && has(&["Name", "Status", "Ports"]) {
        Kind::Vlan
    } else if first == "Group"
        && (has(&["Port-channel", "Protocol", "Ports"])
            || has(&["Port-", "Type", "Protocol", "Member"]))
        || first == "Flags:" && (has(&["D - down"]) || has(&["D - Down"]))
    {
        Kind::Etherchannel
    } else if is_instance(text) || first == "Interface" && has(&["Role", "Sts", "Cost"]) {
        Kind::SpanningTree
    } else if has(&[" is ", ", line protocol is "]) && canonical_port_name(first).is_some() {
        Kind::Interfaces
    } else if first == "Name:"
        && text
            .split_whitespace()
            .nth(1)
            .and_then(canonical_port_name)
            .is_some()
    {
        Kind::Switchport
    } else if text.starts_with("Server group ") || text.starts_with("Sever group ") {
        Kind::ServerGroups
    } else if text.starts_with("RADIUS: id ") {
        Kind::AaaServers
    } else if is_config_start(text) {
        config
    } else {
        return None;
    };
    Some(kind)
}

/// `VLAN0100`, `MST0`: a spanning-tree instance's heading.
pub(super) fn is_instance(text: &str) -> bool {
    let digits = text
        .strip_prefix("VLAN")
        .or_else(|| text.strip_prefix("MST"));
    digits.is_some_and(|d| !d.is_empty() && d.len() <= 4 && d.chars().all(|c| c.is_ascii_digit()))
}

/// A line that stands at the left margin of a configuration and hardly anywhere else.
fn is_config_start(text: &str) -> bool {
    let mut words = text.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("version"), Some(number), None) => number.starts_with(|c: char| c.is_ascii_digit()),
        (Some("hostname"), Some(_), None) => true,
        (Some("interface"), Some(name), _) => {
            canonical_port_name(name).is_some() || canonical_port_name(&text[10..]).is_some()
        }
        (Some("radius"), Some("server"), Some(_))
        | (Some("aaa"), Some("group"), Some("server")) => true,
        (Some("radius-server"), Some("host"), Some(_)) => true,
        (Some("vlan"), Some(list), None) => super::vlan_list::VlanSet::parse(list).is_ok(),
        (Some("service"), Some(what), _) => matches!(what, "timestamps" | "password-encryption"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviated_commands_are_recognised() {
        for (typed, full, partial) in [
            ("show running-config", "show running-config", false),
            ("sh run", "show running-config", false),
            ("do sh run int te1/0/2", "show running-config", true),
            ("sh run | sec radius", "show running-config", true),
            ("sh start", "show startup-config", false),
            ("sh int", "show interfaces", false),
            ("sh int te1/0/2", "show interfaces", true),
            ("sh int TenGigabitEthernet 1/0/2", "show interfaces", true),
            ("sh int trunk", "show interfaces trunk", false),
            (
                "show interfaces te1/0/2 trunk",
                "show interfaces trunk",
                true,
            ),
            ("sh int status", "show interfaces status", false),
            (
                "sh int status err",
                "show interfaces status err-disabled",
                false,
            ),
            ("sh int count err", "show interfaces counters errors", false),
            ("sh vlan br", "show vlan brief", false),
            ("sh vlan id 100", "show vlan brief", true),
            ("sh etherch sum", "show etherchannel summary", false),
            (
                "show port-channel summary",
                "show etherchannel summary",
                false,
            ),
            ("sh span vlan 100", "show spanning-tree", true),
            ("sh aaa servers", "show aaa servers", false),
            ("sh int transceiver", "", false),
            ("show version", "", false),
            ("show", "", false),
        ] {
            let found = Command::parse(typed).unwrap();
            assert_eq!(
                (found.full.as_str(), found.partial),
                (full, partial),
                "{typed}"
            );
        }
        assert!(Command::parse("sh run | inc native").unwrap().filtered);
        assert!(!Command::parse("sh run | sec interface").unwrap().filtered);
        assert_eq!(Command::parse("configure terminal"), None);
        assert_eq!(Command::parse(""), None);
    }
}
