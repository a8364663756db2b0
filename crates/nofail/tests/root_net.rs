//! `nofail net apply` in network namespaces: a host with a bridge and a real sshd, an
//! administrator's desk beyond its uplink, and SSH sessions that are really cut. Needs root, ip,
//! sshd, ssh. (VLAN filtering, systemd, reboots and NetworkManager: `lab/tests/vm_net.rs`.)

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

mod ipmi;

use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The host and the desk; both and all in them are gone when dropped.
struct Net {
    host: String,
    desk: String,
    dir: tempfile::TempDir,
    sshd: Option<Child>,
    mounted: Option<String>,
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(sshd) = &mut self.sshd {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        for name in [&self.host, &self.desk] {
            // Whatever still runs there was started by this test.
            if let Ok(output) = Command::new("ip").args(["netns", "pids", name]).output() {
                for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
                    let _ = Command::new("kill").args(["-9", pid]).status();
                }
            }
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
        if let Some(state) = &self.mounted {
            let _ = Command::new("umount").args(["-l", state]).status();
        }
    }
}

fn run(line: &str) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
}

impl Net {
    fn new(tag: &str) -> Self {
        Self::with(tag, false)
    }

    /// With the state on a file system of its own, mounted before anybody has a view of mounts.
    fn with(tag: &str, own_disk: bool) -> Self {
        let id = std::process::id();
        let (host, desk) = (format!("nfh-{tag}-{id}"), format!("nfd-{tag}-{id}"));
        let mut net = Self {
            host: host.clone(),
            desk: desk.clone(),
            dir: tempfile::tempdir().unwrap(),
            sshd: None,
            mounted: None,
        };
        for line in [
            format!("ip netns add {host}"),
            format!("ip netns add {desk}"),
            format!("ip -n {host} link set lo up"),
            format!("ip -n {desk} link set lo up"),
            format!("ip link add up0 netns {host} type veth peer name sw0 netns {desk}"),
            format!("ip -n {host} link add br-mgmt type bridge"),
            format!("ip -n {host} link set up0 master br-mgmt up"),
            format!("ip -n {host} address add 10.50.1.12/24 dev br-mgmt"),
            format!("ip -n {host} address add 10.50.1.13/24 dev br-mgmt"),
            format!("ip -n {host} link set br-mgmt up"),
            format!("ip -n {host} route add default via 10.50.1.200 metric 425"),
            format!("ip -n {host} route add 10.60.0.0/16 via 10.50.1.200"),
            format!("ip -n {desk} address add 10.50.1.200/24 dev sw0"),
            format!("ip -n {desk} link set sw0 up"),
        ] {
            run(&line);
        }
        if own_disk {
            let state = net.path("state");
            std::fs::create_dir(&state).unwrap();
            run(&format!("mount -t tmpfs -o mode=700 none {state}"));
            net.mounted = Some(state);
        }
        net.start_sshd();
        net
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn start_sshd(&mut self) {
        for key in ["host", "user"] {
            run(&format!(
                "ssh-keygen -q -t ed25519 -N {} -f {}",
                "x",
                self.path(key)
            ));
            // An empty passphrase does not survive splitting at blanks: taken off again here.
            let status = Command::new("ssh-keygen")
                .args(["-q", "-p", "-P", "x", "-N", "", "-f", &self.path(key)])
                .stdout(Stdio::null())
                .status();
            assert!(status.unwrap().success());
        }
        std::fs::create_dir_all("/run/sshd").unwrap();
        let config = format!(
            "Port 22\nHostKey {}\nAuthorizedKeysFile {}\nPermitRootLogin yes\nStrictModes no\n\
             UsePAM no\nPidFile none\nSetEnv HOME={}\n",
            self.path("host"),
            self.path("user.pub"),
            // What this machine's root has its shell do at a login is not the test's.
            self.dir.path().display()
        );
        std::fs::write(self.path("sshd_config"), config).unwrap();
        let sshd = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.host,
                "/usr/sbin/sshd",
                "-D",
                "-e",
                "-f",
            ])
            .arg(self.path("sshd_config"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.sshd = Some(sshd);
        let end = Instant::now() + Duration::from_secs(20);
        while !self.ssh("true").status.success() {
            assert!(Instant::now() < end, "sshd does not answer");
        }
    }

    /// A command over a new SSH connection.
    fn ssh_command(&self, line: &str) -> Command {
        let mut ssh = Command::new("ip");
        ssh.args(["netns", "exec", &self.desk, "ssh", "-q", "-i"])
            .arg(self.path("user"))
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
            .args([
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "ConnectTimeout=1",
            ])
            .args(["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2"])
            .args(["root@10.50.1.12", line])
            .stdin(Stdio::null());
        ssh
    }

    fn ssh(&self, line: &str) -> Output {
        self.ssh_command(line).output().unwrap()
    }

    fn nofail(&self, arguments: &str) -> String {
        let program = env!("CARGO_BIN_EXE_nofail");
        format!(
            "{program} net {arguments} --state {} --format json",
            self.path("state")
        )
    }

    fn declare(&self, text: &str) -> String {
        let file = self.path("declared.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// The host's addresses and routes, as ip(8) tells them.
    fn seen(&self) -> String {
        let show = |words: &[&str]| {
            let output = Command::new("ip")
                .args(["-n", &self.host])
                .args(words)
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let mut routes: Vec<String> = show(&["-4", "route"]).lines().map(str::to_owned).collect();
        routes.sort();
        let links = show(&["-br", "link", "show", "master", "br-mgmt"]);
        let ports: Vec<&str> = links.lines().filter_map(|l| l.split('@').next()).collect();
        let addresses = show(&["-4", "-br", "address", "show", "dev", "br-mgmt"]);
        format!("{addresses}{routes:?}{ports:?}")
    }

    fn status(&self) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nofail"));
        command.args(["net", "status", "--format", "json", "--state"]);
        let output = command.arg(self.path("state")).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// How many changes are on record.
    fn records(&self) -> usize {
        let folders = std::fs::read_dir(self.dir.path().join("state/net"));
        let folders = folders.into_iter().flatten().flatten();
        folders
            .filter(|f| f.path().join("record.json").is_file())
            .count()
    }

    /// Waits for a phase; gives the time that it took.
    fn until(&self, phase: &str, limit: u64) -> Duration {
        let began = Instant::now();
        loop {
            let status = self.status();
            if status["phase"] == phase {
                return began.elapsed();
            }
            let late = began.elapsed() > Duration::from_secs(limit);
            assert!(!late, "never {phase}: {status:#}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Processes of nofail in the host whose command line has a word.
    fn pids(&self, word: &str) -> Vec<String> {
        let output = Command::new("ip")
            .args(["netns", "pids", &self.host])
            .output();
        let pids = String::from_utf8(output.unwrap().stdout).unwrap();
        pids.split_whitespace()
            .filter(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let first = line.split(|b| *b == 0).next().unwrap_or_default();
                first.ends_with(b"nofail") && line.split(|b| *b == 0).any(|w| w == word.as_bytes())
            })
            .map(str::to_owned)
            .collect()
    }

    fn kill(&self, word: &str) {
        let pids = self.pids(word);
        assert!(!pids.is_empty(), "no process of nofail {word}");
        for pid in pids {
            run(&format!("kill -9 {pid}"));
        }
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Takes the session's own address away.
const CUT: &str = "[bridges.br-mgmt]\naddresses = [\"10.50.2.12/24\"]\n";
/// Takes the only uplink out of the bridge.
const UNPLUG: &str = "[bridges.br-mgmt]\nremove = [\"up0\"]\n";
/// Cuts nobody.
const HARMLESS: &str =
    "[bridges.br-mgmt]\naddresses = [\"10.50.1.12/24\", \"10.50.1.13/24\", \"10.50.3.12/24\"]\n";

#[test]
fn over_ssh_it_is_refused_and_nothing_is_touched() {
    let net = Net::new("refuse");
    let before = net.seen();
    let file = net.declare(CUT);
    let output = net.ssh(&net.nofail(&format!("apply {file} --yes")));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = json(&output);
    assert_eq!(said["outcome"], "refused");
    assert_eq!(said["cuts"][0]["who"], "ssh", "{said:#}");
    assert_eq!(said["cuts"][0]["certain"], true);
    let why = said["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("BMC"), "{why}");
    // An incident overrides only with a word on why.
    let output = net.ssh(&net.nofail(&format!("apply {file} --yes --incident")));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(net.seen(), before);
    assert_eq!(net.status(), Value::Null);
}

#[test]
fn a_session_that_cuts_itself_off_gets_its_host_back() {
    for (tag, declared) in [("addr", CUT), ("unplug", UNPLUG)] {
        let net = Net::new(tag);
        let before = net.seen();
        let file = net.declare(declared);
        let line = net.nofail(&format!("apply {file} --yes --console --probe-for 2s"));
        let mut ssh = net
            .ssh_command(&line)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        net.until("applied", 20);
        let cut = Instant::now();
        assert_ne!(net.seen(), before, "nothing was changed");
        assert!(!net.ssh("true").status.success(), "the way is not cut");
        net.until("restored", 20);
        while !net.ssh("true").status.success() {
            assert!(cut.elapsed() < Duration::from_secs(20), "no way back");
        }
        println!(
            "{tag}: way back {:.1} s after the cut, of which 2 s were given to the probes",
            cut.elapsed().as_secs_f64()
        );
        assert_eq!(net.seen(), before);
        let status = net.status();
        assert!(
            status["why"].as_str().unwrap().contains("your end"),
            "{status:#}"
        );
        let _ = ssh.kill();
        let _ = ssh.wait();
    }
}

#[test]
fn it_is_confirmed_only_from_a_new_connection() {
    let net = Net::new("confirm");
    let before = net.seen();
    let file = net.declare(HARMLESS);
    // The same session tries to confirm its own change.
    let line = format!(
        "{} & {}; echo code=$?; wait",
        net.nofail(&format!("apply {file} --yes --console --confirm 30s")),
        format_args!("sleep 3; {}", net.nofail("confirm"))
    );
    let session = net
        .ssh_command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    net.until("waiting", 20);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(net.status()["phase"], "waiting", "it confirmed itself");
    let output = net.ssh(&net.nofail("confirm"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(json(&output)["phase"], "confirmed");
    let output = session.unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("code=3"), "{said}");
    assert!(said.contains("\"outcome\": \"confirmed\""), "{said}");
    assert_ne!(net.seen(), before);
    // The process that stood by has nothing left to do.
    let end = Instant::now() + Duration::from_secs(5);
    while !net.pids("dead-man").is_empty() {
        assert!(Instant::now() < end, "it still stands by");
        std::thread::sleep(Duration::from_millis(50));
    }
    // And long after it can be taken back: at the console, and only from what it left.
    let output = net.ssh(&net.nofail("rollback"));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--console"), "{said}");
    let output = net.ssh(&net.nofail("rollback --console"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(net.seen(), before);
}

#[test]
fn nobody_confirms_or_somebody_kills_and_the_old_state_is_back() {
    let net = Net::new("kill");
    let before = net.seen();
    let file = net.declare(HARMLESS);
    let apply = |seconds: u32| {
        let line = net.nofail(&format!(
            "apply {file} --yes --console --confirm {seconds}s"
        ));
        let child = net
            .ssh_command(&line)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        net.until("waiting", 20);
        assert_ne!(net.seen(), before);
        child
    };
    let ended = |mut child: Child, what: &str, took: Duration| {
        println!(
            "{what}: the old state is back after {:.1} s",
            took.as_secs_f64()
        );
        assert_eq!(net.seen(), before, "{what}");
        let _ = child.wait();
    };
    let child = apply(2);
    let took = net.until("restored", 20);
    ended(child, "not confirmed within 2 s", took);

    // The applying nofail is killed: the other still stands by.
    let child = apply(4);
    net.kill("apply");
    let took = net.until("restored", 20);
    ended(child, "nofail killed, 4 s to confirm", took);

    // The one that stands by is killed: the applying one does its work.
    let child = apply(4);
    net.kill("dead-man");
    let took = net.until("restored", 20);
    ended(child, "the dead-man killed, 4 s to confirm", took);

    // Both are killed: nothing else is done before somebody finishes it.
    let mut child = apply(4);
    net.kill("dead-man");
    net.kill("apply");
    let _ = child.wait();
    let output = net.ssh(&net.nofail(&format!("apply {file} --yes --console")));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // The kernel is as declared already, so there is nothing to do; another change is refused.
    assert_eq!(output.status.code(), Some(0), "{said}");
    let other = net.path("other.toml");
    std::fs::write(&other, CUT).unwrap();
    let output = net.ssh(&net.nofail(&format!("apply {other} --yes --console")));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said.contains("is not finished"), "{said}");
    let output = net.ssh(&net.nofail("rollback"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(net.seen(), before);
}

/// A kill at many instants of the whole course: whatever is on disk, the old state is back, or
/// the new one is there and `rollback` brings the old one.
#[test]
fn killed_at_any_instant_it_is_old_or_one_rollback_away() {
    // A step mostly waits for whoever stands by, so four hosts share the steps. They are made one
    // after the other, since ip(8) makes their common directory.
    let nets = [0, 1, 2, 3].map(|first| (first, Net::new(&format!("instants{first}"))));
    let restored: usize = std::thread::scope(|scope| {
        let hosts = nets.map(|(first, net)| scope.spawn(move || killed_at(first, &net)));
        hosts.map(|host| host.join().unwrap()).iter().sum()
    });
    assert!(
        restored > 5,
        "only {restored} of 24 kills came after the first command"
    );
}

/// Kills at every fourth of 24 instants; how many found the kernel changed.
fn killed_at(first: u32, net: &Net) -> usize {
    let before = net.seen();
    let file = net.declare(HARMLESS);
    let mut restored = 0;
    for step in (first..24).step_by(4) {
        let records = net.records();
        let line = net.nofail(&format!(
            "apply {file} --yes --console --confirm 1s --probe-for 1s"
        ));
        let words = ["netns", "exec", &net.host, "sh", "-c", &line];
        let mut child = Command::new("ip")
            .args(words)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        if step % 3 > 0 {
            // From the record's creation on; else from the very start.
            let end = Instant::now() + Duration::from_secs(20);
            while net.records() <= records && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        std::thread::sleep(Duration::from_millis(u64::from(step) * 12));
        // sh and nofail both, as a closed terminal takes them.
        for pid in net.pids("apply") {
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
        let _ = child.kill();
        let _ = child.wait();
        let end = Instant::now() + Duration::from_secs(20);
        while !net.pids("dead-man").is_empty() {
            assert!(Instant::now() < end, "step {step}: it never ends");
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = net.status();
        if status["phase"] == "restored" {
            restored += 1;
        } else if status != Value::Null {
            // Killed before anybody stood by.
            assert_eq!(status["phase"], "prepared", "step {step}: {status:#}");
            let mut rollback = Command::new("ip");
            rollback.args([
                "netns",
                "exec",
                &net.host,
                env!("CARGO_BIN_EXE_nofail"),
                "net",
            ]);
            rollback.args(["rollback", "--state", &net.path("state")]);
            assert!(rollback.status().unwrap().success());
        }
        assert_eq!(net.seen(), before, "step {step}: {status:#}");
    }
    restored
}

/// The disk with the records fills up in the middle: nothing can be written down any more, and the
/// old state comes back all the same.
#[test]
fn a_full_disk_stands_in_nobody_s_way() {
    let net = Net::with("full", true);
    let before = net.seen();
    let state = net.path("state");
    let file = net.declare(HARMLESS);
    let line = net.nofail(&format!("apply {file} --yes --console --confirm 4s"));
    let mut child = net
        .ssh_command(&line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    net.until("waiting", 20);
    assert_ne!(net.seen(), before);
    // Not one new file fits from here on.
    let stat = rustix::fs::statvfs(&state).unwrap();
    let used = stat.f_files - stat.f_ffree;
    run(&format!("mount -o remount,nr_inodes={used} {state}"));
    assert!(std::fs::write(format!("{state}/probe"), "").is_err());
    let end = Instant::now() + Duration::from_secs(20);
    while net.seen() != before {
        assert!(Instant::now() < end, "no way back: {:#}", net.status());
        std::thread::sleep(Duration::from_millis(50));
    }
    // Its time is over: it is not confirmed over what is back already.
    let output = net.ssh(&net.nofail("confirm"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    // With room again, whoever stands by writes down what it did.
    run(&format!("mount -o remount,nr_inodes=0 {state}"));
    net.until("restored", 20);
    assert_eq!(net.seen(), before);
    let _ = child.wait();
    // The child of ssh and whoever stood by are gone before the disk is.
    let end = Instant::now() + Duration::from_secs(10);
    while !net.pids("dead-man").is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Over SSH it runs on a proof from the administrator's side alone: fresh, of this host's BMC, and
/// not by way of a guest of this host; outside a window it takes a reason.
#[test]
fn a_proven_way_in_lets_it_run_and_no_other_does() {
    const BMC: &str = "10.50.9.2";
    let net = Net::new("proof");
    let before = net.seen();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name = name.trim().split('.').next().unwrap().to_owned();
    run(&format!("ip -n {} address add {BMC}/32 dev lo", net.desk));
    let server = ipmi::start_at(net.dir.path(), true, Some(&net.desk), (BMC, 9623));
    let text = format!("user = \"admin\"\npassword = \"{}\"\n", ipmi::PASSWORD);
    ipmi::file(&net.dir.path().join("bmc.toml"), &text, 0o600);
    let base = format!(
        "[hosts.\"{name}\"]\ndocuments = [\"runbooks/bridge.md\"]\n[hosts.\"{name}\".bmc]\naddress = \
         \"{BMC}:9623\"\nkind = \"ipmi\"\ncredentials_file = \"bmc.toml\"\n"
    );
    let site = net.path("site.toml");
    let proof = net.path("proof.json");
    std::fs::write(&site, &base).unwrap();
    // Made on the desk, which is another machine.
    let check = format!(
        "hostname desk; exec {} bmc check {name} --site {site} -o {proof}",
        env!("CARGO_BIN_EXE_nofail")
    );
    let made = Command::new("ip")
        .args([
            "netns", "exec", &net.desk, "unshare", "-u", "sh", "-c", &check,
        ])
        .env("NOFAIL_STATE_DIR", net.path("desk-state"))
        .output()
        .unwrap();
    assert!(std::path::Path::new(&proof).is_file(), "{made:?}");
    let file = net.declare(HARMLESS);
    let apply = |more: &str| {
        let line = net.nofail(&format!(
            "apply {file} --yes --confirm 1s --probe-for 1s --site {site} --bmc-proof {proof} {more}"
        ));
        net.ssh(&line)
    };
    let refused = |output: &Output, word: &str| {
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let why = json(output)["refused"][0]["why"].to_string();
        assert!(why.contains(word), "{why}");
        assert_eq!(net.seen(), before);
    };
    // It runs, says on which grounds and where it is described, and is taken back.
    let done = apply("");
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = json(&done);
    assert_eq!(said["outcome"], "taken-back", "{said:#}");
    assert!(
        said["grounds"].as_str().unwrap().contains("the BMC let in"),
        "{said:#}"
    );
    assert_eq!(said["documents"][0], "runbooks/bridge.md");
    assert_eq!(net.seen(), before);
    // By way of a guest of this host.
    let guest = format!("{base}[guests.vyos-01]\nhost = \"{name}\"\naddresses = [\"{BMC}\"]\n");
    std::fs::write(&site, guest).unwrap();
    refused(&apply(""), "vyos-01");
    // Outside every window: a reason, which is kept.
    let now = jiff::Zoned::now();
    let hour = |more: i8| format!("{:02}:00", (now.hour() + more) % 24);
    let window = format!(
        "{base}[[maintenance]]\nfrom = \"{}\"\nto = \"{}\"\n",
        hour(2),
        hour(3)
    );
    std::fs::write(&site, window).unwrap();
    refused(&apply(""), "window");
    let done = apply("--reason cable");
    assert_eq!(json(&done)["outcome"], "taken-back", "{done:?}");
    // An old proof, and one of another host.
    std::fs::write(&site, &base).unwrap();
    let text = std::fs::read_to_string(&proof).unwrap();
    let mut old: Value = serde_json::from_str(&text).unwrap();
    old["at"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&proof, old.to_string()).unwrap();
    refused(&apply(""), "not of this hour");
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["host"] = "kvm-09".into();
    std::fs::write(&proof, other.to_string()).unwrap();
    let output = apply("");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    drop(server);
}
