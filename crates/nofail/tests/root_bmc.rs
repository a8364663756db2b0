//! `nofail bmc check` against OpenIPMI's `ipmi_sim` and a Redfish emulator (sushy-tools, from
//! PyPI into a virtual environment in the cache), both on loopback. Needs ipmi_sim, ipmitool,
//! openssl, python3-venv.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

mod ipmi;

use ipmi::{PASSWORD, Server, file};
use serde_json::Value;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nofail"));
    command
        .args(["bmc", "check", "--format", "json", "--site"])
        .arg(dir.join("site.toml"))
        .args(arguments)
        .env("NOFAIL_STATE_DIR", dir.join("state"))
        .env_remove("NOFAIL_BMC_USER");
    command
}

fn check(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

/// The same, while every process's command line is looked at again and again: how many were seen
/// of `ipmitool`, and those that show the password.
fn watched(dir: &Path, arguments: &[&str]) -> (Output, usize, Vec<String>) {
    let child = command(dir, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let waiter = std::thread::spawn(move || child.wait_with_output().unwrap());
    let (mut seen, mut shown) = (0, Vec::new());
    while !waiter.is_finished() {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            seen += usize::from(line.starts_with("ipmitool"));
            if line.contains(PASSWORD) {
                shown.push(line);
            }
        }
    }
    (waiter.join().unwrap(), seen, shown)
}

/// Has ipmitool do something at the simulator, as an administrator would.
fn ipmitool(port: u16, arguments: &[&str]) {
    let done = Command::new("ipmitool")
        .args([
            "-I",
            "lanplus",
            "-C",
            "3",
            "-H",
            "127.0.0.1",
            "-U",
            "admin",
            "-E",
            "-p",
        ])
        .arg(port.to_string())
        .args(arguments)
        .env("IPMI_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

#[test]
fn a_console_a_clock_and_where_credentials_come_from() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let (_server, port) = ipmi::start(dir, true);
    let bmc = format!("address = \"127.0.0.1:{port}\"\nkind = \"ipmi\"");
    site(dir, &format!("{bmc}\ncredentials_file = \"bmc.toml\""));
    let text = format!("user = \"admin\"\npassword = \"{PASSWORD}\"\n");
    file(&dir.join("bmc.toml"), &text, 0o600);
    // Suite 17 is asked for first, in vain; 3 is taken, and no password shows on any command line.
    let (output, seen, shown) = watched(dir, &[]);
    assert_eq!(shown, Vec::<String>::new());
    assert!(seen > 0, "no ipmitool was seen: the look was too slow");
    let first = one(&output);
    assert_eq!(
        answer(&first, "login"),
        ("good", "cipher suite 3"),
        "{first:#}"
    );
    assert_eq!(answer(&first, "console").0, "good", "{first:#}");
    assert_eq!(answer(&first, "power").0, "good", "{first:#}");
    assert_eq!(answer(&first, "clock").0, "bad", "never set: {first:#}");

    ipmitool(port, &["sol", "set", "enabled", "false", "1"]);
    ipmitool(port, &["sel", "time", "set", "now"]);
    let second = one(&check(dir, &[]));
    assert_eq!(answer(&second, "clock").0, "good", "{second:#}");
    let (state, why) = answer(&second, "console");
    assert_eq!(state, "bad", "{second:#}");
    assert!(why.contains("sol set enabled"), "{why}");
    assert_eq!(second["lets_in"], true);
    ipmitool(port, &["sol", "set", "enabled", "true", "1"]);
    ipmitool(port, &["sel", "time", "set", "01/01/20 00:00:00"]);
    let third = one(&check(dir, &[]));
    assert_eq!(answer(&third, "clock").0, "bad", "{third:#}");
    assert_eq!(answer(&third, "console").0, "good", "{third:#}");

    // From the environment, where no file is named; half of it is told as such.
    site(dir, &bmc);
    let from_environment = |password: Option<&str>| {
        let mut command = command(dir, &[]);
        command.env("NOFAIL_BMC_USER", "admin");
        if let Some(password) = password {
            command.env("NOFAIL_BMC_PASSWORD", password);
        }
        one(&command.output().unwrap())
    };
    let seen = from_environment(Some(PASSWORD));
    assert_eq!(answer(&seen, "login").0, "good", "{seen:#}");
    let seen = from_environment(None);
    assert_eq!(answer(&seen, "login").0, "not-checked", "{seen:#}");
}

fn one(output: &Output) -> Value {
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    document["checks"][0].clone()
}

fn answer<'a>(check: &'a Value, question: &str) -> (&'a str, &'a str) {
    let answers = check["answers"].as_array().unwrap();
    let answer = answers.iter().find(|a| a["question"] == question).unwrap();
    (
        answer["state"].as_str().unwrap(),
        answer["seen"].as_str().unwrap(),
    )
}

fn site(dir: &Path, bmc: &str) {
    file(
        &dir.join("site.toml"),
        &format!("[hosts.kvm-01]\n[hosts.kvm-01.bmc]\n{bmc}\n"),
        0o644,
    );
}

#[test]
fn a_real_ipmi_login_and_what_it_tells() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let (server, port) = ipmi::start(dir, false);
    let bmc =
        format!("address = \"127.0.0.1:{port}\"\nkind = \"ipmi\"\ncredentials_file = \"bmc.toml\"");
    site(dir, &bmc);
    let credentials = |password: &str, mode| {
        let text = format!("user = \"admin\"\npassword = \"{password}\"\n");
        file(&dir.join("bmc.toml"), &text, mode);
    };
    credentials(PASSWORD, 0o600);
    let proof = dir.join("proof.json");
    let output = check(dir, &["kvm-01", "-o", proof.to_str().unwrap()]);
    let seen = one(&output);
    assert_eq!(
        answer(&seen, "reachable"),
        ("good", "it speaks IPMI 2.0"),
        "{seen:#}"
    );
    // The simulator knows no suite 17: that costs no password, and 3 is taken.
    assert_eq!(
        answer(&seen, "login"),
        ("good", "cipher suite 3"),
        "{seen:#}"
    );
    assert_eq!(answer(&seen, "power").0, "good", "{seen:#}");
    assert_eq!(seen["lets_in"], true);
    // Its clock was never set, and it has no serial over LAN: both are told.
    assert_eq!(answer(&seen, "clock").0, "bad", "{seen:#}");
    assert_eq!(answer(&seen, "console").0, "bad", "{seen:#}");
    assert_eq!(output.status.code(), Some(1));
    let kept = std::fs::read_to_string(dir.join("state/bmc/kvm-01.json")).unwrap();
    assert_eq!(kept, std::fs::read_to_string(&proof).unwrap());
    for text in [&kept, &format!("{output:?}")] {
        assert!(!text.contains(PASSWORD), "the password shows: {text}");
    }

    credentials("wrong", 0o600);
    let seen = one(&check(dir, &[]));
    assert_eq!(answer(&seen, "reachable").0, "good");
    let (state, why) = answer(&seen, "login");
    assert_eq!(state, "bad", "{seen:#}");
    assert!(why.contains("wrong"), "{why}");
    assert_eq!(seen["lets_in"], false);
    assert_eq!(
        seen["weak"].as_array().unwrap().len(),
        0,
        "tried without being asked"
    );

    // The simulator takes cipher suite 0, as many boards do.
    let seen = one(&check(dir, &["--probe-weak"]));
    let weak = seen["weak"].as_array().unwrap();
    assert!(
        weak.iter()
            .any(|w| w["tried"].as_str().unwrap().contains("cipher suite 0"))
    );
    assert_eq!(weak[0]["let_in"], true, "{weak:#?}");
    assert!(weak[1..].iter().all(|w| w["let_in"] == false), "{weak:#?}");

    credentials(PASSWORD, 0o644);
    let seen = one(&check(dir, &[]));
    let (state, why) = answer(&seen, "login");
    assert_eq!(state, "not-checked");
    assert!(why.contains("chmod 600"), "{why}");

    // A command, and the environment.
    let command = format!(
        "address = \"127.0.0.1:{port}\"\ncredentials_command = [\"printf\", \"admin\\\\n{PASSWORD}\\\\n\"]"
    );
    site(dir, &command);
    assert_eq!(answer(&one(&check(dir, &[])), "login").0, "good");

    // A BMC that hangs costs a bounded time.
    site(dir, &bmc);
    credentials(PASSWORD, 0o600);
    drop(server);
    let silent = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let clock = Instant::now();
    let seen = one(&check(dir, &[]));
    assert_eq!(answer(&seen, "reachable").0, "bad", "{seen:#}");
    assert!(
        clock.elapsed() < Duration::from_secs(8),
        "{:?}",
        clock.elapsed()
    );
    drop(silent);
}

/// The emulator's program, installed once into the cache.
fn emulator() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .unwrap();
    let venv = cache.join("nofail-redfish");
    let program = venv.join("bin/sushy-emulator");
    if !program.is_file() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&venv)
            .status();
        assert!(
            made.unwrap().success(),
            "python3 -m venv (Debian package python3-venv)"
        );
        let pip = Command::new(venv.join("bin/pip"))
            .args(["install", "-q", "sushy-tools==2.2.0"])
            .status();
        assert!(pip.unwrap().success(), "pip install sushy-tools");
    }
    program
}

#[test]
fn a_redfish_service_over_tls_and_what_it_tells() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let program = emulator();
    for (name, subject) in [("cert", "127.0.0.1"), ("other", "127.0.0.1")] {
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout",
            ])
            .arg(dir.join(format!("{name}.key")))
            .arg("-out")
            .arg(dir.join(format!("{name}.pem")))
            .args([
                "-subj",
                &format!("/CN={subject}"),
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "openssl");
    }
    let bcrypt = Command::new(program.with_file_name("python"))
        .args(["-c", "import bcrypt,sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(4)).decode())", PASSWORD])
        .output()
        .unwrap();
    assert!(bcrypt.status.success(), "{bcrypt:?}");
    let line = format!("admin:{}", String::from_utf8_lossy(&bcrypt.stdout));
    file(&dir.join("htpasswd"), &line, 0o600);
    let config = format!(
        "SUSHY_EMULATOR_FAKE_DRIVER = True\nSUSHY_EMULATOR_AUTH_FILE = '{}'\n",
        dir.join("htpasswd").display()
    );
    file(&dir.join("emulator.conf"), &config, 0o600);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = Command::new(&program)
        .args([
            "--fake",
            "-i",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "--config",
        ])
        .arg(dir.join("emulator.conf"))
        .arg("--ssl-certificate")
        .arg(dir.join("cert.pem"))
        .arg("--ssl-key")
        .arg(dir.join("cert.key"))
        .current_dir(dir)
        .env("TMPDIR", dir)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.join("emulator.log")).unwrap())
        .spawn()
        .unwrap();
    let server = Server(child);
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = std::fs::read_to_string(dir.join("emulator.log")).unwrap_or_default();
        assert!(Instant::now() < end, "the emulator does not answer: {log}");
        std::thread::sleep(Duration::from_millis(50));
    }
    file(
        &dir.join("bmc.toml"),
        &format!("user = admin\npassword = {PASSWORD}\n"),
        0o600,
    );
    let with = |more: &str| {
        let text = format!(
            "address = \"127.0.0.1:{port}\"\nkind = \"redfish\"\ncredentials_file = \"bmc.toml\"\n{more}"
        );
        site(dir, &text);
        one(&check(dir, &[]))
    };
    // Nobody vouches for its certificate.
    let seen = with("");
    let (state, why) = answer(&seen, "reachable");
    assert_eq!(state, "bad", "{seen:#}");
    assert!(
        why.to_lowercase().contains("certificate") || why.contains("UnknownIssuer"),
        "{why}"
    );
    let seen = with("certificate = \"other.pem\"");
    assert_eq!(answer(&seen, "reachable").0, "bad", "{seen:#}");
    // The one that it has, and the explicit opt-out.
    for more in ["certificate = \"cert.pem\"", "verify_certificate = false"] {
        let seen = with(more);
        let log = std::fs::read_to_string(dir.join("emulator.log")).unwrap_or_default();
        assert_eq!(
            answer(&seen, "reachable").0,
            "good",
            "{more}: {seen:#}\n{log}"
        );
        assert_eq!(answer(&seen, "login").0, "good", "{seen:#}\n{log}");
        assert_eq!(answer(&seen, "power").0, "good", "{seen:#}\n{log}");
        assert_eq!(answer(&seen, "clock").0, "good", "{seen:#}\n{log}");
        assert_eq!(seen["lets_in"], true);
        println!("{seen:#}");
    }
    file(
        &dir.join("bmc.toml"),
        "user = admin\npassword = wrong\n",
        0o600,
    );
    let seen = with("verify_certificate = false");
    assert_eq!(answer(&seen, "login").0, "bad", "{seen:#}");

    // A BMC that takes the connection and never says a word costs a bounded time.
    drop(server);
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    site(
        dir,
        &format!(
            "address = \"127.0.0.1:{port}\"\nkind = \"redfish\"\ncredentials_file = \"bmc.toml\"\n\
             verify_certificate = false"
        ),
    );
    let clock = Instant::now();
    let seen = one(&check(dir, &[]));
    assert_eq!(answer(&seen, "reachable").0, "bad", "{seen:#}");
    assert_eq!(seen["lets_in"], false);
    assert!(
        clock.elapsed() < Duration::from_secs(20),
        "{:?}",
        clock.elapsed()
    );
}
