//! `nofail explain` where a host of its own is needed: a session over SSH that did it, libvirt-guests at
//! the host's shutdown, a reset without a shutdown, and the guest that nobody started again.
//!
//! Needs root, QEMU and `NOFAIL_STATIC` (see ./test).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use lab::{Lab, Machine};
use serde_json::Value;

const NOFAIL: &str = "/root/nofail";
const RUN: Duration = Duration::from_secs(120);

/// Waits for the power button, then powers itself off through ACPI (see crates/nofail/tests/guests).
const BUTTON: &[u8] = b"\xBA\x02\x06\xB8\x00\x01\xEF\xBA\x00\x06\xB0\xFF\xE6\xA1\xFB\xF4\xED\xF6\xC4\x01\x74\xF8\xBA\x04\x06\xB8\x00\x20\xEF\xF4\xEB\xFD";

const GUEST: &str = "<domain type='qemu'><name>bind-01</name><memory unit='MiB'>32</memory>\
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>\
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/var/lib/libvirt/images/bind-01.img'/>\
<target dev='vda' bus='virtio'/></disk></devices></domain>";

fn run(host: &Machine, command: &str) -> String {
    let output = host.run(&format!("set -e\n{command}"), RUN).unwrap();
    assert_eq!(output.code, 0, "{command}: {output:?}");
    output.stdout
}

fn explain(host: &Machine) -> Value {
    let output = host
        .run(
            &format!("{NOFAIL} explain bind-01 --format json --deadline 8"),
            RUN,
        )
        .unwrap();
    let answer: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    for cause in answer["causes"].as_array().unwrap() {
        println!(
            "{} {} %: {}",
            cause["cause"], cause["confidence"], cause["text"]
        );
    }
    answer
}

#[test]
fn who_did_it_and_what_the_host_did() {
    let path =
        std::env::var_os("NOFAIL_STATIC").expect("NOFAIL_STATIC names a static nofail, see ./test");
    let host = Lab::user_mode_libvirt_host().unwrap();
    host.put(NOFAIL, &std::fs::read(path).unwrap()).unwrap();
    host.put("/root/guest.xml", GUEST.as_bytes()).unwrap();
    let mut disk = vec![0_u8; 1 << 20];
    disk[..BUTTON.len()].copy_from_slice(BUTTON);
    disk[510..512].copy_from_slice(b"\x55\xAA");
    host.put("/var/lib/libvirt/images/bind-01.img", &disk)
        .unwrap();
    run(
        &host,
        "mkdir -p /var/log/journal && systemd-tmpfiles --create --prefix /var/log/journal && journalctl --flush
         printf 'ON_SHUTDOWN=shutdown\\nSHUTDOWN_TIMEOUT=60\\nON_BOOT=ignore\\n' > /etc/default/libvirt-guests
         systemctl enable --now libvirt-guests libvirtd
         virsh define /root/guest.xml && virsh start bind-01",
    );

    // A script's session over SSH.
    run(
        &host,
        "mkdir -p /run/sshd /root/.ssh; ssh-keygen -qA; ssh-keygen -qt ed25519 -N '' -f /root/.ssh/id_ed25519
         cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; /usr/sbin/sshd; sleep 1
         ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new 127.0.0.1 virsh destroy bind-01; sleep 2",
    );
    let answer = explain(&host);
    assert_eq!(answer["causes"][0]["cause"], "virsh-destroy", "{answer:#}");
    let who = &answer["actors"][0];
    assert_eq!(
        (&who["user"], &who["address"]),
        (&"root".into(), &"127.0.0.1".into()),
        "{answer:#}"
    );
    assert!(who["confidence"].as_u64().unwrap() >= 60, "{answer:#}");

    // The host is rebooted in good order; libvirt-guests presses the guest's power button.
    run(
        &host,
        "virsh start bind-01; until virsh domblkstat bind-01 vda | grep -q 'rd_req [1-9]'; do sleep 0.3; done; sleep 2; sync",
    );
    let before = host.boot_id().unwrap();
    let _ = host.run("systemctl --no-block reboot", Duration::from_secs(10));
    host.await_another_boot(&before).unwrap();
    run(
        &host,
        "systemctl is-system-running --wait || true; systemctl start libvirtd && virsh list --all",
    );
    let answer = explain(&host);
    assert_eq!(answer["causes"][0]["cause"], "libvirt-guests", "{answer:#}");
    assert_eq!(
        answer["still_off"]["cause"], "not-autostarted",
        "{answer:#}"
    );

    // The power goes: nobody wrote anything.
    run(
        &host,
        "virsh start bind-01; sleep 3; journalctl --sync; sync",
    );
    host.power_cycle().unwrap();
    run(
        &host,
        "systemctl is-system-running --wait || true; systemctl start libvirtd && virsh list --all",
    );
    let answer = explain(&host);
    assert_eq!(answer["causes"][0]["cause"], "host-reset", "{answer:#}");
    assert_eq!(
        answer["still_off"]["cause"], "not-autostarted",
        "{answer:#}"
    );
    println!(
        "{}",
        host.run(&format!("{NOFAIL} explain bind-01"), RUN)
            .unwrap()
            .stdout
    );
}
