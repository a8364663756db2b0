//! The machine's way to servers on this machine's loopback: a network namespace of its own, in which
//! slirp4netns answers as 10.0.2.2, as QEMU's user networking does.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::{Guard, Guarded, run};

/// The namespace and who answers in it.
#[derive(Debug)]
pub struct Network {
    _answers: Guarded,
    holder: Guarded,
}

/// The card of the namespace whose frames slirp4netns takes and gives.
const CARD: &str = "tap0";

/// The card whose frames the machine takes and gives. A bridge joins the two: a machine that puts its
/// frames on the first by a raw socket stands still once slirp4netns is slower than it.
const OWN: &str = "tap1";

impl Network {
    /// Makes the namespace; logs go to `dir`.
    ///
    /// # Errors
    /// Where slirp4netns does not start within ten seconds, or this is not root.
    pub fn start(dir: &Path) -> Result<Self> {
        let log = dir.join("network.log");
        let text = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let sleeps = text(&["--net", "--", "/bin/sleep", "infinity"]);
        let mut holder = Guarded::start(Guard::Single, "/usr/bin/unshare", &sleeps, &log)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let failed = |what: &str| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("{what}: {said}")
        };
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let pid = holder.id().to_string();
        while namespace(&pid) == namespace("self") {
            if !holder.alive() || Instant::now() > deadline {
                return failed("no network namespace");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let options = text(&["--mtu=1500", "--disable-dns", &pid, CARD]);
        let slirp = "/usr/bin/slirp4netns";
        let mut answers = Guarded::start(Guard::Single, slirp, &options, &log)?;
        // The namespace's own kernel is to say nothing there.
        let script = format!(
            "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set {CARD} up && \
             ip link set lo up && ip link add joins type bridge && ip tuntap add {OWN} mode tap && \
             for c in {CARD} {OWN}; do ip link set $c master joins up; done && ip link set joins up"
        );
        let enter = ["-t", &pid, "-n", "--", "/bin/sh", "-c", &script];
        while let Err(error) = run("/usr/bin/nsenter", &enter, Duration::from_secs(5)) {
            if !answers.alive() || Instant::now() > deadline {
                return failed(&format!("{error:#}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self {
            _answers: answers,
            holder,
        })
    }

    /// A process in the namespace.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.holder.id()
    }

    /// The machine's card as the kernel's command line has it: the frames of the namespace's card.
    #[must_use]
    pub fn option(&self) -> String {
        format!("transport=tap,ifname={OWN},mac=52:54:00:1a:b0:00")
    }
}
