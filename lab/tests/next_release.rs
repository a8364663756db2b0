//! nofail in the root of another distribution: the Debian release after this one, whose libvirt sets VLANs on
//! Linux bridges itself.
//!
//! Needs root and NOFAIL_STATIC. The kernel is this machine's, without VLAN filtering: libvirt takes and
//! keeps the `<vlan>`, no guest is started with it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

use std::time::Duration;

use lab::apart::{self, Apart, OVERLAY};

/// The release's root with nofail in it, a bridge, and libvirtd over it with one guest.
const SET_UP: &str = r#"
mount -t proc none "$own/root/proc"
ip link set lo up; ip link add br-mgmt type bridge; ip link set br-mgmt up
inside() { chroot "$own/root" env LC_ALL=C.UTF-8 LIBVIRT_DEFAULT_URI=qemu:///system sh -c "$1"; }
inside '
mkdir -p /etc/nofail /run/libvirt
printf "[bridges.br-mgmt]\npvid = 100\ntagged = [10, 20]\n" > /etc/nofail/site.toml
virtlogd -d; libvirtd -d
for i in $(seq 100); do virsh list >/dev/null 2>&1 && break; sleep 0.2; done
cat > /run/guest.xml <<X
<domain type="qemu"><name>bind-01</name><memory unit="MiB">16</memory>
<os><type arch="x86_64" machine="pc">hvm</type></os><devices>
<interface type="bridge"><source bridge="br-mgmt"/><model type="virtio"/></interface>
</devices></domain>
X
virsh define /run/guest.xml
'
"#;

fn in_the_next_release(script: &str) -> String {
    let nofail =
        std::env::var("NOFAIL_STATIC").expect("NOFAIL_STATIC names a static nofail, see ./test");
    let root = lab::next::root().unwrap();
    let script = format!(
        "{OVERLAY}\nmkdir -p \"$own/root/usr/local/bin\"\n\
         cp '{nofail}' \"$own/root/usr/local/bin/nofail\"\n{SET_UP}\n{script}"
    );
    apart::run(&root, Apart::All, &script, Duration::from_secs(180)).unwrap()
}

#[test]
fn a_libvirt_that_knows_vlans_gets_them_in_the_definition_and_back() {
    let out = in_the_next_release(
        r#"
inside '
virsh version --daemon | grep "against daemon"
nofail vlan persist --native --dry-run || echo "dry run: $?"
echo "== before"; virsh dumpxml --inactive bind-01 | grep -c "<vlan" || true
nofail vlan persist --native --yes --reason "a test" || echo "written: $?"
echo "== written"; virsh dumpxml --inactive bind-01 | sed -n "/<interface/,/<.interface>/p"
nofail vlan persist --native && echo "== nothing more to write"
nofail rollback --yes
echo "== after"; virsh dumpxml --inactive bind-01 | grep -c "<vlan" || true
'
"#,
    );
    println!("{out}");
    let part = |from: &str, to: &str| {
        let (_, rest) = out
            .split_once(from)
            .unwrap_or_else(|| panic!("no {from} in {out}"));
        rest.split_once(to)
            .map_or(rest, |(part, _)| part)
            .to_owned()
    };
    assert!(part("against daemon: ", "\n").starts_with("11."), "{out}");
    assert_eq!(part("== before\n", "\n"), "0", "{out}");
    let written = part("== written\n", "</interface>");
    assert!(written.contains("<vlan trunk='yes'>"), "{out}");
    for tag in ["id='100' nativeMode='untagged'", "id='10'", "id='20'"] {
        assert!(written.contains(tag), "{tag}: {out}");
    }
    assert!(out.contains("== nothing more to write"), "{out}");
    assert_eq!(part("== after\n", "\n"), "0", "{out}");
}

#[test]
fn an_audit_there_reads_what_the_release_has() {
    let out = in_the_next_release(
        r#"
printf '/dev/sdb1 /data xfs defaults 0 2\n' > "$own/root/etc/fstab"
inside '
nofail audit --format json > /run/audit.json; echo "audit: $?"
nofail boot || echo "boot: $?"
nofail collect | head -c 20000000 > /run/snapshot.json; echo "collect: $?"
cat /run/audit.json
'
"#,
    );
    println!("{out}");
    assert!(
        out.contains("audit: 1\n") && out.contains("boot: 1\n"),
        "{out}"
    );
    assert!(out.contains("stops in emergency mode"), "{out}");
    assert!(out.contains("\"fstab/"), "{out}");
    assert!(out.contains("collect: 0\n"), "{out}");
}
