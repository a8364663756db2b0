//! What a change of mode does to a file's ACL: the kernel keeps the two in step (acl(5),
//! "Correspondence between ACL entries and file permission bits"; `__posix_acl_chmod`).

/// The attribute that holds a file's ACL.
pub(crate) const ATTRIBUTE: &str = "system.posix_acl_access";

/// Entries as linux/posix_acl_xattr.h lays them out: tag, rights, ID; behind a version.
const HEADER: usize = 4;
const ENTRY: usize = 8;

const USER_OBJ: u16 = 0x01;
const GROUP_OBJ: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The ACL after chmod(2): owner and others get their bits, the mask the group's, or the group
/// itself where there is no mask. Of another form than the kernel's it stays as it is.
pub(crate) fn after_chmod(acl: &[u8], mode: u32) -> Vec<u8> {
    let mut acl = acl.to_vec();
    let Some(entries) = acl.get_mut(HEADER..) else {
        return acl;
    };
    let tag = |entry: &[u8]| match entry {
        [low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    };
    let has_mask = entries.chunks_exact(ENTRY).any(|e| tag(e) == MASK);
    for entry in entries.chunks_exact_mut(ENTRY) {
        let bits = match tag(entry) {
            USER_OBJ => mode >> 6,
            MASK => mode >> 3,
            GROUP_OBJ if !has_mask => mode >> 3,
            OTHER => mode,
            _ => continue,
        };
        let bits = u8::try_from(bits & 7).unwrap_or(0);
        if let Some(rights) = entry.get_mut(2) {
            *rights = bits;
        }
    }
    acl
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(u16, u8)]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0];
        for (tag, rights) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend([*rights, 0, 255, 255, 255, 255]);
        }
        bytes
    }

    #[test]
    fn the_mask_takes_the_group_s_bits() {
        let old = acl(&[(USER_OBJ, 6), (2, 4), (GROUP_OBJ, 4), (MASK, 4), (OTHER, 0)]);
        let new = acl(&[(USER_OBJ, 7), (2, 4), (GROUP_OBJ, 4), (MASK, 5), (OTHER, 5)]);
        assert_eq!(after_chmod(&old, 0o755), new);
        let old = acl(&[(USER_OBJ, 6), (GROUP_OBJ, 4), (OTHER, 4)]);
        let new = acl(&[(USER_OBJ, 6), (GROUP_OBJ, 0), (OTHER, 0)]);
        assert_eq!(after_chmod(&old, 0o600), new);
        assert_eq!(after_chmod(&[2, 0], 0o600), [2, 0]);
    }
}
