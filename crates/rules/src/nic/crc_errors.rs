//! `nic/crc-errors`: the host's own card receives broken frames.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "nic/crc-errors",
    summary: "a physical interface receives frames with CRC or framing errors",
    needs: &[Source::Nics],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A physical interface that counts received frames with a wrong checksum or framing: at least 10, and
more than one in ten million packets where the card counts packets.

## Why it matters
A healthy link has none. They mean a cable, connector or transceiver that is about to fail, and cost
retransmissions long before: storage over such a link stalls. The switch's counters tell of the
other direction only (switch/crc-errors).

## Evidence
`rx_crc_errors`, `rx_frame_errors` and `rx_packets` under `/sys/class/net/NAME/statistics`. They
count since the driver was loaded.

## Example
    $ cat /sys/class/net/enp65s0f0/statistics/rx_crc_errors
    386

## Remedy
Change the cable first, then the transceiver, then the switch's port, one at a time; compare the
counters before and after.

## When to ignore it
When they do not grow after the part was changed: they are cleared by the next boot only.

## References
Documentation/networking/statistics.rst of the kernel.
";

/// Fewer broken frames than these may be from plugging a cable.
const LEAST: u64 = 10;
/// One broken frame in as many is a bit error rate of about 1e-11 at full frames; Ethernet
/// promises better than 1e-12 (IEEE 802.3).
const PER_PACKETS: u64 = 10_000_000;

fn check(host: &Host<'_>, report: &mut Report) {
    for nic in &host.snapshot.nics {
        let count = |name: &str| nic.counters.get(name).copied().unwrap_or(0);
        let (crc, frame) = (count("rx_crc_errors"), count("rx_frame_errors"));
        let broken = crc.max(frame);
        let packets = count("rx_packets");
        if broken < LEAST || packets / PER_PACKETS > broken {
            continue;
        }
        let directory = format!("/sys/class/net/{}/statistics", nic.name);
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                &nic.name,
                format!(
                    "{} received {broken} broken frames (CRC {crc}, framing {frame})",
                    nic.name
                ),
            )
            .consequence(
                "A cable or transceiver is failing; traffic on it is retransmitted until it breaks",
            )
            .evidence(Evidence::measured(
                format!("{directory}/rx_crc_errors"),
                crc.to_string(),
            ))
            .evidence(Evidence::measured(
                format!("{directory}/rx_packets"),
                packets.to_string(),
            ))
            .fix("change the cable, then the transceiver, and watch the counter"),
        );
    }
}
