//! Unit files that stand on the host beside fstab: native mounts, drop-ins, libvirt's daemons.

use facts::{Snapshot, unit::UnitFile};

/// The settings of one unit, of all its files in order: section, key, value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    entries: Vec<(String, String, String)>,
    /// Whether it is masked.
    pub masked: bool,
    /// Whether there is a main file and not only drop-ins.
    pub main: bool,
    /// Whether the main file stands above a generated one in the search path.
    pub overrides: bool,
}

impl Settings {
    /// Words of a list setting; an empty assignment resets what came before, systemd.syntax(7).
    pub fn list(&self, section: &str, key: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (_, _, value) in self
            .entries
            .iter()
            .filter(|(s, k, _)| s == section && k == key)
        {
            if value.is_empty() {
                words.clear();
            }
            words.extend(value.split_ascii_whitespace().map(str::to_owned));
        }
        words
    }

    /// The last value of a setting.
    pub fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find(|(s, k, _)| s == section && k == key)
            .map(|(_, _, value)| value.as_str())
    }
}

fn is_drop_in(file: &UnitFile) -> bool {
    file.path.contains(".d/")
}

/// Reads the files of one unit.
pub(super) fn settings(snapshot: &Snapshot, unit: &str) -> Settings {
    let mut settings = Settings::default();
    let all: Vec<&UnitFile> = snapshot
        .units
        .files
        .iter()
        .filter(|f| f.unit == unit)
        .collect();
    // The first main file in the list counts; drop-ins add to it.
    let main = all.iter().find(|file| !is_drop_in(file));
    if let Some(file) = main {
        settings.main = true;
        settings.masked = file.text.is_none();
        settings.overrides =
            file.path.starts_with("/etc/") || file.path.starts_with("/run/systemd/system/");
    }
    for file in main
        .into_iter()
        .chain(all.iter().filter(|file| is_drop_in(file)))
    {
        read(file.text.as_deref().unwrap_or(""), &mut settings.entries);
    }
    settings
}

fn read(text: &str, entries: &mut Vec<(String, String, String)>) {
    let mut section = String::new();
    let mut pending = String::new();
    for line in text.lines() {
        let line = line.trim();
        if pending.is_empty() && (line.is_empty() || line.starts_with(['#', ';'])) {
            continue;
        }
        if let Some(start) = line.strip_suffix('\\') {
            pending.push_str(start);
            pending.push(' ');
            continue;
        }
        let whole = std::mem::take(&mut pending) + line;
        if let Some(name) = whole.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = whole.split_once('=') {
            entries.push((
                section.clone(),
                key.trim().to_owned(),
                value.trim().to_owned(),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_ins_add_and_reset() {
        let mut snapshot = Snapshot::new("h");
        let file = |path: &str, text: &str| UnitFile {
            unit: "libvirtd.service".into(),
            path: path.into(),
            text: Some(text.into()),
        };
        snapshot.units.files = vec![
            file(
                "/lib/systemd/system/libvirtd.service",
                "[Unit]\nAfter=a.target \\\n b.target\n",
            ),
            file(
                "/etc/systemd/system/libvirtd.service.d/x.conf",
                "[Unit]\nAfter=\nAfter=c.target\nRequiresMountsFor=/mnt/nas\n",
            ),
        ];
        let settings = settings(&snapshot, "libvirtd.service");
        assert_eq!(settings.list("Unit", "After"), ["c.target"]);
        assert_eq!(settings.last("Unit", "RequiresMountsFor"), Some("/mnt/nas"));
        assert!(settings.main && !settings.masked && !settings.overrides);
    }
}
