//! `show running-config` and `show startup-config`.

use super::super::{RadiusGroup, command::Kind, session::banner_end, terminal::Line};
use super::{Reader, canonical_port_name, config_port, config_text};

/// The block that the lines belong to.
enum Block {
    Global,
    /// Lines of an interface, kept until it ends.
    Interface(String, usize),
    Vlan(Vec<u16>),
    RadiusServer(String),
    RadiusGroup(String),
}

/// What holds for every port where the port itself does not say.
#[derive(Default)]
pub(super) struct Defaults {
    /// `spanning-tree portfast bpduguard default`: BPDU guard on every PortFast port.
    pub bpdu_guard: bool,
}

/// Reads a configuration: its text always, its facts where `facts`.
pub(super) fn read(reader: &mut Reader, lines: &[Line], facts: bool) {
    let (text, capture) = config_text::comparable(reader, lines);
    let whole = !reader.command.partial;
    // Without its end the last block of a configuration may lack lines.
    let complete = capture.complete || !whole;
    if whole {
        let running = reader.command.kind == Kind::Running;
        let switch = &mut *reader.switch;
        if running {
            (switch.running, switch.running_capture) = (Some(text), Some(capture));
        } else {
            (switch.startup, switch.startup_capture) = (Some(text), Some(capture));
        }
        stamps(reader, lines, running);
    }
    if facts {
        blocks(reader, lines, complete);
    }
}

fn stamps(reader: &mut Reader, lines: &[Line], running: bool) {
    for line in lines
        .iter()
        .take_while(|line| !line.text.starts_with("interface "))
    {
        if running && line.text.starts_with("! Last configuration change at ") {
            reader.switch.last_change = config_text::stamp(reader, line);
        } else if line.text.starts_with("! NVRAM config last updated at ") {
            reader.switch.last_saved = config_text::stamp(reader, line);
        }
    }
}

fn blocks(reader: &mut Reader, lines: &[Line], complete: bool) {
    // Blank lines below a text that is cut off would close its last block.
    let end = lines.iter().rposition(|line| !line.text.is_empty());
    let lines = &lines[..end.map_or(0, |end| end + 1)];
    let texts = || lines.iter().map(|line| line.text.as_str());
    let defaults = Defaults {
        bpdu_guard: texts().any(|text| {
            text.starts_with("spanning-tree portfast ") && text.ends_with("bpduguard default")
        }),
    };
    if !reader.command.partial && complete {
        reader.switch.tag_native = Some(texts().any(|text| text == "vlan dot1q tag native"));
        reader.switch.radius_complete = true;
    }
    let mut block = Block::Global;
    let mut banner_until = None;
    for (index, line) in lines.iter().enumerate() {
        if banner_until.is_some_and(|end| index <= end) {
            continue;
        }
        banner_until = banner_end(lines, index);
        if belongs(&block, &line.text) {
            within(reader, &block, line);
            continue;
        }
        if let Block::Interface(name, from) = &block {
            config_port::read(
                reader,
                name,
                &lines[*from..index],
                !reader.command.filtered,
                &defaults,
            );
        }
        block = open(reader, index, line);
        if line.text == "end" {
            break;
        }
    }
    match &block {
        Block::Interface(name, from) => {
            let sure = complete && !reader.command.filtered;
            config_port::read(reader, name, &lines[*from..], sure, &defaults);
            if !complete {
                // `add` lines may be missing.
                reader.port(name, &lines[*from], &[], |port| {
                    port.allowed_vlans = None;
                    port.lines.remove("allowed_vlans");
                });
            }
        }
        Block::RadiusGroup(name) if !complete => {
            reader.switch.radius_groups.remove(name);
        }
        _ => {}
    }
}

/// Whether a line belongs to the block above it: it is indented, or it is one that only such a
/// block holds (texts copied from a page lose their indentation).
fn belongs(block: &Block, text: &str) -> bool {
    if text.starts_with(' ') || text.starts_with('\t') {
        return !matches!(block, Block::Global);
    }
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    match block {
        Block::Global => false,
        Block::Interface(..) => {
            starts(&[
                "switchport",
                "no switchport",
                "description ",
                "channel-group ",
                "spanning-tree portfast",
                "spanning-tree bpduguard ",
            ]) || matches!(text, "shutdown" | "no shutdown")
        }
        Block::Vlan(_) => starts(&["name "]),
        Block::RadiusServer(_) => starts(&["address ", "key ", "pac key "]),
        Block::RadiusGroup(_) => starts(&["server ", "server-private "]),
    }
}

/// The block that a line at the margin opens.
fn open(reader: &mut Reader, index: usize, line: &Line) -> Block {
    let words: Vec<&str> = line.text.split_whitespace().collect();
    match words[..] {
        ["hostname", name] => {
            reader.switch.name = Some(name.to_owned());
            Block::Global
        }
        ["interface", ref name @ ..] => match canonical_port_name(&name.join(" ")) {
            Some(name) => Block::Interface(name, index),
            None => Block::Global,
        },
        ["vlan", list] if list.starts_with(|c: char| c.is_ascii_digit()) => {
            let vlans = reader
                .vlans(line, list)
                .map(|set| set.numbers())
                .unwrap_or_default();
            for vlan in &vlans {
                reader.switch.vlans.entry(*vlan).or_default();
            }
            Block::Vlan(vlans)
        }
        ["radius", "server", name] => {
            server(reader, name, None, line);
            Block::RadiusServer(name.to_owned())
        }
        ["radius-server", "host", address, ..] => {
            server(reader, address, Some(address), line);
            Block::Global
        }
        ["aaa", "group", "server", "radius", name] => {
            let place = reader.place(line);
            let group = RadiusGroup {
                servers: Vec::new(),
                place,
            };
            reader.switch.radius_groups.insert(name.to_owned(), group);
            Block::RadiusGroup(name.to_owned())
        }
        _ => Block::Global,
    }
}

/// One line of a block other than an interface's.
fn within(reader: &mut Reader, block: &Block, line: &Line) {
    let words: Vec<&str> = line.text.split_whitespace().collect();
    match (block, &words[..]) {
        (Block::Vlan(vlans), ["name", name @ ..]) => {
            for vlan in vlans {
                reader.switch.vlans.insert(*vlan, name.join(" "));
            }
        }
        (Block::RadiusServer(name), ["address", "ipv4" | "ipv6", address, ..]) => {
            if let Some(server) = reader.switch.radius_servers.get_mut(name) {
                server.address = Some((*address).to_owned());
            }
        }
        (
            Block::RadiusGroup(group),
            ["server", "name", member] | ["server" | "server-private", member, ..],
        ) => {
            if let Some(group) = reader.switch.radius_groups.get_mut(group) {
                group.servers.push((*member).to_owned());
            }
            if words[0] == "server-private" {
                server(reader, words[1], Some(words[1]), line);
            }
        }
        _ => {}
    }
}

fn server(reader: &mut Reader, name: &str, address: Option<&str>, line: &Line) {
    let place = reader.place(line);
    let known = reader
        .switch
        .radius_servers
        .entry(name.to_owned())
        .or_default();
    if let Some(address) = address {
        known.address = Some(address.to_owned());
    }
    known.place = place;
}
