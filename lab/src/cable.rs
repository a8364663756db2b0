//! A cable between machines' network cards, held by the test: it passes frames on, lets the test
//! see and send them, and can be pulled.
//!
//! Each end is a pair of UNIX sockets, one frame a packet: datagrams for QEMU (`-netdev dgram`), a
//! connection of packets for User-mode Linux (its `bess` transport). So nothing of this machine's
//! network is touched and no root is needed. More than two ends make a hub: all others get what one
//! sends. A switch with VLANs is a bridge inside a machine.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind,
    socket_with,
};
use serde_json::json;
use tempfile::TempDir;

use crate::frames::Frame;
use crate::machine::{Machine, lock};
use crate::process::readable;
use crate::qemu::CARD_SLOTS;
use crate::uml::Card;

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

/// Where frames for one card go.
#[derive(Debug)]
enum End {
    /// To QEMU's socket.
    Datagrams(UnixDatagram, PathBuf),
    /// To whoever is connected: nobody while the card is down.
    Packets(Option<OwnedFd>),
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
        let cable = self.dir.path().join(format!("{number}-cable"));
        let own = self.dir.path().join(format!("{number}-card"));
        let mac = address.map(|byte| format!("{byte:02x}")).join(":");
        let shared = Arc::clone(&self.shared);
        if machine.in_user_mode() {
            let listener = listen(&cable)?;
            lock(&self.shared).ends.push(End::Packets(None));
            let carry = move || carry_packets(&listener, number, &shared);
            self.threads.push(std::thread::spawn(carry));
            machine.plug_in(Card {
                slot,
                address: mac.clone(),
                own,
                cable,
            })?;
        } else {
            let socket = UnixDatagram::bind(&cable)?;
            socket.set_read_timeout(Some(TICK))?;
            let receiver = socket.try_clone()?;
            let (local, remote) = (own.to_string_lossy(), cable.to_string_lossy());
            machine.qemu(
                "netdev_add",
                json!({"type": "dgram", "id": format!("net{slot}"),
                       "local": {"type": "unix", "path": local},
                       "remote": {"type": "unix", "path": remote}}),
            )?;
            let end = End::Datagrams(socket, own.clone());
            lock(&self.shared).ends.push(end);
            let carry = move || carry_datagrams(&receiver, number, &shared);
            self.threads.push(std::thread::spawn(carry));
            machine.qemu(
                "device_add",
                json!({"driver": "virtio-net-pci", "id": format!("card{slot}"), "mac": mac,
                       "netdev": format!("net{slot}"), "bus": format!("slot{slot}"), "romfile": ""}),
            )?;
        }
        // User-mode Linux calls it vec1 until udev has renamed it.
        let find = format!(
            "for i in $(seq 200); do n=$(grep -l {mac} /sys/class/net/eth*/address) && break; \
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

/// How long a thread waits before it looks whether the cable is over.
const TICK: Duration = Duration::from_millis(100);

/// A socket at `path` to which a card connects.
fn listen(path: &Path) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 1)?;
    Ok(socket)
}

/// Passes on what QEMU sends.
fn carry_datagrams(from: &UnixDatagram, number: usize, shared: &Mutex<Shared>) {
    let mut block = vec![0; 1 << 16];
    loop {
        let read = from.recv(&mut block);
        let mut shared = lock(shared);
        if shared.over {
            return;
        }
        let Ok(size) = read else { continue };
        passed(&mut shared, number, &block[..size]);
    }
}

/// Passes on what a card sends that connects whenever it goes up.
fn carry_packets(listener: &OwnedFd, number: usize, shared: &Mutex<Shared>) {
    let mut block = vec![0; 1 << 16];
    let mut card: Option<OwnedFd> = None;
    while !lock(shared).over {
        let waits = card.as_ref().unwrap_or(listener);
        if !readable(waits, Instant::now() + TICK).unwrap_or(false) {
            continue;
        }
        if let Some(connection) = &card {
            let read = rustix::io::read(connection, &mut block);
            let mut shared = lock(shared);
            match read {
                Ok(size) if size > 0 => passed(&mut shared, number, &block[..size]),
                _ => {
                    card = None;
                    shared.ends[number] = End::Packets(None);
                }
            }
        } else if let Ok(connection) = accept_with(listener, SocketFlags::CLOEXEC) {
            let copy = connection.try_clone().ok();
            lock(shared).ends[number] = End::Packets(copy);
            card = Some(connection);
        }
    }
}

/// A frame that an end has sent.
fn passed(shared: &mut Shared, number: usize, bytes: &[u8]) {
    if shared.pulled {
        return;
    }
    deliver(shared, Some(number), bytes);
    if let Ok(frame) = Frame::parse(bytes)
        && shared.seen.len() < MEMORY
    {
        shared.seen.push(frame);
    }
}

/// Hands a frame to all ends but its sender. One that has no room or is off loses it, as on a wire.
fn deliver(shared: &Shared, from: Option<usize>, bytes: &[u8]) {
    if shared.pulled {
        return;
    }
    for (number, end) in shared.ends.iter().enumerate() {
        if Some(number) == from {
            continue;
        }
        match end {
            End::Datagrams(socket, card) => {
                let _ = socket.send_to(bytes, card);
            }
            End::Packets(Some(card)) => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                let _ = rustix::net::send(card, bytes, flags);
            }
            End::Packets(None) => {}
        }
    }
}
