//! libvirt's own `<vlan>` on Linux bridges instead of a hook: from libvirt 11.0.0 on (its news of
//! 2025-01-15; "Domain XML format", "Setting VLAN tag"). Before, libvirt refuses to start a guest
//! that has it.

use crate::definition;
use crate::plan::Act;
use facts::bridge::Entries;
use facts::domain;

/// The first major version whose libvirt sets VLANs on Linux bridges.
const SINCE: u32 = 11;

/// Whether this libvirt sets VLANs on Linux bridges.
///
/// # Errors
/// It does not, or its version is not known: why not, and what serves instead.
pub fn supported(version: Option<&str>) -> Result<(), String> {
    let Some(version) = version else {
        return Err("the version of libvirt was not read: whether it sets VLANs on Linux bridges is not known".to_owned());
    };
    let major = version
        .split('.')
        .next()
        .and_then(|m| m.parse::<u32>().ok());
    if major.is_some_and(|major| major >= SINCE) {
        return Ok(());
    }
    Err(format!(
        "libvirt {version} sets no VLANs on Linux bridges (it does from {SINCE}.0.0 on), and would \
         not start a guest with such an element; `nofail hook install` serves instead"
    ))
}

/// What libvirt is told so that a port gets these VLANs; `None` where `<vlan>` cannot say it (two
/// untagged VLANs, a PVID that leaves tagged).
pub fn element(entries: &Entries) -> Option<String> {
    let tags = |vids: &[u16]| -> String {
        vids.iter()
            .map(|vid| format!("<tag id='{vid}'/>"))
            .collect()
    };
    match (
        entries.pvid,
        entries.untagged.as_slice(),
        entries.tagged.as_slice(),
    ) {
        (Some(pvid), [one], []) if *one == pvid => Some(format!("<vlan><tag id='{pvid}'/></vlan>")),
        (Some(pvid), [one], tagged) if *one == pvid => Some(format!(
            "<vlan trunk='yes'><tag id='{pvid}' nativeMode='untagged'/>{}</vlan>",
            tags(tagged)
        )),
        (None, [], tagged) if !tagged.is_empty() => {
            Some(format!("<vlan trunk='yes'>{}</vlan>", tags(tagged)))
        }
        _ => None,
    }
}

/// Gives interfaces of one guest's definition their elements through libvirt, which keeps the
/// definition in memory: `virsh define` with the text of `file` and these elements in it. The way
/// back is `virsh define` with the old text. The running guest does not notice.
///
/// # Errors
/// The definition cannot be edited; the message has the file and the place.
pub fn define(file: &str, old: &str, elements: &[(String, String)]) -> Result<Act, String> {
    let mut new = old.to_owned();
    for (mac, element) in elements {
        new = domain::with_vlan(&new, mac, element).map_err(|error| format!("{file}:{error}"))?;
    }
    // One line for each element.
    let marks = ["<vlan", "<tag id=", "nativeMode='untagged'"];
    Ok(Act::Run(definition::define(file, old, &new, &marks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_element_can_say() {
        let entries = |pvid, untagged: &[u16], tagged: &[u16]| Entries {
            pvid,
            untagged: untagged.to_vec(),
            tagged: tagged.to_vec(),
        };
        for (entries, xml) in [
            (
                entries(Some(100), &[100], &[]),
                Some("<vlan><tag id='100'/></vlan>"),
            ),
            (
                entries(Some(100), &[100], &[10, 20]),
                Some(
                    "<vlan trunk='yes'><tag id='100' nativeMode='untagged'/><tag id='10'/><tag id='20'/></vlan>",
                ),
            ),
            (
                entries(None, &[], &[10]),
                Some("<vlan trunk='yes'><tag id='10'/></vlan>"),
            ),
            (entries(Some(100), &[1, 100], &[]), None),
            (entries(Some(100), &[], &[10]), None),
            (entries(None, &[], &[]), None),
        ] {
            assert_eq!(element(&entries).as_deref(), xml, "{entries:?}");
        }
    }

    #[test]
    fn only_a_libvirt_that_can_is_told() {
        assert_eq!(supported(Some("11.0.0")), Ok(()));
        assert_eq!(supported(Some("12.3.0")), Ok(()));
        let old = supported(Some("9.0.0")).unwrap_err();
        assert!(
            old.contains("libvirt 9.0.0") && old.contains("hook install"),
            "{old}"
        );
        assert!(supported(None).is_err());
        assert!(supported(Some("?")).is_err());
    }
}
