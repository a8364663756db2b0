//! Mounts by a name that needs a name server: the address instead, or, where an address would
//! break the mount, a line in `/etc/hosts`.
//!
//! The address comes from the user, from site.toml or from the host's own `/etc/hosts`, never from
//! this machine's resolver: with `--root` that is the rescuer's, and on the host it may be the
//! very circle that is to be opened.

use super::fstab::edit;
use super::{Case, Remedy, write};
use facts::fstab::{Entry, Field, SourceKind, is_address};
use std::net::IpAddr;

const HOSTS: &str = "/etc/hosts";

/// Writes the address, or pins the name.
pub(super) fn address(case: &Case<'_>) -> Remedy {
    let line = case.finding.evidence.first().and_then(|e| e.line);
    let Some(entry) = case.host.fstab.iter().find(|e| Some(e.line) == line) else {
        return Remedy::Refused("the finding names no line of /etc/fstab".to_owned());
    };
    let Some(name) = entry.network_hosts().into_iter().find(|h| !is_address(h)) else {
        return Remedy::Refused(format!("{} names no host", entry.source));
    };
    let addresses = addresses(case, &name);
    let [first, others @ ..] = addresses.as_slice() else {
        return Remedy::Refused(format!(
            "the address of {name} is not known here; give it: --address {name}=ADDRESS, or in site.toml"
        ));
    };
    if let Some(why) = needs_name(entry).or_else(|| {
        (!others.is_empty()).then(|| format!("{name} has {} addresses", addresses.len()))
    }) {
        return pin(case, &name, first, &why);
    }
    let Some(source) = replaced(entry, &name, first) else {
        return pin(case, &name, first, "the form of its source");
    };
    edit(case, false, |document, entry| {
        document
            .set_field(entry.line, Field::Source, &source)
            .map_err(|error| error.to_string())
    })
}

/// Every address that is known for a name, the user's word first.
fn addresses(case: &Case<'_>, name: &str) -> Vec<String> {
    if let Some(address) = case.addresses.get(name) {
        return vec![address.clone()];
    }
    let nas = case.estate.site.as_ref().and_then(|site| {
        site.nas
            .get(case.estate.nas_of(name))
            .map(|nas| nas.addresses.clone())
    });
    match nas {
        Some(addresses) if !addresses.is_empty() => addresses,
        _ => case
            .host
            .names
            .hosts
            .iter()
            .filter(|entry| entry.names.iter().any(|n| n.eq_ignore_ascii_case(name)))
            .map(|entry| entry.address.clone())
            .collect(),
    }
}

/// Why a mount needs its server's name: Kerberos and TLS check it (nfs(5), `sec=`, `xprtsec=`;
/// mount.cifs(8), `sec=`), a DFS share answers by name.
fn needs_name(entry: &Entry) -> Option<String> {
    let kerberos = entry.option("sec").filter(|s| s.contains("krb5"));
    if let Some(security) = kerberos {
        return Some(format!("sec={security} needs the name"));
    }
    if let Some(security) = entry.option("xprtsec").filter(|s| *s != "none") {
        return Some(format!("xprtsec={security} needs the name"));
    }
    match entry.kind() {
        SourceKind::Cifs { share, .. } if share.contains('/') && !entry.has_option("nodfs") => {
            Some("the share may be a DFS name".to_owned())
        }
        SourceKind::WebDav { .. } => Some("TLS needs the name".to_owned()),
        _ => None,
    }
}

/// The source with the name replaced where it stands as a server.
fn replaced(entry: &Entry, name: &str, address: &str) -> Option<String> {
    let address = match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let rest = |prefix: &str| entry.source.strip_prefix(prefix)?.strip_prefix(name);
    match entry.kind() {
        SourceKind::Nfs { hosts, .. } if hosts.len() == 1 => {
            let rest = rest("").filter(|rest| rest.starts_with(':'))?;
            Some(format!("{address}{rest}"))
        }
        SourceKind::Cifs { .. } => {
            let rest = rest("//").filter(|rest| rest.starts_with('/'))?;
            Some(format!("//{}{rest}", address.trim_matches(['[', ']'])))
        }
        _ => None,
    }
}

/// A line in the host's own hosts file.
fn pin(case: &Case<'_>, name: &str, address: &str, why: &str) -> Remedy {
    let old = match case.text(HOSTS) {
        Ok(old) => old,
        Err(why) => return Remedy::Refused(why),
    };
    let there = facts::names::parse_hosts(&old);
    if there
        .iter()
        .any(|entry| entry.names.iter().any(|n| n == name))
    {
        return Remedy::Refused(format!(
            "{name} stands in {HOSTS} already, but is not looked up there first ({why}); see nsswitch.conf(5)"
        ));
    }
    let end = if old.is_empty() || old.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    write(HOSTS, &old, format!("{old}{end}{address}\t{name}\n"), false)
}
