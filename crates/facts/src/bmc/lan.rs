//! The one IPMI message that needs no session: Get Channel Authentication Capabilities (IPMI 2.0,
//! 22.13) in an RMCP packet (13.1.3). It tells "there is a BMC" apart from "the password is wrong".

/// What a BMC says of itself before any login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it speaks IPMI 2.0 (RMCP+), without which there is no serial over LAN.
    pub version_2: bool,
    /// Whether users without a name may log in.
    pub anonymous: bool,
}

/// The request, for an administrator's session over the channel that it comes in on.
pub const REQUEST: [u8; 23] = [
    // RMCP: version 1.0, no acknowledgement, class IPMI.
    0x06, 0x00, 0xff, 0x07, //
    // Session: none, sequence 0, session 0, nine bytes follow.
    0x00, 0, 0, 0, 0, 0, 0, 0, 0, 9, //
    // To the BMC (0x20), network function App, checksum; from software 0x81, sequence 0, command.
    0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, //
    // This channel, with the capabilities of IPMI 2.0; administrator; checksum.
    0x8e, 0x04, 0xb5,
];

/// Reads the answer.
///
/// # Errors
/// What is wrong with it.
pub fn parse(packet: &[u8]) -> Result<Capabilities, &'static str> {
    let at = |index: usize| packet.get(index).copied();
    if at(0) != Some(0x06) || at(3) != Some(0x07) {
        return Err("what answers there is no BMC (no RMCP packet of class IPMI)");
    }
    if at(19) != Some(0x38) {
        return Err("the BMC answered something else than was asked");
    }
    match at(20) {
        Some(0) => {}
        Some(_) => return Err("the BMC refused to tell its authentication capabilities"),
        None => return Err("the BMC's answer is cut off"),
    }
    let (Some(types), Some(status)) = (at(22), at(23)) else {
        return Err("the BMC's answer is cut off");
    };
    let extended = at(24).unwrap_or(0);
    Ok(Capabilities {
        version_2: types & 0x80 != 0 && extended & 0x02 != 0,
        anonymous: status & 0x03 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What OpenIPMI's ipmi_sim answered.
    const ANSWER: [u8; 30] = [
        0x06, 0, 0xff, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0x81, 0x1c, 0x63, 0x20, 0, 0x38, 0,
        0x01, 0x97, 0x04, 0x03, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn an_answer_and_every_cut_of_it() {
        let told = parse(&ANSWER).unwrap();
        assert!(told.version_2 && !told.anonymous);
        for length in 0..ANSWER.len() {
            let cut = parse(&ANSWER[..length]);
            assert!(length >= 24 || cut.is_err(), "{length}");
        }
        assert!(parse(b"HTTP/1.1 400 Bad Request\r\n").is_err());
    }

    #[test]
    fn the_checksums_of_the_request() {
        let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b));
        assert_eq!(sum(&REQUEST[14..17]), 0);
        assert_eq!(sum(&REQUEST[17..23]), 0);
        assert_eq!(usize::from(REQUEST[13]), REQUEST.len() - 14);
    }
}
