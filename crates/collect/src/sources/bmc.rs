//! The BMC as the host sees it: the driver's device, firmware's tables, and over the device the
//! address of its LAN channel. Also serial consoles, the other way in.

use super::{files, units};
use crate::{HostReader, Options};
use facts::bmc::ipmi::{self, Parameter};
use facts::bmc::{Bmc, smbios};
use facts::kernel::cmdline;
use facts::{Snapshot, Source};
use ipmi_rs::connection::{
    IpmiConnection, LogicalUnit, Message, NetFn, Request, RequestTargetAddress,
};
use std::sync::mpsc;
use std::time::Duration;

/// Names that the driver's device has had.
const DEVICES: &[&str] = &["/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0"];

/// Channels that may be a LAN channel (IPMI 2.0, table 6-1): 0 is IPMB, 12 to 15 are reserved,
/// the present one and the system interface.
const CHANNELS: std::ops::RangeInclusive<u8> = 1..=11;

/// The item under which it is told that the LAN channel was not read.
pub(crate) const LAN: &str = "lan channel";

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    // The kernel section has run before.
    let line = snapshot.kernel.command_line.clone().unwrap_or_default();
    snapshot.bmc.serial_consoles = cmdline::serial_consoles(&line);
    snapshot.bmc.serial_getty = serial_getty(reader, &snapshot.bmc.serial_consoles);
    if !reader.live() {
        snapshot.not_read(Source::Bmc, "a tree holds no device and no firmware tables");
        return;
    }
    present(reader, snapshot);
    let Some(device) = snapshot.bmc.device.clone() else {
        if snapshot.bmc.present == Some(true) {
            let reason = "there is a BMC and no device for it (is the driver ipmi_si or ipmi_devintf missing?)";
            snapshot.item_not_read(Source::Bmc, LAN, reason);
        }
        return;
    };
    match lan(&device, options.deadline) {
        Ok(found) => {
            snapshot.bmc.channel = found.channel;
            snapshot.bmc.address = found.address;
            snapshot.bmc.address_source = found.address_source;
            snapshot.bmc.vlan = found.vlan;
        }
        Err(reason) => snapshot.item_not_read(Source::Bmc, LAN, format!("{device}: {reason}")),
    }
}

/// Whether there is one: a device, a driver's entry, or firmware's word in either direction.
fn present(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let bmc = &mut snapshot.bmc;
    bmc.device = DEVICES
        .iter()
        .find(|path| reader.stat(path).is_ok())
        .map(|path| (*path).to_owned());
    bmc.evidence.extend(bmc.device.clone());
    for name in files::list(reader, "/sys/class/ipmi") {
        bmc.evidence.push(format!("/sys/class/ipmi/{name}"));
    }
    let entries = files::list(reader, "/sys/firmware/dmi/entries");
    let mut firmware = (!entries.is_empty()).then(|| entries.iter().any(|e| e.starts_with("38-")));
    if firmware.is_none()
        && let Ok(table) = reader.read("/sys/firmware/dmi/tables/DMI")
    {
        firmware = Some(smbios::find(&table).is_some());
    }
    if firmware == Some(true) {
        bmc.evidence.push("SMBIOS type 38 (IPMI device)".to_owned());
    }
    bmc.present = if bmc.evidence.is_empty() {
        firmware
    } else {
        Some(true)
    };
    if bmc.present.is_none() {
        let reason = "no IPMI device, and firmware's tables (/sys/firmware/dmi) cannot be read (run as root)";
        snapshot.not_read(Source::Bmc, reason);
    }
}

/// Whether a login waits on a serial console. systemd-getty-generator(8) starts one on each
/// console of the kernel's command line unless that unit is masked; another may be enabled.
fn serial_getty(reader: &dyn HostReader, consoles: &[String]) -> Option<bool> {
    let directories = units::present(reader);
    if directories.is_empty() {
        return None;
    }
    let masked = |console: &String| {
        let unit = format!("/etc/systemd/system/serial-getty@{console}.service");
        files::is_null_link(reader, &unit)
    };
    let enabled = directories.iter().any(|d| {
        files::list(reader, &format!("{d}/getty.target.wants"))
            .iter()
            .any(|unit| unit.starts_with("serial-getty@"))
    });
    Some(enabled || consoles.iter().any(|c| !masked(c)))
}

/// Asks the BMC for its LAN channel, in a thread of its own: the driver waits for a BMC that
/// hangs, and nothing must wait for the driver.
fn lan(device: &str, deadline: Duration) -> Result<Bmc, String> {
    let (sender, receiver) = mpsc::channel();
    let device = device.to_owned();
    std::thread::spawn(move || {
        let answer = ipmi_rs::File::new(&device, deadline)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "permission denied (run as root)".to_owned()
                }
                _ => error.to_string(),
            })
            .and_then(|mut file| ask(&mut file));
        let _ = sender.send(answer);
    });
    // Eleven channels at most, and three parameters.
    receiver
        .recv_timeout(deadline * 5)
        .unwrap_or_else(|_| Err("the BMC did not answer in time".to_owned()))
}

/// Finds the LAN channel and reads its parameters over any connection.
fn ask<C: IpmiConnection>(connection: &mut C) -> Result<Bmc, String>
where
    C::Error: std::fmt::Debug,
{
    let mut bmc = Bmc::default();
    for channel in CHANNELS {
        let response = send(
            connection,
            ipmi::NETFN_APP,
            ipmi::GET_CHANNEL_INFO,
            &[channel],
        )?;
        let medium = ipmi::completed(&response).and_then(ipmi::channel_medium);
        if medium == Ok(ipmi::MEDIUM_LAN) {
            bmc.channel = Some(channel);
            break;
        }
    }
    let Some(channel) = bmc.channel else {
        return Err("it has no LAN channel".to_owned());
    };
    for parameter in Parameter::ALL {
        let request = parameter.request(channel);
        let response = send(
            connection,
            ipmi::NETFN_TRANSPORT,
            ipmi::GET_LAN_PARAMETER,
            &request,
        )?;
        match ipmi::completed(&response) {
            Ok(data) => ipmi::apply(&mut bmc, parameter, data).map_err(|e| e.to_string())?,
            // A VLAN is optional: a BMC without that parameter has none.
            Err(_) if parameter == Parameter::Vlan => {}
            Err(error) => return Err(format!("parameter {}: {error}", parameter as u8)),
        }
    }
    Ok(bmc)
}

fn send<C: IpmiConnection>(
    connection: &mut C,
    netfn: u8,
    command: u8,
    data: &[u8],
) -> Result<Vec<u8>, String>
where
    C::Error: std::fmt::Debug,
{
    let message = Message::new_request(NetFn::from(netfn), command, data.to_vec());
    let mut request = Request::new(message, RequestTargetAddress::Bmc(LogicalUnit::Zero));
    let response = connection
        .send_recv(&mut request)
        .map_err(|error| format!("{error:?}"))?;
    let mut bytes = vec![response.cc()];
    bytes.extend_from_slice(response.data());
    Ok(bytes)
}
