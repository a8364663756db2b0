//! What others already found out about a device: udev's database and blkid.

use super::BlockDevice;
use crate::known::Known;

/// Reads one file of udev's database, `/run/udev/data/bMAJOR:MINOR` (lines `S:link`, `E:KEY=value`,
/// sd-device in systemd), into a device. Lines of other kinds are not needed.
pub fn apply_udev(text: &str, device: &mut BlockDevice) {
    let mut fstype = None;
    let mut not_probed = None;
    let mut initialised = false;
    for line in text.lines() {
        if let Some(link) = line.strip_prefix("S:") {
            device.links.push(format!("/dev/{link}"));
        } else if line.starts_with("I:") {
            initialised = true;
        } else if let Some((key, value)) = line.strip_prefix("E:").and_then(|l| l.split_once('=')) {
            initialised = true;
            let text = || Some(unescape(value)).filter(|v| !v.is_empty());
            match key {
                "ID_FS_TYPE" => fstype = text(),
                "ID_FS_UUID_ENC" => device.uuid = text(),
                "ID_FS_LABEL_ENC" => device.label = text(),
                "ID_PART_ENTRY_UUID" => device.partuuid = text(),
                "ID_PART_ENTRY_NAME" => device.partlabel = text(),
                "DM_NAME" => {
                    let link = format!("/dev/mapper/{}", unescape(value));
                    if !device.links.contains(&link) {
                        device.links.push(link);
                    }
                }
                "ID_FS_AMBIVALENT" => {
                    not_probed = Some(format!(
                        "several file systems are recognised on it: {value}"
                    ));
                }
                "DM_UDEV_DISABLE_DISK_RULES_FLAG" | "DM_UDEV_DISABLE_OTHER_RULES_FLAG"
                    if value == "1" =>
                {
                    not_probed = Some("udev was told not to probe this device".to_owned());
                }
                "SYSTEMD_READY" if value == "0" => {
                    not_probed = Some("udev holds this device for not ready".to_owned());
                }
                _ => {}
            }
        }
    }
    device.fstype = match (fstype, not_probed) {
        (Some(fstype), _) => Known::Known(fstype),
        (None, Some(why)) => Known::Unreadable(why),
        (None, None) if initialised => Known::Absent,
        (None, None) => Known::Unreadable("udev has not processed this device".to_owned()),
    };
    device.read_from = "udev".to_owned();
}

/// Reads the output of `blkid -p -o udev DEVICE`: the same keys, without `E:`. This format, as the
/// others print what is not ASCII according to the locale. Empty output is "nothing recognised".
pub fn apply_blkid(text: &str, device: &mut BlockDevice) {
    let database: String = std::iter::once("I:0\n".to_owned())
        .chain(text.lines().map(|line| format!("E:{line}\n")))
        .collect();
    apply_udev(&database, device);
    device.read_from = "blkid".to_owned();
}

/// `\x20` and alike, udev's way of writing awkward bytes.
fn unescape(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at..at + 4)
            .filter(|b| b.starts_with(b"\\x"))
            .and_then(|b| std::str::from_utf8(&b[2..]).ok())
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
