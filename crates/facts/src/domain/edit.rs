//! One element more in a definition, the rest of its text as it is.

use super::parse::domain_of;
use crate::syntax::SyntaxError;
use crate::xml::{Xml, child, child_attribute, children};

/// The same definition with `element` (a `<vlan>`, on one line) as the last child of the interface
/// that has this MAC address. Nothing else of the text changes.
///
/// # Errors
/// It is no domain XML; no interface or more than one has the address; the interface has a
/// `<vlan>` already.
pub fn with_vlan(text: &str, mac: &str, element: &str) -> Result<String, SyntaxError> {
    let xml = Xml::parse(text)?;
    let domain = domain_of(&xml)?;
    let found: Vec<_> = child(domain, "devices")
        .into_iter()
        .flat_map(|devices| children(devices, "interface"))
        .filter(|node| {
            child_attribute(*node, "mac", "address").is_some_and(|m| m.eq_ignore_ascii_case(mac))
        })
        .collect();
    let interface = match found.as_slice() {
        [one] => *one,
        [] => return Err(xml.error(domain, format!("no interface has the address {mac}"))),
        [_, second, ..] => {
            return Err(xml.error(*second, format!("a second interface has the address {mac}")));
        }
    };
    if let Some(vlan) = child(interface, "vlan") {
        return Err(xml.error(vlan, "the interface has a <vlan> already"));
    }
    // It has a child, so that it has a closing tag; nothing but blanks may follow the name there.
    let end = interface.range().end;
    let Some(close) = text[..end].rfind("</") else {
        return Err(xml.error(interface, "the interface has no closing tag"));
    };
    let line = text[..close].rfind('\n').map_or(0, |at| at + 1);
    let (head, indent) = (&text[..close], &text[line..close]);
    let tail = &text[close..];
    Ok(if indent.trim().is_empty() && line > 0 {
        format!("{head}  {element}\n{indent}{tail}")
    } else {
        format!("{head}{element}{tail}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "\
<domain type='kvm'>
  <name>bind-01</name>
  <devices>
    <interface type='bridge'>
      <mac address='52:54:00:AA:00:01'/>
      <source bridge='br-mgmt'/>
      <!-- </interface> in a comment -->
    </interface>
    <interface type='bridge'><mac address='52:54:00:aa:00:02'/></interface  >
  </devices>
</domain>
";

    #[test]
    fn only_the_element_is_added() {
        let vlan = "<vlan><tag id='100'/></vlan>";
        let once = with_vlan(XML, "52:54:00:aa:00:01", vlan).unwrap();
        let added = format!("      {vlan}\n    </interface>\n    <interface");
        assert_eq!(once.matches(added.as_str()).count(), 1, "{once}");
        assert_eq!(once.replacen(&format!("      {vlan}\n"), "", 1), XML);
        let both = with_vlan(&once, "52:54:00:aa:00:02", vlan).unwrap();
        let guest = crate::domain::parse(&both).unwrap();
        let tags: Vec<_> = guest.interfaces.iter().map(|i| i.vlans.clone()).collect();
        assert_eq!(tags, [[100], [100]]);
        assert_eq!(both.matches(vlan).count(), 2);
        let again = with_vlan(&both, "52:54:00:aa:00:02", vlan).unwrap_err();
        assert_eq!(
            (again.line, again.message.as_str()),
            (10, "the interface has a <vlan> already")
        );
        assert!(with_vlan(XML, "52:54:00:aa:00:03", vlan).is_err());
        assert!(with_vlan("<domain", "x", vlan).is_err());
        let twice = XML.replace("aa:00:02", "AA:00:01");
        assert!(with_vlan(&twice, "52:54:00:aa:00:01", vlan).is_err());
    }
}
