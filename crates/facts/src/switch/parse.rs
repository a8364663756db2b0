//! One saved text into one [`Switch`].

use super::{
    Switch,
    command::Kind,
    output::{self, Reader},
    session::{self, Section},
    terminal::{self, Line},
};
use crate::SyntaxError;

/// Reads any saved Cisco IOS or IOS-XE text: a terminal session with several commands, each after
/// its prompt, abbreviated or not, or the bare output of commands, told by its shape. `file` is
/// the name that places are given with; a bare configuration counts as the start-up one where the
/// file's name has `start` in it, else as the running one.
///
/// # Errors
/// [`SyntaxError`] where nothing in the text is an output that is read, where the text is of
/// another system (NX-OS, EOS, Junos), and where it holds two switches. A single line that makes
/// no sense is no error: it stands in [`Switch::doubts`].
pub fn parse(file: &str, text: &str) -> Result<Switch, SyntaxError> {
    let lines = terminal::lines(text);
    if let Some(error) = foreign(&lines) {
        return Err(error);
    }
    let session = session::split(file, &lines)?;
    let mut switch = Switch {
        name: session.host,
        ..Switch::default()
    };
    let mut refused = None;
    let has_running = session
        .sections
        .iter()
        .any(|s| s.command.kind == Kind::Running && refusal(s).is_none());
    for section in &session.sections {
        if section.command.kind == Kind::Other {
            continue;
        }
        if let Some(line) = refusal(section) {
            let message = format!("the switch refused {:?}", section.command.full);
            refused.get_or_insert_with(|| SyntaxError::new(line.number, 1, message.clone()));
            Reader::new(&mut switch, file, section).doubt(line, message);
            continue;
        }
        if section.lines.iter().all(|line| line.text.is_empty()) {
            continue;
        }
        let command = &section.command.full;
        if !switch.commands.contains(command) {
            switch.commands.push(command.clone());
        }
        let mut reader = Reader::new(&mut switch, file, section);
        output::read(&mut reader, &section.lines, has_running);
    }
    if switch.commands.is_empty() {
        return Err(refused.unwrap_or_else(|| unknown(&lines)));
    }
    Ok(switch)
}

/// The line with which a switch refused a command.
fn refusal(section: &Section) -> Option<&Line> {
    let said = |line: &&Line| {
        let text = line.text.trim();
        !text.is_empty() && text != "^"
    };
    section.lines.iter().find(said).filter(|line| {
        [
            "% Invalid",
            "% Incomplete",
            "% Ambiguous",
            "% Authorization failed",
            "Command authorization failed",
            "% Permission denied",
        ]
        .iter()
        .any(|start| line.text.trim_start().starts_with(start))
    })
}

/// What starts a line on NX-OS and never on IOS.
const NXOS: [&str; 13] = [
    "Cisco Nexus Operating System",
    "!Command: show ",
    "boot nxos ",
    "feature bgp",
    "feature hsrp",
    "feature interface-vlan",
    "feature lacp",
    "feature lldp",
    "feature nxapi",
    "feature ospf",
    "feature udld",
    "feature vpc",
    "vdc ",
];

/// A text of a system whose configuration looks alike and is not IOS.
fn foreign(lines: &[Line]) -> Option<SyntaxError> {
    lines.iter().find_map(|line| {
        let text = line.text.as_str();
        let starts = |start: &&str| text.starts_with(*start);
        let system = if NXOS.iter().any(starts) {
            "NX-OS"
        } else if text.starts_with("! device: ") && text.contains("EOS") {
            "Arista EOS"
        } else if text.starts_with("## Last commit: ")
            || text.starts_with("set interfaces ") && text.contains(" unit ")
        {
            "Junos"
        } else if text.starts_with("ASA Version ") {
            "Cisco ASA"
        } else {
            return None;
        };
        let message = format!("this is {system} text; nofail reads Cisco IOS and IOS-XE");
        Some(SyntaxError::new(line.number, 1, message))
    })
}

fn unknown(lines: &[Line]) -> SyntaxError {
    let first = lines.iter().find(|line| !line.text.is_empty());
    let found = match first {
        Some(_) => "nothing here is an output that nofail reads",
        None => "the text is empty",
    };
    SyntaxError::new(
        first.map_or(1, |line| line.number),
        1,
        format!(
            "{found}; expected saved Cisco IOS or IOS-XE output of show running-config, \
             show startup-config, show interfaces [trunk|status|switchport|counters errors], \
             show vlan brief, show etherchannel summary, show spanning-tree, \
             show radius server-group all or show aaa servers"
        ),
    )
}
