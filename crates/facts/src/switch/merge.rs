//! Several texts of one switch, joined: the later one wins, fact by fact.

use super::{Switch, SwitchPort};

const CONFIGS: [&str; 2] = ["show running-config", "show startup-config"];

macro_rules! port_facts {
    ($($field:ident),* $(,)?) => {
        impl SwitchPort {
            /// Takes the fact of that key, with its place, from another reading of the port.
            fn take(&mut self, other: &Self, key: &str) {
                match key {
                    $(stringify!($field) => self.$field = other.$field.clone(),)*
                    _ => {}
                }
                if let Some(place) = other.lines.get(key) {
                    self.lines.insert(key.to_owned(), place.clone());
                }
            }

            /// Forgets the fact of that key.
            fn forget(&mut self, key: &str) {
                match key {
                    $(stringify!($field) => self.$field = None,)*
                    _ => {}
                }
                self.lines.remove(key);
            }
        }
    };
}

port_facts! {
    description, mode, trunking, native_vlan, native_tagged, allowed_vlans, active_vlans,
    access_vlan, channel_group, channel_state, shutdown, status, err_disabled_reason, duplex,
    speed, input_errors, crc_errors, counters_cleared, forwarding_vlans, bpdu_guard, portfast,
    port_security,
}

impl Switch {
    /// Joins several texts of one switch, in their order. Where two tell the same fact the later
    /// one counts; a later running configuration replaces an earlier one altogether, and what a
    /// start-up configuration says of ports counts only where no running one was read.
    pub fn merge(captures: impl IntoIterator<Item = Self>) -> Self {
        let captures: Vec<Self> = captures.into_iter().collect();
        let running_known = captures
            .iter()
            .any(|c| c.commands.iter().any(|command| command == CONFIGS[0]));
        let mut merged = Self::default();
        for mut capture in captures {
            if running_known {
                capture.forget_configuration(CONFIGS[1]);
            }
            if capture.running.is_some() {
                merged.forget_configuration(CONFIGS[0]);
            }
            if capture.radius_complete {
                merged.radius_groups.clear();
            }
            if capture.vlans_complete {
                merged.vlans.clear();
                merged.vlan_status.clear();
            }
            merged.overlay(capture);
        }
        merged
    }

    fn overlay(&mut self, later: Self) {
        for (name, port) in later.ports {
            let known = self.ports.entry(name).or_insert_with(|| SwitchPort {
                name: port.name.clone(),
                line: port.line,
                ..SwitchPort::default()
            });
            for key in port.lines.keys() {
                known.take(&port, key);
            }
            known.spanning_tree.extend(port.spanning_tree);
        }
        for command in later.commands {
            if !self.commands.contains(&command) {
                self.commands.push(command);
            }
        }
        self.vlans.extend(later.vlans);
        self.vlan_status.extend(later.vlan_status);
        self.vlans_complete |= later.vlans_complete;
        for (name, server) in later.radius_servers {
            let known = self.radius_servers.entry(name).or_default();
            known.address = server.address.or_else(|| known.address.take());
            known.state = server.state.or_else(|| known.state.take());
            if known.place.file.is_empty() || CONFIGS.contains(&server.place.command.as_str()) {
                known.place = server.place;
            }
        }
        self.radius_groups.extend(later.radius_groups);
        self.radius_complete |= later.radius_complete;
        self.doubts.extend(later.doubts);
        replace(&mut self.name, later.name);
        replace(&mut self.tag_native, later.tag_native);
        replace(&mut self.running, later.running);
        replace(&mut self.startup, later.startup);
        replace(&mut self.running_capture, later.running_capture);
        replace(&mut self.startup_capture, later.startup_capture);
        replace(&mut self.last_change, later.last_change);
        replace(&mut self.last_saved, later.last_saved);
    }

    /// Forgets what was read from the output of one configuration command, but not its text.
    fn forget_configuration(&mut self, command: &str) {
        for port in self.ports.values_mut() {
            let of = |(key, place): (&String, &super::Place)| {
                (place.command == command).then(|| key.clone())
            };
            let keys: Vec<String> = port.lines.iter().filter_map(of).collect();
            keys.iter().for_each(|key| port.forget(key));
        }
        self.ports
            .retain(|_, port| !port.lines.is_empty() || !port.spanning_tree.is_empty());
        self.radius_servers
            .retain(|_, s| s.place.command != command);
        self.radius_groups.retain(|_, g| g.place.command != command);
        // It comes from the running configuration wherever there is one.
        if command == CONFIGS[0] || self.running.is_none() {
            self.tag_native = None;
            let told = |command: &String| command == "show radius server-group all";
            self.radius_complete &= self.commands.iter().any(told);
        }
    }
}

fn replace<T>(known: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *known = later;
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(text: &str) -> Switch {
        parse("f", text).unwrap()
    }

    const OLD: &str = "sw-01#sh run\nhostname sw-01\ninterface TenGigabitEthernet1/0/2\n description kvm-01\n switchport mode trunk\n channel-group 1 mode active\nend\n";
    const NEW: &str = "sw-01#sh run\nhostname sw-01\ninterface TenGigabitEthernet1/0/2\n switchport mode trunk\n switchport trunk native vlan 100\nend\n";
    const TRUNK: &str = "sw-01#sh int tr\nPort        Mode             Encapsulation  Status        Native vlan\nTe1/0/2     on               802.1q         trunking      1\n";

    #[test]
    fn a_later_running_configuration_replaces_the_earlier() {
        let merged = Switch::merge([read(OLD), read(NEW)]);
        let port = merged.port("Te1/0/2").unwrap();
        assert_eq!((port.channel_group, port.native_vlan), (None, Some(100)));
        assert_eq!(port.description, None);
        assert_eq!(merged.name.as_deref(), Some("sw-01"));
    }

    #[test]
    fn later_files_win_per_fact() {
        let merged = Switch::merge([read(OLD), read(TRUNK)]);
        let port = merged.port("Te1/0/2").unwrap();
        assert_eq!((port.channel_group, port.native_vlan), (Some(1), Some(1)));
        assert_eq!(port.lines["native_vlan"].command, "show interfaces trunk");
        assert_eq!(
            merged.commands,
            ["show running-config", "show interfaces trunk"]
        );
    }

    #[test]
    fn a_startup_configuration_tells_of_ports_only_without_a_running_one() {
        let startup = read(&OLD.replace("sh run", "sh start"));
        assert_eq!(startup.port("Te1/0/2").unwrap().channel_group, Some(1));
        for both in [[read(NEW), startup.clone()], [startup.clone(), read(NEW)]] {
            let merged = Switch::merge(both);
            assert_eq!(merged.port("Te1/0/2").unwrap().channel_group, None);
            assert!(merged.startup.is_some() && merged.running.is_some());
            assert_eq!(merged.tag_native, Some(false));
        }
    }
}
