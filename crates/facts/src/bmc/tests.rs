//! Responses as OpenIPMI's `ipmi_sim` gives them to `ipmitool raw`, and firmware's own words.

use super::ipmi::{self, Parameter, ResponseError};
use super::{Bmc, smbios};

#[test]
fn lan_parameters_of_a_configured_channel() {
    let mut bmc = Bmc::default();
    ipmi::apply(&mut bmc, Parameter::Address, &[0x11, 10, 50, 1, 12]).unwrap();
    ipmi::apply(&mut bmc, Parameter::AddressSource, &[0x11, 0x01]).unwrap();
    ipmi::apply(&mut bmc, Parameter::Vlan, &[0x11, 0x64, 0x80]).unwrap();
    assert_eq!(bmc.address.as_deref(), Some("10.50.1.12"));
    assert_eq!(bmc.address_source.as_deref(), Some("static"));
    assert_eq!(bmc.vlan, Some(100));
    ipmi::apply(&mut bmc, Parameter::Vlan, &[0x11, 0x64, 0x0f]).unwrap();
    assert_eq!(bmc.vlan, None, "the enable bit is off");
    ipmi::apply(&mut bmc, Parameter::Vlan, &[0x11, 0xff, 0x8f]).unwrap();
    assert_eq!(bmc.vlan, Some(4095));
}

#[test]
fn short_and_refused_responses() {
    let mut bmc = Bmc::default();
    let short = ipmi::apply(&mut bmc, Parameter::Address, &[0x11, 10]);
    assert_eq!(short, Err(ResponseError::Short { got: 2, wanted: 5 }));
    assert_eq!(ipmi::completed(&[0, 1]), Ok(&[1][..]));
    assert_eq!(
        ipmi::completed(&[0xcc]),
        Err(ResponseError::Completion { code: 0xcc })
    );
    assert_eq!(
        ipmi::completed(&[]),
        Err(ResponseError::Short { got: 0, wanted: 1 })
    );
    assert_eq!(ipmi::channel_medium(&[1, 0x84]), Ok(ipmi::MEDIUM_LAN));
    assert!(ipmi::channel_medium(&[1]).is_err());
    assert_eq!(Parameter::Address.request(0x1f), [0x0f, 3, 0, 0]);
}

#[test]
fn smbios_type_38() {
    let raw = [
        38, 18, 0x1d, 0, 1, 0x20, 0x20, 0, 0xa2, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let device = smbios::parse(&raw).unwrap();
    assert_eq!((device.interface, device.version), ("KCS", (2, 0)));
    assert!(smbios::parse(&[39, 18, 0, 0, 0, 0]).is_err());
    assert!(smbios::parse(&[38, 18, 0]).is_err());
    assert!(smbios::parse(&[]).is_err());
}
