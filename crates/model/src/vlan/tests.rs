//! Cases of the VLAN map.

use super::*;

const SITE: &str = "\
[bridges.br-mgmt]
pvid = 100
tagged = [10, 20, 100]
[hosts.kvm-02.bridges.br-mgmt]
guest_pvid = 200
[guests.vyos-01]
tagged = [40, 30]
[guests.ise-01]
pvid = 120
";

fn port<'a>(bridge: &'a str, guest: Option<&'a str>) -> PortOf<'a> {
    PortOf {
        host: "kvm-01",
        bridge,
        guest,
        ..PortOf::default()
    }
}

fn said(map: &VlanMap, port: &PortOf<'_>) -> Option<(Option<u16>, Vec<u16>, Origin)> {
    let wanted = map.wanted(port).unwrap()?;
    Some((wanted.pvid, wanted.tagged, wanted.origin))
}

#[test]
fn the_most_specific_word_is_heard() {
    let map = VlanMap::parse(SITE).unwrap();
    let of = |port: &PortOf<'_>| said(&map, port);
    let bridge = (Some(100), vec![10, 20], Origin::Bridge);
    assert_eq!(of(&port("br-mgmt", None)), Some(bridge.clone()));
    assert_eq!(of(&port("br-mgmt", Some("bind-01"))), Some(bridge));
    assert_eq!(
        of(&port("br-mgmt", Some("vyos-01"))),
        Some((Some(100), vec![30, 40], Origin::Guest))
    );
    assert_eq!(
        of(&port("br-mgmt", Some("ise-01"))),
        Some((Some(120), vec![10, 20, 100], Origin::Guest))
    );
    // A guest's VLANs say nothing of a bridge outside the map.
    assert_eq!(of(&port("virbr0", Some("ise-01"))), None);
    let elsewhere = PortOf {
        host: "kvm-02.example.net",
        ..port("br-mgmt", None)
    };
    assert_eq!(of(&elsewhere), Some((Some(200), vec![], Origin::Bridge)));
    let metadata = PortOf {
        metadata: Some("7 pvid, 8"),
        ..port("br-mgmt", Some("bind-01"))
    };
    assert_eq!(of(&metadata), Some((Some(7), vec![8], Origin::Metadata)));
    let interface = Interface {
        vlans: vec![5],
        ..Interface::default()
    };
    let own = PortOf {
        interface: Some(&interface),
        ..metadata
    };
    assert_eq!(of(&own), Some((Some(5), vec![], Origin::Interface)));
    let broken = PortOf {
        metadata: Some("seven"),
        ..port("br-mgmt", None)
    };
    assert!(map.wanted(&broken).unwrap_err().contains("seven"));
}

#[test]
fn a_mistake_elsewhere_takes_no_vlan_away() {
    let text = format!(
        "{SITE}\n[nonsense]\na = 1\n[guests.bind-01]\ncritcal = true\nhost = \"nowhere\"\n"
    );
    assert!(Site::parse("site.toml", &text).is_err());
    let map = VlanMap::parse(&text).unwrap();
    assert!(said(&map, &port("br-mgmt", Some("bind-01"))).is_some());
    assert!(!map.is_empty());
    assert!(VlanMap::parse("name = \"x\"").unwrap().is_empty());
}

#[test]
fn what_concerns_vlans_is_checked() {
    for (text, line) in [
        ("[bridges.br0]\npvid = 4095\n", 1),
        ("[bridges.br0]\n\npvd = 1\n", 3),
        ("name = \"s\"\n[guests.a]\ntagged = [0]\n", 2),
        ("[bridges.br0]\npvid = \"x\"\n", 2),
        ("[bridges", 1),
    ] {
        let error = VlanMap::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
    }
}

#[test]
fn the_whole_site_says_the_same() {
    let site = Site::parse("site.toml", SITE).unwrap();
    let (from_site, map) = (VlanMap::from(&site), VlanMap::parse(SITE).unwrap());
    for guest in [None, Some("vyos-01"), Some("ise-01")] {
        for bridge in ["br-mgmt", "virbr0"] {
            let port = port(bridge, guest);
            assert_eq!(from_site.wanted(&port), map.wanted(&port));
        }
    }
}
