//! A NetworkManager connection as a profile (nm-settings(5), nm-settings-keyfile(5)).

use super::super::text::{boolean, nm_vlans, pvid};
use super::{Keyfile, list, unescape};
use crate::SyntaxError;
use crate::profile::{Profile, ProfileKind};

/// Reads one `*.nmconnection`. A keyfile holds one connection; without a `[connection]` section
/// it holds none.
///
/// # Errors
/// The place where it breaks the grammar, or where a VLAN, PVID or boolean is none.
pub fn parse(file: &str, text: &str) -> Result<Vec<Profile>, SyntaxError> {
    let keyfile = Keyfile::parse(text)?;
    let Some(line) = keyfile.line_of_section("connection") else {
        return Ok(Vec::new());
    };
    let read = Reader { keyfile: &keyfile };
    let kind = read.text("connection", "type")?.unwrap_or_default();
    // Old aliases that NetworkManager still reads.
    let kind = match kind.as_str() {
        "802-3-ethernet" => "ethernet",
        "802-11-wireless" => "wifi",
        other => other,
    };
    let mut profile = Profile {
        kind: ProfileKind::Keyfile,
        file: file.to_owned(),
        line,
        name: read.text("connection", "id")?.unwrap_or_default(),
        uuid: read.text("connection", "uuid")?,
        interface: read.text("connection", "interface-name")?,
        kind_of_link: kind.to_owned(),
        autoconnect: read.boolean("connection", "autoconnect")?.unwrap_or(true),
        priority: read.number("connection", "autoconnect-priority")?,
        controller: match read.text("connection", "controller")? {
            Some(controller) => Some(controller),
            None => read.text("connection", "master")?,
        },
        ..Profile::default()
    };
    for section in ["ethernet", "802-3-ethernet"] {
        if let Some(mac) = read.text(section, "mac-address")? {
            profile.mac = Some(mac.to_ascii_lowercase());
        }
    }
    if kind == "bridge" {
        profile.vlan_filtering = read.boolean("bridge", "vlan-filtering")?;
        if let Some(raw) = keyfile.get("bridge", "vlan-default-pvid") {
            let wrong = |message| read.wrong("bridge", "vlan-default-pvid", message);
            profile.default_pvid = Some(pvid(raw).map_err(wrong)?);
        }
        profile.vlans = read.vlans("bridge")?;
    } else {
        profile.vlans = read.vlans("bridge-port")?;
    }
    for section in ["ipv4", "ipv6"] {
        read.addresses(section, &mut profile)?;
    }
    Ok(vec![profile])
}

struct Reader<'a> {
    keyfile: &'a Keyfile,
}

impl Reader<'_> {
    fn wrong(&self, section: &str, key: &str, message: String) -> SyntaxError {
        SyntaxError::new(
            self.keyfile.line_of(section, key).unwrap_or(1),
            self.keyfile.column_of(section, key).unwrap_or(1),
            message,
        )
    }

    fn text(&self, section: &str, key: &str) -> Result<Option<String>, SyntaxError> {
        self.keyfile
            .get(section, key)
            .map(|raw| unescape(raw).map_err(|m| self.wrong(section, key, m)))
            .transpose()
            .map(|text| text.filter(|t| !t.is_empty()))
    }

    fn boolean(&self, section: &str, key: &str) -> Result<Option<bool>, SyntaxError> {
        let Some(raw) = self.keyfile.get(section, key) else {
            return Ok(None);
        };
        boolean(raw).map(Some).ok_or_else(|| {
            let message = format!("`{raw}` is neither true nor false");
            self.wrong(section, key, message)
        })
    }

    fn number(&self, section: &str, key: &str) -> Result<i32, SyntaxError> {
        let raw = self.keyfile.get(section, key).unwrap_or("0");
        raw.trim()
            .parse()
            .map_err(|_| self.wrong(section, key, format!("`{raw}` is no number")))
    }

    fn vlans(&self, section: &str) -> Result<Vec<crate::profile::ProfileVlan>, SyntaxError> {
        let Some(value) = self.text(section, "vlans")? else {
            return Ok(Vec::new());
        };
        nm_vlans(
            &value,
            self.keyfile.line_of(section, "vlans").unwrap_or(1),
            self.keyfile.column_of(section, "vlans").unwrap_or(1),
        )
    }

    /// `addressN=ADDRESS/PREFIX[,GATEWAY]`, also the older `addresses`; `dns=A;B;`.
    fn addresses(&self, section: &str, profile: &mut Profile) -> Result<(), SyntaxError> {
        for (key, raw) in self.keyfile.entries(section) {
            if key == "dns" {
                let servers = list(raw).map_err(|m| self.wrong(section, key, m))?;
                profile
                    .dns
                    .extend(servers.into_iter().filter(|s| !s.trim().is_empty()));
            }
            let numbered = key
                .strip_prefix("addresses")
                .or_else(|| key.strip_prefix("address"))
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
            if numbered {
                for one in raw.split(';') {
                    let address = one.split(',').next().unwrap_or("").trim();
                    if !address.is_empty() {
                        profile.addresses.push(address.to_owned());
                    }
                }
            }
        }
        Ok(())
    }
}
