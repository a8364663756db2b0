//! Services that keep an eye on a host, and what asks before it goes down.

use serde::{Deserialize, Serialize};

/// One that stands on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keeper {
    /// Its unit (`wazuh-agent.service`), or its package where it is no service (`molly-guard`).
    pub name: String,
    /// What shows it: the link that starts it at boot, or its file.
    pub path: String,
}

/// Agents and daemons that tell somebody when a unit of the host fails, by the names of their
/// services in the packages of Debian, Red Hat and their makers; and whether they find a network
/// mount that hangs or is empty without more than their ordinary set-up.
pub const MONITORS: &[(&str, bool)] = &[
    ("nofail-watch.service", true),
    // Its agent asks every NFS and CIFS mount in a child with a deadline.
    ("check-mk-agent.socket", true),
    ("cmk-agent-ctl-daemon.service", true),
    ("check_mk.socket", true),
    ("wazuh-agent.service", false),
    ("zabbix-agent.service", false),
    ("zabbix-agent2.service", false),
    ("prometheus-node-exporter.service", false),
    ("node_exporter.service", false),
    ("alloy.service", false),
    ("grafana-agent.service", false),
    ("telegraf.service", false),
    ("netdata.service", false),
    ("monit.service", false),
    ("collectd.service", false),
    ("icinga2.service", false),
    ("nagios-nrpe-server.service", false),
    ("nrpe.service", false),
    ("ncpa.service", false),
    ("sensu-agent.service", false),
    ("datadog-agent.service", false),
    ("newrelic-infra.service", false),
    ("elastic-agent.service", false),
    ("metricbeat.service", false),
    ("pmcd.service", false),
    ("munin-node.service", false),
    ("xymon-client.service", false),
];

/// Whether a unit is one of [`MONITORS`].
pub fn is_monitor(unit: &str) -> bool {
    MONITORS.iter().any(|(name, _)| *name == unit)
}

/// Whether this monitor finds dead network mounts.
pub fn watches_mounts(unit: &str) -> bool {
    MONITORS.contains(&(unit, true))
}

/// Files by which a guard before the reboot shows: its name, and the file. Debian's molly-guard
/// asks for the host's name over SSH; it knows nothing of guests.
pub const GUARDS: &[(&str, &str)] = &[
    ("nofail guard", "/usr/local/lib/nofail/guard"),
    ("molly-guard", "/usr/lib/molly-guard/molly-guard"),
    ("molly-guard", "/lib/molly-guard/molly-guard"),
];
