//! The declared state: a TOML file that says what must be so. What it does not name stays as it is.
//!
//! ```toml
//! [bridges.br-mgmt]
//! create = true                       # it is made where there is none; else that is an error
//! vlan_filtering = true
//! default_pvid = 0                    # PVID of new ports, 0 for none
//! pvid = 100                          # the bridge's own entry: what the host speaks
//! tagged = [10, 20]                   # with pvid or untagged: the whole list of the entry
//! addresses = ["10.50.1.12/24"]       # the whole list; link-local ones of IPv6 aside
//! gateway = "10.50.1.1"               # or a list: one of IPv4, one of IPv6
//! uplinks = ["eno1"]                  # other uplinks leave the bridge
//! remove = ["eno3"]                   # ports that leave the bridge
//!
//! [bridges.br-mgmt.ports.eno1]        # becomes a port where it is none
//! pvid = 100
//! untagged = [100]                    # the PVID alone where not said
//! tagged = [10, 20, 30]
//!
//! [interfaces.eno3]
//! up = true
//! addresses = ["10.0.0.2/24"]
//! ```

use facts::SyntaxError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use thiserror::Error;

/// A declared state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declared {
    /// Bridges by name.
    pub bridges: BTreeMap<String, Bridge>,
    /// Other interfaces by name.
    pub interfaces: BTreeMap<String, Interface>,
}

/// What a bridge should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bridge {
    /// Whether it is made where there is none: a mistyped name must not make one.
    pub create: bool,
    /// Whether it filters by VLAN.
    pub vlan_filtering: Option<bool>,
    /// PVID of new ports, 0 for none.
    pub default_pvid: Option<u16>,
    /// PVID of its own entry, 0 for none.
    pub pvid: Option<u16>,
    /// VLANs that its own entry sends untagged; the PVID alone where not said.
    pub untagged: Option<Vec<u16>>,
    /// VLANs that its own entry sends tagged.
    pub tagged: Option<Vec<u16>>,
    /// Addresses, `ADDRESS/PREFIX`.
    pub addresses: Option<Vec<String>>,
    /// Routers of the default routes.
    pub gateway: Gateways,
    /// Its uplinks.
    pub uplinks: Option<Vec<String>>,
    /// Ports that leave it.
    pub remove: Vec<String>,
    /// Ports by name.
    pub ports: BTreeMap<String, Port>,
}

/// What a port should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Port {
    /// PVID, 0 for none.
    pub pvid: Option<u16>,
    /// VLANs that it sends untagged; the PVID alone where not said.
    pub untagged: Option<Vec<u16>>,
    /// VLANs that it sends tagged.
    pub tagged: Option<Vec<u16>>,
}

/// What an interface that is no bridge should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interface {
    /// Up or down.
    pub up: Option<bool>,
    /// Addresses, `ADDRESS/PREFIX`.
    pub addresses: Option<Vec<String>>,
    /// Routers of the default routes.
    pub gateway: Gateways,
}

/// One router or a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Gateways {
    /// Not said.
    #[default]
    Unsaid,
    /// One.
    One(IpAddr),
    /// Several: at most one of IPv4 and one of IPv6.
    Several(Vec<IpAddr>),
}

impl Gateways {
    /// As a list.
    pub fn list(&self) -> &[IpAddr] {
        match self {
            Self::Unsaid => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(list) => list,
        }
    }
}

/// What is wrong with a declared state.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", .errors.iter().map(|e| format!("{file}:{e}")).collect::<Vec<_>>().join("\n"))]
pub struct DeclareError {
    /// The file.
    pub file: String,
    /// Every error found.
    pub errors: Vec<SyntaxError>,
}

impl Declared {
    /// Reads a declared state.
    ///
    /// # Errors
    /// [`DeclareError`] with a position for each thing that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, DeclareError> {
        let wrong = |errors| DeclareError {
            file: file.to_owned(),
            errors,
        };
        let declared: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().replacen("unknown field", "unknown key", 1);
            wrong(vec![SyntaxError::at_offset(text, offset, message)])
        })?;
        let mut check = Check {
            text,
            found: Vec::new(),
        };
        check.all(&declared);
        if check.found.is_empty() {
            Ok(declared)
        } else {
            Err(wrong(check.found))
        }
    }
}

struct Check<'a> {
    text: &'a str,
    found: Vec<SyntaxError>,
}

impl Check<'_> {
    fn all(&mut self, declared: &Declared) {
        if declared.bridges.is_empty() && declared.interfaces.is_empty() {
            self.at(
                "",
                "it declares nothing: write [bridges.NAME] or [interfaces.NAME]".to_owned(),
            );
        }
        for (name, bridge) in &declared.bridges {
            let table = format!("bridges.{name}");
            self.name(&table, name);
            self.vlans(
                &table,
                bridge.pvid,
                bridge.untagged.as_deref(),
                bridge.tagged.as_deref(),
            );
            if let Some(pvid) = bridge.default_pvid.filter(|p| *p > 4094) {
                self.at(&table, format!("`default_pvid = {pvid}`: 0 (none) to 4094"));
            }
            self.addresses(&table, bridge.addresses.as_deref(), &bridge.gateway);
            for (port, wanted) in &bridge.ports {
                let table = format!("{table}.ports.{port}");
                self.name(&table, port);
                self.vlans(
                    &table,
                    wanted.pvid,
                    wanted.untagged.as_deref(),
                    wanted.tagged.as_deref(),
                );
                if bridge.remove.contains(port) {
                    self.at(
                        &table,
                        format!("{port} is declared as a port and removed as well"),
                    );
                }
            }
            for port in bridge.uplinks.iter().flatten().chain(&bridge.remove) {
                self.name(&table, port);
            }
            if declared.interfaces.contains_key(name) {
                self.at(
                    &table,
                    format!("{name} is declared as bridge and as interface"),
                );
            }
        }
        for (name, interface) in &declared.interfaces {
            let table = format!("interfaces.{name}");
            self.name(&table, name);
            self.addresses(&table, interface.addresses.as_deref(), &interface.gateway);
        }
        let mut ports: BTreeMap<&str, &str> = BTreeMap::new();
        for (bridge, wanted) in &declared.bridges {
            let uplinks = wanted.uplinks.iter().flatten();
            for port in wanted.ports.keys().chain(uplinks) {
                if let Some(other) = ports.insert(port, bridge).filter(|o| *o != bridge) {
                    let message = format!("{port} cannot be a port of {other} and of {bridge}");
                    self.at(&format!("bridges.{bridge}"), message);
                }
            }
        }
    }

    fn at(&mut self, table: &str, message: String) {
        let plain = |line: &str| {
            line.split('#')
                .next()
                .unwrap_or("")
                .replace(['"', '\''], "")
        };
        let place = self
            .text
            .lines()
            .position(|line| plain(line).trim() == format!("[{table}]"))
            .and_then(|index| u32::try_from(index + 1).ok());
        self.found
            .push(SyntaxError::new(place.unwrap_or(1), 1, message));
    }

    /// A name that the kernel takes (`dev_valid_name`), and that is no option of ip(8).
    fn name(&mut self, table: &str, name: &str) {
        let bad = |c: char| c == '/' || c == ':' || c.is_whitespace();
        if name.is_empty()
            || name.len() > 15
            || name.starts_with('-')
            || name == "."
            || name == ".."
            || name.contains(bad)
        {
            self.at(table, format!("`{name}` is no name of an interface"));
        }
    }

    fn vlans(
        &mut self,
        table: &str,
        pvid: Option<u16>,
        untagged: Option<&[u16]>,
        tagged: Option<&[u16]>,
    ) {
        if let Some(pvid) = pvid.filter(|p| *p > 4094) {
            self.at(table, format!("`pvid = {pvid}`: 0 (none) to 4094"));
        }
        for vid in untagged.iter().chain(&tagged).flat_map(|v| v.iter()) {
            if !(1..=4094).contains(vid) {
                self.at(table, format!("{vid} is no VLAN: 1 to 4094"));
            }
            if untagged.is_some_and(|u| u.contains(vid)) && tagged.is_some_and(|t| t.contains(vid))
            {
                self.at(
                    table,
                    format!("VLAN {vid} cannot leave both tagged and untagged"),
                );
            }
        }
    }

    fn addresses(&mut self, table: &str, addresses: Option<&[String]>, gateway: &Gateways) {
        for address in addresses.unwrap_or_default() {
            if parse_address(address).is_none() {
                self.at(
                    table,
                    format!("`{address}` is no address with prefix (10.0.0.2/24)"),
                );
            }
        }
        for v6 in [false, true] {
            if gateway.list().iter().filter(|g| g.is_ipv6() == v6).count() > 1 {
                self.at(table, "one gateway of each family".to_owned());
            }
        }
    }
}

/// VLANs of a port or of a bridge's own entry, as a change file declares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The port; `None` for the bridge's own entry.
    pub device: Option<String>,
    /// PVID; `None` for none.
    pub pvid: Option<u16>,
    /// VLANs that leave untagged.
    pub untagged: Vec<u16>,
    /// VLANs that leave tagged.
    pub tagged: Vec<u16>,
}

impl Entry {
    /// Its keys, a line each; what is untagged is not tagged as well.
    pub fn lines(&self) -> String {
        let list = |vids: &mut dyn Iterator<Item = u16>| {
            let sorted: std::collections::BTreeSet<u16> = vids.collect();
            sorted.into_iter().collect::<Vec<u16>>()
        };
        let untagged = list(&mut self.untagged.iter().copied());
        let tagged = list(
            &mut self
                .tagged
                .iter()
                .copied()
                .filter(|v| !untagged.contains(v)),
        );
        format!(
            "pvid = {}\nuntagged = {untagged:?}\ntagged = {tagged:?}\n",
            self.pvid.unwrap_or(0)
        )
    }
}

/// The name of an entry's table.
pub fn table(bridge: &str, entry: &Entry) -> String {
    let bridge = key(bridge);
    match &entry.device {
        None => format!("bridges.{bridge}"),
        Some(port) => format!("bridges.{bridge}.ports.{}", key(port)),
    }
}

/// A key of a TOML table.
pub fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// `ADDRESS/PREFIX`.
pub(super) fn parse_address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix: u8 = prefix.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= most).then_some((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = |text: &str| Declared::parse("f", text).unwrap_err().to_string();
        assert_eq!(
            wrong("[bridges.br0]\npvdi = 3\n").lines().next().unwrap(),
            "f:2:1: unknown key `pvdi`, expected one of `create`, `vlan_filtering`, `default_pvid`, `pvid`, \
             `untagged`, `tagged`, `addresses`, `gateway`, `uplinks`, `remove`, `ports`"
        );
        assert!(wrong("").contains("declares nothing"));
        assert!(wrong("[bridges.br0]\npvid = 5000\n").starts_with("f:1:1: `pvid = 5000`"));
        assert!(wrong("[interfaces.x]\naddresses = [\"10.0.0.1\"]\n").contains("no address with"));
        assert!(wrong("[interfaces.\"-x\"]\nup = true\n").contains("no name of an interface"));
        assert!(
            wrong("[bridges.a]\nuplinks = [\"e\"]\n[bridges.b]\nuplinks = [\"e\"]\n")
                .contains("f:3:1: e cannot be a port of a and of b")
        );
        assert!(
            wrong("[bridges.a]\npvid = 1\nuntagged = [1, 2]\ntagged = [2]\n")
                .contains("both tagged")
        );
    }

    #[test]
    fn a_whole_one() {
        let text = "[bridges.br-mgmt]\npvid = 100\ngateway = \"10.50.1.1\"\n\
                    [bridges.br-mgmt.ports.eth1]\npvid = 100\ntagged = [10]\n";
        let declared = Declared::parse("f", text).unwrap();
        let bridge = &declared.bridges["br-mgmt"];
        assert_eq!(bridge.gateway.list().len(), 1);
        assert_eq!(bridge.ports["eth1"].tagged.as_deref(), Some(&[10][..]));
    }
}
