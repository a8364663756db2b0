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
fn what_ipmi_sim_answers_before_and_after_it_is_configured() {
    // ipmitool raw 0x06 0x42 0x01 and 0x0f: a LAN channel, the system interface.
    let channel = [0x01, 0x04, 0x01, 0x81, 0xf2, 0x1b, 0, 0, 0];
    assert_eq!(ipmi::channel_medium(&channel), Ok(ipmi::MEDIUM_LAN));
    let system = [0x0f, 0x0c, 0x05, 0x00, 0xf2, 0x1b, 0, 0, 0];
    assert_eq!(ipmi::channel_medium(&system), Ok(0x0c));
    // ipmitool raw 0x0c 0x02 0x01 3|4|20 0 0.
    let mut bmc = Bmc::default();
    ipmi::apply(&mut bmc, Parameter::Address, &[0x11, 0, 0, 0, 0]).unwrap();
    ipmi::apply(&mut bmc, Parameter::AddressSource, &[0x11, 0]).unwrap();
    ipmi::apply(&mut bmc, Parameter::Vlan, &[0x11, 0, 0]).unwrap();
    assert_eq!(bmc.address.as_deref(), Some("0.0.0.0"));
    assert_eq!(bmc.address_source.as_deref(), Some("unspecified"));
    assert_eq!(bmc.vlan, None);
    ipmi::apply(
        &mut bmc,
        Parameter::Address,
        &[0x11, 0x0a, 0x32, 0x01, 0x0c],
    )
    .unwrap();
    ipmi::apply(&mut bmc, Parameter::Vlan, &[0x11, 0x64, 0x80]).unwrap();
    assert_eq!(bmc.address.as_deref(), Some("10.50.1.12"));
    assert_eq!(bmc.vlan, Some(100));
}

#[test]
fn a_whole_table_is_searched() {
    let mut table = vec![1, 6, 0, 0, 1, 2];
    table.extend(b"Board\0Serial\0\0");
    table.extend([2, 4, 1, 0, 0, 0]);
    let before = table.len();
    table.extend([38, 8, 0x1d, 0, 4, 0x20, 0x20, 0, 0, 0, 127, 4, 0, 0, 0, 0]);
    assert_eq!(smbios::find(&table).unwrap().interface, "SSIF");
    assert_eq!(smbios::find(&table[..before]), None);
    assert_eq!(smbios::find(&[1, 0, 0, 0]), None);
    assert_eq!(smbios::find(&[1, 200, 0, 0]), None);
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
