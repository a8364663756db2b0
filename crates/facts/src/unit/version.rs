//! Versions of systemd and libvirt from the names of their shared libraries.

/// systemd's version from `libsystemd-shared-NNN.so` (also `libsystemd-shared-252.22-1~deb12u1.so`,
/// `libsystemd-shared-257.9-1.fc42.so`).
pub fn systemd_from_library(name: &str) -> Option<u32> {
    let rest = name
        .strip_prefix("libsystemd-shared-")?
        .strip_suffix(".so")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// libvirt's version from `libvirt.so.0.M00N.P`: libvirt numbers its library
/// `0.(major * 1000 + minor).micro`.
pub fn libvirt_from_library(name: &str) -> Option<String> {
    let mut numbers = name.strip_prefix("libvirt.so.0.")?.split('.');
    let combined: u32 = numbers.next()?.parse().ok()?;
    let micro: u32 = numbers.next()?.parse().ok()?;
    if numbers.next().is_some() || combined < 1000 {
        return None;
    }
    Some(format!("{}.{}.{micro}", combined / 1000, combined % 1000))
}

/// The version of a package in dpkg's `/var/lib/dpkg/status` (deb-control(5)), without epoch and
/// Debian revision.
pub fn from_dpkg_status(status: &str, package: &str) -> Option<String> {
    let stanza = status.split("\n\n").find(|stanza| {
        let mut lines = stanza.lines();
        lines.any(|l| {
            l.strip_prefix("Package: ")
                .is_some_and(|p| p.trim() == package)
        }) && stanza
            .lines()
            .any(|l| l.starts_with("Status: ") && l.trim_end().ends_with(" installed"))
    })?;
    let version = stanza.lines().find_map(|l| l.strip_prefix("Version: "))?;
    let version = version.trim();
    let version = version.split_once(':').map_or(version, |(_, v)| v);
    let upstream = version.rsplit_once('-').map_or(version, |(v, _)| v);
    Some(upstream.to_owned())
}
