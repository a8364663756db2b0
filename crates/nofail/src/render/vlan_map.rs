//! The map of VLANs: a table, one guest place by place, and a drawing.

use super::boot::{heading, item};
use super::style::{Style, paint};
use analysis::vlan::map::{EndMap, Map};
use analysis::vlan::path::{Hop, Loss, Lost, Path, Place, Verdict};
use analysis::vlan::switch::Refused;
use analysis::vlan::{Refusal, Tags, Why};
use facts::bridge::vid::short;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Whether there is nothing to say against a path: it passes, and where it should.
pub fn is_good(path: &Path) -> bool {
    match &path.verdict {
        Verdict::Whole | Verdict::TwoVlans { .. } => true,
        // A guest with nothing but tagged VLANs has no PVID, and needs none.
        Verdict::Dropped(Loss {
            why: Lost::Host(Why::Ingress(Refusal::NoPvid)),
            ..
        }) => path.intended.is_none(),
        Verdict::NoWire => true,
        _ => false,
    }
}

/// The verdict in one word, as JSON has it.
pub fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Whole => "whole",
        Verdict::TwoVlans { .. } => "two-vlans",
        Verdict::WrongVlan { .. } => "wrong-vlan",
        Verdict::Dropped(_) => "dropped",
        Verdict::NoWayBack(_) => "no-way-back",
        Verdict::NoWire => "no-wire",
    }
}

/// The verdict in a sentence.
pub fn explain(path: &Path) -> String {
    match &path.verdict {
        Verdict::Whole => "whole, out and back".to_owned(),
        Verdict::TwoVlans { out, back } => format!(
            "passes, out in VLAN {out} and back in VLAN {back} of the bridge: works as long as \
             nobody changes either"
        ),
        Verdict::WrongVlan { lands, intended } => {
            format!("lands in VLAN {lands} of the switch, should be VLAN {intended}")
        }
        Verdict::Dropped(loss) => format!("dropped at {}: {}", loss.place, why(loss)),
        Verdict::NoWayBack(loss) => {
            format!(
                "gets out, answers are lost at {}: {}",
                loss.place,
                why(loss)
            )
        }
        Verdict::NoWire => "no way out: its bridge has no uplink".to_owned(),
    }
}

fn why(loss: &Loss) -> String {
    match loss.why {
        Lost::Host(why) => match why {
            Why::Ingress(Refusal::NoPvid) => {
                "untagged frames come in, and it has no PVID".to_owned()
            }
            Why::Ingress(Refusal::NotMember(vid)) | Why::Egress(vid) => {
                format!("it does not carry VLAN {vid}")
            }
            Why::Isolated => "both ports are isolated".to_owned(),
            Why::Down => "the link is down".to_owned(),
            Why::Blocked => "spanning tree blocks the port".to_owned(),
            Why::NoVlanDevice(vid) => {
                format!("they come tagged {vid}, and no VLAN device takes them")
            }
            Why::NotActive => "it is not the bond's active member".to_owned(),
        },
        Lost::Switch(refused) => match refused {
            Refused::Down => "the switch's port is not up".to_owned(),
            Refused::NotAllowed(vid) => format!("the port does not allow VLAN {vid}"),
            Refused::NoSuchVlan(vid) => format!("the switch has no active VLAN {vid}"),
            Refused::Blocked(vid) => format!("spanning tree does not forward VLAN {vid}"),
            Refused::UntaggedOnTaggedNative => {
                "the trunk tags its native VLAN and drops untagged frames".to_owned()
            }
            Refused::TaggedOnAccess(vid) => {
                format!("it is an access port and drops frames tagged {vid}")
            }
            Refused::Routed => "the port routes, it takes part in no VLAN".to_owned(),
        },
        Lost::OtherForm(0) => "they arrive untagged".to_owned(),
        Lost::OtherForm(vid) => format!("they arrive tagged {vid}"),
        Lost::Nowhere => "nothing hands them on".to_owned(),
    }
}

/// A row: paths of one end that differ in their tag only.
struct Row<'a> {
    first: &'a Path,
    tags: Vec<u16>,
}

/// Paths that do the same thing with their own tag go into one row.
fn rows(end: &EndMap) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for path in &end.paths {
        let Some(tag) = path.sends.outer() else {
            rows.push(Row {
                first: path,
                tags: Vec::new(),
            });
            continue;
        };
        match rows
            .iter_mut()
            .find(|row| !row.tags.is_empty() && alike(row.first, path))
        {
            Some(row) => row.tags.push(tag),
            None => rows.push(Row {
                first: path,
                tags: vec![tag],
            }),
        }
    }
    rows
}

/// Whether two tagged paths are the same but for their tag.
fn alike(a: &Path, b: &Path) -> bool {
    let shape = |path: &Path| {
        let own = path.sends.outer();
        let rel = |vid: Option<u16>| (vid == own, vid.filter(|_| vid != own));
        let hop = |hop: &Hop| (hop.place.clone(), rel(hop.vid), rel(hop.tags.outer()));
        let hops: Vec<_> = path.out.iter().chain(&path.back).map(hop).collect();
        let place = match &path.verdict {
            Verdict::Dropped(loss) | Verdict::NoWayBack(loss) => {
                let words: Vec<String> = explain(path).split(' ').map(str::to_owned).collect();
                let number = own.map(|vid| vid.to_string()).unwrap_or_default();
                let words = words
                    .into_iter()
                    .map(|w| if w == number { "#".to_owned() } else { w });
                Some((loss.place.clone(), words.collect::<Vec<_>>()))
            }
            _ => None,
        };
        (hops, verdict_name(&path.verdict), place)
    };
    shape(a) == shape(b)
}

/// Widths of the columns; together below 100.
const WIDTHS: [usize; 6] = [14, 28, 11, 7, 8, 6];

fn line(out: &mut String, cells: [&str; 6], last: &str) {
    let mut text = String::from("  ");
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let cell = cut(cell, width);
        let _ = write!(text, "{cell:<width$} ");
    }
    text.push_str(last);
    let _ = writeln!(out, "{}", text.trim_end());
}

/// At most so many characters; a list is cut with `…`.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Every path in one line each, what is wrong below.
pub fn table(map: &Map) -> String {
    let mut out = String::new();
    for host in &map.hosts {
        heading(&mut out, &host.host);
        line(
            &mut out,
            ["who", "sends", "port", "bridge", "wire", "switch"],
            "result",
        );
        let mut wrong: Vec<String> = Vec::new();
        for end in &host.ends {
            for (number, row) in rows(end).iter().enumerate() {
                let path = row.first;
                let who = if number == 0 { who(end) } else { String::new() };
                let (sends, wire) = if row.tags.is_empty() {
                    ("untagged".to_owned(), path.on_wire.as_ref().map(form))
                } else {
                    let same = path.on_wire.as_ref().is_some_and(|w| *w == path.sends);
                    let wire = path
                        .on_wire
                        .as_ref()
                        .map(|w| if same { "tagged".to_owned() } else { form(w) });
                    (format!("tagged {}", short(&row.tags)), wire)
                };
                let own = |vid: Option<u16>| match vid {
                    Some(vid) if row.tags.contains(&vid) => "same".to_owned(),
                    Some(vid) => vid.to_string(),
                    None => "-".to_owned(),
                };
                let inside = path.out.iter().find(|h| h.kind == Place::Bridge);
                let bridge = inside.map_or_else(
                    || "-".to_owned(),
                    |hop| match hop.vid {
                        Some(_) => own(hop.vid),
                        None => "all".to_owned(),
                    },
                );
                let result = result(path);
                if !is_good(path) {
                    let tags = if row.tags.is_empty() {
                        "untagged".to_owned()
                    } else {
                        format!("tagged {}", short(&row.tags))
                    };
                    let text = explain(path);
                    wrong.push(format!("{}, {tags}: {text}", whose(end)));
                }
                line(
                    &mut out,
                    [
                        &who,
                        &sends,
                        if number == 0 { &end.end.device } else { "" },
                        &bridge,
                        wire.as_deref().unwrap_or("-"),
                        &own(path.lands),
                    ],
                    &result,
                );
            }
        }
        let wires: BTreeSet<&str> = host
            .ends
            .iter()
            .flat_map(|e| &e.paths)
            .filter_map(|p| p.wire.as_deref())
            .collect();
        let far: BTreeSet<&str> = host
            .ends
            .iter()
            .flat_map(|e| &e.paths)
            .flat_map(|p| &p.out)
            .filter(|h| h.kind == Place::Switch)
            .map(|h| h.place.as_str())
            .collect();
        if !wires.is_empty() {
            let far: Vec<&str> = far.into_iter().collect();
            let far = if far.is_empty() {
                "a switch not read".to_owned()
            } else {
                far.join(", ")
            };
            let wires: Vec<&str> = wires.into_iter().collect();
            item(
                &mut out,
                "  wire     ",
                &format!("{} to {far}", wires.join(", ")),
            );
        }
        for text in wrong {
            item(
                &mut out,
                &format!("  {}    ", paint(Style::Red, "wrong")),
                &text,
            );
        }
        for mismatch in &host.mismatches {
            let label = if mismatch.harmless {
                format!("  {} ", paint(Style::Green, "harmless"))
            } else {
                format!("  {}    ", paint(Style::Red, "wrong"))
            };
            let text = format!(
                "{}: {}: {}",
                mismatch.bridge, mismatch.what, mismatch.because
            );
            item(&mut out, &label, &text);
        }
        let deaf: Vec<String> = host
            .ends
            .iter()
            .filter(|e| e.with_host == Some(false))
            .map(whose)
            .collect();
        if !deaf.is_empty() && host.mismatches.iter().all(|m| m.harmless) {
            item(
                &mut out,
                "  note     ",
                &format!(
                    "the host and {} do not hear each other over the bridge",
                    deaf.join(", ")
                ),
            );
        }
    }
    missing(&mut out, map);
    out
}

fn missing(out: &mut String, map: &Map) {
    if map.not_checked.is_empty() {
        return;
    }
    heading(out, "not checked");
    for missing in &map.not_checked {
        item(
            out,
            "  ",
            &format!("{} ({}): {}", missing.host, missing.source, missing.reason),
        );
    }
}

fn result(path: &Path) -> String {
    let (style, text) = match &path.verdict {
        Verdict::Whole => (Style::Green, "whole".to_owned()),
        Verdict::TwoVlans { back, .. } => (Style::Yellow, format!("back in {back}")),
        Verdict::WrongVlan { intended, .. } => (Style::Red, format!("not {intended}")),
        Verdict::Dropped(_) if is_good(path) => (Style::Dim, "dropped".to_owned()),
        Verdict::Dropped(loss) => (Style::Red, format!("dropped at {}", loss.place)),
        Verdict::NoWayBack(loss) => (Style::Red, format!("lost at {}", loss.place)),
        Verdict::NoWire => (Style::Dim, "no uplink".to_owned()),
    };
    paint(style, &cut(&text, 18))
}

fn form(tags: &Tags) -> String {
    match tags.outer() {
        None => "untagged".to_owned(),
        Some(vid) => format!("tag {vid}"),
    }
}

fn who(end: &EndMap) -> String {
    end.end
        .guest
        .clone()
        .unwrap_or_else(|| "(the host)".to_owned())
}

fn whose(end: &EndMap) -> String {
    match end.end.guest.as_deref() {
        None => format!("the host on {}", end.end.device),
        Some("?") => format!("port {}", end.end.device),
        Some(guest) => guest.to_owned(),
    }
}

/// Every path place by place.
pub fn places(map: &Map) -> String {
    let mut out = String::new();
    for host in &map.hosts {
        for end in &host.ends {
            heading(
                &mut out,
                &format!("{} on {}, {}", whose(end), host.host, end.end.device),
            );
            for row in rows(end) {
                let path = row.first;
                let label = if row.tags.is_empty() {
                    "untagged".to_owned()
                } else {
                    format!("tagged {}", short(&row.tags))
                };
                let _ = writeln!(out, "  {label}: {}", mark(path));
                if row.tags.len() > 1 {
                    let _ = writeln!(
                        out,
                        "    (shown for {})",
                        row.tags.first().copied().unwrap_or(0)
                    );
                }
                item(&mut out, "    out   ", &way(&path.out, &path.sends));
                if !path.back.is_empty() {
                    item(&mut out, "    back  ", &way(&path.back, &Tags::none()));
                }
            }
            if !end.hears.is_empty() {
                item(
                    &mut out,
                    "  ",
                    &format!(
                        "hears VLAN {} untagged without speaking in it",
                        short(&end.hears)
                    ),
                );
            }
        }
        for mismatch in &host.mismatches {
            let label = if mismatch.harmless {
                "  harmless "
            } else {
                "  wrong    "
            };
            item(
                &mut out,
                label,
                &format!(
                    "{}: {}: {}",
                    mismatch.bridge, mismatch.what, mismatch.because
                ),
            );
        }
    }
    missing(&mut out, map);
    out
}

fn mark(path: &Path) -> String {
    let style = if is_good(path) {
        Style::Green
    } else {
        Style::Red
    };
    paint(style, &explain(path))
}

fn way(hops: &[Hop], first: &Tags) -> String {
    let mut text = String::new();
    for (number, hop) in hops.iter().enumerate() {
        if number > 0 {
            text.push_str(" → ");
        } else if hop.kind == Place::Bridge {
            let _ = write!(text, "{first} → ");
        }
        match (hop.kind, hop.vid) {
            (Place::Interface, _) => {
                let _ = write!(text, "{} ({})", hop.place, hop.tags);
            }
            (_, Some(vid)) => {
                let _ = write!(text, "{} VLAN {vid}", hop.place);
            }
            (_, None) => {
                let _ = write!(text, "{} (does not filter, {})", hop.place, hop.tags);
            }
        }
    }
    text
}

/// Mermaid's flowchart: ports, the VLANs of bridges, wires, the VLANs of switches.
pub fn mermaid(map: &Map) -> String {
    let mut nodes: Vec<String> = Vec::new();
    let mut arrows: BTreeSet<(usize, usize, bool)> = BTreeSet::new();
    let mut node = |label: String| match nodes.iter().position(|n| *n == label) {
        Some(at) => at,
        None => {
            nodes.push(label);
            nodes.len() - 1
        }
    };
    for host in &map.hosts {
        for end in &host.ends {
            for path in &end.paths {
                let mut last = node(format!("{}: {}", host.host, whose(end)));
                let lost = !path.verdict.passes();
                for hop in &path.out {
                    let label = match (hop.kind, hop.vid) {
                        (Place::Switch, Some(vid)) => format!("{} VLAN {vid}", hop.place),
                        (_, Some(vid)) => format!("{}: {} VLAN {vid}", host.host, hop.place),
                        (_, None) => format!("{}: {}", host.host, hop.place),
                    };
                    let next = node(label);
                    if next != last {
                        arrows.insert((last, next, false));
                    }
                    last = next;
                }
                if lost && !is_good(path) {
                    let end = node(format!("{}: {}", host.host, explain(path)));
                    arrows.insert((last, end, true));
                }
            }
        }
    }
    let mut out = String::from("flowchart LR\n");
    for (number, label) in nodes.iter().enumerate() {
        let _ = writeln!(out, "  n{number}[\"{}\"]", label.replace('"', "#quot;"));
    }
    for (from, to, lost) in arrows {
        let arrow = if lost { "-. lost .-x" } else { "-->" };
        let _ = writeln!(out, "  n{from} {arrow} n{to}");
    }
    out
}
