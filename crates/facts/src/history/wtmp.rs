//! Logins, boots and shutdowns from `/var/log/wtmp`: records of utmp(5) in glibc's layout of 384 bytes,
//! the same on every 64-bit Linux that libvirt runs hosts on (little endian).

use super::{Stopping, Trace, What};

const RECORD: usize = 384;
const RUN_LVL: i16 = 1;
const BOOT_TIME: i16 = 2;
const USER_PROCESS: i16 = 7;
const DEAD_PROCESS: i16 = 8;

/// Reads such a file. A record that is cut off at the end is passed over.
pub fn parse(file: &str, bytes: &[u8]) -> Vec<Trace> {
    let records = bytes.chunks_exact(RECORD);
    records.filter_map(|record| trace(file, record)).collect()
}

fn trace(file: &str, record: &[u8]) -> Option<Trace> {
    let kind = i16::from_le_bytes(record.get(0..2)?.try_into().ok()?);
    let line = string(record.get(8..40)?);
    let user = string(record.get(44..76)?);
    let host = string(record.get(76..332)?);
    let seconds = u32::from_le_bytes(record.get(340..344)?.try_into().ok()?);
    let micros = i32::from_le_bytes(record.get(344..348)?.try_into().ok()?);
    let at = i64::from(seconds) * 1_000_000 + i64::from(micros.clamp(0, 999_999));
    let what = match kind {
        BOOT_TIME => What::HostBooted,
        RUN_LVL if user == "shutdown" => What::HostStopping {
            how: Stopping::Either,
        },
        USER_PROCESS => What::SessionOpened {
            user: user.clone(),
            // ":0" is a display, empty the console.
            address: Some(host.clone()).filter(|h| !h.is_empty() && !h.starts_with(':')),
            key: line.clone(),
        },
        DEAD_PROCESS if !line.is_empty() => What::SessionClosed { key: line.clone() },
        _ => return None,
    };
    let text = format!("{user} {line} {host}");
    Some(Trace::of_record(at, what, file, text.trim()))
}

fn string(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
