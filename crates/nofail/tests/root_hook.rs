//! The hook with a real libvirtd of this machine: installed, verified, proved by a throw-away guest.
//!
//! The daemons run in mount, network and process namespaces of this test's own, on empty file
//! systems over their directories: nothing of this machine's libvirt is touched. Needs root and the
//! packages libvirt-daemon-system, libvirt-clients, qemu-system-x86; without them the test fails.
//! This machine's kernel may have no VLANs on bridges: what the ports get is tested in the lab.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod namespaces;

use serde_json::Value;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

#[test]
fn the_hook_is_installed_verified_and_proved() {
    namespaces::in_namespaces("the_hook_is_installed_verified_and_proved", 200, inside);
}

fn run(line: &str) -> Output {
    Command::new("bash")
        .args(["-c", line])
        .env("LIBVIRT_DEFAULT_URI", "qemu:///system")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{:?} {}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn ok(line: &str) -> String {
    let output = run(line);
    assert!(output.status.success(), "{line}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs nofail and reads its JSON.
fn ask(args: &str, code: i32) -> Value {
    let output = run(&format!("/usr/local/bin/nofail {args} --format json"));
    assert_eq!(
        output.status.code(),
        Some(code),
        "{args}: {}",
        text(&output)
    );
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)))
}

const SET_UP: &str = r#"set -e
mount --make-rprivate /
ip link set lo up; ip link add br-mgmt type bridge; ip link set br-mgmt up
mkdir -p /etc/nofail
for d in /etc/libvirt /etc/nofail /var/lib/libvirt /var/lib/nofail /var/log/libvirt /var/cache/libvirt /usr/local/bin /run; do
    mkdir -p $d; mount -t tmpfs -o mode=755 none $d
done
mkdir -p /var/lib/libvirt/images /var/lib/libvirt/qemu
printf 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\n' > /etc/libvirt/qemu.conf
: > /etc/libvirt/libvirtd.conf
cat > /run/guest.xml <<'X'
<domain type='qemu'><name>bind-01</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<interface type='bridge'><source bridge='br-mgmt'/><model type='virtio'/></interface>
</devices></domain>
X
cat > /run/site.toml <<'X'
[bridges.br-mgmt]
pvid = 100
tagged = [10, 20]
X
"#;

fn await_libvirt() {
    let began = Instant::now();
    while !run("virsh list").status.success() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "libvirtd does not answer"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn inside() {
    let program = env!("CARGO_BIN_EXE_nofail");
    ok(&format!(
        "cp {program} /run-nofail 2>/dev/null || cp {program} /tmp/nofail-under-test"
    ));
    let saved = ok("ls /run-nofail /tmp/nofail-under-test 2>/dev/null | head -1");
    ok(SET_UP);
    ok(&format!(
        "mv {} /usr/local/bin/nofail; chmod 755 /usr/local/bin/nofail",
        saved.trim()
    ));
    ok("virtlogd -d; libvirtd -d");
    await_libvirt();
    ok("virsh define /run/guest.xml");
    native_vlans();

    // Nothing is installed: that is the cause.
    let verified = ask("hook verify", 1);
    assert!(
        verified["cause"]
            .as_str()
            .unwrap()
            .starts_with("there is no qemu hook"),
        "{verified:#}"
    );

    // The daemon looked for hooks before this one was there.
    std::thread::sleep(Duration::from_millis(1100));
    let installed = ask("hook install --site /run/site.toml", 1);
    assert_eq!(installed["applied"], true, "{installed:#}");
    assert_eq!(installed["reload"]["daemon"], "libvirtd", "{installed:#}");
    let script = "/etc/libvirt/hooks/qemu.d/50-nofail";
    assert_eq!(
        ok(&format!("stat -c '%a %u %g' {script}")).trim(),
        "755 0 0"
    );
    let verified = ask("hook verify --start-probe", 1);
    assert_eq!(verified["fires"], "no", "{verified:#}");
    assert!(
        verified["cause"]
            .as_str()
            .unwrap()
            .contains("after libvirtd had started"),
        "{verified:#}"
    );
    let proof = verified["proof"].as_str().unwrap();
    assert!(proof.contains("was not called"), "{verified:#}");

    // It looks again, and the guest proves it.
    let installed = ask("hook install --yes", 0);
    assert_eq!(installed["reload"]["done"], true, "{installed:#}");
    std::thread::sleep(Duration::from_secs(1));
    let verified = ask("hook verify --start-probe", 0);
    assert_eq!(verified["fires"], "yes", "{verified:#}");
    let proof = verified["proof"].as_str().unwrap();
    assert!(proof.contains("prepare, start, started"), "{verified:#}");
    assert_eq!(
        ok("virsh list --all --name")
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["bind-01"]
    );

    // By policy: a guest whose VLANs cannot be set starts, or does not.
    let has_vlans = run("bridge vlan show 2>/dev/null | grep -q br-mgmt")
        .status
        .success();
    ok("virsh start bind-01; virsh destroy bind-01");
    ask("hook install --policy block --yes", 0);
    let blocked = run("virsh start bind-01");
    assert_eq!(blocked.status.success(), has_vlans, "{}", text(&blocked));
    if !has_vlans {
        let said = text(&blocked);
        assert!(
            said.contains("nofail hook: bind-01") && said.contains("no VLAN filtering"),
            "{said}"
        );
        // What runs is never ended by a hook: a daemon that restarts calls `reconnect`.
        ok("rm /etc/libvirt/hooks/qemu.d/50-nofail; virsh start bind-01");
        ask("hook install --policy block --yes", 0);
        ok(
            "pkill -x libvirtd; while pgrep -x libvirtd >/dev/null; do sleep 0.1; done; libvirtd -d",
        );
        await_libvirt();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(ok("virsh domstate bind-01").trim(), "running");
        ok("virsh destroy bind-01");
    }

    faults(script);

    // Beside a script that is there, which goes on as before.
    ask("hook uninstall", 0);
    ok(&format!("test ! -e {script}"));
    ok(
        "printf '#!/bin/sh\\necho \"$1 $2\" >> /run/former\\n' > /etc/libvirt/hooks/qemu; chmod 755 /etc/libvirt/hooks/qemu",
    );
    let before = ok(FORMER);
    ask("hook install --yes", 0);
    ok("pkill -HUP -x libvirtd; sleep 1; virsh start bind-01; virsh destroy bind-01");
    let former = ok("cat /run/former");
    assert!(
        former.contains("bind-01 start\n") && former.contains("bind-01 release\n"),
        "{former}"
    );
    ask("hook uninstall", 0);
    assert_eq!(ok(FORMER), before);
    // A whole tree, with a libvirt that reads no qemu.d: both in one script.
    old_libvirt();
    ok("pkill -x libvirtd; pkill -x virtlogd; true");
}

/// One fault after the other, each named: as the cause, or beside it.
fn faults(script: &str) {
    ok(&format!("cp -p {script} /run/saved"));
    let saved = format!("cp -p /run/saved {script}");
    let denial = "type=AVC msg=audit(4102444800.123:417): avc:  denied  { execute } for  pid=4242 \
                  comm=\"rpc-virtqemud\" name=\"50-nofail\" dev=\"dm-0\" ino=1 \
                  scontext=system_u:system_r:virtqemud_t:s0 \
                  tcontext=unconfined_u:object_r:user_home_t:s0 tclass=file permissive=0";
    let library = "/usr/lib/x86_64-linux-gnu/libvirt.so.0";
    let hooks = "/etc/libvirt/hooks";
    for (place, spoil, word, mend) in [
        (
            "cause",
            format!("chmod 644 {script}"),
            "execut",
            format!("chmod 755 {script}"),
        ),
        (
            "cause",
            format!("sed -i '1s/$/\\r/' {script}"),
            "carriage return",
            saved.clone(),
        ),
        (
            "cause",
            format!("sed -i '1s,.*,#!/bin/no-such-shell,' {script}"),
            "/bin/no-such-shell",
            saved.clone(),
        ),
        (
            "cause",
            format!("sed -i '2i if true' {script}"),
            "breaks its shell's grammar",
            saved.clone(),
        ),
        (
            "cause",
            format!("mv {script} {hooks}/qemu.sh"),
            "qemu.sh is no place from which libvirt runs a hook",
            format!("mv {hooks}/qemu.sh {script}"),
        ),
        (
            "cause",
            format!("rm {script}"),
            "there is no qemu hook",
            saved.clone(),
        ),
        (
            "cause",
            format!(
                "sed 's,/etc/libvirt/hooks,/opt/libvirt/hooks,g' {library} > /run/library; \
                 mount --bind /run/library {library}"
            ),
            "libvirt was built to look in /opt/libvirt/hooks",
            format!("umount {library}"),
        ),
        (
            "also",
            format!("chown 1000 {script}"),
            "it belongs to user 1000",
            format!("chown 0 {script}"),
        ),
        (
            "also",
            format!("chmod 777 {hooks}"),
            "/etc/libvirt/hooks, above a hook, is not root's alone: everyone may write it",
            format!("chmod 755 {hooks}"),
        ),
        (
            "also",
            format!(
                "mkdir -m 755 /run/of-others; chown 1000 /run/of-others; \
                 cp -p {script} /run/of-others/hook; ln -sf /run/of-others/hook {script}"
            ),
            "/run/of-others, above a hook, is not root's alone",
            format!("rm {script}; {saved}"),
        ),
        // The audit log of a host with SELinux; /sys/fs and /var/log come back afterwards.
        (
            "any",
            format!(
                "mount -t tmpfs none /sys/fs; mkdir /sys/fs/selinux; echo 1 > /sys/fs/selinux/enforce; \
                 mkdir -p /etc/selinux; mount -t tmpfs none /etc/selinux; echo SELINUX=enforcing > /etc/selinux/config; \
                 mount -t tmpfs none /var/log; mkdir /var/log/audit; \
                 echo '{denial}' > /var/log/audit/audit.log"
            ),
            "SELinux refused it 1 time(s), the last: rpc-virtqemud",
            "umount /sys/fs /etc/selinux /var/log".to_owned(),
        ),
        (
            "any",
            format!("sed -i '2i virsh list >/dev/null' {script}"),
            "virsh",
            saved.clone(),
        ),
        (
            "any",
            format!(
                "printf '#!/bin/sh\\ncase \"$2\" in stopped) bridge vlan add dev vnet0 vid 100 pvid untagged ;; esac\\n' > {script}"
            ),
            "acts only at: stopped",
            saved.clone(),
        ),
        (
            "cause",
            "mv /etc/nofail/site.toml /etc/nofail/away".to_owned(),
            "does not know the VLANs",
            "mv /etc/nofail/away /etc/nofail/site.toml".to_owned(),
        ),
    ] {
        ok(&spoil);
        let verified = ask("hook verify", 1);
        let cause = verified["cause"].as_str().unwrap_or_default();
        let also = verified["also"].to_string();
        let told = match place {
            "cause" => cause.contains(word),
            "also" => also.contains(word) && !cause.contains(word),
            _ => cause.contains(word) || also.contains(word),
        };
        assert!(told, "{spoil}: {verified:#}");
        ok(&mend);
    }
}

/// The former script to its last byte and attribute, and that nothing lies beside it.
const FORMER: &str =
    "cd /etc/libvirt/hooks; sha256sum qemu; stat -c '%a %u %g' qemu; find . -type f";

/// libvirt's own `<vlan>`: this libvirt is too old for it, which is said; the definition is edited,
/// defined and taken back all the same by those who ask the library.
fn native_vlans() {
    let refused = run("/usr/local/bin/nofail vlan persist --native --yes");
    let version = ok("virsh version --daemon | sed -n 's/.*against daemon: //p'");
    let major: u32 = ok("libvirtd --version | grep -o '[0-9]*' | head -1")
        .trim()
        .parse()
        .unwrap();
    if major < 11 {
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(
            said.contains("sets no VLANs on Linux bridges") && said.contains("hook install"),
            "{version}: {said}"
        );
        assert!(!ok("virsh dumpxml --inactive bind-01").contains("<vlan"));
    }
    let file = "/etc/libvirt/qemu/bind-01.xml";
    let old = std::fs::read_to_string(file).unwrap();
    let guest = facts::domain::parse(&old).unwrap();
    let mac = guest.interfaces[0].mac.clone().unwrap();
    let entries = facts::bridge::Entries {
        pvid: Some(100),
        untagged: vec![100],
        tagged: vec![10, 20],
    };
    let element = change::profile::native::element(&entries).unwrap();
    let act = change::profile::native::define(file, &old, &[(mac, element)]).unwrap();
    let draft = change::Draft {
        title: "a test".to_owned(),
        origin: change::origin::Origin::here("", None),
        proposals: vec![change::Proposal {
            act,
            rules: Vec::new(),
            safe: true,
        }],
        ..change::Draft::default()
    };
    let root = change::Root::live().unwrap();
    let mut plan = change::prepare(&root, draft).unwrap();
    change::engine::apply(&root, &mut plan, &mut |_| {}).unwrap();
    let defined = ok("virsh dumpxml --inactive bind-01");
    let interface = &facts::domain::parse(&defined).unwrap().interfaces[0];
    assert_eq!(interface.vlans, [100, 10, 20], "{defined}");
    assert_eq!(interface.native_vlan, Some(100), "{defined}");
    assert!(interface.trunk, "{defined}");
    ask("rollback --yes", 0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), old);
    assert!(!ok("virsh dumpxml --inactive bind-01").contains("<vlan"));
}

/// A rescued disk with libvirt 6.0 and a script of its own.
fn old_libvirt() {
    ok("set -e; t=/run/tree; mkdir -p $t/etc/libvirt/hooks $t/usr/lib64 $t/etc/selinux $t/usr/local/bin
        touch $t/usr/lib64/libvirt.so.0.6000.0
        printf '#!/bin/sh\\necho former; cat; exit 3\\n' > $t/etc/libvirt/hooks/qemu; chmod 755 $t/etc/libvirt/hooks/qemu");
    let installed = ask("hook install --root /run/tree --site /run/site.toml", 0);
    assert_eq!(installed["applied"], true, "{installed:#}");
    let script = ok("cat /run/tree/etc/libvirt/hooks/qemu");
    assert!(
        script.contains("nofail hook run") && script.contains("qemu.local"),
        "{script}"
    );
    ok("cp -a /run/tree/etc/libvirt/hooks/qemu.local /etc/libvirt/hooks/qemu.local");
    // Both run with the same input; what the former one says is passed on, and its exit code.
    let both = run(
        "printf '<domain type=\"qemu\"><name>x</name></domain>\n' | /bin/sh /run/tree/etc/libvirt/hooks/qemu x prepare begin -",
    );
    assert_eq!(both.status.code(), Some(3), "{}", text(&both));
    assert_eq!(
        String::from_utf8_lossy(&both.stdout),
        "former\n<domain type=\"qemu\"><name>x</name></domain>\n"
    );
    ask("hook uninstall --root /run/tree", 0);
    assert_eq!(
        ok("cat /run/tree/etc/libvirt/hooks/qemu; stat -c %a /run/tree/etc/libvirt/hooks/qemu"),
        "#!/bin/sh\necho former; cat; exit 3\n755\n"
    );
    ok("test ! -e /run/tree/etc/libvirt/hooks/qemu.local");
}
