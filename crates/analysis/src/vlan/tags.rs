//! The VLAN tags of a frame.

use std::fmt;

/// The IEEE 802.1Q tags of a frame, outermost first; none for an untagged frame. VLAN 0 is a
/// priority tag: it says nothing of the VLAN.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags(pub Vec<u16>);

impl Tags {
    /// Of an untagged frame.
    pub fn none() -> Self {
        Self::default()
    }

    /// Of a frame with one tag.
    pub fn one(vid: u16) -> Self {
        Self(vec![vid])
    }

    /// The outermost tag.
    pub fn outer(&self) -> Option<u16> {
        self.0.first().copied()
    }

    /// With one more tag around the frame.
    #[must_use]
    pub fn pushed(&self, vid: u16) -> Self {
        let mut tags = Vec::with_capacity(self.0.len() + 1);
        tags.push(vid);
        tags.extend_from_slice(&self.0);
        Self(tags)
    }

    /// Without the outermost tag.
    #[must_use]
    pub fn popped(&self) -> Self {
        Self(self.0.get(1..).unwrap_or_default().to_vec())
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("untagged"),
            tags => {
                let tags: Vec<String> = tags.iter().map(u16::to_string).collect();
                write!(f, "tagged {}", tags.join("+"))
            }
        }
    }
}
