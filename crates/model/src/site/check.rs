//! What the types of site.toml cannot say: references, addresses, VLAN numbers, times.

use super::parse::nearest;
use super::{BridgePlan, Site};
use facts::SyntaxError;
use std::net::IpAddr;

/// Every error of a site that has the right shape.
pub(super) fn check(site: &Site) -> Vec<SyntaxError> {
    let mut errors = Errors {
        site,
        found: Vec::new(),
    };
    for (name, host) in &site.hosts {
        errors.host(name, host);
    }
    for (name, guest) in &site.guests {
        errors.guest(name, guest);
    }
    for (name, group) in &site.groups {
        errors.group(name, group);
    }
    for (name, nas) in &site.nas {
        errors.addresses("nas", name, "addresses", &nas.addresses);
        for export in nas.exports.iter().chain(&nas.guest_disks_allowed) {
            if !export.starts_with('/') {
                let message = format!("the export `{export}` is no absolute path");
                errors.at("nas", name, "exports", message);
            }
        }
    }
    for (name, plan) in &site.bridges {
        errors.plan("bridges", name, plan);
    }
    errors.windows();
    errors.found
}

struct Errors<'a> {
    site: &'a Site,
    found: Vec<SyntaxError>,
}

impl Errors<'_> {
    fn at(&mut self, kind: &str, name: &str, key: &str, message: String) {
        let place = self.site.evidence(kind, name, Some(key));
        self.found.push(SyntaxError::new(
            place.line.unwrap_or(1),
            place.column.unwrap_or(1),
            message,
        ));
    }

    fn reference<'a>(
        &mut self,
        (kind, name, key): (&str, &str, &str),
        what: &str,
        wanted: &str,
        mut known: impl Iterator<Item = &'a str> + Clone,
    ) {
        if known.clone().any(|k| k == wanted) {
            return;
        }
        let hint = nearest(wanted, known.by_ref())
            .map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        self.at(kind, name, key, format!("no {what} `{wanted}`{hint}"));
    }

    fn addresses(&mut self, kind: &str, name: &str, key: &str, list: &[String]) {
        for address in list {
            if address.parse::<IpAddr>().is_err() {
                let message = format!("`{address}` is no IP address");
                self.at(kind, name, key, message);
            }
        }
    }

    fn vlan(&mut self, kind: &str, name: &str, key: &str, vlan: u16, least: u16) {
        if vlan < least || vlan > 4094 {
            let message = format!("VLAN {vlan} is not in {least} to 4094 (IEEE 802.1Q)");
            self.at(kind, name, key, message);
        }
    }

    fn plan(&mut self, kind: &str, name: &str, plan: &BridgePlan) {
        for (key, vlan) in [
            ("pvid", plan.pvid),
            ("guest_pvid", plan.guest_pvid),
            ("host_pvid", plan.host_pvid),
            ("uplink_pvid", plan.uplink_pvid),
        ] {
            if let Some(vlan) = vlan {
                self.vlan(kind, name, key, vlan, 1);
            }
        }
        if let Some(vlan) = plan.default_pvid {
            self.vlan(kind, name, "default_pvid", vlan, 0);
        }
        for &vlan in &plan.tagged {
            self.vlan(kind, name, "tagged", vlan, 1);
        }
    }

    fn host(&mut self, name: &str, host: &super::Host) {
        self.addresses("hosts", name, "addresses", &host.addresses);
        if host.snapshot.is_some() && host.root.is_some() {
            let message = "a host has a `snapshot` or a `root`, not both".to_owned();
            self.at("hosts", name, "root", message);
        }
        if let Some(bmc) = &host.bmc {
            if let Some(kind) = bmc
                .kind
                .as_deref()
                .filter(|k| !["ipmi", "redfish"].contains(k))
            {
                let message = format!("a BMC is of kind `ipmi` or `redfish`, not `{kind}`");
                self.at("hosts", name, "kind", message);
            }
            if let Some(date) = bmc.verified.as_deref().filter(|d| !is_date(d)) {
                let message = format!("`{date}` is no date (YYYY-MM-DD)");
                self.at("hosts", name, "verified", message);
            }
        }
        for uplink in host.uplinks.values() {
            self.reference(
                ("hosts", name, "switch"),
                "switch",
                &uplink.switch,
                self.site.switches.keys().map(String::as_str),
            );
        }
        for plan in host.bridges.values() {
            self.plan("hosts", name, plan);
        }
    }

    fn guest(&mut self, name: &str, guest: &super::Guest) {
        self.addresses("guests", name, "addresses", &guest.addresses);
        if let Some(host) = &guest.host {
            self.reference(
                ("guests", name, "host"),
                "host",
                host,
                self.site.hosts.keys().map(String::as_str),
            );
        }
        if let Some(group) = &guest.group
            && !self.site.groups.is_empty()
        {
            self.reference(
                ("guests", name, "group"),
                "group",
                group,
                self.site.groups.keys().map(String::as_str),
            );
        }
        if let Some(vlan) = guest.pvid {
            self.vlan("guests", name, "pvid", vlan, 1);
        }
        for &vlan in guest.tagged.iter().flatten() {
            self.vlan("guests", name, "tagged", vlan, 1);
        }
        let site = self.site;
        let services = site.guests.values().flat_map(|g| &g.provides);
        let known = services
            .chain(site.guests.keys())
            .chain(site.groups.keys())
            .chain(site.nas.keys())
            .chain(site.hosts.keys())
            .map(String::as_str);
        for need in &guest.needs {
            self.reference(
                ("guests", name, "needs"),
                "service, guest, group, host or file server",
                need,
                known.clone(),
            );
        }
    }

    fn group(&mut self, name: &str, group: &super::Group) {
        for member in &group.members {
            self.reference(
                ("groups", name, "members"),
                "guest",
                member,
                self.site.guests.keys().map(String::as_str),
            );
        }
        let members = self.site.members(name).len();
        if let Some(need) = group.need
            && (need == 0 || need > members)
        {
            let message = format!("`need = {need}`, but the group has {members} members");
            self.at("groups", name, "need", message);
        }
    }

    fn windows(&mut self) {
        for window in &self.site.maintenance {
            let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            for day in &window.days {
                if !days.contains(&day.as_str()) {
                    let message = format!("`{day}` is no day: write mon, tue, … sun");
                    self.at("maintenance", "", "days", message);
                }
            }
            for time in [&window.from, &window.to] {
                if !is_time(time) {
                    let message = format!("`{time}` is no time of day (HH:MM)");
                    self.at("maintenance", "", "from", message);
                }
            }
        }
    }
}

fn is_time(text: &str) -> bool {
    let number =
        |part: &str, most: u8| part.len() == 2 && part.parse::<u8>().is_ok_and(|n| n <= most);
    text.split_once(':')
        .is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 59))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, length: usize, least: u16, most: u16| {
        part.len() == length
            && part
                .parse::<u16>()
                .is_ok_and(|n| (least..=most).contains(&n))
    };
    matches!(parts.as_slice(), [year, month, day]
        if number(year, 4, 1970, 9999) && number(month, 2, 1, 12) && number(day, 2, 1, 31))
}
