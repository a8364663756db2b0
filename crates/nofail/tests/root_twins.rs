//! Two hosts of one HA group are never let go down together: two real libvirtds with a guest each,
//! in namespaces of their own, a real sshd before each, and site.toml with their addresses. And a
//! host from which everything went goes down unattended.
//!
//! Needs root, libvirt, QEMU and openssh-server; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod guests;
mod namespaces;

use guests::{ok, sh, until};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use watch::guard::install::{REFUSED, SETTINGS};
use watch::guard::peers::MARKER;

/// Where each host's sshd listens, on the loopback that both share.
const PORTS: [u16; 2] = [2201, 2202];

#[test]
fn hosts_of_one_ha_group_do_not_go_down_together() {
    namespaces::in_namespaces("hosts_of_one_ha_group_do_not_go_down_together", 300, inside);
}

/// A host: mounts and a name of its own, libvirtd with one running guest, sshd. Reached by SSH only.
struct Host {
    name: &'static str,
    port: u16,
    config: String,
    sshd: Child,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

impl Host {
    /// Runs a script on it, as its own root would at a shell without a terminal.
    fn run(&self, script: &str) -> Output {
        let port = self.port.to_string();
        let args = ["-F", &self.config, "-p", &port, "127.0.0.1", script];
        Command::new("ssh").args(args).output().unwrap()
    }

    fn nofail(&self, args: &str) -> Output {
        self.run(&format!("{} {args}", env!("CARGO_BIN_EXE_nofail")))
    }

    /// Verdict, reasons and exit code of `guard check reboot`.
    fn check(&self) -> (String, String, i32) {
        let output = self.nofail("guard check reboot --format json");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{}: {e}: {said}", self.name));
        let found = (
            document["verdict"].as_str().unwrap().to_owned(),
            document["reasons"].to_string(),
            output.status.code().unwrap(),
        );
        println!("{}: {found:?}", self.name);
        found
    }

    fn marked(&self) -> bool {
        self.run(&format!("test -e {MARKER}")).status.success()
    }
}

/// Starts a host in the background; it ends with this test's process namespace.
fn start(dir: &Path, name: &'static str, guest: &str, port: u16) -> Host {
    let at = |file: &str| dir.join(file).display().to_string();
    std::fs::write(
        dir.join(format!("{name}.sshd")),
        format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\n\
             PermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile /run/sshd.pid\n\
             SetEnv HOME={}\n",
            at("host"),
            at("user.pub"),
            // What this machine's root has its shell do at a login is not the test's.
            dir.display()
        ),
    )
    .unwrap();
    std::fs::write(
        dir.join(format!("{name}.xml")),
        format!(
            "<domain type='qemu'><name>{guest}</name><memory unit='MiB'>32</memory>\
             <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
        ),
    )
    .unwrap();
    std::fs::write(
        dir.join(format!("{name}.guard")),
        format!("site = \"{}\"\nhost = \"{name}\"\n", at("site.toml")),
    )
    .unwrap();
    let script = format!(
        "mount --make-rprivate /; hostname {name}
         for d in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /var/lib/nofail /etc/nofail /run /mnt /root/.ssh; do
             mkdir -p $d; mount -t tmpfs -o mode=755 none $d
         done
         test -e /etc/fstab || : >/etc/fstab; mount --bind {fstab} /etc/fstab
         mkdir -p /var/lib/libvirt/images /var/lib/libvirt/qemu /run/sshd
         cp {guard} {SETTINGS}; cp {ssh_config} /root/.ssh/config; chmod 600 /root/.ssh/config
         printf 'user = \"root\"\\ngroup = \"root\"\\nsecurity_driver = \"none\"\\n' >/etc/libvirt/qemu.conf
         : >/etc/libvirt/libvirtd.conf
         virtlogd -d; libvirtd -d
         export LIBVIRT_DEFAULT_URI=qemu:///system
         until virsh list >/dev/null 2>&1; do sleep 0.1; done
         virsh -q define {xml}; virsh -q autostart {guest}; virsh -q start {guest}
         exec /usr/sbin/sshd -D -e -f {sshd}",
        fstab = at("fstab"),
        guard = at(&format!("{name}.guard")),
        ssh_config = at("ssh_config"),
        xml = at(&format!("{name}.xml")),
        sshd = at(&format!("{name}.sshd")),
    );
    let sshd = Command::new("unshare")
        .args(["--mount", "--uts", "sh", "-euc", &script])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Host {
        name,
        port,
        config: at("ssh_config"),
        sshd,
    }
}

fn inside() {
    sh("mount --make-rprivate /; ip link set lo up");
    let dir = tempfile::tempdir().unwrap();
    let at = |file: &str| dir.path().join(file).display().to_string();
    for key in ["host", "user"] {
        ok("ssh-keygen", &["-qt", "ed25519", "-N", "", "-f", &at(key)]);
    }
    std::fs::write(
        dir.path().join("ssh_config"),
        format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  BatchMode yes\n  UserKnownHostsFile {}\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n",
            at("user"),
            at("known_hosts")
        ),
    )
    .unwrap();
    std::fs::write(dir.path().join("fstab"), "").unwrap();
    std::fs::write(
        dir.path().join("site.toml"),
        format!(
            "[hosts.kvm-01]\naddress = \"root@127.0.0.1:{}\"\nconsole = \"a screen\"\n\
             [hosts.kvm-02]\naddress = \"root@127.0.0.1:{}\"\nconsole = \"a screen\"\n\
             [groups.dns]\n[guests.bind-01]\nhost = \"kvm-01\"\ngroup = \"dns\"\n\
             [guests.bind-02]\nhost = \"kvm-02\"\ngroup = \"dns\"\n",
            PORTS[0], PORTS[1]
        ),
    )
    .unwrap();
    let one = start(dir.path(), "kvm-01", "bind-01", PORTS[0]);
    let two = start(dir.path(), "kvm-02", "bind-02", PORTS[1]);
    for host in [&one, &two] {
        until(host.name, || host.run("true").status.success());
    }

    // Each alone: its guest dies, its twin goes on.
    for host in [&one, &two] {
        let (verdict, reasons, code) = host.check();
        assert_eq!((&*verdict, code), ("losses", 1), "{reasons}");
        assert!(!host.marked(), "a check leaves no marker");
    }

    // A person lets kvm-02 go: from then on kvm-01 must stay.
    let went = two.run(&format!(
        "NOFAIL_OVERRIDE='kvm-02: firmware' {} guard ask -- reboot",
        env!("CARGO_BIN_EXE_nofail")
    ));
    assert_eq!(went.status.code(), Some(0), "{went:?}");
    assert!(two.marked());
    let (verdict, reasons, code) = one.check();
    assert_eq!((&*verdict, code), ("unsafe", 3));
    assert!(
        reasons.contains("kvm-02, with the twins bind-02, is going down now"),
        "{reasons}"
    );
    let asked = one.nofail("guard ask -- systemctl reboot");
    let said = String::from_utf8_lossy(&asked.stderr);
    assert_eq!(asked.status.code(), Some(i32::from(REFUSED)), "{said}");
    assert!(said.contains("kvm-02"), "{said}");
    assert!(!one.marked(), "whoever stays takes the marker back");

    // A host that came back, or a shutdown that was taken back: the marker is gone or old.
    two.run(&format!("touch -d '20 minutes ago' {MARKER}"));
    assert_eq!(one.check().2, 1);
    two.run(&format!("rm {MARKER}"));

    // Both at the same moment: whoever looks last sees the other.
    let both = std::thread::scope(|scope| {
        let ask = |host| scope.spawn(move || Host::nofail(host, "guard ask -- reboot"));
        [ask(&one), ask(&two)].map(|t| t.join().unwrap())
    });
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        both.iter().any(|o| told(o).contains("is going down now")),
        "{both:?}"
    );
    for output in &both {
        assert_eq!(output.status.code(), Some(i32::from(REFUSED)), "{output:?}");
    }

    // Everything left kvm-01: an unattended update may reboot it, and the twin does not mind.
    one.run("virsh -q destroy bind-01; virsh -q undefine bind-01");
    let (verdict, reasons, code) = one.check();
    assert_eq!((&*verdict, code), ("go", 0), "{reasons}");
    let asked = one.nofail("guard ask -- shutdown -r +5");
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    assert!(one.marked(), "its twins' hosts shall see that it goes");
    let events = one.nofail("events --kind guard --limit 0 --format json");
    let events: Value = serde_json::from_slice(&events.stdout).unwrap();
    let last = events["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last["kind"], "guard.asked", "{last}");

    // While it goes, bind-02's host stays. (bind-01 is defined nowhere now: site.toml places it.)
    assert_eq!(two.check().2, 3);
    // A host that does not answer may be down.
    one.run("kill $(cat /run/sshd.pid)");
    let (verdict, reasons, code) = two.check();
    assert_eq!((&*verdict, code), ("unsafe", 3));
    assert!(reasons.contains("does not answer"), "{reasons}");

    // What cannot be judged is said so, and stops nobody.
    std::fs::write(dir.path().join("site.toml"), "[hosts\n").unwrap();
    let (verdict, reasons, code) = two.check();
    assert_eq!((&*verdict, code), ("unknown", 2));
    assert!(reasons.contains("site.toml"), "{reasons}");
    let asked = two.nofail("guard ask -- reboot");
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    assert!(told(&asked).contains("could not say"), "{asked:?}");
}
