//! The outputs that are read: one file per command.

mod config;
mod config_port;
mod config_text;
mod etherchannel;
mod interfaces;
mod radius;
mod spanning_tree;
mod status;
mod switchport;
mod trunk;
mod vlan;

use super::{
    Doubt, Place, Switch, SwitchPort,
    command::{Command, Kind},
    name::{canonical_port_name, is_port},
    session::Section,
    terminal::Line,
    vlan_list::VlanSet,
};

/// Reads one output into the switch.
pub(super) fn read(reader: &mut Reader, lines: &[Line], has_running: bool) {
    match reader.command.kind {
        Kind::Running => config::read(reader, lines, true),
        Kind::Startup => config::read(reader, lines, !has_running),
        Kind::Interfaces => interfaces::read(reader, lines),
        Kind::Trunk => trunk::read(reader, lines),
        Kind::Status => status::read(reader, lines),
        Kind::ErrDisabled => status::read_err_disabled(reader, lines),
        Kind::Switchport => switchport::read(reader, lines),
        Kind::CounterErrors => interfaces::read_counter_errors(reader, lines),
        Kind::Vlan => vlan::read(reader, lines),
        Kind::Etherchannel => etherchannel::read(reader, lines),
        Kind::SpanningTree => spanning_tree::read(reader, lines),
        Kind::ServerGroups => radius::read_groups(reader, lines),
        Kind::AaaServers => radius::read_servers(reader, lines),
        Kind::Other => {}
    }
}

/// The switch that is filled, and where the text comes from.
pub(super) struct Reader<'a> {
    pub(super) switch: &'a mut Switch,
    file: &'a str,
    command: &'a Command,
    /// Whether the output is known to reach its end.
    closed: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(switch: &'a mut Switch, file: &'a str, section: &'a Section) -> Self {
        Self {
            switch,
            file,
            command: &section.command,
            closed: section.closed,
        }
    }

    /// The place of a line, its secrets hidden.
    fn place(&self, line: &Line) -> Place {
        Place {
            file: self.file.to_owned(),
            line: line.number,
            text: config_text::without_secrets(&line.text),
            command: self.command.full.clone(),
        }
    }

    /// Records a line that makes no sense.
    pub(super) fn doubt(&mut self, line: &Line, message: impl Into<String>) {
        let place = self.place(line);
        self.switch.doubts.push(Doubt {
            place,
            message: message.into(),
        });
    }

    /// Records facts of a port by their keys; what is no port (a VLAN interface) is passed over.
    fn port(&mut self, full: &str, line: &Line, keys: &[&str], set: impl FnOnce(&mut SwitchPort)) {
        if !is_port(full) {
            return;
        }
        let place = self.place(line);
        let known = self.switch.ports.entry(full.to_owned());
        let port = known.or_insert_with(|| SwitchPort {
            name: full.to_owned(),
            line: line.number,
            ..SwitchPort::default()
        });
        set(port);
        for key in keys {
            port.lines.insert((*key).to_owned(), place.clone());
        }
    }

    /// A list of VLANs that stands in a line; a doubt where it is none.
    fn vlans(&mut self, line: &Line, list: &str) -> Option<VlanSet> {
        match VlanSet::parse(list) {
            Ok(set) => Some(set),
            Err(bad) => {
                let before = line.text.find(list).unwrap_or(0) + bad.offset;
                let column = line.text.get(..before).map_or(1, |t| t.chars().count() + 1);
                self.doubt(line, format!("column {column}: {}", bad.message));
                None
            }
        }
    }
}

/// The port that a line starts with, and what follows it.
fn leading_port(text: &str) -> Option<(String, &str)> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let full = canonical_port_name(&text[..end])?;
    Some((full, text[end..].trim_start()))
}

/// `None` for every VLAN, as the fields of a port have it.
fn unless_all(set: &VlanSet) -> Option<Vec<u16>> {
    (!set.is_all()).then(|| set.numbers())
}
