//! Which systemd and libvirt are installed, from the names of their libraries.

use super::super::files;
use crate::HostReader;
use facts::Snapshot;
use facts::unit::version;

/// Directories of shared libraries: RPM's, then Debian's multi-arch ones are added.
const LIBRARIES: &[&str] = &["/usr/lib64", "/usr/lib", "/lib64", "/lib"];

/// Architectures as Debian names their library directories.
const MULTIARCH: &[&str] = &[
    "x86_64-linux-gnu",
    "aarch64-linux-gnu",
    "ppc64le-linux-gnu",
    "s390x-linux-gnu",
    "riscv64-linux-gnu",
];

pub(super) fn collect(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let mut directories: Vec<String> = LIBRARIES.iter().map(|d| (*d).to_owned()).collect();
    directories.extend(MULTIARCH.iter().map(|m| format!("/usr/lib/{m}")));
    snapshot.systemd_version = directories
        .iter()
        .flat_map(|d| files::list(reader, &format!("{d}/systemd")))
        .filter_map(|name| version::systemd_from_library(&name))
        .max();
    snapshot.libvirt_version = directories
        .iter()
        .flat_map(|d| files::list(reader, d))
        .find_map(|name| version::libvirt_from_library(&name))
        .or_else(|| {
            let status = reader.text("/var/lib/dpkg/status").ok()?;
            version::from_dpkg_status(&status, "libvirt0")
                .or_else(|| version::from_dpkg_status(&status, "libvirt-daemon"))
        });
}
