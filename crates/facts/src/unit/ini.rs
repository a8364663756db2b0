//! The syntax of systemd's configuration and unit files, see systemd.syntax(7).

/// One `Key=value` line, with its continuation lines joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Section, without brackets; empty before the first.
    pub section: String,
    /// Key.
    pub key: String,
    /// Value without white space around it; empty for an assignment that clears.
    pub value: String,
    /// Line of the key, from 1.
    pub line: u32,
}

/// A parsed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Assignments, in order.
    pub assignments: Vec<Assignment>,
    /// Lines that are neither section, assignment, comment nor blank; systemd warns and goes on.
    pub bad_lines: Vec<u32>,
}

impl File {
    /// Every assignment of a key in a section, in order.
    pub fn all<'a>(
        &'a self,
        section: &'a str,
        key: &'a str,
    ) -> impl Iterator<Item = &'a Assignment> {
        self.assignments
            .iter()
            .filter(move |a| a.section == section && a.key == key)
    }

    /// The last assignment of a key in a section: the one that counts for a single value.
    pub fn last<'a>(&'a self, section: &'a str, key: &'a str) -> Option<&'a Assignment> {
        self.all(section, key).last()
    }
}

/// Parses such a file. As systemd does, it passes over what it does not understand.
pub fn parse(text: &str) -> File {
    let mut file = File::default();
    let mut section = String::new();
    // An assignment whose line ended in a backslash, waiting for its continuation.
    let mut open: Option<Assignment> = None;
    for (index, raw) in text.lines().enumerate() {
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = raw.trim();
        let comment = line.starts_with('#') || line.starts_with(';');
        if let Some(mut assignment) = open.take() {
            if comment {
                // Comments between continuation lines are skipped.
                open = Some(assignment);
                continue;
            }
            let (part, more) = continuation(line);
            if !assignment.value.is_empty() {
                assignment.value.push(' ');
            }
            assignment.value.push_str(part);
            keep(assignment, more, &mut open, &mut file);
            continue;
        }
        if line.is_empty() || comment {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            file.bad_lines.push(line_number);
            continue;
        };
        let (part, more) = continuation(value.trim());
        let assignment = Assignment {
            section: section.clone(),
            key: key.trim().to_owned(),
            value: part.to_owned(),
            line: line_number,
        };
        keep(assignment, more, &mut open, &mut file);
    }
    file.assignments.extend(open);
    file
}

fn continuation(line: &str) -> (&str, bool) {
    line.strip_suffix('\\')
        .map_or((line, false), |part| (part.trim_end(), true))
}

fn keep(assignment: Assignment, more: bool, open: &mut Option<Assignment>, file: &mut File) {
    if more {
        *open = Some(assignment);
    } else {
        file.assignments.push(assignment);
    }
}

/// A boolean as systemd takes it.
pub fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}
