//! Which VLANs a domain's own XML asks for, for a port on a Linux bridge.
//!
//! Two places can say it: the `<vlan>` element of an interface (libvirt's own, which libvirt sets
//! on Linux bridges since 11.0), and nofail's element in the domain's `<metadata>`, in either form:
//!
//! ```xml
//! <n:vlans xmlns:n='https://nofail.dev/xmlns/domain/1' pvid='100' tagged='10,20-22'/>
//! <n:vlans xmlns:n='https://nofail.dev/xmlns/domain/1'>100 pvid, 10, 20-22</n:vlans>
//! ```

use super::Interface;
use crate::bridge::vid;

/// What a guest's port should carry, as the domain's XML says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VlanWish {
    /// VLAN of untagged frames; `None` where the XML names none.
    pub pvid: Option<u16>,
    /// VLANs carried tagged, sorted.
    pub tagged: Vec<u16>,
}

impl VlanWish {
    /// Reads the text of [`super::Guest::metadata_vlans`].
    ///
    /// # Errors
    /// What is wrong with it, for a message that names the guest.
    pub fn of_metadata(text: &str) -> Result<Self, String> {
        let mut wish = Self::default();
        if text.contains('=') {
            wish.attributes(text)?;
        } else {
            for item in text.split(',') {
                wish.item(item)?;
            }
        }
        wish.tidy();
        if wish == Self::default() {
            return Err(format!("`{text}` names no VLAN"));
        }
        Ok(wish)
    }

    /// What the interface's own `<vlan>` element asks for: a single tag is an access port, several
    /// are a trunk whose native VLAN, where there is one, is the PVID. `None` without the element.
    pub fn of_interface(interface: &Interface) -> Option<Self> {
        let native = interface.native_vlan;
        let pvid = match interface.vlans.as_slice() {
            [] => return None,
            [only] if !interface.trunk => Some(*only),
            _ => native,
        };
        let tagged = interface.vlans.iter().copied();
        let mut wish = Self {
            pvid: pvid.filter(|vid| (vid::FIRST..=vid::LAST).contains(vid)),
            tagged: tagged
                .filter(|vid| (vid::FIRST..=vid::LAST).contains(vid))
                .collect(),
        };
        wish.tidy();
        Some(wish)
    }

    /// `pvid=100 tagged=10, 20`: a word without `=` goes on with the list before it.
    fn attributes(&mut self, text: &str) -> Result<(), String> {
        let mut key = "";
        for word in text.split_whitespace() {
            let value = match word.split_once('=') {
                Some((name, value)) => {
                    key = name;
                    value
                }
                None => word,
            };
            match key {
                "pvid" => self.pvid(value)?,
                "tagged" => {
                    for item in value.split(',').filter(|item| !item.is_empty()) {
                        let (first, last) = vid::range(item)?;
                        self.tagged.extend(first..=last);
                    }
                }
                other => return Err(format!("unknown attribute `{other}`: pvid or tagged")),
            }
        }
        Ok(())
    }

    /// One item of the text form: `100 pvid untagged`, `10`, `20-22`.
    fn item(&mut self, item: &str) -> Result<(), String> {
        let mut words = item.split_whitespace();
        let number = words.next().ok_or("an empty item between commas")?;
        let (mut pvid, mut untagged) = (false, false);
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "pvid" => pvid = true,
                "untagged" => untagged = true,
                _ => return Err(format!("unknown word `{word}`: pvid or untagged")),
            }
        }
        if pvid {
            return self.pvid(number);
        }
        if untagged {
            return Err(format!(
                "`{item}`: only the pvid is untagged on a guest's port"
            ));
        }
        let (first, last) = vid::range(number)?;
        self.tagged.extend(first..=last);
        Ok(())
    }

    fn pvid(&mut self, text: &str) -> Result<(), String> {
        let (first, last) = vid::range(text)?;
        if first != last {
            return Err(format!("`{text}` is a range: a port has one pvid"));
        }
        match self.pvid.replace(first) {
            Some(before) if before != first => Err(format!("two pvids: {before} and {first}")),
            _ => Ok(()),
        }
    }

    fn tidy(&mut self) {
        self.tagged.sort_unstable();
        self.tagged.dedup();
        self.tagged.retain(|vid| Some(*vid) != self.pvid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(pvid: Option<u16>, tagged: &[u16]) -> VlanWish {
        VlanWish {
            pvid,
            tagged: tagged.to_vec(),
        }
    }

    #[test]
    fn both_forms_of_the_metadata() {
        for text in [
            "pvid=100 tagged=10,20-22",
            "tagged=20-22, 10 pvid=100",
            "100 pvid untagged, 10, 20-22",
            "100 PVID, 10, 20-22, 100",
        ] {
            assert_eq!(
                VlanWish::of_metadata(text),
                Ok(wish(Some(100), &[10, 20, 21, 22])),
                "{text}"
            );
        }
        assert_eq!(VlanWish::of_metadata("30"), Ok(wish(None, &[30])));
        for bad in [
            "",
            "pvid=",
            "pvid=0",
            "pvid=4095",
            "pvid=1-2",
            "vlan=3",
            "10,,20",
            "10 native",
            "10 untagged",
            "1 pvid, 2 pvid",
            "tagged=",
            "=",
            "ten",
        ] {
            assert!(VlanWish::of_metadata(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_interfaces_own_element() {
        let of = |vlans: &[u16], native_vlan, trunk| {
            VlanWish::of_interface(&Interface {
                vlans: vlans.to_vec(),
                native_vlan,
                trunk,
                ..Interface::default()
            })
        };
        assert_eq!(of(&[], None, false), None);
        assert_eq!(of(&[42], None, false), Some(wish(Some(42), &[])));
        assert_eq!(of(&[42], None, true), Some(wish(None, &[42])));
        assert_eq!(of(&[42, 7], Some(42), true), Some(wish(Some(42), &[7])));
    }
}
