//! SMBIOS type 38, *IPMI Device Information* (DSP0134, section 7.39): firmware's own word that
//! the board has a BMC, whether or not a driver is loaded.

use thiserror::Error;

/// What firmware says of the BMC's interface to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpmiDevice {
    /// `KCS`, `SMIC`, `BT`, `SSIF`, `unknown`.
    pub interface: &'static str,
    /// IPMI version, major and minor.
    pub version: (u8, u8),
}

/// Why a structure is not of type 38.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not an SMBIOS structure of type 38: {0}")]
pub struct NotIpmi(&'static str);

/// Decodes the raw structure (`/sys/firmware/dmi/entries/38-0/raw`).
///
/// # Errors
/// [`NotIpmi`] for another type or too few bytes.
pub fn parse(raw: &[u8]) -> Result<IpmiDevice, NotIpmi> {
    let (&[kind, length], _) = raw.split_first_chunk::<2>().ok_or(NotIpmi("too short"))?;
    if kind != 38 {
        return Err(NotIpmi("another type"));
    }
    // Up to and with the revision, the fields are the same in every version of the standard.
    if length < 0x06 || raw.len() < 0x06 {
        return Err(NotIpmi("too short"));
    }
    Ok(IpmiDevice {
        interface: match raw[4] {
            1 => "KCS",
            2 => "SMIC",
            3 => "BT",
            4 => "SSIF",
            _ => "unknown",
        },
        version: (raw[5] >> 4, raw[5] & 0x0f),
    })
}

/// Finds the structure of type 38 in a whole table (`/sys/firmware/dmi/tables/DMI`): each
/// structure is its formatted part, whose length it tells, and strings up to two zero bytes.
pub fn find(table: &[u8]) -> Option<IpmiDevice> {
    let mut rest = table;
    while let Some((&[kind, length], _)) = rest.split_first_chunk::<2>() {
        // Type 127 ends the table; a length below that of the header is broken.
        if kind == 127 || length < 4 {
            return None;
        }
        let strings = rest.get(usize::from(length)..)?;
        if kind == 38 {
            return parse(rest).ok();
        }
        let end = strings.windows(2).position(|pair| pair == [0, 0])?;
        rest = &strings[end + 2..];
    }
    None
}
