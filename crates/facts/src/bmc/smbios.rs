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
