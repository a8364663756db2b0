//! Amounts of memory with their unit, as libvirt scales them (formatdomain, "Memory Allocation").

/// Scales an amount with an optional unit to KiB, rounded up; `None` where the number or the unit
/// is none of libvirt's, or the result does not fit.
///
/// Units: `b`, `byte`, `bytes`; `KB`, `MB`, … are powers of 1000; `k`, `KiB`, `M`, `MiB`, … powers
/// of 1024. Case does not matter. Without a unit the number is in KiB.
pub(super) fn kib(number: &str, unit: Option<&str>) -> Option<u64> {
    let number: u128 = number.trim().parse::<u64>().ok()?.into();
    let factor = factor(unit.unwrap_or("KiB"))?;
    u64::try_from(number.checked_mul(factor)?.div_ceil(1024)).ok()
}

/// Bytes in one unit.
fn factor(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "b" | "byte" | "bytes") {
        return Some(1);
    }
    let mut letters = unit.chars();
    let power = match letters.next()? {
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        'p' => 5,
        'e' => 6,
        _ => return None,
    };
    let base: u128 = match letters.as_str() {
        "" | "ib" => 1024,
        "b" => 1000,
        _ => return None,
    };
    base.checked_pow(power)
}

#[cfg(test)]
mod tests {
    use super::kib;

    #[test]
    fn units_scale_as_libvirt_scales_them() {
        // `1 GB` → 976563 is what libvirt 9.0 itself wrote back for <memory unit='GB'>1</memory>.
        for (number, unit, expected) in [
            ("65536", None, Some(65536)),
            ("1", Some("GB"), Some(976_563)),
            ("1", Some("b"), Some(1)),
            ("2048", Some("bytes"), Some(2)),
            ("0", Some("KiB"), Some(0)),
            ("64", Some("MiB"), Some(65536)),
            ("64", Some("m"), Some(65536)),
            ("1", Some("T"), Some(1 << 30)),
            ("1", Some("KB"), Some(1)),
            (" 7 ", Some("KiB"), Some(7)),
            ("1", Some("XB"), None),
            ("1", Some("KiBi"), None),
            ("1", Some(""), None),
            ("-1", None, None),
            ("18446744073709551615", Some("E"), None),
        ] {
            assert_eq!(kib(number, unit), expected, "{number} {unit:?}");
        }
    }
}
