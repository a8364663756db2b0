//! `bridge -j vlan show` as text, of every iproute2 that prints JSON.
//!
//! Two shapes exist. Since 5.0 an array: `[{"ifname":"eth0","vlans":[{"vlan":1,"vlanEnd":3,
//! "flags":["PVID","Egress Untagged"]}]}]`. Versions 4.9 to 4.20 print an object:
//! `{"eth0":[{"vlan":1,"flags":["PVID","Egress Untagged"]}]}`, where flags may also stand as
//! members of their own (`"pvid":null`, `"untagged":null`).

use super::{Entries, Port, Role, VlanEntry};
use crate::SyntaxError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

enum Shown {
    Array(Vec<Item>),
    Object(BTreeMap<String, Vec<Vlan>>),
}

#[derive(Deserialize)]
struct Item {
    #[serde(alias = "port", alias = "dev")]
    ifname: String,
    #[serde(default)]
    vlans: Vec<Vlan>,
}

#[derive(Deserialize)]
struct Vlan {
    vlan: u16,
    #[serde(rename = "vlanEnd")]
    end: Option<u16>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Reads what `bridge -j vlan show` (also `-compressvlans`) printed, into ports in its order.
///
/// The text does not tell roles: every port has [`Role::Other`]. With `-statistics`, `tunnelshow`
/// and the like the further members are passed over. Empty text, which bridge(8) prints where no
/// bridge exists, has no port.
///
/// # Errors
/// The place where it is not JSON, or JSON of another shape.
pub fn parse_vlan_show(text: &str) -> Result<Vec<Port>, SyntaxError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // Chosen by hand: an untagged enum would lose the place of an error.
    let shown = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map(Shown::Object)
    } else {
        serde_json::from_str(text).map(Shown::Array)
    };
    let items = match shown.map_err(|error| located(&error))? {
        Shown::Array(items) => items,
        Shown::Object(ports) => ports
            .into_iter()
            .map(|(ifname, vlans)| Item { ifname, vlans })
            .collect(),
    };
    let mut ports: Vec<Port> = Vec::new();
    for item in items {
        let entries: Vec<VlanEntry> = item.vlans.iter().map(entry).collect();
        let flat = Entries::flat(&entries);
        ports.push(Port {
            name: item.ifname,
            role: Role::Other,
            pvid: flat.pvid,
            untagged: flat.untagged,
            tagged: flat.tagged,
            ..Port::default()
        });
    }
    Ok(ports)
}

fn entry(vlan: &Vlan) -> VlanEntry {
    let flag = |words: &[&str]| {
        vlan.flags
            .iter()
            .map(String::as_str)
            .chain(vlan.rest.keys().map(String::as_str))
            .any(|f| words.iter().any(|w| f.eq_ignore_ascii_case(w)))
    };
    VlanEntry {
        first: vlan.vlan,
        last: vlan.end.unwrap_or(vlan.vlan),
        pvid: flag(&["PVID"]),
        untagged: flag(&["Egress Untagged", "untagged"]),
    }
}

fn located(error: &serde_json::Error) -> SyntaxError {
    let message = error.to_string();
    // serde_json appends the place that the error carries anyway.
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(m, _)| m);
    SyntaxError::new(
        u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
        u32::try_from(error.column()).unwrap_or(u32::MAX).max(1),
        format!("not what `bridge -j vlan show` prints: {message}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_flags() {
        let ports = parse_vlan_show(
            r#"[{"ifname":"eth0","vlans":[{"vlan":1,"flags":["Egress Untagged"]},
                {"vlan":10,"vlanEnd":12},{"vlan":100,"flags":["PVID","Egress Untagged"]}]},
                {"ifname":"br0","vlans":[]}]"#,
        )
        .unwrap();
        assert_eq!(ports[0].pvid, Some(100));
        assert_eq!(ports[0].untagged, [1, 100]);
        assert_eq!(ports[0].tagged, [10, 11, 12]);
        assert_eq!(ports[1].name, "br0");
        assert!(ports[1].tagged.is_empty());
    }

    #[test]
    fn the_object_of_older_versions() {
        let ports = parse_vlan_show(
            r#"{"vnet0":[{"vlan":100,"flags":["PVID","Egress Untagged"]},{"vlan":10}],
                "vnet1":[{"vlan":7,"pvid":null,"untagged":null}]}"#,
        )
        .unwrap();
        assert_eq!(ports[0].pvid, Some(100));
        assert_eq!(ports[0].tagged, [10]);
        assert_eq!(ports[1].pvid, Some(7));
        assert_eq!(ports[1].untagged, [7]);
    }

    #[test]
    fn nothing_printed_is_no_port() {
        assert_eq!(parse_vlan_show("\n"), Ok(Vec::new()));
        assert_eq!(parse_vlan_show("[ ]"), Ok(Vec::new()));
    }

    #[test]
    fn errors_have_a_place() {
        let error =
            parse_vlan_show("[{\"ifname\":\"eth0\",\n \"vlans\":[{\"vlan\":\"x\"}]}]").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
        assert!(error.column > 1, "{error}");
        assert!(parse_vlan_show("port vlan ids").is_err());
        assert!(parse_vlan_show("[{\"vlans\":[]}]").is_err());
    }
}
