//! A definition in which one disk lies elsewhere, and every other byte stays as it is.

use crate::syntax::SyntaxError;
use crate::xml::{Xml, child, child_attribute, children};
use std::ops::Range;

/// The definition with the disk `target` (`vda`) on the file `path`.
///
/// What changes is the place alone: the attribute that names the source, the disk's type where it
/// was a volume of a pool, and a backing chain that the definition spells out goes, since the file
/// needs none.
///
/// # Errors
/// It is no domain XML, has no such disk or more than one, or the disk is neither a file nor a
/// volume.
pub fn redirect(text: &str, target: &str, path: &str) -> Result<String, SyntaxError> {
    let xml = Xml::parse(text)?;
    let root = xml.root();
    let devices = child(root, "devices");
    let mut disks = devices.iter().flat_map(|devices| {
        children(*devices, "disk")
            .filter(|disk| child_attribute(*disk, "target", "dev").as_deref() == Some(target))
    });
    let (Some(disk), None) = (disks.next(), disks.next()) else {
        return Err(xml.error(root, format!("expected one disk with the target {target}")));
    };
    let Some(source) = child(disk, "source") else {
        return Err(xml.error(disk, format!("disk {target} has no <source>")));
    };
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    match disk.attribute("type").unwrap_or("file") {
        "file" => {
            let Some(file) = source.attribute_node("file") else {
                return Err(xml.error(source, "this <source> names no file"));
            };
            edits.push((file.range_value(), escaped(path)));
        }
        "volume" => {
            let (Some(kind), Some(pool), Some(volume)) = (
                disk.attribute_node("type"),
                source.attribute_node("pool"),
                source.attribute_node("volume"),
            ) else {
                return Err(xml.error(source, "this <source> names no pool and volume"));
            };
            edits.push((kind.range_value(), "file".to_owned()));
            edits.push((pool.range(), format!("file='{}'", escaped(path))));
            edits.push((with_blanks_before(text, volume.range()), String::new()));
            // How an iSCSI volume is reached; a file knows no such thing.
            if let Some(mode) = source.attribute_node("mode") {
                edits.push((with_blanks_before(text, mode.range()), String::new()));
            }
        }
        other => {
            return Err(xml.error(disk, format!("disk {target} is of the type {other}")));
        }
    }
    if let Some(chain) = child(disk, "backingStore") {
        edits.push((with_blanks_before(text, chain.range()), String::new()));
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut new = text.to_owned();
    for (range, with) in edits.into_iter().rev() {
        new.replace_range(range, &with);
    }
    Ok(new)
}

fn with_blanks_before(text: &str, range: Range<usize>) -> Range<usize> {
    text[..range.start].trim_end().len()..range.end
}

/// Text for an attribute's value, whichever quotes stand around it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<domain type='kvm'>\n  <name>g</name>\n  <devices>\n    <disk type='file' device='disk'>\n      \
        <driver name='qemu' type='qcow2' discard='unmap'/>\n      <source file='/mnt/nas/g.qcow2' startupPolicy='optional'/>\n      \
        <backingStore type='file'>\n        <format type='raw'/>\n        <source file='/mnt/nas/base.img'/>\n        <backingStore/>\n      </backingStore>\n      \
        <target dev='vda' bus='virtio'/>\n    </disk>\n    <disk type='volume' device='disk'>\n      \
        <source pool='nas' volume='d.img'/>\n      <target dev='vdb'/>\n    </disk>\n  </devices>\n</domain>\n";

    #[test]
    fn a_file_moves_and_its_chain_goes() {
        let new = redirect(TEXT, "vda", "/srv/it's & more").unwrap();
        let chain = TEXT.find("\n      <backingStore type").unwrap();
        let end = TEXT.find("</backingStore>\n      <target").unwrap() + "</backingStore>".len();
        let expected = format!("{}{}", &TEXT[..chain], &TEXT[end..])
            .replace("/mnt/nas/g.qcow2", "/srv/it&apos;s &amp; more");
        assert_eq!(new, expected);
        let guest = super::super::parse(&new).unwrap();
        assert_eq!(guest.disks[0].source.as_deref(), Some("/srv/it's & more"));
        assert!(guest.disks[0].backing.is_empty());
        assert_eq!(guest.disks[0].startup_policy.as_deref(), Some("optional"));
    }

    #[test]
    fn a_volume_becomes_a_file() {
        let new = redirect(TEXT, "vdb", "/srv/d.img").unwrap();
        let expected = TEXT
            .replace("type='volume'", "type='file'")
            .replace("pool='nas' volume='d.img'", "file='/srv/d.img'");
        assert_eq!(new, expected);
    }

    #[test]
    fn what_is_not_there_or_no_file_is_refused() {
        assert!(redirect(TEXT, "vdc", "/x").is_err());
        assert!(redirect("<domain", "vda", "/x").is_err());
        let block = TEXT.replace("type='file' device", "type='block' device");
        let error = redirect(&block, "vda", "/x").unwrap_err();
        assert!(error.to_string().contains("block"), "{error}");
        assert_eq!(error.line, 4);
    }
}
