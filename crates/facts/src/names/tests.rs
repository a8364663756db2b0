//! Name resolution as real files have it.

use super::lookup::{Answer, resolve};
use super::*;

fn names(nsswitch: &str, hosts: &str) -> Names {
    let (sources, actions) = parse_nsswitch(&format!("passwd: files\nhosts: {nsswitch}\n"))
        .unwrap()
        .unwrap();
    Names {
        nsswitch: sources,
        nsswitch_actions: actions,
        hosts: parse_hosts(hosts),
        own_name: Some("kvm-01".into()),
        ..Names::default()
    }
}

const HOSTS: &str = "127.0.0.1 localhost localhost.localdomain # loop\n\
    ::1 ip6-localhost\n\
    # 10.50.1.9 old\n\
    10.50.1.70\tNAS-01.home nas-01\n\
    fe80::1%eth0 router\n\
    nonsense nas-09\n";

#[test]
fn hosts_lines_comments_and_nonsense() {
    let entries = parse_hosts(HOSTS);
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[2].line, 4);
    assert_eq!(entries[2].names, ["NAS-01.home", "nas-01"]);
}

#[test]
fn a_name_in_hosts_needs_no_server_when_files_come_first() {
    let names = names(
        "files mdns4_minimal [NOTFOUND=return] dns myhostname",
        HOSTS,
    );
    assert!(files_first(&names));
    assert!(!needs_dns(&names, "nas-01"));
    assert!(!needs_dns(&names, "Nas-01.HOME."));
    assert!(needs_dns(&names, "nas-09"));
    assert!(needs_dns(&names, "nas-02"));
    assert!(!needs_dns(&names, "10.50.1.70"));
    assert!(!needs_dns(&names, "[fd00::1]"));
    assert_eq!(resolve(&names, "nas.local"), Answer::Multicast);
    assert_eq!(resolve(&names, "a.nas.local"), Answer::Dns);
}

#[test]
fn dns_first_asks_a_server_even_for_what_hosts_holds() {
    let names = names("dns [!UNAVAIL=return] files", HOSTS);
    assert!(!files_first(&names));
    assert!(needs_dns(&names, "nas-01"));
}

#[test]
fn resolved_reads_hosts_unless_told_not_to() {
    let mut names = names("resolve [!UNAVAIL=return] files dns", HOSTS);
    assert!(files_first(&names));
    assert!(!needs_dns(&names, "nas-01"));
    names.resolved_reads_hosts = Some(false);
    assert!(!files_first(&names));
    assert!(needs_dns(&names, "nas-01"));
    assert!(!needs_dns(&names, "kvm-01"));
    assert!(!needs_dns(&names, "localhost"));
}

#[test]
fn notfound_return_ends_the_search() {
    let names = names("files [NOTFOUND=return] dns", HOSTS);
    assert_eq!(resolve(&names, "nas-02"), Answer::Nowhere);
    assert!(!needs_dns(&names, "nas-02"));
}

#[test]
fn the_own_name_needs_myhostname() {
    assert!(needs_dns(&names("files dns", ""), "localhost"));
    assert!(!needs_dns(&names("files myhostname dns", ""), "kvm-01"));
    assert!(needs_dns(&names("files dns myhostname", ""), "kvm-01"));
}

#[test]
fn without_nsswitch_it_is_files_then_dns() {
    let names = Names {
        hosts: parse_hosts(HOSTS),
        ..Names::default()
    };
    assert!(files_first(&names));
    assert!(needs_dns(&names, "elsewhere"));
}

#[test]
fn malformed_actions_have_a_place() {
    let error = parse_nsswitch("hosts: files [NOTFOUND=return dns").unwrap_err();
    assert_eq!((error.line, error.column), (1, 14));
    let error = parse_nsswitch("# x\nhosts: [NOTFOUND=return] dns").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8));
    assert!(parse_nsswitch("hosts: files [NOTFOUND] dns").is_err());
    assert_eq!(parse_nsswitch("passwd: files").unwrap(), None);
}

#[test]
fn resolv_conf_keeps_order_and_the_last_search() {
    let found = parse_resolv_conf(
        "/etc/resolv.conf",
        "# by hand\nsearch a b\n nameserver 9.9.9.9\nnameserver 10.50.1.53 # x\nnameserver bind-02\n\
         nameserver fe80::1%br-mgmt\nsearch home\n;nameserver 1.1.1.1\noptions timeout:1\n",
    );
    let servers: Vec<_> = found.servers.iter().map(|s| s.address.as_str()).collect();
    assert_eq!(servers, ["10.50.1.53", "fe80::1%br-mgmt"]);
    assert_eq!(found.servers[0].line, 4);
    assert_eq!(found.search, ["home"]);
    assert!(is_local_stub("127.0.0.53"));
    assert!(!is_local_stub("127.0.0.1"));
}

#[test]
fn resolved_lists_add_up_and_an_empty_one_clears() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let merged = merge_resolved(&[
        file(
            "/etc/systemd/resolved.conf",
            "[Resolve]\nDNS=1.1.1.1 10.0.0.53:5353#dns.example\n",
        ),
        file(
            "/etc/systemd/resolved.conf.d/a.conf",
            "[Resolve]\nDNS=\nDNS=[fd00::53]:53\nReadEtcHosts=no\n[X]\nDNS=9.9.9.9\n",
        ),
    ]);
    assert_eq!(merged.servers.len(), 1);
    assert_eq!(merged.servers[0].address, "fd00::53");
    assert_eq!(merged.servers[0].line, 3);
    assert!(!merged.reads_hosts);
    assert_eq!(
        server_address("10.0.0.53:5353#dns.example").as_deref(),
        Some("10.0.0.53")
    );
    assert_eq!(server_address("bind-01"), None);
}
