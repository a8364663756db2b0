//! A hung NFS server really hangs who touches it, and lets go when it answers again.
//!
//! Needs root, QEMU and nfs-ganesha.

use std::time::Duration;

use lab::{Lab, NfsServer};

#[test]
fn a_hung_server_hangs_a_directory_listing_until_it_answers() {
    let mut nas = NfsServer::start(&["vms"]).unwrap();
    std::fs::write(nas.directory("vms").join("disk.qcow2"), b"guest").unwrap();
    let host = Lab::user_mode_host().unwrap();
    let mount = format!(
        "mkdir -p /mnt/nas && mount -t nfs -o {},noac,actimeo=0,lookupcache=none {} /mnt/nas",
        nas.options(),
        nas.source("vms")
    );
    host.ok(&mount).unwrap();
    assert_eq!(host.ok("ls /mnt/nas").unwrap(), "disk.qcow2\n");

    nas.slow(Duration::from_millis(300));
    let output =
        host.ok("s=$(date +%s%N); ls /mnt/nas; e=$(date +%s%N); echo $(( (e - s) / 1000000 ))");
    let output = output.unwrap();
    let millis: u64 = output.lines().last().unwrap().parse().unwrap();
    assert!(millis >= 600, "a slow server answered in {millis} ms");
    nas.slow(Duration::ZERO);

    nas.hang().unwrap();
    let listing = host.start_command("ls -l /mnt/nas; echo released").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        host.finished(listing).unwrap(),
        None,
        "the listing did not hang"
    );
    // Another command on the same machine is not held up by it.
    assert_eq!(host.ok("echo well").unwrap(), "well\n");
    nas.go_on().unwrap();
    let output = host.wait(listing, Duration::from_secs(60)).unwrap();
    assert!(output.stdout.contains("released"), "{output:?}");

    nas.restart(true).unwrap();
    let output = host.run("ls /mnt/nas", Duration::from_secs(60)).unwrap();
    assert!(output.stderr.contains("Stale file handle"), "{output:?}");
}
