//! Key files: lossless, edited in place, read as connections.

use super::*;
use proptest::prelude::*;

const MENDED: &str = "\
# made by hand
[connection]
id=br-mgmt
uuid=7f3f2f0e-3f62-4f60-9f7f-0c8a2f4d1b10
type=bridge
interface-name=br-mgmt
autoconnect-priority=5

[bridge]
stp=false
vlan-default-pvid=0
vlan-filtering=true
vlans=100 pvid untagged, 10, 20, 30, 40, 110-112

[ipv4]
address1=10.50.1.12/24,10.50.1.1
dns=10.50.1.53;10.50.1.54;
method=manual
";

#[test]
fn the_mended_bridge_of_the_incident() {
    let profiles = parse("/etc/x.nmconnection", MENDED).unwrap();
    let bridge = &profiles[0];
    assert_eq!(bridge.line, 2);
    assert_eq!(bridge.interface.as_deref(), Some("br-mgmt"));
    assert_eq!(bridge.kind_of_link, "bridge");
    assert_eq!(bridge.vlan_filtering, Some(true));
    assert_eq!(bridge.default_pvid, Some(0));
    assert_eq!(bridge.priority, 5);
    assert!(bridge.autoconnect);
    assert_eq!(bridge.addresses, ["10.50.1.12/24"]);
    assert_eq!(bridge.dns, ["10.50.1.53", "10.50.1.54"]);
    let vlans: Vec<(u16, u16, bool, bool)> = bridge
        .vlans
        .iter()
        .map(|v| (v.first, v.last, v.pvid, v.untagged))
        .collect();
    assert_eq!(
        vlans,
        [
            (100, 100, true, true),
            (10, 10, false, false),
            (20, 20, false, false),
            (30, 30, false, false),
            (40, 40, false, false),
            (110, 112, false, false),
        ]
    );
    assert_eq!(bridge.vlans[0].line, 13);
}

#[test]
fn a_port_of_a_bridge_by_old_and_new_keys() {
    for (controller, kind) in [("controller", "port-type"), ("master", "slave-type")] {
        let text = format!(
            "[connection]\nid=uplink\\sone\ntype=802-3-ethernet\n{controller}=br-mgmt\n{kind}=bridge\n\
             autoconnect=false\n[ethernet]\nmac-address=AA:BB:CC:00:00:01\n[bridge-port]\nvlans=7\n"
        );
        let port = &parse("f", &text).unwrap()[0];
        assert_eq!(port.name, "uplink one");
        assert_eq!(port.controller.as_deref(), Some("br-mgmt"));
        assert_eq!(port.kind_of_link, "ethernet");
        assert_eq!(port.mac.as_deref(), Some("aa:bb:cc:00:00:01"));
        assert!(!port.autoconnect);
        assert_eq!(port.vlans[0].first, 7);
    }
}

#[test]
fn errors_have_a_place() {
    for (text, line, column) in [
        ("id=x\n", 1, 1),
        ("[connection]\n  nonsense\n", 2, 3),
        ("[connection\n", 1, 1),
        ("[a] b\n", 1, 1),
        ("[a]\n=b\n", 2, 1),
        (
            "[connection]\ntype=bridge\n[bridge]\nvlans=10, 5000\n",
            4,
            7,
        ),
        (
            "[connection]\ntype=bridge\n[bridge]\nvlan-default-pvid=x\n",
            4,
            19,
        ),
        ("[connection]\nautoconnect=maybe\n", 2, 13),
        ("[connection]\nid=a\\qb\n", 2, 4),
        (
            "[connection]\ntype=bridge\n[bridge]\nvlans=10-20 pvid\n",
            4,
            7,
        ),
    ] {
        let error = parse("f", text).unwrap_err();
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn edits_touch_nothing_else() {
    let text = "# top\r\n[bridge]\r\nvlans = 10\r\n# kept\r\n\r\n[ipv4]\r\nmethod = auto";
    let mut keyfile = Keyfile::parse(text).unwrap();
    keyfile.set("bridge", "vlans", "100 pvid untagged").unwrap();
    keyfile.set("bridge", "vlan-default-pvid", "0").unwrap();
    keyfile.set("ipv4", "may-fail", "false").unwrap();
    keyfile.set("proxy", "method", "1").unwrap();
    assert_eq!(
        keyfile.to_string(),
        "# top\r\n[bridge]\r\nvlans = 100 pvid untagged\r\nvlan-default-pvid = 0\r\n# kept\r\n\r\n\
         [ipv4]\r\nmethod = auto\r\nmay-fail = false\r\n\r\n[proxy]\r\nmethod = 1\r\n"
    );
    assert!(keyfile.unset("bridge", "vlans"));
    assert!(!keyfile.unset("bridge", "vlans"));
    assert!(!keyfile.to_string().contains("vlans"));
    assert!(keyfile.set("bridge", "a=b", "c").is_err());
    assert!(keyfile.set("bridge", "a", "b\nc").is_err());
    assert!(keyfile.set("bri]dge", "a", "b").is_err());
}

#[test]
fn of_equal_keys_the_last_counts() {
    let text = "[a]\nk=1\n[b]\nk=2\n[a]\nk=3\n";
    let mut keyfile = Keyfile::parse(text).unwrap();
    assert_eq!(keyfile.get("a", "k"), Some("3"));
    assert_eq!(keyfile.line_of("a", "k"), Some(6));
    keyfile.set("a", "k", "4").unwrap();
    assert_eq!(keyfile.to_string(), "[a]\nk=1\n[b]\nk=2\n[a]\nk=4\n");
    keyfile.unset("a", "k");
    assert_eq!(keyfile.to_string(), "[a]\n[b]\nk=2\n[a]\n");
}

#[test]
fn lists_and_escapes() {
    assert_eq!(list("a;b\\;c;").unwrap(), ["a", "b;c"]);
    assert_eq!(unescape("\\sx\\ty\\\\").unwrap(), " x\ty\\");
    assert_eq!(escape("  x y\\"), "\\s\\sx y\\\\");
    assert!(unescape("x\\").is_err());
}

proptest! {
    /// Whatever parses writes back byte for byte.
    #[test]
    fn lossless(text in "(\\[[a-z]{1,3}\\]|[a-z]{1,3} ?= ?[a-z\\\\; ]{0,8}|#[a-z ]{0,5}|[ \\t]{0,3}|[\\PC]{0,6})(\r?\n(\\[[a-z]{1,3}\\]|[a-z]{1,3} ?= ?[a-z; ]{0,8}|#[a-z ]{0,5}|[ \\t]{0,3})){0,12}\n?") {
        if let Ok(keyfile) = Keyfile::parse(&text) {
            prop_assert_eq!(keyfile.to_string(), text);
        }
    }

    /// What was set is read back, and everything else stays as it was.
    #[test]
    fn set_is_read_back(
        lines in proptest::collection::vec("(k|j|l) ?= ?[a-z]{0,4}|#[a-z]{0,4}|", 0..8),
        section in "[ab]", key in "[klm]", value in "[a-z0-9][a-z0-9 ,]{0,8}",
    ) {
        let text = format!("[a]\n{}\n[b]\nz=1", lines.join("\n"));
        let mut keyfile = Keyfile::parse(&text).unwrap();
        let before = keyfile.clone();
        keyfile.set(&section, &key, &value).unwrap();
        let again = Keyfile::parse(&keyfile.to_string()).unwrap();
        prop_assert_eq!(again.get(&section, &key), Some(value.as_str()));
        prop_assert_eq!(&again, &keyfile);
        for (s, k) in [("a", "k"), ("a", "j"), ("a", "l"), ("b", "z")] {
            if (s, k) != (section.as_str(), key.as_str()) {
                prop_assert_eq!(again.get(s, k), before.get(s, k));
            }
        }
    }

    #[test]
    fn never_panics(text in "\\PC{0,200}") {
        let _ = parse("f", &text);
    }
}
