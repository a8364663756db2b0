//! Units in state failed, from the system manager over D-Bus (org.freedesktop.systemd1(5)).

use crate::systemd::{SERVICE, failed_units};
use crate::{HostReader, Options};
use facts::unit::FailedUnit;
use facts::{Snapshot, Source};
use std::sync::mpsc;
use zbus::Connection;
use zbus::OwnedObjectPath;

/// The item under which it is told that failed units were not read.
pub(crate) const ITEM: &str = "failed units";

/// More failed units than this are counted, not looked at one by one.
const MAX_UNITS: usize = 200;

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if !reader.live() {
        snapshot.item_not_read(Source::Units, ITEM, "a tree holds no state of systemd");
        return;
    }
    // sd_booted(3): this directory exists exactly where systemd is the system manager.
    if reader.stat("/run/systemd/system").is_err() {
        let reason = "systemd does not run here (no /run/systemd/system)";
        snapshot.item_not_read(Source::Units, ITEM, reason);
        return;
    }
    // In a thread of its own: zbus has no deadline, and a manager that hangs must not hold us.
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(zbus::block_on(ask()));
    });
    match receiver.recv_timeout(options.deadline) {
        Ok(Ok(units)) => snapshot.units.failed = units,
        Ok(Err(error)) => snapshot.item_not_read(Source::Units, ITEM, format!("D-Bus: {error}")),
        Err(_) => {
            let reason = format!("systemd did not answer within {:?}", options.deadline);
            snapshot.item_not_read(Source::Units, ITEM, reason);
        }
    }
}

async fn ask() -> zbus::Result<Vec<FailedUnit>> {
    let bus = Connection::system().await?;
    let mut units = Vec::new();
    for (index, row) in failed_units(&bus).await?.into_iter().enumerate() {
        let (name, description, .., path, _, _, _) = row;
        let suffix = name.rsplit('.').next().unwrap_or("");
        let interface = match suffix {
            "mount" => Some("org.freedesktop.systemd1.Mount"),
            "service" => Some("org.freedesktop.systemd1.Service"),
            "swap" => Some("org.freedesktop.systemd1.Swap"),
            "automount" => Some("org.freedesktop.systemd1.Automount"),
            "socket" => Some("org.freedesktop.systemd1.Socket"),
            _ => None,
        };
        let (mut result, mut mount_point) = (None, None);
        if let Some(interface) = interface
            && index < MAX_UNITS
        {
            // A unit may be gone by now: its row still counts.
            result = property(&bus, &path, interface, "Result").await.ok();
            if suffix == "mount" {
                mount_point = property(&bus, &path, interface, "Where").await.ok();
            }
        }
        units.push(FailedUnit {
            name,
            result,
            description: Some(description).filter(|d| !d.is_empty()),
            mount_point,
        });
    }
    // Mounts first: what is behind them fails for their sake.
    units.sort_by_key(|u| (!u.name.ends_with(".mount"), u.name.clone()));
    Ok(units)
}

async fn property(
    bus: &Connection,
    path: &OwnedObjectPath,
    interface: &str,
    name: &str,
) -> zbus::Result<String> {
    let reply = bus
        .call_method(
            Some(SERVICE),
            path,
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(interface, name),
        )
        .await?;
    let value: zbus::OwnedVariant = reply.body().deserialize()?;
    String::try_from(value)
}
