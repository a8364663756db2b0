//! A saved text, cut into the outputs of the commands in it.

use super::{
    command::{Command, Kind, kind_by_shape},
    terminal::Line,
};
use crate::SyntaxError;

/// The output of one command.
#[derive(Debug)]
pub(super) struct Section {
    pub command: Command,
    pub lines: Vec<Line>,
    /// Whether something follows it: then it was not cut off at its end.
    pub closed: bool,
}

impl Section {
    fn of(command: Command) -> Self {
        Self {
            command,
            lines: Vec::new(),
            closed: false,
        }
    }
}

/// What a saved text consists of.
#[derive(Debug)]
pub(super) struct Session {
    /// The switch's name as its prompt has it.
    pub host: Option<String>,
    pub sections: Vec<Section>,
}

/// Cuts a text at prompts (`sw-01#sh int trunk`), at headings that hold a command
/// (`------ show vlan brief ------`), and, where neither tells, at lines that start an output of
/// a known shape.
///
/// # Errors
/// A text that holds two switches.
pub(super) fn split(file: &str, lines: &[Line]) -> Result<Session, SyntaxError> {
    let config = if is_startup_file(file) {
        Kind::Startup
    } else {
        Kind::Running
    };
    let mut host: Option<&str> = None;
    let mut sections: Vec<Section> = Vec::new();
    // Whether a command was told for what comes: then shapes do not start outputs of their own.
    let mut told = false;
    let mut banner_until = None;
    for (index, line) in lines.iter().enumerate() {
        if banner_until.is_none_or(|end| index > end) {
            banner_until = banner_end(lines, index);
            if let Some((name, typed)) = prompt(&line.text) {
                let command = Command::parse(typed);
                match host {
                    Some(known) if known != name && command.is_some() => {
                        return Err(SyntaxError::new(
                            line.number,
                            1,
                            format!(
                                "this prompt is of {name}, the text before it is of {known}: save each switch in a file of its own"
                            ),
                        ));
                    }
                    _ if command.is_some() || typed.is_empty() || host == Some(name) => {
                        if command.is_some() || host.is_none() {
                            host = Some(name);
                        }
                        told = command.is_some();
                        let command = command.unwrap_or_else(|| Command::whole(Kind::Other));
                        sections.push(Section::of(command));
                        continue;
                    }
                    _ => {}
                }
            }
            if let Some(command) = heading(&line.text) {
                told = true;
                sections.push(Section::of(command));
                continue;
            }
            if !told
                && let Some(kind) = kind_by_shape(line, config)
                && sections
                    .last()
                    .is_none_or(|s| !goes_on(s.command.kind, kind))
            {
                sections.push(Section::of(Command::whole(kind)));
            }
        }
        if let Some(section) = sections.last_mut() {
            section.lines.push(line.clone());
        }
    }
    let last = sections.len().saturating_sub(1);
    for section in &mut sections[..last] {
        section.closed = true;
    }
    Ok(Session {
        host: host.map(str::to_owned),
        sections,
    })
}

/// Whether a line that could start an output of kind `next` belongs to the one that is read: a
/// configuration tells only at its head which of the two it is.
fn goes_on(current: Kind, next: Kind) -> bool {
    current == next || (current == Kind::Startup && next == Kind::Running)
}

fn is_startup_file(file: &str) -> bool {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.to_ascii_lowercase().contains("start")
}

/// Name and typed text of a line that is a prompt: `sw-01#sh vlan`, `sw-01>`, `sw-01(config)#do sh run`.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let end = line.find(['#', '>'])?;
    let name = line[..end].trim_end_matches(')');
    let name = match name.find('(') {
        Some(mode) if line[..end].ends_with(')') && name[mode..].starts_with("(config") => {
            &name[..mode]
        }
        Some(_) => return None,
        None => name,
    };
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!name.is_empty()
        && name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(letter))
    .then(|| (name, line[end + 1..].trim()))
}

/// The command of a line that is nothing but a `show` command, plain or within dashes, as
/// `show tech-support` and some tools print it.
fn heading(line: &str) -> Option<Command> {
    let inner = line.trim_matches(|c: char| matches!(c, '-' | '=' | '*' | '#' | ' '));
    if line.starts_with(' ') || !inner.to_ascii_lowercase().starts_with("sh") {
        return None;
    }
    let command = Command::parse(inner)?;
    let decorated = inner.len() + 4 < line.len();
    (command.kind != Kind::Other || decorated && inner.starts_with("show ")).then_some(command)
}

/// Index of the line that ends the banner which starts at `index`; `None` where no banner of more
/// than one line starts there, or where its end was cut off.
pub(super) fn banner_end(lines: &[Line], index: usize) -> Option<usize> {
    let rest = lines[index].text.strip_prefix("banner ")?;
    let text = rest.split_once(' ')?.1.trim_start();
    let delimiter = if text.starts_with("^C") {
        "^C"
    } else {
        &text[..text.chars().next()?.len_utf8()]
    };
    if text[delimiter.len()..].contains(delimiter) {
        return None;
    }
    // A banner of more lines than a screen of any terminal is a delimiter that was cut off.
    let end = lines[index + 1..]
        .iter()
        .take(500)
        .position(|line| line.text.contains(delimiter))?;
    Some(index + 1 + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::terminal::lines;

    fn cut(file: &str, text: &str) -> Vec<(String, usize)> {
        let session = split(file, &lines(text)).unwrap();
        let of = |s: Section| (s.command.full, s.lines.len());
        session.sections.into_iter().map(of).collect()
    }

    #[test]
    fn prompts_headings_and_shapes_cut_a_text() {
        let text =
            "sw-01>en\nsw-01#term len 0\nsw-01#sh vlan br\nx\ny\nsw-01#\nnoise\nsw-01#sh int tr\nz";
        let kept = |n: &str, count| (n.to_owned(), count);
        let outputs: Vec<_> = cut("f", text)
            .into_iter()
            .filter(|(n, _)| !n.is_empty())
            .collect();
        assert_eq!(
            outputs,
            [kept("show vlan brief", 2), kept("show interfaces trunk", 1)]
        );
        let text = "------------------ show running-config ------------------\na\n------------------ show stacks ------------------\nb";
        assert_eq!(
            cut("f", text),
            [kept("show running-config", 1), kept("", 1)]
        );
        let text = "hostname sw-01\ninterface Gi0/1\nVLAN Name                 Status    Ports\n1 default active";
        assert_eq!(
            cut("f", text),
            [kept("show running-config", 2), kept("show vlan brief", 2)]
        );
        assert_eq!(
            cut("x/sw-01-startup.txt", "hostname sw-01"),
            [kept("show startup-config", 1)]
        );
    }

    #[test]
    fn a_banner_is_no_prompt() {
        let text = "sw-01#sh run\nbanner motd ^C\nsw-02#sh vlan\nWARNING#\n^C\nend";
        assert_eq!(cut("f", text), [("show running-config".to_owned(), 5)]);
    }

    #[test]
    fn two_switches_in_one_text_are_refused() {
        let error = split("f", &lines("sw-01#sh vlan\nx\nsw-02#sh vlan\n")).unwrap_err();
        assert_eq!((error.line, error.column), (3, 1));
        assert!(error.message.contains("sw-02"), "{error}");
    }
}
