//! Tests of site.toml: what is accepted, and how errors are told.

use super::Site;

fn errors(text: &str) -> String {
    Site::parse("site.toml", text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_a_site() {
    let site = Site::parse("site.toml", "").unwrap();
    assert!(site.hosts.is_empty());
}

#[test]
fn a_misspelt_key_is_met_with_the_right_one() {
    assert_eq!(
        errors("[guests.bind-01]\ncritcal = true\n"),
        "site.toml:2:1: unknown key `critcal`: did you mean `critical`?"
    );
}

#[test]
fn a_reference_to_nothing_names_the_nearest() {
    assert_eq!(
        errors("[hosts.kvm-01]\n[guests.bind-01]\nhost = \"kvm-10\"\n"),
        "site.toml:3:1: no host `kvm-10`: did you mean `kvm-01`?"
    );
}

#[test]
fn every_error_is_told_at_once() {
    let text = "[hosts.a]\naddresses = [\"10.0.0\"]\n[bridges.br]\npvid = 5000\n";
    assert_eq!(
        errors(text),
        "site.toml:2:1: `10.0.0` is no IP address\n\
         site.toml:4:1: VLAN 5000 is not in 1 to 4094 (IEEE 802.1Q)"
    );
}

#[test]
fn a_quorum_that_cannot_be_met_is_an_error() {
    let text = "[guests.v1]\ngroup = \"vault\"\n[groups.vault]\nneed = 2\n";
    assert_eq!(
        errors(text),
        "site.toml:4:1: `need = 2`, but the group has 1 members"
    );
}

#[test]
fn groups_gather_members_from_both_sides() {
    let text = "[guests.v1]\ngroup = \"vault\"\n[guests.v2]\n[groups.vault]\nmembers = [\"v2\"]\n";
    let site = Site::parse("site.toml", text).unwrap();
    assert_eq!(site.members("vault"), ["v1", "v2"]);
}

#[test]
fn bad_toml_has_a_position() {
    assert!(errors("[hosts\n").starts_with("site.toml:1:"));
}

#[test]
fn where_an_uplink_is_plugged_in_now_and_which_key_says_so() {
    let mut uplink = super::Uplink {
        port: "Te1/0/2".to_owned(),
        ..super::Uplink::default()
    };
    assert_eq!(
        (uplink.present_port(), uplink.present_key()),
        ("Te1/0/2", "port")
    );
    uplink.temporary_port = Some("Gi1/0/7".to_owned());
    assert_eq!(
        (uplink.present_port(), uplink.present_key()),
        ("Gi1/0/7", "temporary_port")
    );
}
