//! A host from the snapshot: commands, files, deadlines, power.
//!
//! Needs root, QEMU, and for the first run apt's archives.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::time::{Duration, Instant};

use lab::{Lab, Machine};

#[test]
fn a_host_runs_commands_and_keeps_files_over_a_power_cut() {
    lab::snapshot::booted(lab::Variant::Plain).unwrap();
    let clock = Instant::now();
    let host = Lab::host().unwrap();
    says_and_keeps(&host);
    println!("a host and its first commands: {:?}", clock.elapsed());

    let clock = Instant::now();
    assert!(host.run("sleep 600", Duration::from_secs(1)).is_err());
    assert!(clock.elapsed() < Duration::from_secs(15));
    let left = host.ok("for i in $(seq 50); do pgrep -x sleep >/dev/null || break; sleep 0.1; done; pgrep -cx sleep || true");
    assert_eq!(left.unwrap().trim(), "0");

    loses_power(&host);
}

#[test]
fn a_host_that_is_not_emulated_runs_commands_and_moves_data_and_loses_power() {
    let host = Lab::user_mode_host().unwrap();
    says_and_keeps(&host);
    let mounts = host.ok("cat /proc/mounts").unwrap();
    assert!(!mounts.contains("hostfs"), "{mounts}");
    assert!(host.run("sleep 600", Duration::from_secs(1)).is_err());

    // More than any buffer on the way to this machine's loopback holds, in both directions.
    let echo = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = echo.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut from, _) = echo.accept().unwrap();
        let mut to = from.try_clone().unwrap();
        std::io::copy(&mut from, &mut to)
    });
    let size = 20_000_000;
    let sum = host
        .run(
            &format!(
                "exec 3<>/dev/tcp/10.0.2.2/{port}; (head -c {size} /dev/zero >&3) & head -c {size} <&3 | wc -c; wait"
            ),
            Duration::from_secs(60),
        )
        .unwrap();
    assert_eq!((sum.code, sum.stdout.trim()), (0, "20000000"), "{sum:?}");

    loses_power(&host);
}

/// A command's output, and files both ways.
fn says_and_keeps(host: &Machine) {
    let output = host
        .run("echo out; echo err >&2; exit 7", Duration::from_secs(20))
        .unwrap();
    assert_eq!(
        (output.code, &*output.stdout, &*output.stderr),
        (7, "out\n", "err\n")
    );
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    host.put("/root/deep/er/file", &bytes).unwrap();
    assert_eq!(host.get("/root/deep/er/file").unwrap(), bytes);
    assert!(host.get("/root/none").is_err());
}

/// What was written is there after a power cut, what was not is gone.
fn loses_power(host: &Machine) {
    host.ok("echo kept > /root/synced && sync && echo lost > /root/not-synced")
        .unwrap();
    let boot = host.boot_id().unwrap();
    let clock = Instant::now();
    host.power_cycle().unwrap();
    println!("a power cycle: {:?}", clock.elapsed());
    assert_ne!(host.boot_id().unwrap(), boot);
    assert_eq!(host.ok("cat /root/synced").unwrap(), "kept\n");
    assert!(host.get("/root/not-synced").is_err());
}

#[test]
fn nothing_of_a_machine_is_left_when_its_process_is_killed() {
    // The machine is held by a child process (this test binary again), which is then killed hard.
    if std::env::var_os("LAB_HELD").is_some() {
        let host = Lab::host().unwrap();
        println!("QEMU {}", host.id());
        std::thread::sleep(Duration::from_secs(120));
        return;
    }
    use std::io::{BufRead, BufReader};
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "nothing_of_a_machine_is_left_when_its_process_is_killed",
            "--nocapture",
        ])
        .env("LAB_HELD", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = lines
        .find_map(|line| {
            line.ok()?
                .split_once("QEMU ")
                .map(|(_, pid)| pid.to_owned())
        })
        .unwrap();
    let proc = format!("/proc/{pid}/cmdline");
    assert!(
        std::fs::read_to_string(&proc)
            .unwrap()
            .contains("qemu-system")
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::fs::read_to_string(&proc).is_ok_and(|line| line.contains("qemu-system")) {
        assert!(Instant::now() < deadline, "QEMU {pid} outlived its test");
        std::thread::sleep(Duration::from_millis(20));
    }
}
