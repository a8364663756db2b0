//! Responses of a BMC, decoded from bytes by the IPMI specification, version 2.0 revision 1.1.
//!
//! Requests go to the BMC through the host's own interface. Every `data` here begins after the
//! completion code.

use super::Bmc;
use thiserror::Error;

/// Network function of application commands, section 5.1.
pub const NETFN_APP: u8 = 0x06;
/// Network function of transport commands, section 5.1.
pub const NETFN_TRANSPORT: u8 = 0x0c;
/// Command *Get Channel Info*, section 22.24.
pub const GET_CHANNEL_INFO: u8 = 0x42;
/// Command *Get LAN Configuration Parameters*, section 23.2.
pub const GET_LAN_PARAMETER: u8 = 0x02;
/// Channel medium type *802.3 LAN*, table 6-3.
pub const MEDIUM_LAN: u8 = 0x04;

/// The LAN configuration parameters that nofail asks for, table 23-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// IP address, 4 bytes.
    Address = 3,
    /// Where the address comes from, 1 byte.
    AddressSource = 4,
    /// 802.1q VLAN identifier, 2 bytes.
    Vlan = 20,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Address, Self::AddressSource, Self::Vlan];

    /// The data of the request: channel, parameter, set selector 0, block selector 0.
    pub fn request(self, channel: u8) -> [u8; 4] {
        [channel & 0x0f, self as u8, 0, 0]
    }
}

/// What is wrong with a response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// The BMC refused.
    #[error("completion code {code:#04x}: {}", meaning(*.code))]
    Completion {
        /// The code, section 5.2.
        code: u8,
    },
    /// Fewer bytes than the specification demands.
    #[error("a response of {got} bytes where {wanted} are needed")]
    Short {
        /// Bytes that came.
        got: usize,
        /// Bytes that the specification demands.
        wanted: usize,
    },
}

/// Completion codes that a host meets, table 5-2 and section 23.2.
fn meaning(code: u8) -> &'static str {
    match code {
        0x80 => "parameter not supported",
        0xc0 => "node busy",
        0xc1 => "invalid command",
        0xc3 => "time-out while processing",
        0xc9 => "parameter out of range",
        0xcc => "invalid data field",
        0xd4 => "insufficient privilege",
        0xff => "unspecified error",
        _ => "see table 5-2 of the IPMI specification",
    }
}

/// The data of a whole response (completion code first).
///
/// # Errors
/// [`ResponseError`]: no byte at all, or a completion code other than 0.
pub fn completed(response: &[u8]) -> Result<&[u8], ResponseError> {
    match response.split_first() {
        Some((0, data)) => Ok(data),
        Some((&code, _)) => Err(ResponseError::Completion { code }),
        None => Err(ResponseError::Short { got: 0, wanted: 1 }),
    }
}

/// The medium type of a channel, from the response to *Get Channel Info*.
///
/// # Errors
/// [`ResponseError::Short`].
pub fn channel_medium(data: &[u8]) -> Result<u8, ResponseError> {
    data.get(1)
        .map(|medium| medium & 0x7f)
        .ok_or(ResponseError::Short {
            got: data.len(),
            wanted: 2,
        })
}

/// Takes one LAN configuration parameter into the BMC's facts. The first byte of `data` is the
/// parameter's revision.
///
/// # Errors
/// [`ResponseError::Short`].
pub fn apply(bmc: &mut Bmc, parameter: Parameter, data: &[u8]) -> Result<(), ResponseError> {
    let wanted = match parameter {
        Parameter::Address => 5,
        Parameter::AddressSource => 2,
        Parameter::Vlan => 3,
    };
    if data.len() < wanted {
        return Err(ResponseError::Short {
            got: data.len(),
            wanted,
        });
    }
    match parameter {
        Parameter::Address => {
            bmc.address = Some(format!("{}.{}.{}.{}", data[1], data[2], data[3], data[4]));
        }
        Parameter::AddressSource => {
            bmc.address_source = Some(
                match data[1] & 0x0f {
                    1 => "static",
                    2 => "dhcp",
                    3 => "bios",
                    4 => "other",
                    _ => "unspecified",
                }
                .to_owned(),
            );
        }
        Parameter::Vlan => {
            let enabled = data[2] & 0x80 != 0;
            let id = u16::from(data[1]) | (u16::from(data[2] & 0x0f) << 8);
            bmc.vlan = enabled.then_some(id);
        }
    }
    Ok(())
}
