//! Bridges, ports and VLANs of the running kernel, over netlink.

use crate::{HostReader, Options, netlink};
use facts::bridge::{assemble, devices, link::name_guests};
use facts::{Snapshot, Source};
use std::error::Error;

/// Runs after the guests: their live status XML names the ports.
pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if !reader.live() {
        snapshot.not_read(
            Source::Bridges,
            "a tree holds no kernel state (bridges and VLANs exist in the running kernel only)",
        );
        return;
    }
    let has_device = |name: &str| {
        reader
            .lstat(&format!("/sys/class/net/{name}/device"))
            .is_ok()
    };
    match netlink::links(options.deadline, &has_device) {
        Ok(links) => {
            snapshot.bridges = assemble(&links);
            snapshot.devices = devices(&links);
            let owners = snapshot.guests.iter().flat_map(|guest| {
                guest
                    .interfaces
                    .iter()
                    .filter_map(|i| Some((i.target.as_deref()?, guest.name.as_str())))
            });
            name_guests(&mut snapshot.bridges, owners);
        }
        Err(error) => {
            let cause = error.source().map(|s| format!(": {s}")).unwrap_or_default();
            snapshot.not_read(Source::Bridges, format!("{error}{cause}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalReader, command};
    use facts::bridge::Role;
    use facts::domain::{Guest, Interface};
    use std::time::Duration;

    /// Runs this very test once more inside a network namespace of its own.
    #[test]
    fn plain_bridges_of_a_namespace() {
        let program = std::env::current_exe().unwrap();
        let done = command::run(
            "unshare",
            &[
                "-r",
                "-n",
                program.to_str().unwrap(),
                "--exact",
                "--ignored",
                "--nocapture",
                "sources::bridges::tests::inside_a_namespace",
            ],
            &[],
            Duration::from_secs(60),
        )
        .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{said}{}", done.stderr);
        assert!(said.contains("1 passed"), "{said}{}", done.stderr);
    }

    #[test]
    #[ignore = "run by plain_bridges_of_a_namespace, in a network namespace"]
    fn inside_a_namespace() {
        let ip = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            command::output("ip", &words, Duration::from_secs(10)).unwrap();
        };
        ip("link add br-mgmt type bridge stp_state 1");
        ip("link add br-other type bridge");
        ip("link add vnet0 type veth peer name peer0");
        ip("link add uplink0 type veth peer name peer1");
        ip("link set vnet0 master br-mgmt");
        ip("link set uplink0 master br-mgmt up");
        ip("link set br-mgmt up");
        let mut snapshot = Snapshot::new("here");
        snapshot.guests.push(Guest {
            name: "bind-01".to_owned(),
            interfaces: vec![Interface {
                target: Some("vnet0".to_owned()),
                ..Interface::default()
            }],
            ..Guest::default()
        });
        let reader = LocalReader::live().unwrap();
        collect(&reader, &Options::default(), &mut snapshot);
        assert_eq!(snapshot.unread, []);
        let names: Vec<&str> = snapshot.bridges.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names, ["br-mgmt", "br-other"]);
        let bridge = &snapshot.bridges[0];
        assert_eq!(bridge.stp, Some(true));
        assert_eq!(bridge.vlan_filtering, Some(false));
        let ports: Vec<(&str, Role, Option<&str>)> = bridge
            .ports
            .iter()
            .map(|p| (p.name.as_str(), p.role, p.guest.as_deref()))
            .collect();
        assert_eq!(
            ports,
            [
                ("br-mgmt", Role::Own, None),
                ("vnet0", Role::Guest, Some("bind-01")),
                ("uplink0", Role::Other, None),
            ]
        );
        assert_eq!(bridge.ports[1].link.as_deref(), Some("veth"));
        assert_eq!(bridge.ports[1].state.as_deref(), Some("down"));
    }

    #[test]
    fn a_tree_has_no_kernel() {
        let dir = tempfile::tempdir().unwrap();
        let reader = LocalReader::rooted(dir.path()).unwrap();
        let mut snapshot = Snapshot::new("dead");
        collect(&reader, &Options::default(), &mut snapshot);
        assert!(snapshot.why_unread(Source::Bridges).is_some());
        assert!(snapshot.bridges.is_empty());
    }
}
