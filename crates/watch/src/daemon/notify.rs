//! sd_notify(3): tells the service manager that we are ready, alive, ending. Without one, nobody
//! is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Sends one message to `$NOTIFY_SOCKET`.
pub(super) fn tell(message: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let bytes = path.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    // A manager that does not listen is no reason to do less.
    let _ = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(message.as_bytes(), &address)
    });
}

/// The time within which the manager expects a sign of life from this very process.
pub(super) fn watchdog() -> Option<Duration> {
    let text = |name: &str| std::env::var(name).ok();
    let meant = text("WATCHDOG_PID")
        .and_then(|pid| pid.parse::<u32>().ok())
        .is_none_or(|pid| pid == std::process::id());
    let microseconds = text("WATCHDOG_USEC")?.parse().ok()?;
    meant.then(|| Duration::from_micros(microseconds))
}
