//! A cable between machines' network cards, held by the test: it passes frames on, lets the test
//! see and send them, and can be pulled.
//!
//! Each end is a pair of UNIX datagram sockets, one frame a datagram (QEMU's `-netdev dgram`), so
//! nothing of this machine's network is touched and no root is needed. More than two ends make a
//! hub: all others get what one sends. A switch with VLANs is a bridge inside a machine.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::frames::Frame;
use crate::machine::{Machine, lock};
use crate::qemu::CARD_SLOTS;

/// A cable; pulled out when dropped.
#[derive(Debug)]
pub struct Cable {
    shared: Arc<Mutex<Shared>>,
    threads: Vec<JoinHandle<()>>,
    dir: TempDir,
}

#[derive(Debug, Default)]
struct Shared {
    ends: Vec<End>,
    seen: Vec<Frame>,
    pulled: bool,
    over: bool,
}

#[derive(Debug)]
struct End {
    socket: UnixDatagram,
    card: PathBuf,
}

/// How many frames a cable remembers.
const MEMORY: usize = 10_000;

impl Cable {
    /// A cable without ends.
    ///
    /// # Errors
    /// Where there is no temporary directory.
    pub fn new() -> Result<Self> {
        Ok(Self {
            shared: Arc::default(),
            threads: Vec::new(),
            dir: tempfile::Builder::new().prefix("nofail-cable-").tempdir()?,
        })
    }

    /// Puts a new network card with this address into a running machine and plugs the cable in.
    /// `slot` is 1 to 3. Returns the card's name in the machine, `eth1` for the first.
    ///
    /// # Errors
    /// Where the slot is taken or the card does not appear in the machine within 20 seconds.
    pub fn plug(&mut self, machine: &Machine, slot: usize, address: [u8; 6]) -> Result<String> {
        if !(1..=CARD_SLOTS).contains(&slot) {
            bail!("a machine has places for cards 1 to {CARD_SLOTS}, not {slot}");
        }
        let number = self.threads.len();
        let own = self.dir.path().join(format!("{number}-cable"));
        let card = self.dir.path().join(format!("{number}-card"));
        let socket = UnixDatagram::bind(&own)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let receiver = socket.try_clone()?;
        let mac = address.map(|byte| format!("{byte:02x}")).join(":");
        let (local, remote) = (card.to_string_lossy(), own.to_string_lossy());
        machine.qemu(
            "netdev_add",
            json!({"type": "dgram", "id": format!("net{slot}"),
                   "local": {"type": "unix", "path": local},
                   "remote": {"type": "unix", "path": remote}}),
        )?;
        lock(&self.shared).ends.push(End { socket, card });
        let shared = Arc::clone(&self.shared);
        self.threads.push(std::thread::spawn(move || {
            carry(&receiver, number, &shared)
        }));
        machine.qemu(
            "device_add",
            json!({"driver": "virtio-net-pci", "id": format!("card{slot}"), "mac": mac,
                   "netdev": format!("net{slot}"), "bus": format!("slot{slot}"), "romfile": ""}),
        )?;
        let find = format!(
            "for i in $(seq 200); do n=$(grep -l {mac} /sys/class/net/*/address) && break; \
             sleep 0.1; done; basename $(dirname $n)"
        );
        Ok(machine.ok(&find)?.trim().to_owned())
    }

    /// Pulls the cable, or plugs it in again. The cards see their carrier go only with
    /// [`Self::carrier`].
    pub fn pull(&self, pulled: bool) {
        lock(&self.shared).pulled = pulled;
    }

    /// Sets the carrier of the card in `slot`, as a switch that loses power does.
    ///
    /// # Errors
    /// Where there is no such card.
    pub fn carrier(machine: &Machine, slot: usize, up: bool) -> Result<()> {
        let arguments = json!({"name": format!("card{slot}"), "up": up});
        machine.qemu("set_link", arguments)?;
        Ok(())
    }

    /// Sends a frame to all ends.
    pub fn send(&self, frame: &Frame) {
        deliver(&lock(&self.shared), None, &frame.bytes());
    }

    /// The frames that ends have sent since the start or the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Frame> {
        std::mem::take(&mut lock(&self.shared).seen)
    }

    /// Waits for a frame that `wanted` accepts and returns it; `None` at the end of `limit`.
    #[must_use]
    pub fn wait(&self, limit: Duration, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(frame) = lock(&self.shared).seen.iter().find(|f| wanted(f)) {
                return Some(frame.clone());
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        lock(&self.shared).over = true;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Passes on what one end sends.
fn carry(from: &UnixDatagram, number: usize, shared: &Mutex<Shared>) {
    let mut block = vec![0; 1 << 16];
    loop {
        let read = from.recv(&mut block);
        let mut shared = lock(shared);
        if shared.over {
            return;
        }
        let Ok(size) = read else { continue };
        if shared.pulled {
            continue;
        }
        deliver(&shared, Some(number), &block[..size]);
        if let Ok(frame) = Frame::parse(&block[..size])
            && shared.seen.len() < MEMORY
        {
            shared.seen.push(frame);
        }
    }
}

/// Hands a frame to all ends but its sender. One that has no room or is off loses it, as on a wire.
fn deliver(shared: &Shared, from: Option<usize>, bytes: &[u8]) {
    if shared.pulled {
        return;
    }
    for (number, end) in shared.ends.iter().enumerate() {
        if Some(number) != from {
            let _ = end.socket.send_to(bytes, &end.card);
        }
    }
}
