//! `switch/radius-group-member-missing`: a RADIUS server is out of its group.

use super::link::evidence;
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::switch::Switch;
use facts::{Evidence, Snapshot};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/radius-group-member-missing",
    summary: "a RADIUS group of a switch lacks a server that belongs in it",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A server that site.toml's `[switches.NAME.radius_groups]` puts into a group and that the switch's
group lacks (error). Without that table: a server that the switch defines and that is in no group
at all, while a server named alike but for its last number is in one (warning).

## Why it matters
A group of one has no fail-over: with the remaining server, every login to the network that asks
RADIUS fails. Servers are taken out while they are ill, and nothing reminds anybody to put them
back.

## Evidence
`aaa group server radius NAME` in `show running-config`, or `show radius server-group all`.

## Example
    aaa group server radius ISE-RADIUS
     server name ISE-02
    radius server ISE-01
     address ipv4 10.50.1.31 auth-port 1812 acct-port 1813

## Remedy
`aaa group server radius NAME`, then `server name SERVER`. Before that: does the server answer?
`test aaa group NAME USER PASSWORD new-code` asks it.

## When to ignore it
A server that is defined and left out for good: take its definition away as well, or list the
group's members in site.toml.

## References
Cisco IOS, `aaa group server radius`; RFC 2865.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for (name, switch) in &estate.switches {
        let intent = estate
            .site
            .as_ref()
            .and_then(|site| site.switches.get(name));
        let expected = intent.map(|intent| &intent.radius_groups);
        for (group, members) in expected.into_iter().flatten() {
            if !switch.radius_complete && !switch.radius_groups.contains_key(group) {
                let reason = format!(
                    "no capture tells of the RADIUS group {group}; save `show running-config`"
                );
                report.not_checked(name, reason);
                continue;
            }
            for member in members {
                if !is_member(switch, group, member) {
                    report.find(expected_finding(estate, name, switch, group, member));
                }
            }
        }
        // In a part of the configuration the group of a server may be the one that is left out.
        if switch.radius_complete {
            let told = |group: &str| expected.is_some_and(|e| e.contains_key(group));
            siblings(name, switch, told, report);
        }
    }
}

/// Whether a server is in a group, by its name or by the address behind either.
fn is_member(switch: &Switch, group: &str, server: &str) -> bool {
    let address = |name: &str| {
        let known = switch.radius_servers.get(name);
        known
            .and_then(|server| server.address.clone())
            .unwrap_or_else(|| name.to_owned())
    };
    switch.radius_groups.get(group).is_some_and(|group| {
        group
            .servers
            .iter()
            .any(|member| member == server || address(member) == address(server))
    })
}

fn commands(switch: &Switch, group: &str, server: &str) -> Vec<String> {
    let named = switch
        .radius_servers
        .get(server)
        .is_none_or(|s| s.place.text.starts_with("radius server "))
        && server.parse::<std::net::IpAddr>().is_err();
    let member = if named {
        format!("server name {server}")
    } else {
        format!("server {server}")
    };
    vec![format!("aaa group server radius {group}"), member]
}

fn expected_finding(
    estate: &Estate,
    name: &str,
    switch: &Switch,
    group: &str,
    server: &str,
) -> Finding {
    let present = switch.radius_groups.get(group);
    let others = present.map_or(0, |present| present.servers.len());
    let message = match present {
        Some(_) => format!("RADIUS group {group} lacks {server}"),
        None => format!("there is no RADIUS group {group}, which should hold {server}"),
    };
    let defined = switch.radius_servers.get(server);
    let commands = commands(switch, group, server);
    let mut fix = commands.join("; ");
    if defined.is_none() {
        fix = format!("define it first (radius server {server}), then: {fix}");
    }
    let finding = Finding::new(Severity::Error, name, group, message)
        .consequence(match others {
            0 => "Nobody is left in the group: every login that asks it fails".to_owned(),
            1 => "One server is left: when it fails, every login that asks the group fails"
                .to_owned(),
            n => format!("{n} servers are left"),
        })
        .evidence_if(present.map(|group| evidence(&group.place)))
        .evidence_if(defined.map(|server| evidence(&server.place)))
        .evidence_if(intent_evidence(estate, name, group))
        .fix(fix);
    if defined.is_some() {
        finding.commands(commands)
    } else {
        finding
    }
}

/// Where site.toml says who belongs in the group: a table of its own, or one in a line.
fn intent_evidence(estate: &Estate, name: &str, group: &str) -> Option<Evidence> {
    let table = format!("{name}.radius_groups");
    estate
        .site_evidence("switches", &table, Some(group))
        .filter(|evidence| evidence.line.is_some())
        .or_else(|| estate.site_evidence("switches", name, Some("radius_groups")))
}

/// Servers in no group whose twin by name is in one.
fn siblings(name: &str, switch: &Switch, told: impl Fn(&str) -> bool, report: &mut Report) {
    for (server, definition) in &switch.radius_servers {
        let grouped = switch
            .radius_groups
            .keys()
            .any(|group| is_member(switch, group, server));
        if grouped || stem(server) == server {
            continue;
        }
        let twin_of = switch.radius_groups.iter().find_map(|(group, members)| {
            let twin = members
                .servers
                .iter()
                .find(|member| stem(member) == stem(server))?;
            Some((group, twin, members))
        });
        let Some((group, twin, members)) = twin_of.filter(|(group, ..)| !told(group)) else {
            continue;
        };
        let commands = commands(switch, group, server);
        report.find(
            Finding::new(
                Severity::Warning,
                name,
                group.as_str(),
                format!("RADIUS server {server} is defined and in no group, its twin {twin} is in {group}"),
            )
            .consequence("If it was taken out for a time, nothing but a person brings it back")
            .evidence(evidence(&members.place))
            .evidence(evidence(&definition.place))
            .fix(commands.join("; "))
            .commands(commands),
        );
    }
}

/// A name without its last number: `ISE-01` and `ISE-02` are both `ISE-`. Addresses have no stem.
fn stem(name: &str) -> &str {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return name;
    }
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}
