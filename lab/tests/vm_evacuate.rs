//! `nofail evacuate` from a real NFS server to the host's own disk: a slow server, one that goes away
//! in the middle of a copy, and one that is gone afterwards; the guest is off, and it runs. What the
//! guest wrote and checks itself holds throughout, and all of it comes back.
//!
//! Needs root, QEMU, nfs-ganesha, binutils and `NOFAIL_STATIC` (see ./test).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, Instant};

use lab::{Lab, Machine, NfsServer};

const RUN: Duration = Duration::from_secs(240);
const COPY: &str = "/var/lib/libvirt/images/a.qcow2";
const ORIGINAL: &str = "/mnt/nas/a.qcow2";

const GUEST: &str = "<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory>\
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>\
<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>\
<source file='/mnt/nas/a.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>";

/// The guest's program, which writes and checks what it wrote (see crates/nofail/tests/evacuate).
fn writer() -> Vec<u8> {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/nofail/tests/evacuate/writer.S"
    );
    let dir = tempfile::tempdir().unwrap();
    let object = dir.path().join("w.o").display().to_string();
    let binary = dir.path().join("w.bin").display().to_string();
    for (program, args) in [
        (
            "as",
            vec!["--32", "--defsym", "REST=1", "-o", &object, source],
        ),
        (
            "objcopy",
            vec!["-O", "binary", "-j", ".text", &object, &binary],
        ),
    ] {
        let status = std::process::Command::new(program).args(args).status();
        assert!(status.unwrap().success(), "{program}");
    }
    std::fs::read(binary).unwrap()
}

/// A host with libvirt, the NAS mounted as an administrator does it, and the guest on it: an
/// overlay on a base image of some random MiB.
struct Host {
    machine: Machine,
    nas: NfsServer,
}

impl Host {
    fn new(random: u32) -> Self {
        let path = std::env::var_os("NOFAIL_STATIC")
            .expect("NOFAIL_STATIC names a static nofail, see ./test");
        let nas = NfsServer::start(&["vms"]).unwrap();
        let machine = Lab::user_mode_libvirt_host().unwrap();
        machine
            .put("/root/nofail", &std::fs::read(path).unwrap())
            .unwrap();
        machine.put("/root/w.bin", &writer()).unwrap();
        machine.put("/root/g.xml", GUEST.as_bytes()).unwrap();
        let host = Self { machine, nas };
        host.sh(&format!(
            "mkdir -p /mnt/nas; mount -t nfs -o {} {} /mnt/nas; cd /mnt/nas
             qemu-img create -q -f raw base.img {}M
             dd if=/root/w.bin of=base.img conv=notrunc 2>/dev/null
             printf '\\125\\252' | dd of=base.img bs=1 seek=510 conv=notrunc 2>/dev/null
             dd if=/dev/urandom of=base.img bs=1M seek=1 count={random} conv=notrunc 2>/dev/null
             qemu-img create -q -f qcow2 -b base.img -F raw a.qcow2
             systemctl start libvirtd; virsh define /root/g.xml",
            host.nas.options(),
            host.nas.source("vms"),
            random + 8,
        ));
        host
    }

    fn sh(&self, line: &str) -> String {
        let output = self.machine.run(&format!("set -e\n{line}"), RUN).unwrap();
        assert_eq!(output.code, 0, "{line}: {output:?}");
        output.stdout
    }

    fn nofail(&self, arguments: &str, code: i32) -> String {
        let command = format!("/root/nofail {arguments}");
        let output = self.machine.run(&command, RUN).unwrap();
        assert_eq!(output.code, code, "{arguments}: {output:?}");
        output.stdout + &output.stderr
    }

    fn definition(&self) -> String {
        self.sh("virsh dumpxml --inactive g")
    }

    /// How often the guest wrote on this image; fails where it found its data damaged.
    fn writes(&self, image: &str) -> u32 {
        let text = self.sh(&format!(
            "qemu-io -U -r -f qcow2 -c 'read -v 512 16' {image}"
        ));
        let line = text.lines().find(|l| l.starts_with("00000200:")).unwrap();
        let bytes: Vec<u8> = line
            .split_whitespace()
            .skip(1)
            .take(8)
            .map(|b| u8::from_str_radix(b, 16).unwrap())
            .collect();
        assert_ne!(&bytes[..4], b"BAD!", "the guest found its data damaged");
        if bytes.iter().all(|b| *b == 0) {
            return 0;
        }
        u32::from_le_bytes(bytes[4..8].try_into().unwrap())
    }

    /// The guest writes on this image, `more` times from now on.
    fn goes_on(&self, image: &str, more: u32) {
        let (before, began) = (self.writes(image), Instant::now());
        loop {
            let now = self.writes(image);
            if now >= before + more {
                return;
            }
            assert!(
                began.elapsed() < RUN,
                "the guest does not go on on {image}: {before}, {now}"
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Nothing is left of an evacuation.
    fn as_before(&self, definition: &str) {
        assert_eq!(self.definition(), definition);
        assert_eq!(self.sh("ls -A /mnt/nas"), "a.qcow2\nbase.img\n");
        assert_eq!(self.sh("ls -A /var/lib/libvirt/images"), "");
    }

    /// Until a shell line succeeds.
    fn until(&self, what: &str, line: &str) {
        let began = Instant::now();
        while self.machine.run(line, RUN).unwrap().code != 0 {
            assert!(began.elapsed() < RUN, "{what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn long_a_guest_that_is_off_leaves_a_slow_nas_and_one_that_goes_away() {
    let host = Host::new(12);
    let before = host.definition();
    let evacuate = "evacuate g --to /var/lib/libvirt/images --yes --stall 15";

    // It goes away in the middle of the copy, and is refused from then on.
    host.nas.slow(Duration::from_millis(40));
    let command = format!("/root/nofail {evacuate} 2>&1");
    let running = host.machine.start_command(&command).unwrap();
    host.until(
        "the copy has begun",
        &format!("test $(stat -c %b {COPY} 2>/dev/null || echo 0) -gt 1000"),
    );
    let began = Instant::now();
    host.nas.hang().unwrap();
    let output = host.machine.wait(running, RUN).unwrap();
    assert_eq!(output.code, 2, "{output:?}");
    println!("given up after {:?}: {}", began.elapsed(), output.stdout);
    host.nas.slow(Duration::ZERO);
    host.nas.go_on().unwrap();
    host.nofail("rollback --yes", 0);
    host.as_before(&before);

    // A slow one only takes longer.
    host.nas.slow(Duration::from_millis(10));
    let began = Instant::now();
    // On a terminal a bar tells how far it is; where there is none, nothing does.
    assert!(!output.stdout.contains("left\r") && !output.stdout.contains("/s,"));
    host.sh(&format!(
        "script -qec 'stty rows 30 cols 100; TERM=xterm /root/nofail {evacuate}' /root/bar.log </dev/null >/dev/null || {{ cat /root/bar.log; false; }}"
    ));
    println!("from a slow NAS: {:?}", began.elapsed());
    let bar = host.sh("cat /root/bar.log");
    let bars: Vec<&str> = bar.split('\r').filter(|l| l.contains(" left")).collect();
    println!(
        "{} bars, one of them: {:?}",
        bars.len(),
        bars.get(bars.len() / 2)
    );
    assert!(
        bars.iter()
            .any(|l| l.contains("MiB of") && l.contains("/s, ")),
        "{bars:?}"
    );
    host.nas.slow(Duration::ZERO);
    host.sh(&format!("qemu-img compare {ORIGINAL}.evacuated {COPY}"));
    assert!(host.definition().contains(COPY));

    // The NAS is gone: the guest runs on its copy all the same, and comes home with its data.
    host.nas.hang().unwrap();
    host.sh("virsh start g");
    host.goes_on(COPY, 20);
    host.sh("virsh destroy g");
    let wrote = host.writes(COPY);
    host.nas.go_on().unwrap();
    host.nofail("rollback --yes", 0);
    host.as_before(&before);
    assert_eq!(host.writes(ORIGINAL), wrote);
    host.sh("virsh start g");
    host.goes_on(ORIGINAL, 20);
}

#[test]
fn a_guest_that_runs_leaves_a_nas_that_stutters_and_one_that_goes_away() {
    let host = Host::new(16);
    let before = host.definition();
    let evacuate = "evacuate g --to /var/lib/libvirt/images --yes --stall 20";
    host.sh("virsh start g");
    host.goes_on(ORIGINAL, 40);

    // It goes away in the middle: given up, and the guest goes on where it was once it is back.
    let command = format!("/root/nofail {evacuate} 2>&1");
    // Slow enough that it is seen before it is done.
    host.nas.slow(Duration::from_millis(150));
    let running = host.machine.start_command(&command).unwrap();
    host.until("the block job runs", "virsh blockjob g vda --bandwidth 1");
    host.nas.hang().unwrap();
    std::thread::sleep(Duration::from_secs(40));
    host.nas.slow(Duration::ZERO);
    host.nas.go_on().unwrap();
    let output = host.machine.wait(running, RUN).unwrap();
    assert_eq!(output.code, 2, "{output:?}");
    println!("given up: {}", output.stdout);
    host.nofail("rollback --yes", 0);
    host.as_before(&before);
    host.goes_on(ORIGINAL, 40);

    // It stutters: shorter than the patience, and the move ends well.
    host.nas.slow(Duration::from_millis(60));
    let running = host.machine.start_command(&command).unwrap();
    host.until("the block job runs", "virsh blockjob g vda --bandwidth 1");
    host.nas.hang().unwrap();
    std::thread::sleep(Duration::from_secs(5));
    host.nas.go_on().unwrap();
    let output = host.machine.wait(running, RUN).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let running = host.sh("virsh dumpxml g");
    assert!(
        running.contains(COPY) && !running.contains("/mnt/nas/") && !running.contains("<mirror"),
        "{running}"
    );
    assert!(host.definition().contains(COPY));

    // Without the NAS it goes on; with it, it comes home while it runs.
    host.nas.hang().unwrap();
    host.goes_on(COPY, 40);
    host.nas.slow(Duration::ZERO);
    host.nas.go_on().unwrap();
    host.nofail("rollback --yes", 0);
    host.as_before(&before);
    host.goes_on(ORIGINAL, 40);
}
