//! systemd-networkd: `.netdev` and `.network` files, and drop-ins beside what netplan makes.

use super::{Host, Texts, edit, elsewhere};
use facts::profile::Profile;
use rules::bridge::persist::Wanted;
use std::fmt::Write as _;

/// The drop-in that nofail owns beside netplan's files.
const DROP_IN: &str = "nofail-vlan.conf";

/// Before the command in a drop-in's first line.
const MARK: &str = "# Written by ";

/// Behind it.
const REASON: &str = ": netplan has no keys for VLANs of bridges.";

/// Writes an entry into the files that decide.
pub(super) fn write(
    profile: &Profile,
    device: &str,
    own: bool,
    wanted: &Wanted,
    host: &Host<'_>,
    texts: &mut Texts,
) -> Result<(), String> {
    if let Some(drop_in) = elsewhere(profile) {
        return Err(format!("its VLANs stand in the drop-in {drop_in}"));
    }
    if !own {
        return edit(texts, host, &profile.file, |text| {
            Ok(sections(text, wanted))
        });
    }
    // For a bridge the profile is its .netdev; the VLANs of its own entry belong into .network.
    edit(texts, host, &profile.file, |text| Ok(netdev(text, wanted)))?;
    let network = profile.file.trim_end_matches(".netdev").to_owned() + ".network";
    let named = (host.read)(&network).is_some_and(|text| {
        text.lines().any(|l| {
            l.trim()
                .strip_prefix("Name=")
                .is_some_and(|n| n.trim() == device)
        })
    });
    if !named && !texts.contains_key(&network) {
        return Err(format!(
            "{network} is not the .network file of {device}: its VLANs cannot be placed by rule"
        ));
    }
    edit(texts, host, &network, |text| Ok(sections(text, wanted)))
}

/// netplan has no keys for bridge VLANs; with networkd below it, drop-ins beside the files that it
/// makes at each boot (netplan-generate(8)) hold them.
pub(super) fn beside_netplan(
    profile: &Profile,
    device: &str,
    own: bool,
    wanted: &Wanted,
    host: &Host<'_>,
    texts: &mut Texts,
) -> Result<(), String> {
    let yaml = (host.read)(&profile.file).unwrap_or_default();
    if yaml.contains("renderer: NetworkManager") {
        return Err(
            "netplan has no keys for bridge VLANs but NetworkManager's passthrough".to_owned(),
        );
    }
    let folder = format!("/etc/systemd/network/10-netplan-{device}");
    if own {
        let path = format!("{folder}.netdev.d/{DROP_IN}");
        drop_in(path, &netdev("[Bridge]\n", wanted), host, texts);
    }
    let path = format!("{folder}.network.d/{DROP_IN}");
    drop_in(path, &sections("", wanted), host, texts);
    Ok(())
}

/// The drop-in with this body, and with a first line that names the command which wrote it: a
/// file that says the same already, whoever wrote it, stays as it is.
fn drop_in(path: String, body: &str, host: &Host<'_>, texts: &mut Texts) {
    let says_so = |text: &String| without_head(text) == body;
    let text = (host.read)(&path).filter(says_so).unwrap_or_else(|| {
        let writer = host.writer.command();
        format!("{MARK}`{writer}`{REASON}\n{body}")
    });
    texts.insert(path, text);
}

/// The text behind the first line, where that is one that any command of nofail wrote: before
/// the first release all of them named `nofail vlan persist`.
fn without_head(text: &str) -> &str {
    match text.split_once('\n') {
        Some((head, rest)) if head.starts_with(MARK) && head.ends_with(REASON) => rest,
        _ => text,
    }
}

/// The text with these `[BridgeVLAN]` sections instead of those that it had (systemd.network(5)).
fn sections(text: &str, wanted: &Wanted) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            inside = line.trim() == "[BridgeVLAN]";
        }
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    if !wanted.filtering {
        return out;
    }
    let mut section = |keys: &[String]| {
        let _ = write!(out, "\n[BridgeVLAN]\n{}\n", keys.join("\n"));
    };
    if let Some(pvid) = wanted.pvid {
        let mut keys = vec![format!("PVID={pvid}")];
        // A VLAN of EgressUntagged= is a member as well; of PVID= alone it is tagged.
        keys.push(if wanted.untagged.contains(&pvid) {
            format!("EgressUntagged={pvid}")
        } else {
            format!("VLAN={pvid}")
        });
        section(&keys);
    }
    let ranges = |vids: &[u16]| {
        let rest = vids.iter().copied().filter(|vid| Some(*vid) != wanted.pvid);
        facts::bridge::vid::Ranges::new(rest).0
    };
    let show = |(first, last): (u16, u16)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    for range in ranges(&wanted.untagged) {
        section(&[format!("EgressUntagged={}", show(range))]);
    }
    for range in ranges(&wanted.tagged) {
        section(&[format!("VLAN={}", show(range))]);
    }
    out
}

/// The text with the bridge's filtering and default PVID (systemd.netdev(5)).
fn netdev(text: &str, wanted: &Wanted) -> String {
    let default = match wanted.default_pvid {
        0 => "none".to_owned(),
        pvid => pvid.to_string(),
    };
    let keys = format!(
        "VLANFiltering={}\nDefaultPVID={default}\n",
        if wanted.filtering { "yes" } else { "no" }
    );
    let mut out = String::new();
    let (mut inside, mut written) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            inside = line.trim() == "[Bridge]";
        }
        let key = line.split('=').next().unwrap_or("").trim();
        if inside && matches!(key, "VLANFiltering" | "DefaultPVID") {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if inside && !written {
            out.push_str(&keys);
            written = true;
        }
    }
    if !written {
        let _ = write!(out, "\n[Bridge]\n{keys}");
    }
    out
}
