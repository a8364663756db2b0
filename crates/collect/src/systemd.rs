//! The system manager over D-Bus (org.freedesktop.systemd1(5)): what both the snapshot and the
//! watch ask it.

use zbus::{Connection, OwnedObjectPath};

/// Its name on the bus.
pub const SERVICE: &str = "org.freedesktop.systemd1";
/// Its object.
pub const PATH: &str = "/org/freedesktop/systemd1";
/// Its interface.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// One row of `ListUnitsFiltered`: name, description, load, active and sub state, following,
/// object path, job ID, job type, job path.
pub type Row = (
    String,
    String,
    String,
    String,
    String,
    String,
    OwnedObjectPath,
    u32,
    String,
    OwnedObjectPath,
);

/// Every unit that is failed now. Without a deadline: zbus has none.
///
/// # Errors
/// The bus or the manager refuses.
pub async fn failed_units(bus: &Connection) -> zbus::Result<Vec<Row>> {
    let reply = bus
        .call_method(
            Some(SERVICE),
            PATH,
            Some(MANAGER),
            "ListUnitsFiltered",
            &(vec!["failed"]),
        )
        .await?;
    reply.body().deserialize()
}
