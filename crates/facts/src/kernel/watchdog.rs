//! `/etc/watchdog.conf` of the watchdog daemon, see watchdog.conf(5).

use super::Rebooter;

/// The tests in a watchdog.conf after whose failure the daemon reboots the host. The plain
/// timer (`watchdog-device`) and load limits are no tests of the network or of storage, and
/// count only where `interval` tests stand beside them; they are left out.
pub fn parse(file: &str, text: &str) -> Vec<Rebooter> {
    let mut found = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let trigger = match key.trim() {
            "file" => format!("the file {value} cannot be examined"),
            "ping" => format!("{value} does not answer a ping"),
            "interface" => format!("no traffic on {value}"),
            "test-binary" => format!("the program {value} fails"),
            "test-directory" => format!("a program in {value} fails"),
            "repair-binary" => format!("the repair program {value} fails"),
            "pidfile" => format!("the process of {value} is gone"),
            _ => continue,
        };
        if value.is_empty() {
            continue;
        }
        found.push(Rebooter {
            program: "watchdog".into(),
            file: file.to_owned(),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            text: raw.to_owned(),
            trigger,
        });
    }
    found
}
