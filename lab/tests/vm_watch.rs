//! `nofail watch` under real systemd with the shipped unit file, and a real NFS server that hangs,
//! forgets its handles, and vanishes.
//!
//! Needs root, QEMU, nfs-ganesha, and the static nofail (`NOFAIL_STATIC`; `./test` builds it).

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::time::{Duration, Instant};

use lab::{Lab, Machine, NfsServer};

/// How long an event may take on busy cores.
const LIMIT: Duration = Duration::from_secs(90);

fn program() -> Vec<u8> {
    let path = std::env::var_os("NOFAIL_STATIC").expect("NOFAIL_STATIC names the static nofail");
    std::fs::read(path).unwrap()
}

/// Waits for an event of this kind that is newer than `after` and gives its number.
fn event(host: &Machine, kind: &str, subject: &str, after: i64) -> i64 {
    let began = Instant::now();
    loop {
        let text = host
            .ok(&format!(
                "nofail events --format json --kind {kind} --limit 0"
            ))
            .unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let events = document["events"].as_array().unwrap();
        let found = events
            .iter()
            .find(|e| e["subject"] == subject && e["id"].as_i64().unwrap() > after);
        if let Some(found) = found {
            return found["id"].as_i64().unwrap();
        }
        if began.elapsed() > LIMIT {
            let all = host.ok("nofail events -v --limit 0; journalctl -u nofail-watch --no-pager | tail -20; ps ax | grep nofail");
            panic!("no {kind} of {subject}: {}", all.unwrap());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn the_shipped_unit_sees_a_nas_hang_forget_and_vanish_and_mounts_again() {
    let mut nas = NfsServer::start(&["vms"]).unwrap();
    std::fs::write(nas.directory("vms").join("disk.qcow2"), b"guest").unwrap();
    let host = Lab::user_mode_host().unwrap();
    let unit = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../contrib/systemd/nofail-watch.service"
    );
    host.put("/usr/bin/nofail", &program()).unwrap();
    host.put(
        "/etc/systemd/system/nofail-watch.service",
        &std::fs::read(unit).unwrap(),
    )
    .unwrap();
    host.ok("mkdir -p /etc/nofail && chmod 755 /usr/bin/nofail")
        .unwrap();
    let settings = "[mounts]\ninterval_seconds = 3\ndeadline_seconds = 3\nslow_milliseconds = 20000\nremount = \"when-unused\"\n\
                    [audit]\ninterval_hours = 0\n[sinks.journal]\ntype = \"journal\"\n[sinks.wazuh]\ntype = \"lines\"\n";
    host.put("/etc/nofail/watch.toml", settings.as_bytes())
        .unwrap();
    // Type=notify: `start` returns once the daemon has said that it is ready.
    host.ok("systemctl daemon-reload && systemctl start nofail-watch")
        .unwrap();
    assert_eq!(
        host.ok("systemctl is-active nofail-watch").unwrap(),
        "active\n"
    );
    host.ok("systemd-analyze security --threshold=50 --no-pager nofail-watch.service >/dev/null")
        .unwrap();

    // A mount that is made later, by the manager, outside the daemon's own mount namespace.
    let line = format!(
        "{} /mnt/nas nfs {},nofail,x-systemd.mount-timeout=20s 0 0\n",
        nas.source("vms"),
        nas.options()
    );
    host.ok(&format!("mkdir -p /mnt/nas && echo '{}' >> /etc/fstab && systemctl daemon-reload && systemctl start mnt-nas.mount", line.trim())).unwrap();
    let added = event(&host, "mount.added", "/mnt/nas", 0);
    std::thread::sleep(Duration::from_secs(8));

    // The server hangs: reported, the daemon lives, children stay bounded.
    nas.hang().unwrap();
    let hung = event(&host, "mount.not-responding", "/mnt/nas", added);
    std::thread::sleep(Duration::from_secs(15));
    let children: u32 = host
        .ok("pgrep -fc 'probe-child' || true")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(children <= 4, "{children} probes");
    assert_eq!(
        host.ok("systemctl is-active nofail-watch").unwrap(),
        "active\n"
    );
    nas.go_on().unwrap();
    let well = event(&host, "mount.healthy", "/mnt/nas", hung);

    // Its handles are forgotten: stale, and mounted again through the manager, told and seen.
    nas.restart(true).unwrap();
    let stale = event(&host, "mount.stale", "/mnt/nas", well);
    event(&host, "mount.remounting", "/mnt/nas", stale);
    // What answers now is another file system.
    event(&host, "mount.server-changed", "/mnt/nas", stale);
    let well = event(&host, "mount.healthy", "/mnt/nas", stale);
    assert_eq!(
        host.ok("ls /mnt/nas").unwrap(),
        "disk.qcow2\n",
        "mounted for everybody"
    );

    // Somebody unmounts it: seen and, by policy, mounted again.
    host.ok("umount /mnt/nas").unwrap();
    let gone = event(&host, "mount.unmounted", "/mnt/nas", well);
    let well = event(&host, "mount.healthy", "/mnt/nas", gone);

    let well = with_a_guest_there(&host, well);
    other_states(&host, &nas, well);

    // A unit fails; the journal and the file of lines have it too.
    host.ok("systemd-run --unit=broken false; true").unwrap();
    event(&host, "unit.failed", "broken.service", 0);
    host.ok("systemctl reset-failed broken.service").unwrap();
    event(&host, "unit.recovered", "broken.service", 0);
    host.ok("journalctl --no-pager -o cat NOFAIL_KIND=mount.stale | grep -q /mnt/nas")
        .unwrap();
    host.ok("grep -q '\"kind\":\"mount.stale\"' /var/log/nofail/events.json")
        .unwrap();

    // Killed: started again by the manager, and nothing that was recorded is lost.
    let before = host.ok("nofail events --limit 0 | wc -l").unwrap();
    host.ok("systemctl kill -s KILL --kill-whom=main nofail-watch")
        .unwrap();
    let last: i64 = before.trim().parse().unwrap();
    let again = event(&host, "daemon.started", "nofail", last - 1);
    // Stopped dead: the manager's watchdog ends it and starts it again.
    host.ok("mkdir -p /run/systemd/system/nofail-watch.service.d && printf '[Service]\\nWatchdogSec=15\\n' > /run/systemd/system/nofail-watch.service.d/soon.conf && systemctl daemon-reload && systemctl restart nofail-watch")
        .unwrap();
    let again = event(&host, "daemon.started", "nofail", again);
    host.ok("kill -STOP $(systemctl show -P MainPID nofail-watch)")
        .unwrap();
    event(&host, "daemon.started", "nofail", again);
    host.ok("journalctl --no-pager -u nofail-watch | grep -q 'Watchdog timeout'")
        .unwrap();
    host.ok("systemctl stop nofail-watch").unwrap();
    event(&host, "daemon.stopped", "nofail", 0);
}

/// Where a guest has its disk there, the mount is left alone and that is told, unless the policy is "force".
fn with_a_guest_there(host: &Machine, well: i64) -> i64 {
    let guest = "<domain type='kvm'><name>g</name><devices><disk type='file' device='disk'>\
                 <source file='/mnt/nas/disk.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>";
    host.ok("mkdir -p /etc/libvirt/qemu").unwrap();
    host.put("/etc/libvirt/qemu/g.xml", guest.as_bytes())
        .unwrap();
    std::thread::sleep(Duration::from_secs(8));
    host.ok("umount /mnt/nas").unwrap();
    let refused = event(host, "mount.remount-refused", "/mnt/nas", well);
    std::thread::sleep(Duration::from_secs(8));
    host.ok("! mountpoint -q /mnt/nas").unwrap();
    let policy = |from: &str, to: &str| {
        host.ok(&format!(
            "sed -i 's/^remount = \"{from}\"/remount = \"{to}\"/' /etc/nofail/watch.toml && systemctl restart nofail-watch"
        ))
        .unwrap();
    };
    policy("when-unused", "force");
    let well = event(host, "mount.healthy", "/mnt/nas", refused);
    host.ok("mountpoint -q /mnt/nas && rm /etc/libvirt/qemu/g.xml")
        .unwrap();
    policy("force", "when-unused");
    well
}

/// What else may be wrong with a mount whose server answers.
fn other_states(host: &Machine, nas: &NfsServer, mut well: i64) {
    // Written beneath while it was not mounted; seen as soon as it is mounted again.
    host.ok("umount /mnt/nas && echo x > /mnt/nas/stray && mount /mnt/nas")
        .unwrap();
    let beneath = event(host, "mount.written-underneath", "/mnt/nas", well);
    host.ok("umount /mnt/nas && rm /mnt/nas/stray && mount /mnt/nas")
        .unwrap();
    event(host, "mount.clean-underneath", "/mnt/nas", beneath);

    // Made read-only, though fstab has it writable.
    host.ok("mount -o remount,ro /mnt/nas").unwrap();
    let read_only = event(host, "mount.read-only", "/mnt/nas", beneath);
    host.ok("mount -o remount,rw /mnt/nas").unwrap();
    well = event(host, "mount.healthy", "/mnt/nas", read_only);

    // It held something, and holds nothing.
    host.ok("mv /mnt/nas/disk.qcow2 /root/").unwrap();
    let empty = event(host, "mount.empty", "/mnt/nas", well);
    // The policy mounts it anew meanwhile, up to three times.
    host.ok("until mountpoint -q /mnt/nas && cp /root/disk.qcow2 /mnt/nas/ && mountpoint -q /mnt/nas && test -e /mnt/nas/disk.qcow2; do sleep 1; done")
        .unwrap();
    well = event(host, "mount.healthy", "/mnt/nas", empty);

    // Slow, but within the deadline.
    host.ok("sed -i 's/^deadline_seconds.*/deadline_seconds = 20/; s/^slow_milli.*/slow_milliseconds = 5000/' /etc/nofail/watch.toml && systemctl restart nofail-watch")
        .unwrap();
    nas.slow(Duration::from_millis(900));
    let slow = event(host, "mount.slow", "/mnt/nas", well);
    nas.slow(Duration::ZERO);
    event(host, "mount.healthy", "/mnt/nas", slow);
}
