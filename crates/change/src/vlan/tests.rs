//! The way from one set of VLANs to another, on a stand-in for the kernel that behaves as bridge(8)
//! says; the real kernel is tested in the lab.

use super::*;
use collect::netlink::decode::links;
use facts::bridge::VlanEntry;
use model::vlan::{Origin, Wanted};
use std::collections::BTreeMap;
use std::io;

fn entries(pvid: Option<u16>, untagged: &[u16], tagged: &[u16]) -> Entries {
    Entries {
        pvid,
        untagged: untagged.to_vec(),
        tagged: tagged.to_vec(),
    }
}

fn wanted(pvid: Option<u16>, tagged: &[u16]) -> Wanted {
    Wanted {
        pvid,
        tagged: tagged.to_vec(),
        origin: Origin::Bridge,
    }
}

/// Ports as the kernel keeps them: one flag word per VLAN, one PVID.
#[derive(Default)]
struct Bridge {
    ports: BTreeMap<String, Entries>,
    /// How many of the next requests fail after their first entry.
    fail: u32,
    /// After so many reads, somebody types `bridge vlan del dev PORT vid 100`, so often.
    meddler: u32,
    reads: u32,
}

impl Bridge {
    fn with(name: &str, entries: Entries) -> Self {
        Self {
            ports: BTreeMap::from([(name.to_owned(), entries)]),
            ..Self::default()
        }
    }

    fn add(&mut self, port: &str, entry: &VlanEntry) {
        let have = self.ports.get_mut(port).unwrap();
        for vid in entry.first..=entry.last {
            have.untagged.retain(|v| *v != vid);
            have.tagged.retain(|v| *v != vid);
            let list = if entry.untagged {
                &mut have.untagged
            } else {
                &mut have.tagged
            };
            list.push(vid);
            list.sort_unstable();
            if entry.pvid {
                have.pvid = Some(vid);
            } else if have.pvid == Some(vid) {
                have.pvid = None;
            }
        }
    }

    fn take(&mut self, port: &str, (first, last): (u16, u16)) {
        let have = self.ports.get_mut(port).unwrap();
        let gone = |v: &u16| (first..=last).contains(v);
        have.untagged.retain(|v| !gone(v));
        have.tagged.retain(|v| !gone(v));
        have.pvid = have.pvid.filter(|v| !gone(v));
    }

    fn spoiled(&mut self) -> io::Result<()> {
        if self.fail == 0 {
            return Ok(());
        }
        self.fail -= 1;
        Err(io::Error::other("no memory"))
    }
}

impl Ports for Bridge {
    type Error = io::Error;

    fn read(&mut self) -> io::Result<Vec<PortState>> {
        self.reads += 1;
        if self.reads > 1 && self.meddler > 0 {
            self.meddler -= 1;
            for name in self.ports.keys().cloned().collect::<Vec<_>>() {
                self.take(&name, (100, 100));
            }
        }
        let state = |(name, entries): (&String, &Entries)| PortState {
            index: 7,
            name: name.clone(),
            bridge: "br-mgmt".to_owned(),
            entries: entries.clone(),
        };
        Ok(self.ports.iter().map(state).collect())
    }

    fn set(&mut self, port: &PortState, entries: &[VlanEntry]) -> io::Result<()> {
        for (at, entry) in entries.iter().enumerate() {
            if at > 0 {
                self.spoiled()?;
            }
            self.add(&port.name, entry);
        }
        Ok(())
    }

    fn remove(&mut self, port: &PortState, ranges: &[(u16, u16)]) -> io::Result<()> {
        for range in ranges {
            self.spoiled()?;
            self.take(&port.name, *range);
        }
        Ok(())
    }
}

fn one(bridge: &mut Bridge, wanted: &Wanted) -> Outcome {
    let target = Target {
        port: "vnet3".to_owned(),
        wanted: wanted.clone(),
    };
    let states = bridge.read().unwrap();
    bring_about(bridge, states, &[target]).remove(0)
}

#[test]
fn a_new_port_gets_its_vlans_and_loses_the_default() {
    let want = wanted(Some(100), &[10, 20, 21, 22]);
    let delta = delta(&entries(Some(1), &[1], &[]), &want);
    assert_eq!(delta.add.len(), 3, "{delta:?}");
    assert!(delta.add[0].pvid && delta.add[0].untagged && delta.add[0].first == 100);
    assert_eq!((delta.add[2].first, delta.add[2].last), (20, 22));
    assert_eq!(delta.remove, [(1, 1)]);
    let mut bridge = Bridge::with("vnet3", entries(Some(1), &[1], &[]));
    let outcome = one(&mut bridge, &want);
    assert_eq!(outcome.ending, Ending::Changed { rounds: 1 });
    assert_eq!(outcome.before, entries(Some(1), &[1], &[]));
    assert_eq!(outcome.after, entries(Some(100), &[100], &[10, 20, 21, 22]));
    assert_eq!(
        Shown(&outcome.after).to_string(),
        "100 pvid untagged, 10,20-22"
    );
    // Once more: nothing to do, and nothing asked of the kernel but to list.
    bridge.reads = 0;
    assert_eq!(one(&mut bridge, &want).ending, Ending::AlreadySo);
    assert_eq!(bridge.reads, 1);
}

/// Every small port to every small wish: what is wanted is there, and nothing else.
#[test]
fn every_way_leads_to_what_is_wanted() {
    let vids = [1_u16, 10, 100];
    let forms = |code: usize| -> (Vec<u16>, Vec<u16>) {
        let of = |form: usize| {
            let is = |at: &usize| code / 3_usize.pow(u32::try_from(*at).unwrap()) % 3 == form;
            (0..3).filter(is).map(|at| vids[at]).collect()
        };
        (of(1), of(2))
    };
    let pvids = [None, Some(1), Some(10), Some(100)];
    let mut cases = 0;
    for code in 0..27 {
        let (untagged, tagged) = forms(code);
        for pvid in pvids {
            // The kernel has no PVID without its VLAN.
            let present = |v: u16| untagged.contains(&v) || tagged.contains(&v);
            if pvid.is_some_and(|v| !present(v)) {
                continue;
            }
            for subset in 0..8 {
                let wish: Vec<u16> = (0..3)
                    .filter(|at| subset & (1 << at) != 0)
                    .map(|at| vids[at])
                    .collect();
                for want_pvid in pvids {
                    let want = wanted(want_pvid, &wish);
                    let have = entries(pvid, &untagged, &tagged);
                    let mut bridge = Bridge::with("vnet3", have.clone());
                    let outcome = one(&mut bridge, &want);
                    assert!(outcome.is_met(), "{have:?} {want:?} {outcome:?}");
                    let after = &bridge.ports["vnet3"];
                    let tagged: Vec<u16> = wish
                        .iter()
                        .copied()
                        .filter(|v| want_pvid != Some(*v))
                        .collect();
                    if want_pvid.is_some() {
                        assert_eq!(after.pvid, want_pvid, "{have:?} {want:?}");
                        assert_eq!(
                            after.untagged,
                            Vec::from_iter(want_pvid),
                            "{have:?} {want:?}"
                        );
                        assert_eq!(after.tagged, tagged, "{have:?} {want:?}");
                    } else {
                        assert!(tagged.iter().all(|v| after.tagged.contains(v)));
                        let keeps = have.untagged.iter().filter(|v| !tagged.contains(v));
                        assert!(keeps.into_iter().all(|v| after.untagged.contains(v)));
                    }
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 1_000, "{cases}");
}

#[test]
fn what_fails_half_way_is_repaired() {
    for fail in 1..=2 {
        let mut bridge = Bridge::with("vnet3", entries(Some(1), &[1], &[5]));
        bridge.fail = fail;
        let outcome = one(&mut bridge, &wanted(Some(100), &[10]));
        assert_eq!(outcome.ending, Ending::Changed { rounds: fail + 1 });
        assert_eq!(outcome.after, entries(Some(100), &[100], &[10]));
    }
    let mut bridge = Bridge::with("vnet3", entries(Some(1), &[1], &[5]));
    bridge.fail = 100;
    let outcome = one(&mut bridge, &wanted(Some(100), &[10]));
    assert!(
        matches!(&outcome.ending, Ending::Failed(reason) if reason.contains("no memory")),
        "{outcome:?}"
    );
    // What is there is told as it is.
    assert_eq!(outcome.after, bridge.ports["vnet3"]);
}

#[test]
fn somebody_who_undoes_it_is_met_a_few_times_and_then_named() {
    let mut bridge = Bridge::with("vnet3", entries(Some(1), &[1], &[]));
    bridge.meddler = 1;
    let outcome = one(&mut bridge, &wanted(Some(100), &[]));
    assert_eq!(outcome.ending, Ending::Changed { rounds: 2 });
    bridge = Bridge::with("vnet3", entries(Some(1), &[1], &[]));
    bridge.meddler = 100;
    let outcome = one(&mut bridge, &wanted(Some(100), &[]));
    assert!(matches!(&outcome.ending, Ending::Failed(r) if r.contains("reads back as none")));
}

#[test]
fn one_port_that_is_not_there_keeps_no_other_waiting() {
    let mut bridge = Bridge::with("vnet3", entries(Some(1), &[1], &[]));
    let targets = ["vnet9", "vnet3"].map(|port| Target {
        port: port.to_owned(),
        wanted: wanted(Some(100), &[]),
    });
    let states = bridge.read().unwrap();
    let outcomes = bring_about(&mut bridge, states, &targets);
    assert_eq!(outcomes[0].ending, Ending::NoSuchPort);
    assert_eq!(outcomes[1].ending, Ending::Changed { rounds: 1 });
}

/// Our requests, read back by the decoder that reads the kernel's messages.
#[test]
fn requests_say_what_is_meant() {
    let adds = [
        VlanEntry {
            first: 100,
            last: 100,
            pvid: true,
            untagged: true,
        },
        VlanEntry {
            first: 20,
            last: 22,
            ..VlanEntry::default()
        },
    ];
    let bytes = set(9, false, &adds, 3);
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(u16::from_ne_bytes([bytes[4], bytes[5]]), 19, "RTM_SETLINK");
    assert_eq!(u32::from_ne_bytes(bytes[8..12].try_into().unwrap()), 3);
    // The decoder takes RTM_NEWLINK only.
    let mut new = bytes.clone();
    new[4..6].copy_from_slice(&16_u16.to_ne_bytes());
    let read = links(&new, &new, &|_| false).unwrap();
    assert_eq!(read[0].index, 9);
    assert_eq!(read[0].vlans.as_deref(), Some(&adds[..]));
    let bytes = remove(9, true, &[(1, 1)], 4);
    assert_eq!(u16::from_ne_bytes([bytes[4], bytes[5]]), 17, "RTM_DELLINK");
    // `self` is told by a flag; the decoder passes over such a message, as it does for NICs.
    let mut new = bytes.clone();
    new[4..6].copy_from_slice(&16_u16.to_ne_bytes());
    assert_eq!(links(&new, &new, &|_| false).unwrap()[0].vlans, None);
}
