//! The vital signs of one guest: its QEMU process, its disks' errors and latency, its agent, its ports'
//! traffic, the host's pressure. Measured when a person asks; not part of a snapshot.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{
    block_stats, channels, disk_errors, meminfo, neighbours, pressure, schedstat, status_field,
    thread,
};

use crate::Known;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vitals {
    /// QEMU's process; absent where it does not run.
    pub process: Known<Process>,
    /// What libvirt's daemon says: state and reason; unreadable where it does not answer in time.
    pub libvirt: Known<String>,
    /// Disks whose last error QEMU remembers, with the error; unreadable where QEMU's monitor does
    /// not answer.
    pub disk_errors: Known<Vec<(String, String)>>,
    /// Each disk's requests within the sample.
    pub disks: Known<Vec<Latency>>,
    /// The guest agent.
    pub agent: Agent,
    /// The host's side of its ports.
    pub ports: Vec<Traffic>,
    /// Stall of the host's CPU, memory and I/O.
    pub pressure: Known<Pressure>,
    /// Memory of host and QEMU.
    pub memory: Known<Memory>,
    /// The last lines of its console's log, where it has one.
    pub console: Known<Vec<String>>,
    /// The last lines of QEMU's log.
    pub log: Vec<String>,
    /// Whether it answers on its network, where a person asked.
    pub reached: Option<Reached>,
}

/// QEMU's process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Its PID.
    pub pid: u32,
    /// Its threads.
    pub threads: Vec<Thread>,
}

/// One thread, over the sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thread {
    /// Name: `CPU 0/KVM`, `qemu-system-x86`, `IO mon_iothread`.
    pub name: String,
    /// State as in proc(5): `R`, `S`, `D`, `T`, `t`, `Z`.
    pub state: char,
    /// Share of one processor that it got, percent.
    pub cpu: f64,
    /// Share of the time in which it ran or waited for a processor, percent: on a crowded host a
    /// thread that never rests gets little.
    pub wanted: f64,
    /// Kernel function that it waits in, where the kernel tells.
    pub waits_in: Option<String>,
}

/// Requests of one disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// Target name: `vda`.
    pub target: String,
    /// Requests that ended within the sample.
    pub requests: u64,
    /// Their mean time, milliseconds; 0 where none ended.
    pub milliseconds: f64,
}

/// The guest agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Agent {
    /// Not asked: the guest does not run, or its definition could not be read.
    #[default]
    NotAsked,
    /// The guest has no channel for it.
    NoChannel,
    /// It has one, and nobody listens in the guest.
    NotConnected,
    /// It answered.
    Answers,
    /// It is connected and did not answer.
    Silent(String),
}

/// The host's side of one port, over the sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Device: `vnet3`.
    pub device: String,
    /// Whether it carries; `None` where it is administratively down or gone.
    pub carrier: Option<bool>,
    /// Packets from the guest within the sample (the tap receives what the guest sends).
    pub from_guest: u64,
    /// Packets to the guest.
    pub to_guest: u64,
    /// Packets to the guest that were dropped since the port is there: QEMU does not fetch them.
    pub dropped: u64,
}

/// Pressure stall information: share of time in the last ten seconds, percent, see
/// Documentation/accounting/psi.rst.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Some task waited for a processor.
    pub cpu: f64,
    /// All tasks waited for memory.
    pub memory: f64,
    /// All tasks waited for I/O.
    pub io: f64,
}

/// Memory in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Of the host in all.
    pub total: u64,
    /// Of the host, available without swapping.
    pub available: u64,
    /// QEMU's that is in memory.
    pub resident: u64,
    /// QEMU's that was swapped out.
    pub swapped: u64,
}

/// Whether the guest answers on its network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Its address.
    pub address: String,
    /// The device that was asked through.
    pub device: String,
    /// Whether ARP (or neighbour discovery) found it; `None` where it could not be tried.
    pub arp: Option<bool>,
    /// Whether it answered a ping.
    pub ping: Option<bool>,
}
