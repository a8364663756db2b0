//! The switch's port at the far end of a wire, as captures tell of it.

use super::tags::Tags;
use facts::switch::{Place, Switch, SwitchPort, short_port_name};
use model::Estate;

/// The switch's end of a cable.
#[derive(Clone, Copy, Debug)]
pub struct Far<'a> {
    /// The switch's name in site.toml.
    pub switch: &'a str,
    /// Everything that was captured of it.
    pub capture: &'a Switch,
    /// The port where the cable is.
    pub port: &'a SwitchPort,
    /// The port that decides on VLANs: its port-channel, where it is a member of one.
    pub trunk: &'a SwitchPort,
}

/// Why a switch's port does not let a frame pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// The port is down, shut, err-disabled, or left out of its port-channel.
    Down,
    /// The trunk does not allow the VLAN.
    NotAllowed(u16),
    /// The switch has no such VLAN, or it is not active.
    NoSuchVlan(u16),
    /// Spanning tree does not forward the VLAN here.
    Blocked(u16),
    /// A trunk that tags its native VLAN takes no untagged frames.
    UntaggedOnTaggedNative,
    /// An access port takes no tagged frames.
    TaggedOnAccess(u16),
    /// The port routes: it takes part in no VLAN.
    Routed,
}

/// Whether the kind of a port is known well enough to foretell anything.
fn is_known(port: &SwitchPort) -> bool {
    port.is_trunk() || port.is_access() || port.mode.as_deref() == Some("routed")
}

/// The far end of a host's interface, as site.toml and a capture tell; `None` where the site does
/// not name it, or no capture says what the port is.
pub fn far<'a>(estate: &'a Estate, host: &str, interface: &str) -> Option<Far<'a>> {
    let uplinks = &estate.site.as_ref()?.hosts.get(host)?.uplinks;
    let plugged = uplinks.get(interface)?;
    let capture = estate.switches.get(&plugged.switch)?;
    let port = capture.port(plugged.present_port())?;
    // The trunk's settings stand at the port-channel, where the port belongs to one: IOS has the
    // members inherit them. One that found no partner works by itself, with its own.
    let alone = port.channel_state.as_deref() == Some("stand-alone");
    let bundle = port
        .channel_group
        .and_then(|group| capture.ports.get(&format!("Port-channel{group}")))
        .filter(|bundle| is_known(bundle) && !(alone && is_known(port)));
    let trunk = bundle.unwrap_or(port);
    is_known(trunk).then_some(Far {
        switch: &plugged.switch,
        capture,
        port,
        trunk,
    })
}

impl Far<'_> {
    /// `sw-01 Te1/0/8`.
    pub fn name(&self) -> String {
        format!("{} {}", self.switch, short_port_name(&self.port.name))
    }

    /// VLAN of untagged frames.
    pub fn native(&self) -> Option<u16> {
        let told = |port: &SwitchPort| {
            if self.trunk.is_access() {
                port.access_vlan
            } else {
                port.native_vlan
            }
        };
        // What was not read of the port-channel, its members have as well.
        told(self.trunk).or_else(|| told(self.port))
    }

    /// The line of a capture that tells of [`Self::native`].
    pub fn native_place(&self) -> Option<&Place> {
        let key = if self.trunk.is_access() {
            "access_vlan"
        } else {
            "native_vlan"
        };
        [self.trunk, self.port]
            .into_iter()
            .find_map(|port| port.lines.get(key))
    }

    /// The list of allowed VLANs, where there is one.
    fn allowed(&self) -> Option<&Vec<u16>> {
        let was_read = self.trunk.lines.contains_key("allowed_vlans");
        let own = self.trunk.allowed_vlans.as_ref();
        own.or_else(|| self.port.allowed_vlans.as_ref().filter(|_| !was_read))
    }

    fn tags_native(&self) -> bool {
        let everywhere = self.capture.tag_native.unwrap_or(false);
        self.trunk.native_tagged.unwrap_or(everywhere)
    }

    fn is_down(&self) -> bool {
        let not_up = |status: &str| !matches!(status, "up" | "connected");
        let left_out = |state: &str| !matches!(state, "bundled" | "stand-alone");
        let state = self.port.channel_state.as_deref();
        if self.port.channel_group.is_some() && state.is_some_and(left_out) {
            return true;
        }
        self.port.shutdown == Some(true) || self.port.status.as_deref().is_some_and(not_up)
    }

    /// Whether frames of a VLAN pass the port at all.
    fn carries(&self, vid: u16) -> Result<(), Refused> {
        let trunk = self.trunk;
        let refuses = |allowed: &Vec<u16>| !allowed.contains(&vid);
        if !trunk.is_access() && self.allowed().is_some_and(refuses) {
            return Err(Refused::NotAllowed(vid));
        }
        let status = self.capture.vlan_status.get(&vid);
        let missing = self.capture.vlans_complete && !self.capture.vlans.contains_key(&vid);
        if missing || status.is_some_and(|status| status != "active") {
            return Err(Refused::NoSuchVlan(vid));
        }
        let state = trunk
            .spanning_tree
            .get(&vid)
            .or(self.port.spanning_tree.get(&vid));
        if state.is_some_and(|state| state.state != "FWD") {
            return Err(Refused::Blocked(vid));
        }
        Ok(())
    }

    /// A frame that comes from the host: the VLAN that it is then in. IEEE 802.1Q; a trunk takes
    /// its native VLAN tagged as well.
    ///
    /// # Errors
    /// Where the port drops it.
    pub fn ingress(&self, tags: &Tags) -> Result<u16, Refused> {
        if self.is_down() {
            return Err(Refused::Down);
        }
        if self.trunk.mode.as_deref() == Some("routed") {
            return Err(Refused::Routed);
        }
        let outer = tags.outer().filter(|vid| *vid != 0);
        let vid = match outer {
            None if !self.trunk.is_access() && self.tags_native() => {
                return Err(Refused::UntaggedOnTaggedNative);
            }
            None => self.native().unwrap_or(1),
            Some(vid) if self.trunk.is_access() => return Err(Refused::TaggedOnAccess(vid)),
            Some(vid) => vid,
        };
        self.carries(vid).map(|()| vid)
    }

    /// A frame of this VLAN that goes to the host: its tags on the wire.
    ///
    /// # Errors
    /// Where it does not leave by this port.
    pub fn egress(&self, vid: u16) -> Result<Tags, Refused> {
        if self.is_down() {
            return Err(Refused::Down);
        }
        if self.trunk.mode.as_deref() == Some("routed") {
            return Err(Refused::Routed);
        }
        self.carries(vid)?;
        let native = self.native().unwrap_or(1);
        if self.trunk.is_access() {
            return if vid == native {
                Ok(Tags::none())
            } else {
                Err(Refused::NotAllowed(vid))
            };
        }
        if vid == native && !self.tags_native() {
            Ok(Tags::none())
        } else {
            Ok(Tags::one(vid))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far<'a>(capture: &'a Switch, port: &'a SwitchPort) -> Far<'a> {
        Far {
            switch: "sw",
            capture,
            port,
            trunk: port,
        }
    }

    #[test]
    fn a_trunk_sends_its_native_vlan_untagged_unless_told_to_tag_it() {
        let port = SwitchPort {
            mode: Some("trunk".to_owned()),
            native_vlan: Some(100),
            allowed_vlans: Some(vec![10, 100]),
            ..SwitchPort::default()
        };
        let mut capture = Switch::default();
        let at = far(&capture, &port);
        assert_eq!(at.ingress(&Tags::none()), Ok(100));
        assert_eq!(at.ingress(&Tags::one(0)), Ok(100));
        assert_eq!(at.ingress(&Tags::one(100)), Ok(100));
        assert_eq!(at.egress(100), Ok(Tags::none()));
        assert_eq!(at.egress(10), Ok(Tags::one(10)));
        assert_eq!(at.ingress(&Tags::one(20)), Err(Refused::NotAllowed(20)));
        capture.tag_native = Some(true);
        let at = far(&capture, &port);
        assert_eq!(
            at.ingress(&Tags::none()),
            Err(Refused::UntaggedOnTaggedNative)
        );
        assert_eq!(at.egress(100), Ok(Tags::one(100)));
    }

    #[test]
    fn access_ports_vlans_that_are_not_there_and_ports_that_are_down() {
        let mut port = SwitchPort {
            mode: Some("access".to_owned()),
            access_vlan: Some(10),
            ..SwitchPort::default()
        };
        let mut capture = Switch::default();
        assert_eq!(far(&capture, &port).ingress(&Tags::none()), Ok(10));
        assert_eq!(
            far(&capture, &port).ingress(&Tags::one(10)),
            Err(Refused::TaggedOnAccess(10))
        );
        assert_eq!(
            far(&capture, &port).egress(20),
            Err(Refused::NotAllowed(20))
        );
        capture.vlans_complete = true;
        assert_eq!(
            far(&capture, &port).egress(10),
            Err(Refused::NoSuchVlan(10))
        );
        port.status = Some("err-disabled".to_owned());
        assert_eq!(far(&capture, &port).egress(10), Err(Refused::Down));
    }

    /// The way back of a member of a port-channel, by what the captures say of both.
    fn seen(captures: &[&str]) -> Option<(Option<u16>, Result<u16, Refused>)> {
        let parsed = captures
            .iter()
            .enumerate()
            .map(|(number, text)| facts::switch::parse(&format!("{number}.txt"), text).unwrap());
        let switch = Switch::merge(parsed);
        let site = "[hosts.h.uplinks.eth0]\nswitch = \"sw\"\nport = \"Te1/0/2\"\n\
                    [switches.sw]\ncaptures = [\"0.txt\"]\n";
        let estate = Estate {
            site: Some(model::Site::parse("site.toml", site).unwrap()),
            switches: [("sw".to_owned(), switch)].into(),
            ..Estate::default()
        };
        let far = super::far(&estate, "h", "eth0")?;
        Some((far.native(), far.ingress(&Tags::one(10))))
    }

    #[test]
    fn members_of_a_port_channel_have_its_settings() {
        let config = "\
sw#show running-config
hostname sw
!
interface Port-channel1
 switchport mode trunk
 switchport trunk native vlan 100
 switchport trunk allowed vlan 10,100
!
interface TenGigabitEthernet1/0/2
 switchport mode trunk
 switchport trunk native vlan 999
 switchport trunk allowed vlan 999
 channel-group 1 mode active
!
end
";
        let summary = |flags: &str| {
            format!(
                "sw#show etherchannel summary\n\
                 Group  Port-channel  Protocol    Ports\n\
                 ------+-------------+-----------+------------------\n\
                 1      Po1(SU)         LACP      Te1/0/2({flags})\nsw#\n"
            )
        };
        assert_eq!(seen(&[config]), Some((Some(100), Ok(10))));
        let bundled = summary("P");
        assert_eq!(seen(&[config, &bundled]), Some((Some(100), Ok(10))));
        // Left out: no frame passes. Without a partner: it is a port like any other.
        let (suspended, alone) = (summary("s"), summary("I"));
        assert_eq!(
            seen(&[config, &suspended]),
            Some((Some(100), Err(Refused::Down)))
        );
        assert_eq!(
            seen(&[config, &alone]),
            Some((Some(999), Err(Refused::NotAllowed(10))))
        );
        // An access port-channel, as `native` of the audit's rule needs it.
        let access = config.replace("mode trunk", "mode access").replace(
            " switchport trunk native vlan 100",
            " switchport access vlan 20",
        );
        assert_eq!(
            seen(&[&access]),
            Some((Some(20), Err(Refused::TaggedOnAccess(10))))
        );
        // Nothing but the member is known: its own settings are those of the bundle.
        let member = config.replace(
            "interface Port-channel1\n switchport mode trunk\n",
            "interface Vlan1\n",
        );
        assert_eq!(
            seen(&[&member]),
            Some((Some(999), Err(Refused::NotAllowed(10))))
        );
    }
}
