//! The guard before the reboot button, on a real systemd: every path down is tried, with and without
//! an override, and what was asked, held, or went past is printed as the table in docs/guard.md.
//!
//! Needs root, QEMU and `NOFAIL_STATIC` (see ./test).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, Instant};

use lab::{Frozen, Lab, Machine};
use serde_json::{Value, json};

const NOFAIL: &str = "/usr/local/bin/nofail";
const RUN: Duration = Duration::from_secs(120);

/// A guest without a disk: its firmware waits for one for ever. Without autostart it stays down after
/// a reboot, and that is a loss.
const GUEST: &str = "<domain type='qemu'><name>bind-01</name><memory unit='MiB'>32</memory>\
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";

/// That host with a running guest and the guard in place.
fn guarded(host: Machine) -> Machine {
    let path =
        std::env::var_os("NOFAIL_STATIC").expect("NOFAIL_STATIC names a static nofail, see ./test");
    host.put(NOFAIL, &std::fs::read(path).unwrap()).unwrap();
    host.put("/root/guest.xml", GUEST.as_bytes()).unwrap();
    let script = format!(
        "hostname kvm-01 && echo kvm-01 > /etc/hostname && echo '127.0.1.1 kvm-01' >> /etc/hosts && \
         printf 'ON_SHUTDOWN=shutdown\\nSHUTDOWN_TIMEOUT=5\\n' > /etc/default/libvirt-guests && \
         systemctl start libvirtd && virsh define /root/guest.xml && virsh start bind-01 && {NOFAIL} guard install --yes"
    );
    let output = host.run(&script, RUN).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    host
}

fn stopping(host: &Machine) -> bool {
    match host.run("systemctl is-system-running", RUN) {
        Ok(output) => output.stdout.trim() == "stopping",
        Err(_) => true,
    }
}

/// Whether the host goes down: its shutdown has begun, or its QEMU has ended with it
/// ([`Machine::end_at_reset`]).
fn goes(host: &Machine) -> bool {
    let clock = Instant::now();
    while clock.elapsed() < RUN {
        if !host.alive() || stopping(host) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    false
}

/// Whether the host is still up and nothing is under way, a while later.
fn stays(host: &Machine, before: &str) -> bool {
    std::thread::sleep(Duration::from_secs(4));
    !stopping(host) && host.boot_id().unwrap() == before
}

fn events(host: &Machine) -> Vec<Value> {
    let output = host
        .ok(&format!(
            "{NOFAIL} events --kind guard --limit 0 --format json"
        ))
        .unwrap();
    let document: Value = serde_json::from_str(&output).unwrap();
    document["events"].as_array().unwrap().clone()
}

fn row(path: &str, result: &str) {
    println!("| {path} | {result} |");
}

/// What a person types at a terminal, each line when it is asked for: `script` gives the command one.
fn at_terminal(command: &str, typed: &[&str]) -> String {
    let asked = ["Enter stops", "must go down now"];
    let typed: Vec<String> = typed
        .iter()
        .zip(asked)
        .map(|(line, asked)| {
            format!("until grep -q '{asked}' /run/typescript; do sleep 0.2; done; echo '{line}'")
        })
        .collect();
    format!(
        ": > /run/typescript; ({}; sleep 3) | TERM=dumb script -qefc '{command}' /run/typescript",
        typed.join("; ")
    )
}

#[test]
fn guarded_paths_ask_and_nobody_is_locked_out() {
    whom_it_asks(&guarded(Lab::user_mode_libvirt_host().unwrap()));
}

#[test]
fn long_what_goes_is_recorded_and_what_asks_nobody_is_known() {
    let ready = guarded(Lab::libvirt_host().unwrap()).freeze().unwrap();
    for (path, command, kind, said) in [
        (
            "`NOFAIL_OVERRIDE=… reboot`, script",
            "NOFAIL_OVERRIDE='kvm-01: UPS dying' reboot",
            "guard.overridden",
            "UPS dying",
        ),
        (
            "`reboot`, script, nothing runs",
            "virsh destroy bind-01; reboot",
            "guard.asked",
            "let through",
        ),
    ] {
        goes_and_is_recorded(&ready.thaw().unwrap(), path, command, kind, said);
    }
    what_asks_nobody(&ready);
}

fn whom_it_asks(host: &Machine) {
    let before = host.boot_id().unwrap();
    let status = host.run(&format!("{NOFAIL} guard status"), RUN).unwrap();
    println!("{}", status.stdout);
    let check = host
        .run(&format!("{NOFAIL} guard check reboot --format json"), RUN)
        .unwrap();
    let verdict: Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(
        (check.code, &verdict["verdict"]),
        (1, &json!("losses")),
        "{verdict:#}"
    );
    assert_eq!(verdict["healthy"][0], "bind-01");

    // A script, and a command over SSH without a terminal, come the same way.
    for command in [
        "reboot",
        "reboot -f",
        "shutdown -r now",
        "shutdown -h +1",
        "poweroff",
        "halt",
        "systemctl reboot",
        "systemctl --force --force reboot",
        "systemctl isolate reboot.target",
        "systemctl start poweroff.target",
        "systemctl kexec",
        "init 6",
        "telinit 0",
        "systemctl rescue",
        "bash -lc reboot",
    ] {
        let output = host.run(command, RUN).unwrap();
        assert_ne!(output.code, 0, "{command}: {output:?}");
        assert!(output.stderr.contains("bind-01"), "{command}: {output:?}");
        row(&format!("`{command}`, script"), "asked: stopped");
    }
    assert!(stays(host, &before));
    // What does not take the host down is as before.
    for command in [
        "systemctl is-active libvirtd",
        "systemctl status reboot.target; true",
        "shutdown -c",
        "reboot --help",
    ] {
        let output = host.run(command, RUN).unwrap();
        assert_eq!(output.code, 0, "{command}: {output:?}");
        assert!(!output.stderr.contains("nofail"), "{command}: {output:?}");
    }
    over_ssh(host);
    at_the_console(host, &before);

    // Typed at a terminal: another host's name, then nothing.
    let output = host
        .run(&at_terminal("reboot", &["kvm-02", "wrong window"]), RUN)
        .unwrap();
    assert!(
        output.stdout.contains("is this the right window"),
        "{output:?}"
    );
    let output = host.run(&at_terminal("reboot", &[""]), RUN).unwrap();
    assert!(output.stdout.contains("is not run"), "{output:?}");
    assert!(stays(host, &before));
    row(
        "`reboot`, person, another host's name or none",
        "asked: stopped",
    );
    let output = host.run("NOFAIL_OVERRIDE='kvm-02: x' reboot", RUN).unwrap();
    assert_ne!(output.code, 0);
    let told = events(host);
    assert!(
        told.len() > 15 && told.iter().all(|e| e["kind"] == "guard.stopped"),
        "{told:#?}"
    );

    // A nofail that is broken stops nobody, and says so.
    host.ok(&format!(
        "mv {NOFAIL} /root/kept; printf '#!/bin/sh\\nexit 134\\n' > {NOFAIL}; chmod +x {NOFAIL}"
    ))
    .unwrap();
    let output = host.run("shutdown -k now", RUN).unwrap();
    assert!(
        output.stderr.contains("nofail itself is broken"),
        "{output:?}"
    );
    host.ok(&format!("mv -f /root/kept {NOFAIL}")).unwrap();
    row("any, nofail broken", "goes on, and says so");

    // Off and on again.
    let output = host
        .run(&format!("{NOFAIL} guard uninstall --yes"), RUN)
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(
        host.ok("ls /usr/local/sbin | grep -c systemctl || true")
            .unwrap()
            .trim(),
        "0"
    );
    let output = host
        .run(&format!("{NOFAIL} guard install --yes"), RUN)
        .unwrap();
    assert_eq!(output.code, 0, "{output:?}");

    // The person's way past: the host's name and a reason. The record outlives the reboot.
    let _ = host.run(&at_terminal("reboot", &["kvm-01", "drill"]), RUN);
    host.await_another_boot(&before).unwrap();
    row(
        "`reboot`, person, this host's name and a reason",
        "asked: goes, recorded",
    );
    let last = events(host);
    let last = last.iter().rev().find(|e| e["kind"] == "guard.overridden");
    let last = last.expect("no override on record");
    assert!(
        last["message"].as_str().unwrap().contains("drill"),
        "{last:#}"
    );
}

/// What goes on, with its record: read in the same breath, as the host is on its way down.
fn goes_and_is_recorded(host: &Machine, path: &str, command: &str, kind: &str, said: &str) {
    host.end_at_reset().unwrap();
    let output = host
        .run(
            &format!(
                "({command}) > /dev/null 2>&1; {NOFAIL} events --kind guard --limit 0 --format json"
            ),
            RUN,
        )
        .unwrap();
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let told = |event: &Value| event["kind"] == kind && event["message"].to_string().contains(said);
    assert!(
        document["events"].as_array().unwrap().iter().any(told),
        "{document:#}"
    );
    assert!(goes(host), "{path}");
    row(path, "goes, recorded");
}

fn over_ssh(host: &Machine) {
    host.ok("mkdir -p /run/sshd /root/.ssh; ssh-keygen -qA; ssh-keygen -qt ed25519 -N '' -f /root/.ssh/id_ed25519; \
             cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; ssh-keyscan 127.0.0.1 > /root/.ssh/known_hosts 2>/dev/null; /usr/sbin/sshd; sleep 1; \
             ssh-keyscan 127.0.0.1 > /root/.ssh/known_hosts 2>/dev/null").unwrap();
    for command in ["reboot", "systemctl poweroff"] {
        let output = host
            .run(&format!("ssh -o BatchMode=yes 127.0.0.1 {command}"), RUN)
            .unwrap();
        assert!(
            output.code != 0 && output.stderr.contains("bind-01"),
            "{command}: {output:?}"
        );
        row(&format!("`ssh HOST {command}`"), "asked: stopped");
    }
    let last = events(host);
    let last = last.iter().max_by_key(|e| e["id"].as_i64()).unwrap();
    assert!(
        last["message"].as_str().unwrap().contains("ssh 127.0.0.1"),
        "{last:#}"
    );
}

/// The first press of Ctrl-Alt-Del and the power key, both at the emulated machine.
fn at_the_console(host: &Machine, before: &str) {
    // The kernel hands the keys to init as SIGINT (init/CAD); this machine has no keyboard driver.
    host.ok("kill -INT 1").unwrap();
    assert!(stays(host, before));
    let clock = Instant::now();
    while !events(host)
        .iter()
        .any(|e| e["message"].as_str().unwrap().contains("Ctrl-Alt-Del"))
    {
        assert!(
            clock.elapsed() < Duration::from_secs(60),
            "nothing was recorded of Ctrl-Alt-Del"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    row(
        "Ctrl-Alt-Del, pressed once",
        "asked: stopped, told on the console",
    );
    // Bound to its service: the target is down again for the next press.
    let state = host
        .run("systemctl is-active ctrl-alt-del.target", RUN)
        .unwrap();
    assert_ne!(state.stdout.trim(), "active");
    let list = host
        .ok("systemd-inhibit --list --no-legend --no-pager")
        .unwrap();
    assert!(
        list.contains("nofail guard") && list.contains("shutdown"),
        "{list}"
    );
    // logind on behalf of another user than root.
    let output = host
        .run(
            "setpriv --reuid 65534 --clear-groups /usr/bin/systemctl reboot",
            RUN,
        )
        .unwrap();
    assert_ne!(output.code, 0, "{output:?}");
    row(
        "`systemctl reboot` by its path, not root",
        "stopped (logind)",
    );
    assert!(stays(host, before));
}

/// What asks nobody, measured: each on a machine of its own.
fn what_asks_nobody(ready: &Frozen) {
    let measure = |path: &str, act: &dyn Fn(&Machine)| {
        let host = ready.thaw().unwrap();
        host.end_at_reset().unwrap();
        act(&host);
        assert!(goes(&host), "{path}");
        row(path, "asked nobody: goes");
    };
    for (path, command) in [
        (
            "`/usr/sbin/reboot` by its path (root, systemd 252)",
            "/usr/sbin/reboot",
        ),
        (
            "`/usr/bin/systemctl --force --force reboot`",
            "/usr/bin/systemctl --force --force reboot",
        ),
        ("sysrq b", "echo b > /proc/sysrq-trigger"),
        // More than seven SIGINTs within two seconds of the machine's own time, which an emulator
        // stretches; signals that wait for systemd's next turn count as one.
        (
            "Ctrl-Alt-Del, more than seven times within two seconds",
            "for n in $(seq 100); do kill -INT 1; sleep 0.02; done",
        ),
    ] {
        // Nobody waits for the command: its machine may be gone before its end is told.
        measure(path, &|host| {
            host.start_command(command).unwrap();
        });
    }
    measure("reset (BMC)", &|host| {
        host.qemu("system_reset", Value::Null).unwrap();
    });
}
