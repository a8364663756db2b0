//! `/proc/PID/mountinfo`, see proc_pid_mountinfo(5).

use super::Mount;
use crate::fstab::{decode, split_options};
use crate::path::is_below;
use crate::syntax::SyntaxError;

/// Reads a mount table. `\040` and its kin are resolved; optional fields are skipped.
///
/// # Errors
/// The first line that lacks a field, with its place.
pub fn parse_mountinfo(text: &str) -> Result<Vec<Mount>, SyntaxError> {
    text.lines()
        .zip(1_u32..)
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| parse_line(line, number))
        .collect()
}

fn parse_line(line: &str, number: u32) -> Result<Mount, SyntaxError> {
    // Fields are separated by one blank each: an empty source leaves two blanks in a row.
    let fields: Vec<&str> = line.split(' ').collect();
    let column = |index: usize| {
        let before: usize = fields
            .iter()
            .take(index)
            .map(|f| f.chars().count() + 1)
            .sum();
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    };
    let missing = |index: usize, what: &str| {
        SyntaxError::new(number, column(index), format!("{what} is missing"))
    };
    let id = |index: usize, what: &str| -> Result<u32, SyntaxError> {
        let field = fields.get(index).ok_or_else(|| missing(index, what))?;
        field.parse().map_err(|_| {
            SyntaxError::new(
                number,
                column(index),
                format!("{what} is {field:?}, not a number"),
            )
        })
    };
    let text = |index: usize, what: &str| {
        fields
            .get(index)
            .filter(|f| !f.is_empty())
            .map(|f| (*f).to_owned())
            .ok_or_else(|| missing(index, what))
    };
    let (mount_id, parent) = (id(0, "the mount ID")?, id(1, "the parent ID")?);
    let device = text(2, "the device number")?;
    let root = decode(&text(3, "the root")?);
    let target = decode(&text(4, "the mount point")?);
    let options = text(5, "the list of options")?;
    let dash = fields
        .iter()
        .skip(6)
        .position(|f| *f == "-")
        .map(|at| at + 6)
        .ok_or_else(|| missing(fields.len(), "the separator \"-\""))?;
    let fstype = decode(&text(dash + 1, "the file system type")?);
    let source = fields.get(dash + 2).map(|s| decode(s)).unwrap_or_default();
    let super_options = fields.get(dash + 3).copied().unwrap_or_default();
    Ok(Mount {
        id: mount_id,
        parent,
        device,
        root,
        target,
        options: split_options(&decode(&options)),
        fstype,
        source,
        super_options: split_options(&decode(super_options)),
        health: None,
    })
}

/// The mount that a path lies on: the one with the longest mount point that contains the path by
/// components (`/mnt/nas2` does not lie on `/mnt/nas`); of several on one point the last, which
/// covers the others. The path is taken as it is: links are not followed.
pub fn mount_of<'a>(path: &str, mounts: &'a [Mount]) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|m| m.target == "/" || is_below(path, &m.target))
        // `max_by_key` gives the last of equals.
        .max_by_key(|m| m.target.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
40 22 0:45 / /mnt/nas rw,relatime shared:20 master:3 - nfs4 nas-01:/volume1/vms rw,vers=4.2,addr=10.50.1.70
41 22 0:46 / /mnt/nas2 rw - tmpfs  rw
42 40 8:17 /sub /mnt/nas/a\\040b ro - xfs /dev/sdb1 rw,context=\"a,b\"
43 22 0:47 / /mnt/nas rw - fuse.sshfs u@h:/x rw,user_id=0
";

    #[test]
    fn a_table_with_binds_blanks_and_optional_fields() {
        let mounts = parse_mountinfo(TABLE).unwrap();
        assert_eq!(mounts.len(), 5);
        assert_eq!(mounts[1].source, "nas-01:/volume1/vms");
        assert_eq!(mounts[2].source, "");
        assert_eq!(mounts[2].super_options, ["rw"]);
        assert_eq!(
            (mounts[3].target.as_str(), mounts[3].root.as_str()),
            ("/mnt/nas/a b", "/sub")
        );
        assert_eq!(mounts[3].super_options, ["rw", "context=\"a,b\""]);
        assert!(mounts[4].is_network() && mounts[1].is_network() && !mounts[3].is_network());
    }

    #[test]
    fn the_mount_of_a_path() {
        let mounts = parse_mountinfo(TABLE).unwrap();
        let of = |path| mount_of(path, &mounts).map(|m| m.id);
        assert_eq!(of("/mnt/nas/x"), Some(43));
        assert_eq!(of("/mnt/nas2"), Some(41));
        assert_eq!(of("/mnt/nas23/x"), Some(22));
        assert_eq!(of("/mnt/nas/a b/c"), Some(42));
        assert_eq!(of("/"), Some(22));
        assert_eq!(mount_of("/", &[]), None);
    }

    #[test]
    fn a_cut_line_has_a_place() {
        for (line, column) in [
            ("x", 1),
            ("22 1 8:2 / /", 14),
            ("22 1 8:2 / / rw shared:1", 26),
            ("22 1 8:2 / / rw - ", 19),
        ] {
            assert_eq!(
                parse_mountinfo(line).unwrap_err().column,
                column,
                "{line:?}"
            );
        }
    }
}
