//! Unit names from paths, see systemd.unit(5) "String escaping for inclusion in unit names".
//!
//! The same rules as `systemd-escape --path` and `systemd-escape --mangle`, with the shortening of
//! names of more than 255 bytes that systemd has since version 251.

use crate::path::simplify;

/// Longest unit name that systemd accepts, in bytes.
const MAX: usize = 255;

/// Key of the hash in a shortened name, a constant of systemd's.
const LONG_KEY: [u8; 16] = [
    0xec, 0xf2, 0x37, 0xfb, 0x58, 0x32, 0x4a, 0x32, 0x84, 0x9f, 0x06, 0x9b, 0x0d, 0x21, 0xeb, 0x9a,
];

/// Suffixes of unit types.
const TYPES: [&str; 11] = [
    ".service",
    ".socket",
    ".target",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".timer",
    ".path",
    ".slice",
    ".scope",
];

/// The escaped form of a path, without a suffix; `None` for one that holds `..`.
pub fn escape_path(path: &str) -> Option<String> {
    let path = simplify(path);
    let inner = path.trim_start_matches('/');
    if inner.is_empty() || path == "." {
        return Some("-".to_owned());
    }
    if inner
        .split('/')
        .any(|part| part == ".." || part.len() > MAX)
    {
        return None;
    }
    let mut name = String::new();
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => push_hex(&mut name, byte),
            b'/' => name.push('-'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            _ => push_hex(&mut name, byte),
        }
    }
    Some(name)
}

fn push_hex(text: &mut String, byte: u8) {
    text.push_str(&format!("\\x{byte:02x}"));
}

/// The unit that stands for a path: `/mnt/a b` and `.mount` give `mnt-a\x20b.mount`.
/// `None` where systemd refuses the path.
pub fn unit_from_path(path: &str, suffix: &str) -> Option<String> {
    let name = format!("{}{suffix}", escape_path(path)?);
    Some(if name.len() > MAX {
        shorten(&name, suffix)
    } else {
        name
    })
}

/// `systemd-fsck` and `/dev/sdb1` give `systemd-fsck@dev-sdb1.service`.
pub fn instance_from_path(prefix: &str, path: &str, suffix: &str) -> Option<String> {
    let name = format!("{prefix}@{}{suffix}", escape_path(path)?);
    (name.len() <= MAX).then_some(name)
}

/// The start of a long name, a hash of the whole, and the suffix.
fn shorten(name: &str, suffix: &str) -> String {
    let keep = MAX - suffix.len() - 1 - 16;
    // systemd hashes the closing NUL too, and prints the bytes of a little-endian number in order.
    let hash = siphash(LONG_KEY, format!("{name}\0").as_bytes()).swap_bytes();
    format!("{}_{hash:016x}{suffix}", &name[..keep])
}

/// A unit named in an option: a unit name as it is, a device path as its device unit, another
/// path as its mount unit, anything else escaped and with `.mount` added. `None` where systemd
/// refuses it, which makes the generator give up on the line.
pub fn mangle(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    if valid(name) {
        return Some(name.to_owned());
    }
    if name.starts_with('/') {
        let path = simplify(name);
        let suffix = if is_device_path(&path) {
            ".device"
        } else {
            ".mount"
        };
        if let Some(unit) = unit_from_path(&path, suffix) {
            return Some(unit);
        }
    }
    let mut mangled = String::new();
    for byte in name.bytes() {
        match byte {
            b'/' => mangled.push('-'),
            b if in_name(b) => mangled.push(char::from(b)),
            b => push_hex(&mut mangled, b),
        }
    }
    if !TYPES.iter().any(|suffix| mangled.ends_with(suffix)) {
        mangled.push_str(".mount");
    }
    (mangled.len() <= MAX && valid(&mangled)).then_some(mangled)
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)
}

/// Whether this is a complete unit name.
fn valid(name: &str) -> bool {
    let Some(stem) = TYPES.iter().find_map(|suffix| name.strip_suffix(suffix)) else {
        return false;
    };
    name.len() <= MAX && !stem.is_empty() && !stem.starts_with('@') && stem.bytes().all(in_name)
}

/// Whether systemd takes this path for a device: below `/dev` or `/sys`.
pub fn is_device_path(path: &str) -> bool {
    let path = simplify(path);
    ["/dev/", "/sys/"]
        .iter()
        .any(|prefix| path.len() > prefix.len() && path.starts_with(prefix))
}

/// What the generator makes of fstab's first field: `UUID=…` and its like become the link below
/// `/dev/disk` that udev would make, all else stays.
pub fn udev_node(source: &str) -> String {
    for (tag, by) in [
        ("LABEL=", "label"),
        ("UUID=", "uuid"),
        ("PARTUUID=", "partuuid"),
        ("PARTLABEL=", "partlabel"),
    ] {
        if let Some(value) = source.strip_prefix(tag) {
            return format!("/dev/disk/by-{by}/{}", encode_label(unquote(value)));
        }
    }
    source.to_owned()
}

/// The value without one pair of quotes around it.
pub fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if value.len() >= 2
            && let Some(inner) = value
                .strip_prefix(quote)
                .and_then(|v| v.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

/// udev's encoding of labels in link names: what is not plain becomes `\xNN`.
fn encode_label(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if character.is_ascii_alphanumeric()
            || "#+-.:=@_".contains(character)
            || !character.is_ascii()
        {
            text.push(character);
        } else {
            push_hex(&mut text, u8::try_from(character).unwrap_or(b'?'));
        }
    }
    text
}

/// SipHash-2-4, as published by Aumasson and Bernstein.
fn siphash(key: [u8; 16], data: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte))
    };
    let (k0, k1) = (word(&key[..8]), word(&key[8..]));
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let chunks = data.chunks_exact(8);
    let last = word(chunks.remainder()) | (data.len() as u64) << 56;
    for block in chunks.map(word).chain([last]) {
        v[3] ^= block;
        rounds(&mut v, 2);
        v[0] ^= block;
    }
    v[2] ^= 0xff;
    rounds(&mut v, 4);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn rounds(v: &mut [u64; 4], count: u32) {
    for _ in 0..count {
        v[0] = v[0].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[2] = v[2].rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_systemd_escape() {
        for (path, unit) in [
            ("/", "-.mount"),
            ("/mnt/nas/vms", "mnt-nas-vms.mount"),
            ("/mnt//nas/./vms/", "mnt-nas-vms.mount"),
            ("/srv/a b-c", "srv-a\\x20b\\x2dc.mount"),
            ("/.hidden", "\\x2ehidden.mount"),
            ("/été", "\\xc3\\xa9t\\xc3\\xa9.mount"),
        ] {
            assert_eq!(unit_from_path(path, ".mount").as_deref(), Some(unit));
        }
        assert_eq!(unit_from_path("/a/../b", ".mount"), None);
    }

    #[test]
    fn a_long_name_ends_with_systemds_own_hash() {
        let path = format!("/{}/{}/{}", "a".repeat(72), "b".repeat(115), "c".repeat(85));
        let unit = unit_from_path(&path, ".mount").unwrap();
        assert_eq!(unit.len(), 255, "{unit}");
        assert!(unit.ends_with("c_ee04909254afef86.mount"), "{unit}");
    }

    #[test]
    fn tags_become_udev_links() {
        assert_eq!(
            udev_node("LABEL=\"my data\""),
            "/dev/disk/by-label/my\\x20data"
        );
        assert_eq!(udev_node("UUID=ab-c"), "/dev/disk/by-uuid/ab-c");
        assert_eq!(udev_node("nas:/x"), "nas:/x");
    }

    #[test]
    fn options_name_units_or_paths() {
        for (name, unit) in [
            ("libvirtd.service", "libvirtd.service"),
            ("/mnt/nas", "mnt-nas.mount"),
            ("/dev/sdb1", "dev-sdb1.device"),
            ("foo", "foo.mount"),
            ("a b", "a\\x20b.mount"),
        ] {
            assert_eq!(mangle(name).as_deref(), Some(unit));
        }
        assert_eq!(mangle(""), None);
    }

    #[test]
    fn the_hash_is_siphash_2_4() {
        // The test vector of the published paper: key 00..0f, data 00..0e.
        let key: [u8; 16] = std::array::from_fn(|i| i as u8);
        let data: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(key, &data), 0xa129_ca61_49be_45e5);
    }
}
