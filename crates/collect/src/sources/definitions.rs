//! What guests, networks and pools have in common: a directory of definitions
//! (`NAME.xml`), beside it `autostart/` with a link per definition that starts by itself.
//!
//! libvirt counts a definition as autostarted only where `autostart/NAME.xml` is a symbolic link
//! that leads to that very definition; anything else there it ignores.

use super::why;
use crate::HostReader;
use crate::reader::Kind;
use facts::{Snapshot, Source, SyntaxError};
use std::io;

/// The directory of one sort of definition.
pub(super) struct Definitions<'a> {
    /// Where it is read from.
    pub(super) reader: &'a dyn HostReader,
    /// The source that it fills.
    pub(super) source: Source,
    /// The directory, without a slash at its end.
    pub(super) directory: &'a str,
}

/// Autostart of one definition.
pub(super) enum Autostart {
    /// The link leads to the definition.
    On,
    /// There is none.
    Off,
    /// There is something that does not do what it looks like, and why.
    Broken(String),
    /// It could not be read; said in `unread`.
    Unknown,
}

impl Autostart {
    /// As a fact: `None` where it could not be read.
    pub(super) fn known(&self) -> Option<bool> {
        match self {
            Self::On => Some(true),
            Self::Off | Self::Broken(_) => Some(false),
            Self::Unknown => None,
        }
    }
}

/// One definition that was read.
pub(super) struct Definition<T> {
    /// Path of the file.
    pub(super) file: String,
    /// What the parser made of it.
    pub(super) value: T,
    /// Whether it starts by itself.
    pub(super) autostart: Autostart,
}

impl Definitions<'_> {
    /// Reads every definition. What is not read is said in the snapshot: the whole source where
    /// nothing can be read at all, else the files concerned.
    pub(super) fn read<T>(
        &self,
        snapshot: &mut Snapshot,
        parse: fn(&str) -> Result<T, SyntaxError>,
    ) -> Vec<Definition<T>> {
        let names = match self.reader.list(self.directory) {
            Ok(names) => names,
            Err(error) => {
                self.unlisted(snapshot, &error);
                return Vec::new();
            }
        };
        let links = self.autostart_links(snapshot);
        let mut found = Vec::new();
        let mut denied = Vec::new();
        for name in names.iter().filter(|name| name.ends_with(".xml")) {
            let file = format!("{}/{name}", self.directory);
            let text = match self.reader.text(&file) {
                Ok(text) => text,
                // A directory of that name, or a file that libvirtd removed just now.
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => continue,
                Err(error) if self.reader.live() && error.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                Err(error) => {
                    denied.push((file, error));
                    continue;
                }
            };
            match parse(&text) {
                Ok(value) => found.push(Definition {
                    autostart: self.autostart(links.as_deref(), name, &file, &text),
                    file,
                    value,
                }),
                Err(error) => snapshot.item_not_read(self.source, file, place(&error)),
            }
        }
        match denied.first() {
            // An ordinary user may list the directory and read no file of it (mode 0600).
            Some((file, error)) if found.is_empty() && all_denied(&denied) => {
                snapshot.not_read(self.source, why(file, error));
            }
            _ => {
                for (file, error) in denied {
                    let reason = why(&file, &error);
                    snapshot.item_not_read(self.source, file, reason);
                }
            }
        }
        found
    }

    fn unlisted(&self, snapshot: &mut Snapshot, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            snapshot.not_read(self.source, why(self.directory, error));
        } else if !self.reader.complete() {
            let inside = self.directory.trim_start_matches('/');
            snapshot.not_read(self.source, format!("no {inside} in this tree"));
        }
        // On a whole host the absence of the directory means: none is defined.
    }

    /// Names under `autostart/`; `None` where they cannot be read.
    fn autostart_links(&self, snapshot: &mut Snapshot) -> Option<Vec<String>> {
        let directory = format!("{}/autostart", self.directory);
        match self.reader.list(&directory) {
            Ok(names) => Some(names),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.reader.complete() => {
                Some(Vec::new())
            }
            Err(error) => {
                let reason = match error.kind() {
                    io::ErrorKind::NotFound => "no such directory in this tree".to_owned(),
                    _ => why(&directory, &error),
                };
                snapshot.item_not_read(self.source, directory, reason);
                None
            }
        }
    }

    fn autostart(&self, links: Option<&[String]>, name: &str, file: &str, text: &str) -> Autostart {
        let Some(links) = links else {
            return Autostart::Unknown;
        };
        if !links.iter().any(|link| link == name) {
            return Autostart::Off;
        }
        let link = format!("{}/autostart/{name}", self.directory);
        match self.reader.lstat(&link) {
            Ok(stat) if stat.kind != Kind::Link => {
                return Autostart::Broken(format!("{link} is no symbolic link"));
            }
            Ok(_) => {}
            Err(error) => return Autostart::Broken(why(&link, &error)),
        }
        let target = self.reader.read_link(&link).unwrap_or_default();
        if target == file {
            return Autostart::On;
        }
        // By another way (a relative link, a link on the way) to the same text: the same file,
        // as far as can be told without following device and inode numbers through a root.
        match self.reader.text(&link) {
            Ok(same) if same == text => Autostart::On,
            Ok(_) => Autostart::Broken(format!("{link} leads to {target}, not to {file}")),
            Err(error) => Autostart::Broken(format!(
                "{link} leads to {target}, which cannot be read: {error}"
            )),
        }
    }
}

fn all_denied(errors: &[(String, io::Error)]) -> bool {
    errors
        .iter()
        .all(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied)
}

/// A grammar error in a person's words; the file's name is added by who shows it.
pub(super) fn place(error: &SyntaxError) -> String {
    format!(
        "line {}, column {}: {}",
        error.line, error.column, error.message
    )
}
