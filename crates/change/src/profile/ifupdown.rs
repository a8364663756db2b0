//! `/etc/network/interfaces`, for ifupdown2 and for ifupdown with bridge-utils: options and
//! `post-up` lines of the stanza of the device (interfaces(5), ifupdown-addons-interfaces(5)).

use rules::bridge::persist::Wanted;

/// Words that begin a stanza.
const KEYWORDS: [&str; 8] = [
    "iface",
    "auto",
    "mapping",
    "source",
    "source-directory",
    "no-auto-down",
    "no-scripts",
    "template",
];

/// The text with the device's VLANs in its stanza.
///
/// # Errors
/// Where it has no stanza.
pub(super) fn write(
    text: &str,
    device: &str,
    own: bool,
    wanted: &Wanted,
) -> Result<String, String> {
    let second = ["bridge-vlan-aware", "bridge-vids", "bridge-pvid"]
        .iter()
        .any(|key| text.contains(key));
    let lines: Vec<&str> = text.lines().collect();
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let start = heads(&lines, device)
        .first()
        .copied()
        .ok_or_else(|| format!("it has no stanza `iface {device}`"))?;
    let end = end(&lines, start);
    // Blank lines and comments before the next stanza belong to that.
    let mut last = end;
    while last > start + 1
        && lines
            .get(last - 1)
            .is_some_and(|l| l.trim().is_empty() || l.trim_start().starts_with('#'))
    {
        last -= 1;
    }
    let ours = |line: &str| {
        let words = words(line);
        match words.first().map(String::as_str) {
            Some("bridge-pvid" | "bridge-vids" | "bridge-access") => !own,
            Some("bridge-vlan-aware" | "bridge_vlan_aware") => own,
            Some("post-up" | "up") => {
                let of_bridge = words.get(1).is_some_and(|w| w == "bridge")
                    && words.get(2).is_some_and(|w| w == "vlan");
                let of_link = own && line.contains("vlan_default_pvid");
                (of_bridge && words.iter().any(|w| w == device)) || of_link
            }
            _ => false,
        }
    };
    let mut out: Vec<String> = lines
        .iter()
        .take(start + 1)
        .map(|l| (*l).to_owned())
        .collect();
    out.extend(
        lines
            .iter()
            .take(last)
            .skip(start + 1)
            .filter(|l| !ours(l))
            .map(|l| (*l).to_owned()),
    );
    let indent = lines
        .get(start + 1..last)
        .and_then(|body| body.iter().find(|l| !l.trim().is_empty()))
        .map_or("    ".to_owned(), |line| {
            line.chars().take_while(|c| c.is_whitespace()).collect()
        });
    out.extend(
        options(device, own, wanted, second)
            .into_iter()
            .map(|line| format!("{indent}{line}")),
    );
    out.extend(lines.iter().skip(last).map(|l| (*l).to_owned()));
    Ok(out.join("\n") + "\n")
}

/// The `iface` lines of a device.
pub(super) fn heads(lines: &[&str], device: &str) -> Vec<usize> {
    let is_head = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("iface") && words.next() == Some(device)
    };
    let found = lines.iter().enumerate().filter(|(_, line)| is_head(line));
    found.map(|(at, _)| at).collect()
}

/// The line behind the stanza that begins at `start`.
pub(super) fn end(lines: &[&str], start: usize) -> usize {
    let begins = |line: &str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        KEYWORDS.contains(&first) || first.starts_with("allow-")
    };
    let next = lines.iter().enumerate().skip(start + 1);
    next.into_iter()
        .find(|(_, line)| begins(line))
        .map_or(lines.len(), |(at, _)| at)
}

fn options(device: &str, own: bool, wanted: &Wanted, second: bool) -> Vec<String> {
    let mut options = Vec::new();
    if own {
        let key = if second {
            "bridge-vlan-aware"
        } else {
            "bridge_vlan_aware"
        };
        options.push(format!(
            "{key} {}",
            if wanted.filtering { "yes" } else { "no" }
        ));
    }
    if !wanted.filtering {
        return options;
    }
    let plain = wanted.pvid.is_some_and(|pvid| wanted.untagged == [pvid]);
    if second && !own && plain {
        if let Some(pvid) = wanted.pvid {
            options.push(format!("bridge-pvid {pvid}"));
        }
        if !wanted.tagged.is_empty() {
            let ranges = facts::bridge::vid::short(&wanted.tagged).replace(',', " ");
            options.push(format!("bridge-vids {ranges}"));
        }
        return options;
    }
    let itself = if own { " self" } else { "" };
    if own {
        options.push(format!(
            "post-up ip link set dev {device} type bridge vlan_default_pvid {}",
            wanted.default_pvid
        ));
    }
    let vids = wanted.untagged.iter().chain(&wanted.tagged);
    for vid in vids {
        let pvid = if wanted.pvid == Some(*vid) {
            " pvid"
        } else {
            ""
        };
        let untagged = if wanted.untagged.contains(vid) {
            " untagged"
        } else {
            ""
        };
        options.push(format!(
            "post-up bridge vlan add dev {device} vid {vid}{pvid}{untagged}{itself}"
        ));
    }
    // Both programs leave the kernel's default on what they do not speak of.
    if !wanted.untagged.contains(&1) && !wanted.tagged.contains(&1) {
        options.push(format!(
            "post-up bridge vlan del dev {device} vid 1{itself} || true"
        ));
    }
    options
}
