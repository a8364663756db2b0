//! Cases from real outputs.

use super::*;

#[test]
fn a_thread_with_a_strange_name() {
    let stat = "338 (CPU 0/KVM (x)) D 1 338 338 0 -1 4194560 5 0 0 0 250 50 0 0 20 0 4 0 1 2 3";
    assert_eq!(thread(stat), Some(("CPU 0/KVM (x)".to_owned(), 'D', 300)));
    assert_eq!(thread("nonsense"), None);
}

#[test]
fn pressure_and_memory() {
    let some = "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=1\n";
    let found = pressure(some, some, some).unwrap();
    assert_eq!((found.cpu, found.memory, found.io), (1.5, 0.25, 0.25));
    assert_eq!(
        meminfo("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   50 kB\n"),
        Some((100, 50))
    );
    assert_eq!(
        status_field("VmRSS:\t  12 kB\nVmSwap:\t 3 kB\n", "VmSwap"),
        Some(3)
    );
}

#[test]
fn disks() {
    assert_eq!(
        disk_errors("vda: no space\n\n"),
        [("vda".to_owned(), "no space".to_owned())]
    );
    assert!(disk_errors("No errors found\n").is_empty());
    let stats = |reqs: u64, times: u64| {
        format!(
            "Domain: 'g'\n  block.count=1\n  block.0.name=vda\n  block.0.rd.reqs={reqs}\n  block.0.rd.times={times}\n  block.0.wr.reqs=2\n"
        )
    };
    let found = block_stats(&stats(10, 1_000_000), &stats(20, 51_000_000));
    assert_eq!((found[0].requests, found[0].milliseconds), (10, 5.0));
}

#[test]
fn the_agents_channel_and_the_consoles_log() {
    let xml = "<domstatus><domain><devices><serial type='pty'><log file='/var/log/g.log' append='on'/></serial>\
        <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel></devices></domain></domstatus>";
    assert_eq!(
        channels(xml),
        (
            Some("connected".to_owned()),
            Some("/var/log/g.log".to_owned())
        )
    );
    assert_eq!(channels("<a/>"), (None, None));
    assert_eq!(channels("<"), (None, None));
}

#[test]
fn a_neighbour_is_found_by_its_mac() {
    let json = r#"[{"dst":"10.50.1.20","dev":"br-mgmt","lladdr":"52:54:00:aa:bb:01","state":["STALE"]},{"dst":"10.50.1.21","dev":"br-mgmt","state":["FAILED"]}]"#;
    assert_eq!(
        neighbours(json, "52:54:00:AA:BB:01"),
        [("10.50.1.20".to_owned(), "br-mgmt".to_owned())]
    );
    assert!(neighbours("nonsense", "x").is_empty());
}
