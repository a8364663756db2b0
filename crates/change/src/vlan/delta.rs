//! From what a port has to what it should have: pure.

use facts::bridge::{Entries, VlanEntry, vid::Ranges};
use model::vlan::Wanted;

/// What to add to a port and what to take from it, in the order in which the kernel should get it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Entries to add or to change: the PVID first, so that no untagged frame is dropped between
    /// two of them, then the tagged ones as ranges.
    pub add: Vec<VlanEntry>,
    /// Ranges to remove, afterwards.
    pub remove: Vec<(u16, u16)>,
}

impl Delta {
    /// Whether the port is as it should be.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// What makes `have` into `want`. Where nobody said a PVID, untagged VLANs stay as they are.
///
/// Adding an entry that exists changes its flags (bridge(8)): a new PVID takes the place of the old
/// one, which stays as an untagged VLAN until it is removed.
pub fn delta(have: &Entries, want: &Wanted) -> Delta {
    let tagged = || {
        want.tagged
            .iter()
            .copied()
            .filter(|v| want.pvid != Some(*v))
    };
    let mut delta = Delta::default();
    if let Some(pvid) = want.pvid
        && (have.pvid != Some(pvid) || !have.untagged.contains(&pvid))
    {
        delta.add.push(VlanEntry {
            first: pvid,
            last: pvid,
            pvid: true,
            untagged: true,
        });
    }
    // A PVID that leaves tagged is among the tagged ones as well; as a mere tagged VLAN it must
    // lose its flag.
    let is_right = |vid: &u16| have.tagged.contains(vid) && have.pvid != Some(*vid);
    let missing = tagged().filter(|vid| !is_right(vid));
    for (first, last) in Ranges::new(missing).0 {
        delta.add.push(VlanEntry {
            first,
            last,
            pvid: false,
            untagged: false,
        });
    }
    let untagged = have.untagged.iter().filter(|_| want.pvid.is_some());
    let stays = |vid: &u16| want.pvid == Some(*vid) || tagged().any(|t| t == *vid);
    let odd = |vid: &u16| want.pvid.is_none() && have.pvid == Some(*vid);
    let extra = untagged
        .chain(have.tagged.iter().filter(|vid| !odd(vid)))
        .filter(|vid| !stays(vid));
    delta.remove = Ranges::new(extra.copied()).0;
    delta
}
