//! Addresses, gateways and bridge membership in the files of systemd-networkd, netplan and
//! ifupdown(2). A change goes into the lines that say so now; the result is read again with our own
//! parser, and what does not come out as wanted is left to a person.

use super::{Host, Texts, edit};
use facts::SyntaxError;
use facts::profile::{Profile, ProfileKind, ifupdown, netplan, networkd};
use std::net::IpAddr;

/// What a profile should give a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Every address of both families, `10.0.0.2/24`.
    pub addresses: Vec<String>,
    /// The default gateways where they change; `None` leaves what the file says.
    pub gateways: Option<Vec<IpAddr>>,
}

/// Writes addresses and gateways of a device into the file of its profile.
///
/// # Errors
/// Why a person must do it.
pub(crate) fn write(
    profile: &Profile,
    device: &str,
    wanted: &Wanted,
    host: &Host<'_>,
    texts: &mut Texts,
) -> Result<(), String> {
    edit(texts, host, &profile.file, |text| {
        let before = of_device(profile, text, device)?;
        if sorted(&before.addresses) != sorted(&profile.addresses) {
            return Err("another file adds addresses to it".to_owned());
        }
        let new = match profile.kind {
            ProfileKind::Networkd => in_networkd(text, wanted)?,
            ProfileKind::Netplan => in_netplan(text, &profile.name, wanted)?,
            ProfileKind::Ifupdown => in_ifupdown(text, device, wanted)?,
            _ => return Err("nofail does not write such files".to_owned()),
        };
        let after = of_device(profile, &new, device)?;
        if sorted(&after.addresses) == sorted(&wanted.addresses) {
            Ok(new)
        } else {
            Err("its addresses stand in a form that nofail does not edit".to_owned())
        }
    })
}

/// Makes a device a port of `bridge`, or of none, in the file that says so: the port's own for
/// networkd, the bridge's for the others.
///
/// # Errors
/// Why a person must do it.
pub(crate) fn attach(
    profile: &Profile,
    device: &str,
    bridge: Option<&str>,
    host: &Host<'_>,
    texts: &mut Texts,
) -> Result<(), String> {
    edit(texts, host, &profile.file, |text| {
        let new = match profile.kind {
            ProfileKind::Networkd => {
                let line: Vec<String> = bridge.map(|b| format!("Bridge={b}")).into_iter().collect();
                keys(text, &["Bridge"], &line)
            }
            ProfileKind::Netplan => in_interfaces(text, device, bridge)?,
            ProfileKind::Ifupdown => in_bridge_ports(text, device, bridge)?,
            _ => return Err("nofail does not write such files".to_owned()),
        };
        let after = of_device(profile, &new, device).map(|p| p.controller);
        // A port without a profile of its own is gone from the file with its membership.
        let now = after.unwrap_or_default();
        if now.as_deref() == bridge {
            Ok(new)
        } else {
            Err("its ports stand in a form that nofail does not edit".to_owned())
        }
    })
}

fn sorted(list: &[String]) -> Vec<&str> {
    let mut list: Vec<&str> = list.iter().map(String::as_str).collect();
    list.sort_unstable();
    list
}

/// What a file by itself says of a device.
fn of_device(profile: &Profile, text: &str, device: &str) -> Result<Profile, String> {
    let parse: fn(&str, &str) -> Result<Vec<Profile>, SyntaxError> = match profile.kind {
        ProfileKind::Networkd => networkd::parse,
        ProfileKind::Netplan => netplan::parse,
        _ => ifupdown::parse,
    };
    let all = parse(&profile.file, text).map_err(|e| format!("{}:{e}", profile.file))?;
    all.into_iter()
        .find(|p| p.interface.as_deref() == Some(device))
        .ok_or_else(|| format!("{} does not speak of {device}", profile.file))
}

/// systemd.network(5): `[Network] Address=, Gateway=`.
fn in_networkd(text: &str, wanted: &Wanted) -> Result<String, String> {
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let dynamic = key.trim() == "DHCP" && !matches!(value.trim(), "no" | "false" | "0" | "");
        if section == "[Network]" && dynamic {
            return Err("it asks DHCP for its addresses".to_owned());
        }
        let gateway = wanted.gateways.is_some() && section == "[Route]" && key.trim() == "Gateway";
        if section == "[Address]" || gateway {
            return Err(format!("it has a section {section}"));
        }
    }
    let lines: Vec<String> = wanted
        .addresses
        .iter()
        .map(|a| format!("Address={a}"))
        .collect();
    let new = keys(text, &["Address"], &lines);
    Ok(match &wanted.gateways {
        None => new,
        Some(gateways) => {
            let lines: Vec<String> = gateways.iter().map(|g| format!("Gateway={g}")).collect();
            keys(&new, &["Gateway"], &lines)
        }
    })
}

/// The text with these lines instead of those of such keys in `[Network]`.
fn keys(text: &str, names: &[&str], lines: &[String]) -> String {
    let mut out: Vec<String> = Vec::new();
    let (mut inside, mut place, mut last) = (false, None, None);
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            inside = line.trim() == "[Network]";
        }
        let key = line.split('=').next().unwrap_or("").trim();
        if inside && names.contains(&key) {
            place.get_or_insert(out.len());
            continue;
        }
        out.push(line.to_owned());
        if inside && !line.trim().is_empty() {
            last = Some(out.len());
        }
    }
    match place.or(last) {
        Some(at) => {
            out.splice(at..at, lines.iter().cloned());
        }
        None if lines.is_empty() => {}
        None => {
            out.extend([String::new(), "[Network]".to_owned()]);
            out.extend(lines.iter().cloned());
        }
    }
    out.join("\n") + "\n"
}

/// interfaces(5): one address of each family in its stanza; several only as ifupdown2 has them.
fn in_ifupdown(text: &str, device: &str, wanted: &Wanted) -> Result<String, String> {
    let stanza = stanza(text, device)?;
    let (head, body) = stanza;
    let lines: Vec<&str> = text.lines().collect();
    let option = |line: &str| line.split_whitespace().next().unwrap_or("").to_owned();
    let header = lines.get(head).copied().unwrap_or_default();
    if header.split_whitespace().any(|word| word == "dhcp") {
        return Err("it asks DHCP for its addresses".to_owned());
    }
    let indent: String = lines.get(head + 1).map_or("    ".into(), |l| {
        l.chars().take_while(|c| c.is_whitespace()).collect()
    });
    let mut new: Vec<String> = wanted
        .addresses
        .iter()
        .map(|a| format!("{indent}address {a}"))
        .collect();
    let mut drop = vec!["address", "netmask", "broadcast"];
    if let Some(gateways) = &wanted.gateways {
        drop.push("gateway");
        new.extend(gateways.iter().map(|g| format!("{indent}gateway {g}")));
    }
    let mut out: Vec<String> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if index > head && index < body && drop.contains(&option(line).as_str()) {
            continue;
        }
        out.push((*line).to_owned());
        if index == head {
            out.append(&mut new);
        }
    }
    Ok(out.join("\n") + "\n")
}

/// The only stanza of a device: its `iface` line, and the line behind its last.
fn stanza(text: &str, device: &str) -> Result<(usize, usize), String> {
    let lines: Vec<&str> = text.lines().collect();
    let heads: Vec<usize> = super::ifupdown::heads(&lines, device);
    match heads.as_slice() {
        [head] => Ok((*head, super::ifupdown::end(&lines, *head))),
        [] => Err(format!("it has no stanza `iface {device}`")),
        _ => Err(format!("it has several stanzas `iface {device}`")),
    }
}

/// The list of `bridge-ports` of the bridge that a device joins, and of any that it leaves.
fn in_bridge_ports(text: &str, device: &str, bridge: Option<&str>) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let place = bridge.map(|bridge| stanza(text, bridge)).transpose()?;
    let mut joined = bridge.is_none();
    for (index, line) in lines.iter_mut().enumerate() {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let is_ports = words
            .first()
            .is_some_and(|w| matches!(w.as_str(), "bridge-ports" | "bridge_ports"));
        if !is_ports {
            continue;
        }
        let here = place.is_some_and(|(head, end)| index > head && index < end);
        let had = words.iter().any(|w| w == device);
        words.retain(|word| word != device);
        if here {
            words.retain(|word| word != "none");
            words.push(device.to_owned());
            joined = true;
        }
        if words.len() == 1 {
            words.push("none".to_owned());
        }
        if had || here {
            let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
            *line = format!("{indent}{}", words.join(" "));
        }
    }
    if joined {
        Ok(lines.join("\n") + "\n")
    } else {
        Err("the bridge's stanza has no bridge-ports".to_owned())
    }
}

/// A mapping of block YAML: the line of its key, its indentation, the line behind it.
struct Block {
    at: usize,
    indent: usize,
    end: usize,
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

/// `key:` directly below a line that is indented by `above`, between two lines.
fn child(lines: &[&str], (from, to): (usize, usize), above: usize, key: &str) -> Option<Block> {
    let mut level = None;
    for at in from..to {
        let line = lines.get(at)?;
        if is_blank(line) {
            continue;
        }
        let indent = indent_of(line);
        let level = *level.get_or_insert(indent);
        let name = line.trim_start().split(':').next().unwrap_or("");
        if indent != level || (from > 0 && level <= above) || name.trim_matches(['"', '\'']) != key
        {
            continue;
        }
        let inside = |line: &&str| {
            let deeper = indent_of(line) > indent;
            // A list may stand at its key's own indentation.
            let item = indent_of(line) == indent && line.trim_start().starts_with("- ");
            is_blank(line) || deeper || item
        };
        let mut end = at + 1;
        while end < to && lines.get(end).is_some_and(&inside) {
            end += 1;
        }
        while end > at + 1 && lines.get(end - 1).is_some_and(|line| is_blank(line)) {
            end -= 1;
        }
        return Some(Block { at, indent, end });
    }
    None
}

/// The mapping of a device, whatever section it stands in.
fn device(lines: &[&str], label: &str) -> Result<Block, String> {
    let network = child(lines, (0, lines.len()), 0, "network").ok_or("it has no `network:`")?;
    let inside = (network.at + 1, network.end);
    ["bridges", "ethernets", "bonds", "vlans", "dummy-devices"]
        .iter()
        .filter_map(|section| child(lines, inside, network.indent, section))
        .find_map(|section| child(lines, (section.at + 1, section.end), section.indent, label))
        .ok_or_else(|| format!("{label} stands in no section of its own lines"))
}

/// The text with `key` of a device's mapping set to these lines (without indentation), or gone.
fn set(text: &str, label: &str, key: &str, value: &[String]) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let device = device(&lines, label)?;
    let line = lines.get(device.at).copied().unwrap_or_default();
    let rest = line.split_once(':').map_or("", |(_, rest)| rest.trim());
    if !rest.is_empty() && !rest.starts_with('#') {
        return Err(format!("{label} stands in one line"));
    }
    let inside = (device.at + 1, device.end);
    let deeper = lines
        .get(device.at + 1..device.end)
        .and_then(|body| body.iter().find(|l| !is_blank(l)))
        .map_or(device.indent + 2, |l| indent_of(l));
    let old = child(&lines, inside, device.indent, key);
    let (from, to) = old.map_or((device.at + 1, device.at + 1), |old| (old.at, old.end));
    let mut out: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
    let new = value
        .iter()
        .map(|line| format!("{}{line}", " ".repeat(deeper)));
    out.splice(from..to, new);
    Ok(out.join("\n") + "\n")
}

/// Whether a device's mapping has a key.
fn has(text: &str, label: &str, key: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    device(&lines, label).is_ok_and(|device| {
        child(&lines, (device.at + 1, device.end), device.indent, key).is_some()
    })
}

/// netplan(5): `addresses`, `gateway4`, `gateway6`, `routes`.
fn in_netplan(text: &str, label: &str, wanted: &Wanted) -> Result<String, String> {
    for key in ["dhcp4", "dhcp6"] {
        let on = text.lines().any(|l| {
            let l: String = l.split_whitespace().collect();
            l == format!("{key}:true") || l == format!("{key}:yes")
        });
        if on && has(text, label, key) {
            return Err("it asks DHCP for its addresses".to_owned());
        }
    }
    let list = |items: &[String]| vec![format!("addresses: [{}]", items.join(", "))];
    let addresses = if wanted.addresses.is_empty() {
        Vec::new()
    } else {
        list(&wanted.addresses)
    };
    let mut new = set(text, label, "addresses", &addresses)?;
    let Some(gateways) = &wanted.gateways else {
        return Ok(new);
    };
    if has(&new, label, "routes") {
        return Err("its gateway stands among its routes".to_owned());
    }
    let old = ["gateway4", "gateway6"];
    if old.iter().any(|key| has(&new, label, key)) {
        for (key, v6) in old.into_iter().zip([false, true]) {
            let gateway = gateways.iter().find(|g| g.is_ipv6() == v6);
            let line: Vec<String> = gateway.map(|g| format!("{key}: {g}")).into_iter().collect();
            new = set(&new, label, key, &line)?;
        }
        return Ok(new);
    }
    let mut routes: Vec<String> = gateways
        .iter()
        .flat_map(|g| {
            let to = if g.is_ipv6() { "::/0" } else { "0.0.0.0/0" };
            [format!("- to: \"{to}\""), format!("  via: \"{g}\"")]
        })
        .collect();
    if !routes.is_empty() {
        routes.insert(0, "routes:".to_owned());
        new = set(&new, label, "routes", &routes)?;
    }
    Ok(new)
}

/// `interfaces` of the bridge that a device joins, and of any that it leaves.
fn in_interfaces(text: &str, port: &str, bridge: Option<&str>) -> Result<String, String> {
    let all = netplan::parse("", text).map_err(|e| e.to_string())?;
    let mut new = text.to_owned();
    let bridges = all.iter().filter(|p| p.kind_of_link == "bridge");
    for profile in bridges {
        let mut ports: Vec<String> = all
            .iter()
            .filter(|p| p.controller.as_deref() == Some(profile.name.as_str()))
            .map(|p| p.name.clone())
            .collect();
        let had = ports.iter().any(|p| p == port);
        let wants = bridge == profile.interface.as_deref() || bridge == Some(&profile.name);
        if had == wants {
            continue;
        }
        ports.retain(|p| p != port);
        if wants {
            ports.push(port.to_owned());
        }
        let line = format!("interfaces: [{}]", ports.join(", "));
        new = set(&new, &profile.name, "interfaces", &[line])?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Writer;

    fn wanted(addresses: &[&str], gateway: Option<&str>) -> Wanted {
        Wanted {
            addresses: addresses.iter().map(|a| (*a).to_owned()).collect(),
            gateways: gateway.map(|g| vec![g.parse().unwrap()]),
        }
    }

    fn written(
        kind: ProfileKind,
        file: &str,
        text: &str,
        device: &str,
        wanted: &Wanted,
    ) -> Result<String, String> {
        let bare = Profile {
            kind,
            file: file.to_owned(),
            ..Profile::default()
        };
        let profile = of_device(&bare, text, device).unwrap();
        let read = |_: &str| Some(text.to_owned());
        let host = Host {
            read: &read,
            nmcli: false,
            writer: Writer::NetApply,
        };
        let mut texts = Texts::new();
        write(&profile, device, wanted, &host, &mut texts)?;
        Ok(texts.remove(file).unwrap())
    }

    #[test]
    fn networkd_keeps_every_other_line() {
        let text = "[Match]\nName=br0\n\n[Network]\n# the host\nAddress=10.0.0.2/24\n\
                    Gateway=10.0.0.1\nDNS=10.0.0.53\n\n[BridgeVLAN]\nVLAN=10\n";
        let new = written(
            ProfileKind::Networkd,
            "br0.network",
            text,
            "br0",
            &wanted(&["10.1.0.2/24", "fd00::2/64"], Some("10.1.0.1")),
        );
        let expected = text
            .replace(
                "Address=10.0.0.2/24",
                "Address=10.1.0.2/24\nAddress=fd00::2/64",
            )
            .replace("Gateway=10.0.0.1", "Gateway=10.1.0.1");
        assert_eq!(new.unwrap(), expected);
        let dhcp = text.replace("DNS=10.0.0.53", "DHCP=yes");
        let why = written(
            ProfileKind::Networkd,
            "br0.network",
            &dhcp,
            "br0",
            &wanted(&[], None),
        );
        assert!(why.unwrap_err().contains("DHCP"));
    }

    #[test]
    fn netplan_in_its_three_forms() {
        let text = "network:\n  version: 2\n  ethernets:\n    eno1: {}\n  bridges:\n    br0:\n      \
                    interfaces: [eno1]\n      addresses:\n        - 10.0.0.2/24\n      gateway4: \
                    10.0.0.1 \n      # stays\n      mtu: 1500\n";
        let new = written(
            ProfileKind::Netplan,
            "/etc/netplan/1.yaml",
            text,
            "br0",
            &wanted(&["10.1.0.2/24"], Some("10.1.0.1")),
        );
        let expected = text
            .replace(
                "addresses:\n        - 10.0.0.2/24",
                "addresses: [10.1.0.2/24]",
            )
            .replace("gateway4: 10.0.0.1 ", "gateway4: 10.1.0.1");
        assert_eq!(new.unwrap(), expected);
        let bare = text.replace("      gateway4: 10.0.0.1 \n", "");
        let new = written(
            ProfileKind::Netplan,
            "/etc/netplan/1.yaml",
            &bare,
            "br0",
            &wanted(&["10.1.0.2/24"], Some("10.1.0.1")),
        );
        assert!(
            new.unwrap()
                .contains("      routes:\n      - to: \"0.0.0.0/0\"\n        via: \"10.1.0.1\"\n")
        );
        let line = "network: {bridges: {br0: {addresses: [10.0.0.2/24]}}}\n";
        let new = written(
            ProfileKind::Netplan,
            "/etc/netplan/1.yaml",
            line,
            "br0",
            &wanted(&["10.1.0.2/24"], None),
        );
        assert!(new.is_err());
    }

    #[test]
    fn ifupdown_one_stanza_and_no_guessing_with_two() {
        let text = "auto br0\niface br0 inet static\n    address 10.0.0.2\n    netmask \
                    255.255.255.0\n    gateway 10.0.0.1\n    bridge-ports eno1\n\n# next\nauto lo\n";
        let new = written(
            ProfileKind::Ifupdown,
            "/etc/network/interfaces",
            text,
            "br0",
            &wanted(&["10.1.0.2/24"], None),
        );
        assert_eq!(
            new.unwrap(),
            "auto br0\niface br0 inet static\n    address 10.1.0.2/24\n    gateway 10.0.0.1\n    \
             bridge-ports eno1\n\n# next\nauto lo\n"
        );
        let two = format!("{text}iface br0 inet6 static\n    address fd00::2/64\n");
        let why = written(
            ProfileKind::Ifupdown,
            "/etc/network/interfaces",
            &two,
            "br0",
            &wanted(&["10.1.0.2/24"], None),
        );
        assert!(why.unwrap_err().contains("several stanzas"));
    }

    #[test]
    fn ports_come_and_go() {
        let attached = |kind, file: &str, text: &str, device: &str, bridge: Option<&str>| {
            let profile = Profile {
                kind,
                file: file.to_owned(),
                ..Profile::default()
            };
            let read = |_: &str| Some(text.to_owned());
            let host = Host {
                read: &read,
                nmcli: false,
                writer: Writer::NetApply,
            };
            let mut texts = Texts::new();
            attach(&profile, device, bridge, &host, &mut texts).unwrap();
            texts.remove(file).unwrap()
        };
        let network = "[Match]\nName=eno2\n[Network]\nLLDP=no\n";
        let new = attached(
            ProfileKind::Networkd,
            "e.network",
            network,
            "eno2",
            Some("br0"),
        );
        assert_eq!(new, format!("{network}Bridge=br0\n"));
        let yaml = "network:\n  bridges:\n    br0:\n      interfaces: [eno1, eno2]\n";
        let new = attached(ProfileKind::Netplan, "y", yaml, "eno2", None);
        assert_eq!(new, yaml.replace(", eno2", ""));
        let stanza = "auto br0\niface br0 inet manual\n  bridge-ports eno1\n";
        let new = attached(ProfileKind::Ifupdown, "i", stanza, "eno2", Some("br0"));
        assert_eq!(new, stanza.replace("eno1", "eno1 eno2"));
        let new = attached(ProfileKind::Ifupdown, "i", stanza, "eno1", None);
        assert_eq!(new, stanza.replace("eno1", "none"));
    }
}
