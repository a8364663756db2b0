//! The mark that the hook leaves for a throw-away guest of `nofail hook verify --start-probe`: a file
//! that holds the phases in which libvirt called. It works without a journal.

use std::io::Write;
use std::path::PathBuf;

/// Names of throw-away guests begin so.
pub const PREFIX: &str = "nofail-probe-";

fn file(guest: &str) -> Option<PathBuf> {
    let number = guest.strip_prefix(PREFIX)?;
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| PathBuf::from(format!("/run/{guest}.fired")))
}

/// Leaves the mark, where the guest is a throw-away one.
pub fn mark(guest: &str, operation: &str) {
    let Some(file) = file(guest) else { return };
    let options = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    if let Ok(mut file) = options {
        // Where it cannot be written, the probe says that the hook was not called: heard, not hidden.
        let _ = writeln!(file, "{operation}");
    }
}

/// The phases in which libvirt called for this guest; the mark goes.
pub fn take(guest: &str) -> Vec<String> {
    let Some(file) = file(guest) else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_elsewhere() {
        for name in [
            "bind-01",
            "nofail-probe-",
            "nofail-probe-../x",
            "nofail-probe-1/2",
        ] {
            assert_eq!(file(name), None, "{name}");
        }
        assert!(file("nofail-probe-42").is_some());
    }
}
