//! Red Hat's `ifcfg-*` files: assignments as the shell reads them, with the keys of
//! nm-settings-ifcfg-rh(5).

use super::text::{boolean, column, nm_vlans, number, pvid};
use super::{Profile, ProfileKind};
use crate::SyntaxError;

/// One assignment.
struct Assignment {
    key: String,
    value: String,
    line: u32,
    column: u32,
}

/// Reads one `ifcfg-NAME`.
///
/// # Errors
/// The place of a line that is no assignment, of an open quote, or of a value that is none.
pub fn parse(file: &str, text: &str) -> Result<Vec<Profile>, SyntaxError> {
    let assignments = assignments(text)?;
    if assignments.is_empty() {
        return Ok(Vec::new());
    }
    // As in a shell, the last of equal keys counts; an empty value is as good as none.
    let get = |key: &str| assignments.iter().rev().find(|a| a.key == key);
    let text_of = |key: &str| {
        get(key)
            .map(|a| a.value.clone())
            .filter(|value| !value.is_empty())
    };
    let flag = |key: &str| get(key).and_then(|a| boolean(&a.value));
    let kind = text_of("TYPE").unwrap_or_default().to_ascii_lowercase();
    let kind = match kind.as_str() {
        _ if flag("VLAN") == Some(true) => "vlan".to_owned(),
        "" if text_of("BONDING_OPTS").is_some() => "bond".to_owned(),
        "" => "ethernet".to_owned(),
        _ => kind,
    };
    let mut profile = Profile {
        kind: ProfileKind::Ifcfg,
        file: file.to_owned(),
        line: assignments.first().map_or(1, |a| a.line),
        name: text_of("NAME")
            .or_else(|| file.rsplit('/').next().map(str::to_owned))
            .unwrap_or_default(),
        uuid: text_of("UUID"),
        interface: text_of("DEVICE"),
        kind_of_link: kind,
        autoconnect: flag("ONBOOT").unwrap_or(true),
        priority: text_of("AUTOCONNECT_PRIORITY")
            .and_then(|p| p.parse().ok())
            .unwrap_or(0),
        mac: text_of("HWADDR").map(|mac| mac.to_ascii_lowercase()),
        controller: [
            "BRIDGE",
            "BRIDGE_UUID",
            "MASTER",
            "MASTER_UUID",
            "TEAM_MASTER",
        ]
        .iter()
        .find_map(|key| text_of(key)),
        ..Profile::default()
    };
    // NM_CONTROLLED=no hands the file to the old network scripts; it counts all the same.
    if let Some(options) = get("BRIDGING_OPTS") {
        bridging_options(options, &mut profile)?;
    }
    let key = if profile.kind_of_link == "bridge" {
        "BRIDGE_VLANS"
    } else {
        "BRIDGE_PORT_VLANS"
    };
    if let Some(vlans) = get(key) {
        profile.vlans = nm_vlans(&vlans.value, vlans.line, vlans.column)?;
    }
    for n in std::iter::once(String::new()).chain((0..256).map(|n| n.to_string())) {
        if let Some(address) = text_of(&format!("IPADDR{n}")) {
            let prefix = text_of(&format!("PREFIX{n}")).or_else(|| {
                let mask = text_of(&format!("NETMASK{n}"))?;
                let mask: std::net::Ipv4Addr = mask.parse().ok()?;
                Some(u32::from(mask).count_ones().to_string())
            });
            profile
                .addresses
                .push(prefix.map_or_else(|| address.clone(), |p| format!("{address}/{p}")));
        }
        if let Some(server) = text_of(&format!("DNS{n}")).filter(|_| !n.is_empty() && n != "0") {
            profile.dns.push(server);
        }
    }
    if let Some(address) = text_of("IPV6ADDR") {
        profile.addresses.push(address);
    }
    Ok(vec![profile])
}

/// `BRIDGING_OPTS="vlan_filtering=1 default_pvid=0 …"`: the names of sysfs.
fn bridging_options(options: &Assignment, profile: &mut Profile) -> Result<(), SyntaxError> {
    let wrong = |message: String| SyntaxError::new(options.line, options.column, message);
    for option in options.value.split_whitespace() {
        match option.split_once('=') {
            Some(("vlan_filtering", value)) => {
                profile.vlan_filtering =
                    Some(boolean(value).ok_or_else(|| {
                        wrong(format!("vlan_filtering={value}: 0 or 1 is expected"))
                    })?);
            }
            Some(("default_pvid" | "vlan_default_pvid", value)) => {
                profile.default_pvid = Some(pvid(value).map_err(wrong)?);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Splits the text into assignments, quotes resolved.
fn assignments(text: &str) -> Result<Vec<Assignment>, SyntaxError> {
    let mut all = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = number(index);
        let body = raw.trim();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let body = body.strip_prefix("export ").map_or(body, str::trim_start);
        let at = column(raw, body);
        let named = body.split_once('=').filter(|(key, _)| {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !key.is_empty()
                && key.chars().all(good)
                && !key.starts_with(|c: char| c.is_ascii_digit())
        });
        let Some((key, value)) = named else {
            return Err(SyntaxError::new(
                line,
                at,
                "no assignment: `KEY=value` without space before `=` is expected",
            ));
        };
        let at = column(raw, value);
        let value = unquote(value).map_err(|(offset, message)| {
            SyntaxError::new(line, at.saturating_add(offset), message)
        })?;
        all.push(Assignment {
            key: key.to_owned(),
            value,
            line,
            column: at,
        });
    }
    Ok(all)
}

/// Resolves shell quoting of one word: `'…'`, `"…"`, `\`, `$'…'`; a comment may follow.
fn unquote(text: &str) -> Result<String, (u32, &'static str)> {
    let mut value = String::new();
    let mut letters = text.chars().enumerate().peekable();
    while let Some((at, letter)) = letters.next() {
        let offset = u32::try_from(at).unwrap_or(u32::MAX);
        match letter {
            ' ' | '\t' => {
                let rest: String = letters.map(|(_, l)| l).collect();
                let rest = rest.trim_start();
                if rest.is_empty() || rest.starts_with(['#', ';']) {
                    return Ok(value);
                }
                return Err((offset, "text after the value: quote a value with spaces"));
            }
            ';' => return Ok(value),
            '$' if matches!(letters.peek(), Some((_, '\''))) => {
                letters.next();
                quoted(&mut letters, '\'', true, &mut value, offset)?;
            }
            '\'' | '"' => quoted(&mut letters, letter, letter == '"', &mut value, offset)?,
            '\\' => value.extend(letters.next().map(|(_, l)| l)),
            other => value.push(other),
        }
    }
    Ok(value)
}

fn quoted(
    letters: &mut impl Iterator<Item = (usize, char)>,
    quote: char,
    escapes: bool,
    value: &mut String,
    offset: u32,
) -> Result<(), (u32, &'static str)> {
    while let Some((_, letter)) = letters.next() {
        match letter {
            l if l == quote => return Ok(()),
            '\\' if escapes => match letters.next() {
                Some((_, next @ ('"' | '\'' | '\\' | '$' | '`'))) => value.push(next),
                Some((_, next)) => value.extend(['\\', next]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err((offset, "a quote that is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bridge_and_its_port() {
        let bridge = &parse(
            "/etc/sysconfig/network-scripts/ifcfg-br-mgmt",
            "# old\nTYPE=Bridge\nDEVICE=br-mgmt\nNAME='br mgmt' # comment\nONBOOT=yes\n\
             BRIDGING_OPTS=\"vlan_filtering=1 default_pvid=0\"\n\
             BRIDGE_VLANS=\"100 pvid untagged, 10-12\"\nIPADDR=10.50.1.11\nNETMASK=255.255.255.0\n\
             IPADDR1=10.50.2.11\nPREFIX1=25\nDNS1=10.50.1.53\n",
        )
        .unwrap()[0];
        assert_eq!(bridge.kind_of_link, "bridge");
        assert_eq!(bridge.name, "br mgmt");
        assert_eq!(bridge.vlan_filtering, Some(true));
        assert_eq!(bridge.default_pvid, Some(0));
        assert_eq!(bridge.vlans.len(), 2);
        assert!(bridge.vlans[0].pvid);
        assert_eq!(bridge.addresses, ["10.50.1.11/24", "10.50.2.11/25"]);
        assert_eq!(bridge.dns, ["10.50.1.53"]);
        let text = "TYPE=Ethernet\nDEVICE=eno1\nBRIDGE=br-mgmt\nONBOOT=no\nBRIDGE_PORT_VLANS=10\n";
        let port = &parse("ifcfg-eno1", text).unwrap()[0];
        assert_eq!(port.controller.as_deref(), Some("br-mgmt"));
        assert_eq!(port.vlans[0].first, 10);
        assert!(!port.autoconnect);
    }

    #[test]
    fn errors_have_a_place() {
        for (text, line, column) in [
            ("DEVICE = eth0\n", 1, 1),
            ("DEVICE=eth0\nNAME=a b\n", 2, 7),
            ("NAME=\"open\n", 1, 6),
            ("TYPE=Bridge\nBRIDGE_VLANS=\"0\"\n", 2, 14),
            ("BRIDGING_OPTS=default_pvid=9999\n", 1, 15),
        ] {
            let error = parse("f", text).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{text:?}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}", value in "[A-Z]{1,3}=[\\PC]{0,20}") {
            let _ = parse("f", &text);
            let _ = parse("f", &value);
        }
    }
}
