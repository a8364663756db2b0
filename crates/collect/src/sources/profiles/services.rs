//! Which network service is started at boot: by the links that `systemctl enable` makes.

use super::files::names;
use super::is_network_manager;
use crate::HostReader;
use facts::profile::ProfileKind;
use std::collections::BTreeSet;

/// The services that were found enabled or running; `None` where nothing tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Services(Option<BTreeSet<&'static str>>);

/// Units that bring profiles up.
const UNITS: &[&str] = &[
    "NetworkManager.service",
    "systemd-networkd.service",
    "networking.service",
    "network.service",
    "wickedd.service",
];

impl Services {
    /// Looks for them.
    pub(super) fn read(reader: &dyn HostReader) -> Self {
        let system = "/etc/systemd/system";
        let mut found = BTreeSet::new();
        for directory in names(reader, system).unwrap_or_default() {
            if directory.ends_with(".wants") || directory.ends_with(".requires") {
                let links = names(reader, &format!("{system}/{directory}")).unwrap_or_default();
                found.extend(UNITS.iter().filter(|u| links.iter().any(|l| l == *u)));
            }
        }
        // SysV init scripts, as Debian's ifupdown and RHEL's network scripts have them.
        for (link, unit) in [
            ("/etc/rcS.d/S01networking", "networking.service"),
            ("/etc/rc3.d/S10network", "network.service"),
        ] {
            if reader.lstat(link).is_ok() {
                found.insert(unit);
            }
        }
        if reader.live() {
            // systemd keeps one such link for each unit that runs.
            let running = |unit: &&&str| {
                let link = format!("/run/systemd/units/invocation:{unit}");
                reader.lstat(&link).is_ok()
            };
            found.extend(UNITS.iter().filter(running));
        }
        found.retain(|unit| {
            reader
                .read_link(&format!("{system}/{unit}"))
                .map_or(true, |target| target != "/dev/null")
        });
        Self((!found.is_empty()).then_some(found))
    }

    /// Whether the program that owns profiles of this kind is started at boot.
    pub(super) fn starts(&self, kind: ProfileKind) -> Option<bool> {
        let found = self.0.as_ref()?;
        let any = |units: &[&str]| Some(units.iter().any(|u| found.contains(u)));
        match kind {
            ProfileKind::Ifcfg => any(&[
                "NetworkManager.service",
                "network.service",
                "wickedd.service",
            ]),
            kind if is_network_manager(kind) => any(&["NetworkManager.service"]),
            ProfileKind::Networkd => any(&["systemd-networkd.service"]),
            ProfileKind::Ifupdown => any(&["networking.service"]),
            // netplan is a generator, a script is run by whatever runs it.
            _ => None,
        }
    }
}
