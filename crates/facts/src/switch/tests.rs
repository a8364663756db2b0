//! What real devices print, read whole. The fixtures are written in the shapes of several
//! platforms and versions; their contents are made up.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        parse(
            concat!("captures/", $name),
            include_str!(concat!("../../../../testdata/fixtures/switch/", $name)),
        )
        .unwrap()
    };
}

fn allowed(port: &SwitchPort) -> Option<String> {
    port.allowed_vlans.as_deref().map(vlan_list::show)
}

#[test]
fn a_session_of_a_catalyst_9300_with_pager_and_log_messages() {
    let switch = fixture!("c9300-ios-xe-17-session.txt");
    assert_eq!(switch.name.as_deref(), Some("sw-acc-07"));
    assert_eq!(
        switch.commands,
        [
            "show running-config",
            "show etherchannel summary",
            "show interfaces status err-disabled",
            "show aaa servers",
        ]
    );
    let po = switch.port("po4").unwrap();
    assert_eq!(
        (po.mode.as_deref(), po.native_vlan),
        (Some("trunk"), Some(999))
    );
    assert_eq!(
        allowed(po).unwrap(),
        "2-4,12,30,40,41,100,101,110,120,200,210,220,230,240,250,260,270,1001"
    );
    assert_eq!(po.status.as_deref(), Some("up"));
    assert!(po.lines["allowed_vlans"].text.contains("add 250"));

    let printer = switch.port("Gi1/0/1").unwrap();
    assert_eq!(printer.description.as_deref(), Some("printer ### floor 2"));
    assert_eq!(
        (printer.access_vlan, printer.mode.as_deref()),
        (Some(12), Some("access"))
    );
    assert_eq!(
        (printer.bpdu_guard, printer.port_security),
        (Some(true), Some(true))
    );

    let lab = switch.port("tw1/0/37").unwrap();
    assert_eq!(allowed(lab).unwrap(), "1-665,667-4094");
    assert_eq!((lab.native_vlan, lab.bpdu_guard), (Some(1), Some(false)));
    assert_eq!(lab.status.as_deref(), Some("err-disabled"));
    assert_eq!(lab.err_disabled_reason.as_deref(), Some("bpduguard"));

    let member = switch.port("Twe1/1/1").unwrap();
    assert_eq!(
        (member.channel_group, member.channel_state.as_deref()),
        (Some(4), Some("bundled"))
    );
    assert_eq!(member.allowed_vlans, None);
    assert!(
        member.lines.contains_key("allowed_vlans"),
        "every VLAN is allowed, and it was read"
    );
    let states =
        ["Twe2/1/1", "Twe3/1/1"].map(|p| switch.port(p).unwrap().channel_state.clone().unwrap());
    assert_eq!(states, ["suspended", "down"]);
    assert_eq!(
        switch.port("Twe1/1/2").unwrap().mode.as_deref(),
        Some("routed")
    );
    assert!(switch.port("Gi0/0").unwrap().shutdown.unwrap());
    assert!(!switch.ports.contains_key("Vlan12"));

    assert_eq!(switch.tag_native, Some(true));
    assert_eq!(switch.vlans[&12], "SERVERS");
    assert!(switch.vlans.contains_key(&41) && !switch.vlans_complete);
    assert_eq!(switch.radius_groups["NAC"].servers, ["NAC-A", "NAC-B"]);
    let b = &switch.radius_servers["NAC-B"];
    assert_eq!(
        (b.address.as_deref(), b.state.as_deref()),
        (Some("198.51.100.22"), Some("DEAD"))
    );
    assert_eq!(b.place.text, "radius server NAC-B");

    assert_eq!(
        switch.last_saved.as_ref().unwrap().text,
        "08:41:59 CEST Mon Feb 9 2026"
    );
    assert_eq!(
        switch.last_change.as_ref().unwrap().parts,
        [2026, 2, 24, 16, 3, 11]
    );
    let running = switch.running.as_ref().unwrap().join("\n");
    assert!(switch.running_capture.as_ref().unwrap().complete);
    for gone in [
        "30820330",
        "quit",
        "nothing.that.opens",
        "08224F4E1A1C",
        "Current",
        "%LINK",
        "\u{8}",
        "More",
    ] {
        assert!(!running.contains(gone), "{gone}");
    }
    assert_eq!(switch.doubts.len(), 1, "{:?}", switch.doubts);
    assert!(switch.doubts[0].message.contains("refused"));
}

#[test]
fn a_bare_startup_configuration_of_ios_12_2() {
    let switch = fixture!("c2960-ios-12.2-config.txt");
    assert_eq!(switch.commands, ["show startup-config"]);
    assert!(switch.running.is_none() && switch.startup.is_some());
    assert_eq!(
        switch.radius_groups["OLD"].servers,
        ["192.0.2.61", "192.0.2.63"]
    );
    let servers: Vec<_> = switch.radius_servers.keys().collect();
    assert_eq!(servers, ["192.0.2.61", "192.0.2.62", "192.0.2.63"]);
    assert!(!format!("{switch:?}").contains("13061E010803"));
    let uplink = switch.port("Gi0/1").unwrap();
    assert_eq!(uplink.allowed_vlans.as_deref(), Some(&[][..]));
    assert_eq!(
        switch.port("Fa0/2").unwrap().mode.as_deref(),
        Some("dynamic")
    );
    assert!(
        !switch
            .startup
            .unwrap()
            .iter()
            .any(|line| line.contains("clock-period"))
    );
}

#[test]
fn the_four_tables_of_trunks_with_broken_lists() {
    let switch = fixture!("c3750-ios-15-trunk-wrapped.txt");
    let gi1 = switch.port("Gi1/0/24").unwrap();
    assert_eq!(
        (gi1.native_vlan, gi1.mode.as_deref()),
        (Some(1), Some("dynamic"))
    );
    assert_eq!(allowed(gi1), None);
    assert_eq!(gi1.forwarding_vlans.as_deref(), Some(&[1, 10, 20][..]));
    let gi2 = switch.port("GigabitEthernet2/0/24").unwrap();
    let list = allowed(gi2).unwrap();
    assert!(
        list.starts_with("10,20") && list.ends_with("180,190,200,210-219"),
        "{list}"
    );
    assert_eq!(gi2.active_vlans.as_deref(), Some(&[10, 20, 30, 100][..]));
    assert_eq!(switch.port("Fa3/0/1").unwrap().trunking, Some(false));
    assert_eq!(
        switch.port("Po1").unwrap().allowed_vlans.as_deref(),
        Some(&[][..])
    );
    assert!(switch.doubts.is_empty());
}

#[test]
fn a_list_that_a_terminal_broke_anywhere_and_one_that_is_cut_off() {
    let list: String = (100..130).map(|v| format!("{v},")).collect();
    let row = format!("Te1/0/2     {list}");
    let (first, rest) = row.split_at(80);
    let head = "Port        Vlans allowed on trunk\n";
    let switch = parse(
        "f",
        &format!("{head}{first}\n{}\n", rest.trim_end_matches(',')),
    )
    .unwrap();
    assert_eq!(allowed(switch.port("Te1/0/2").unwrap()).unwrap(), "100-129");
    let switch = parse("f", &format!("{head}Te1/0/2     10,20,")).unwrap();
    assert!(switch.ports.is_empty(), "half a list is no list");
    assert_eq!(switch.doubts[0].place.line, 2);
}

#[test]
fn tables_of_a_nexus_9000() {
    let switch = fixture!("n9k-nx-os-trunk.txt");
    assert_eq!(switch.doubts, []);
    let port = |name: &str| switch.port(name).unwrap();
    let uplink = port("Eth1/2");
    assert_eq!(
        (uplink.native_vlan, uplink.trunking, uplink.access_vlan),
        (Some(100), Some(true), None)
    );
    assert_eq!(allowed(uplink).unwrap(), "10,20,30,40,100,110,120");
    assert_eq!(uplink.forwarding_vlans.as_deref(), Some(&[10, 20, 30][..]));
    assert_eq!(port("Eth1/3").trunking, Some(false));
    let member = port("Eth1/1");
    assert_eq!(
        (
            member.channel_group,
            member.channel_state.as_deref(),
            member.access_vlan
        ),
        (Some(10), Some("bundled"), None)
    );
    assert_eq!(port("Eth1/4").channel_state.as_deref(), Some("down"));
    assert_eq!(port("Po10").status.as_deref(), Some("up"));
    assert_eq!(port("Eth1/9").access_vlan, Some(1));
    // The same without prompts and commands, told by its shape.
    let bare: String = include_str!("../../../../testdata/fixtures/switch/n9k-nx-os-trunk.txt")
        .lines()
        .filter(|line| !line.starts_with("n9k-1#"))
        .map(|line| format!("{line}\n"))
        .collect();
    let bare = parse("bare", &bare).unwrap();
    assert_eq!(bare.port("Eth1/2").unwrap().native_vlan, Some(100));
    assert_eq!(
        bare.port("Eth1/4").unwrap().channel_state.as_deref(),
        Some("down")
    );
}

#[test]
fn what_a_narrow_terminal_broke_is_no_fact() {
    let text = "sw#show interfaces trunk\n\
        Port        Mode             Encapsulation  Status        Native vlan\n\
        Te1/0/2     on               802.1q         trunking      10\n\
        0\n\
        Te1/0/3     on               802.1q         trunking      10\n\
        sw#show interfaces\n\
        TenGigabitEthernet1/0/3 is up, line protocol is up (connecte\n\
        d)\n";
    let switch = parse("f", text).unwrap();
    assert_eq!(switch.port("Te1/0/2").unwrap().native_vlan, None);
    assert_eq!(switch.doubts.len(), 1, "{:?}", switch.doubts);
    let port = switch.port("Te1/0/3").unwrap();
    assert_eq!(
        (port.native_vlan, port.status.as_deref()),
        (Some(10), Some("up"))
    );
}

#[test]
fn a_port_with_a_voice_vlan_is_listed_twice() {
    let text = "sw#show vlan brief\n\
        VLAN Name                             Status    Ports\n\
        ---- -------------------------------- --------- -------------------------------\n\
        10   users                            active    Gi1/0/1, Gi1/0/2\n\
        20   voice                            active    Gi1/0/2\nsw#\n";
    let switch = parse("f", text).unwrap();
    assert_eq!(switch.port("Gi1/0/1").unwrap().access_vlan, Some(10));
    let both = switch.port("Gi1/0/2").and_then(|port| port.access_vlan);
    assert_eq!(both, None);
}

#[test]
fn counters_and_states_of_a_catalyst_6500() {
    let switch = fixture!("c6500-ios-12.2sx-interfaces.txt");
    let names: Vec<_> = switch.ports.keys().collect();
    assert_eq!(
        names,
        [
            "GigabitEthernet2/1",
            "GigabitEthernet2/2",
            "TenGigabitEthernet1/4"
        ]
    );
    let uplink = switch.port("Te1/4").unwrap();
    assert_eq!(
        (uplink.input_errors, uplink.crc_errors),
        (Some(1217), Some(1204))
    );
    assert_eq!(uplink.counters_cleared.as_deref(), Some("5w6d"));
    assert_eq!(uplink.description.as_deref(), Some("hv-02 uplink, slot 3"));
    assert_eq!(
        (uplink.duplex.as_deref(), uplink.status.as_deref()),
        (Some("full"), Some("up"))
    );
    let dead = switch.port("Gi2/1").unwrap();
    assert_eq!(
        (dead.status.as_deref(), dead.shutdown),
        (Some("err-disabled"), Some(false))
    );
    assert_eq!(
        (dead.crc_errors, dead.duplex.as_deref()),
        (Some(0), Some("half"))
    );
    let off = switch.port("Gi2/2").unwrap();
    assert_eq!(
        (off.status.as_deref(), off.shutdown),
        (Some("disabled"), Some(true))
    );
    assert_eq!(
        off.crc_errors, None,
        "the counters below are of a serial line"
    );
}

#[test]
fn spanning_tree_states_per_vlan() {
    let switch = fixture!("c4500-ios-xe-3-spanning-tree.txt");
    assert_eq!(switch.name.as_deref(), Some("dist-02"));
    let te1 = &switch.port("Te1/1").unwrap().spanning_tree;
    assert_eq!(
        (te1[&1].state.as_str(), te1[&1].inconsistency.as_deref()),
        ("BKN", Some("PVID_Inc"))
    );
    assert_eq!(te1[&100].state, "FWD");
    let te2 = &switch.port("Te1/2").unwrap().spanning_tree[&100];
    assert_eq!((te2.role.as_str(), te2.state.as_str()), ("Altn", "BLK"));
    assert!(
        switch.port("Te1/3").is_none(),
        "an instance of MST is no VLAN"
    );
}

#[test]
fn tables_of_a_catalyst_3850() {
    let switch = fixture!("c3850-ios-xe-16-ports.txt");
    let status = |name: &str| switch.port(name).unwrap().status.clone().unwrap();
    let states = ["Gi1/0/1", "Gi1/0/2", "Gi1/0/3", "Gi1/0/4", "Te1/1/3"].map(status);
    assert_eq!(states, ["down", "up", "disabled", "up", "err-disabled"]);
    assert_eq!(
        switch.port("Gi1/0/4").unwrap().duplex.as_deref(),
        Some("a-half")
    );
    let hv = switch.port("Te1/1/3").unwrap();
    assert_eq!(
        (hv.crc_errors, hv.native_vlan, hv.native_tagged),
        (Some(386), Some(100), None)
    );
    assert!(allowed(hv).unwrap().ends_with("250,260,270"));
    assert_eq!(
        switch.port("Te1/1/4").unwrap().mode.as_deref(),
        Some("routed")
    );
    assert!(switch.vlans_complete && !switch.vlans.contains_key(&77));
    assert_eq!(switch.vlans[&12], "a name that fills its column 32ch");
    assert_eq!(switch.vlan_status[&100], "act/lshut");
    assert_eq!(switch.port("Gi1/0/13").unwrap().access_vlan, Some(10));
    assert_eq!(switch.radius_groups.keys().collect::<Vec<_>>(), ["NAC"]);
    assert_eq!(switch.radius_groups["NAC"].servers, ["NAC-B"]);
}

#[test]
fn a_configuration_that_is_cut_off_says_no_more_than_it_holds() {
    let switch = fixture!("cut-off-config.txt");
    assert!(!switch.running_capture.as_ref().unwrap().complete);
    assert_eq!(allowed(switch.port("Gi1/0/1").unwrap()).unwrap(), "10,20");
    let last = switch.port("Gi1/0/2").unwrap();
    assert_eq!((last.native_vlan, last.allowed_vlans.clone()), (None, None));
    assert!(!last.lines.contains_key("allowed_vlans"));
    assert_eq!(switch.doubts[0].place.line, 14);
    assert_eq!(
        compare::unsaved(&switch),
        Err(compare::NotComparable::CutOff("show running-config"))
    );
    assert_eq!(switch.tag_native, None);
}

#[test]
fn a_text_that_lost_its_indentation() {
    let switch = fixture!("pasted-without-indentation.txt");
    let uplink = switch.port("Te1/0/2").unwrap();
    assert_eq!(
        (uplink.native_vlan, uplink.description.as_deref()),
        (Some(100), Some("kvm-01"))
    );
    assert_eq!(allowed(uplink).unwrap(), "10,100");
    assert_eq!(switch.port("Te1/0/3").unwrap().shutdown, Some(true));
    assert_eq!(
        switch.radius_servers["R1"].address.as_deref(),
        Some("192.0.2.5")
    );
    assert_eq!(switch.radius_groups["G"].servers, ["R1"]);
}

#[test]
fn what_is_no_ios_text_says_what_is_expected() {
    for (text, line, word) in [
        ("", 1, "empty"),
        ("\n\nhello\n", 3, "show interfaces"),
        (
            "!Command: show running-config\nversion 9.3(8)\n",
            1,
            "NX-OS",
        ),
        ("hostname n9k\nfeature vpc\n", 2, "NX-OS"),
        ("! device: sw (DCS-7050, EOS-4.30)\nhostname sw\n", 1, "EOS"),
        (
            "sw-1#sh vlan\n% Invalid input detected at '^' marker.\n",
            2,
            "refused",
        ),
    ] {
        let error = parse("f", text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.message.contains(word), "{text:?}: {error}");
    }
}

#[test]
fn time_stamps_alone_are_no_difference_and_a_moved_line_is() {
    let config = |head: &str, body: &str| {
        format!(
            "{head}!\nhostname a\n!\ninterface Gi1/0/1\n description one\n!\ninterface Gi1/0/2\n{body}!\nend\n"
        )
    };
    let of = |running: &str, startup: &str| {
        let text = format!("a#sh run\n{running}a#sh start\n{startup}");
        compare::unsaved(&parse("f", &text).unwrap()).unwrap()
    };
    let old = config(
        "Using 100 out of 2000 bytes\n! Last configuration change at 10:00:00 UTC Mon Jan 5 2026\n",
        " shutdown\n",
    );
    let same = config(
        "Building configuration...\n\nCurrent configuration : 101 bytes\n! Last configuration change at 11:00:00 UTC Mon Jan 5 2026\n! NVRAM config last updated at 10:00:01 UTC\nntp clock-period 7\n",
        " shutdown\n",
    );
    assert_eq!(of(&same, &old), []);
    let changed = config("", " description two\n");
    let found = of(&changed, &old);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].under, ["interface Gi1/0/2"]);
    assert_eq!(
        (
            found[0].place.text.as_str(),
            found[0].place.line,
            found[0].running
        ),
        ("description two", 9, true)
    );
    assert_eq!(
        (found[1].place.text.as_str(), found[1].running),
        ("shutdown", false)
    );
    // The same line under another port is another line.
    let swapped = same
        .replace("Gi1/0/1", "Gi1/0/X")
        .replace("Gi1/0/2", "Gi1/0/1")
        .replace("Gi1/0/X", "Gi1/0/2");
    assert_eq!(of(&swapped, &old).len(), 4);
    // Order alone.
    let list = |a, b| config("", &format!("!\nip access-list standard L\n {a}\n {b}\n"));
    let found = of(
        &list("permit 192.0.2.1", "deny any"),
        &list("deny any", "permit 192.0.2.1"),
    );
    assert_eq!(
        found
            .iter()
            .map(|d| d.place.text.as_str())
            .collect::<Vec<_>>(),
        ["permit 192.0.2.1", "deny any"]
    );
}

#[test]
fn no_piece_of_a_capture_breaks_the_parser() {
    let text = include_str!("../../../../testdata/fixtures/switch/c9300-ios-xe-17-session.txt");
    for at in (0..text.len()).step_by(37) {
        let _ = parse("f", &text[..at]);
        let _ = parse("f", &text[at..]);
    }
    for text in [
        "\u{8}\u{8}\r\r\n\u{1b}[",
        "\u{1b}",
        "banner motd",
        "banner motd ",
        "interface ",
        "VLAN Name Status Ports\n1é",
        "interface Té1/0/1",
        "vlan 1-",
        "---",
    ] {
        let _ = parse("start", text);
    }
}
