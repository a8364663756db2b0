//! Changes of VLANs on a real kernel: the order of `nofail vlan plan` cuts nobody off, while the step
//! that it marks would; and what `nofail vlan persist` writes brings the same VLANs back when the
//! real service makes the bridge anew.
//!
//! Needs root, QEMU and `NOFAIL_STATIC`, which `./test` sets.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(180);

use lab::{Cable, Lab, Machine};
use serde_json::Value;

/// A machine with nofail in it.
fn host() -> Machine {
    let nofail = std::env::var_os("NOFAIL_STATIC").expect("NOFAIL_STATIC names a static nofail");
    let machine = Lab::user_mode_host().unwrap();
    let program = std::fs::read(nofail).unwrap();
    machine.put("/root/nofail", &program).unwrap();
    machine
}

fn nofail(machine: &Machine, arguments: &str, codes: &[i64]) -> String {
    let command = format!("/root/nofail {arguments}");
    let output = machine.run(&command, Duration::from_secs(60)).unwrap();
    assert!(
        codes.contains(&i64::from(output.code)),
        "{arguments}: {output:?}"
    );
    output.stdout
}

/// The other end of the uplink: a trunk with native VLAN 100, and on it the administrator's desk.
/// The host speaks in VLAN 1 and hears in VLAN 100, harmlessly, as kvm-02 did.
const SITE: &str = "set -e
ip netns add switch; ip -n switch link set lo up
ip link add link eth2 name trunk type macvlan mode passthru
ip link set eth2 up
ip link set trunk netns switch name eth2
ip -n switch link add sw0 type bridge vlan_filtering 1 vlan_default_pvid 0
ip -n switch link set eth2 master sw0 up
bridge -n switch vlan add dev eth2 vid 100 pvid untagged
bridge -n switch vlan add dev sw0 vid 100 pvid untagged self
ip -n switch address add 10.50.1.200/24 dev sw0
ip -n switch link set sw0 up
ip link add br-mgmt type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set eth1 master br-mgmt up
bridge vlan add dev eth1 vid 100 pvid untagged
bridge vlan add dev eth1 vid 1 untagged
bridge vlan add dev br-mgmt vid 100 untagged self
ip address add 10.50.1.12/24 dev br-mgmt
ip link set br-mgmt up
ip netns add guest
ip link add veth101i0 type veth peer name eth0 netns guest
ip link set veth101i0 master br-mgmt up
bridge vlan add dev veth101i0 vid 100 pvid untagged
ip -n guest address add 10.50.1.91/24 dev eth0
ip -n guest link set eth0 up
mkdir -p /root/site
cat > /root/site/site.toml <<END
[bridges.br-mgmt]
pvid = 100
tagged = [10]
default_pvid = 0
[hosts.lab]
snapshot = \"lab.json\"
END";

/// Who does not reach whom; answers may take a few tries on a busy machine.
fn cut(machine: &Machine, seconds: u32) -> Vec<String> {
    // Addresses that were learnt before must not hide what is lost now.
    machine
        .ok("ip neigh flush all; ip -n switch neigh flush all; ip -n guest neigh flush all")
        .unwrap();
    let pairs = [
        ("switch", "10.50.1.12"),
        ("switch", "10.50.1.91"),
        ("guest", "10.50.1.12"),
    ];
    let mut cut = Vec::new();
    for (from, to) in pairs {
        let ping = format!("ip netns exec {from} ping -q -c 1 -w {seconds} {to}");
        if machine.run(&ping, Duration::from_secs(60)).unwrap().code != 0 {
            cut.push(format!("{from} to {to}"));
        }
    }
    cut
}

/// `net apply`, confirmed at the console.
fn change(machine: &Machine, file: &str) {
    let apply = format!("/root/nofail net apply {file} --yes --confirm 120s 2>&1");
    let running = machine.start_command(&apply).unwrap();
    // The first line is how far it is now; the log below tells of earlier steps.
    let confirm = "for i in $(seq 300); do /root/nofail net status 2>/dev/null | head -n 1 | \
                   grep -q 'waiting for its confirmation$' && exec /root/nofail net confirm --console; \
                   sleep 0.1; done; /root/nofail net status; exit 9";
    let confirmed = machine.run(confirm, PATIENCE).unwrap();
    let applied = machine.wait(running, PATIENCE).unwrap();
    assert_eq!(
        (confirmed.code, applied.code),
        (0, 0),
        "{file}: {confirmed:?} {applied:?}"
    );
}

/// The host with its uplink plugged into the switch, as it was for long; the cable lives as long.
fn plugged() -> (Machine, Cable) {
    let machine = host();
    let mut cable = Cable::new().unwrap();
    for (slot, number) in [(1, 0x21), (2, 0x22)] {
        cable
            .plug(&machine, slot, [0x52, 0x54, 0, 0x1a, 0xb2, number])
            .unwrap();
    }
    machine.ok(SITE).unwrap();
    (machine, cable)
}

#[test]
fn the_planned_order_cuts_nobody_and_the_marked_step_would() {
    let (machine, _cable) = plugged();
    assert_eq!(
        cut(&machine, 20),
        Vec::<String>::new(),
        "as it was for long"
    );
    nofail(&machine, "collect -o /root/site/lab.json", &[0]);
    let text = nofail(
        &machine,
        "vlan plan --site /root/site/site.toml --format json",
        &[1],
    );
    let document: Value = serde_json::from_str(&text).unwrap();
    let plan = &document["plans"][0];
    assert_eq!(plan["keeps_all"], true, "{document:#}");
    let steps = plan["steps"].as_array().unwrap();
    assert!(steps.len() > 5, "{document:#}");

    // The step that is marked, done first: the host is gone, as on that night. Then taken back.
    let marked = steps.iter().find(|s| {
        s["cuts_host_alone"] == true && s["command"].as_str().unwrap().contains("del dev eth1")
    });
    let marked = marked.unwrap_or_else(|| panic!("{document:#}"));
    machine.ok(marked["command"].as_str().unwrap()).unwrap();
    assert!(cut(&machine, 3).contains(&"switch to 10.50.1.12".to_owned()));
    machine.ok(marked["undo"].as_str().unwrap()).unwrap();
    // So is the default PVID alone: the kernel takes VLAN 1 from every port that lives on it.
    let default = steps.last().unwrap();
    assert!(
        default["command"]
            .as_str()
            .unwrap()
            .contains("vlan_default_pvid 0")
    );
    assert_eq!(default["cuts_host_alone"], true);
    machine.ok(default["command"].as_str().unwrap()).unwrap();
    assert!(cut(&machine, 3).contains(&"switch to 10.50.1.12".to_owned()));
    machine
        .ok("ip link set dev br-mgmt type bridge vlan_default_pvid 1; bridge vlan add dev br-mgmt vid 1 pvid untagged self")
        .unwrap();
    assert_eq!(cut(&machine, 20), Vec::<String>::new(), "as before");

    for step in steps {
        machine.ok(step["command"].as_str().unwrap()).unwrap();
        assert_eq!(cut(&machine, 20), Vec::<String>::new(), "after {step:#}");
    }
    nofail(&machine, "collect -o /root/site/lab.json", &[0]);
    nofail(&machine, "vlan plan --site /root/site/site.toml", &[0]);
    nofail(&machine, "vlan map --site /root/site/site.toml", &[0]);
}

/// One network service: how its bridge comes up, and how the service makes it anew.
struct Service {
    name: &'static str,
    bridge: &'static str,
    port: &'static str,
    /// What writes down the VLANs that somebody typed.
    mend: &'static str,
    /// The bridge's address in its profile, and another.
    addresses: [&'static str; 2],
    /// The files that it reads.
    files: &'static str,
    start: &'static str,
    anew: &'static str,
}

/// The rule's remedy: bridge/not-persistent, asked for. The rule looks at bridges with an uplink or
/// in the site's plan; these have no hardware, so they are planned.
const FIX: &str = "fix bridge/not-persistent --unsafe --site /root/planned.toml --host lab --here";

const PLANNED: &str = "[hosts.lab]\naddress = \"127.0.0.1\"\n\
    [bridges.br-nm]\npvid = 100\ntagged = [10]\ndefault_pvid = 0\n\
    [bridges.br-nd]\npvid = 100\ntagged = [10]\ndefault_pvid = 0\n\
    [bridges.br-np]\npvid = 100\ntagged = [10]\ndefault_pvid = 0\n";

const NETWORK_MANAGER: Service = Service {
    name: "NetworkManager",
    bridge: "br-nm",
    port: "dm-nm",
    mend: FIX,
    addresses: ["10.61.0.1/24", "10.61.0.9/24"],
    files: "/etc/NetworkManager/system-connections",
    start: "set -e
cat > /etc/NetworkManager/system-connections/br-nm.nmconnection <<END
[connection]
id=br-nm
uuid=7d0c4a0a-0000-4000-8000-000000000001
type=bridge
interface-name=br-nm

[bridge]
stp=false
vlan-filtering=true

[ipv4]
method=manual
address1=10.61.0.1/24

[ipv6]
method=disabled
END
cat > /etc/NetworkManager/system-connections/dm-nm.nmconnection <<END
[connection]
id=dm-nm
uuid=7d0c4a0a-0000-4000-8000-000000000002
type=dummy
interface-name=dm-nm
master=br-nm
slave-type=bridge
END
chmod 600 /etc/NetworkManager/system-connections/*
nmcli connection reload
nmcli connection up br-nm
nmcli connection up dm-nm",
    anew: "systemctl stop NetworkManager; ip link del br-nm; ip link del dm-nm; systemctl start NetworkManager",
};

const NETWORKD: Service = Service {
    name: "systemd-networkd",
    bridge: "br-nd",
    port: "dm-nd",
    mend: FIX,
    addresses: ["10.62.0.1/24", "10.62.0.9/24"],
    files: "/etc/systemd/network",
    start: "set -e
cd /etc/systemd/network
printf '[NetDev]\\nName=br-nd\\nKind=bridge\\n[Bridge]\\nVLANFiltering=yes\\n' > 10-br-nd.netdev
printf '[Match]\\nName=br-nd\\n[Network]\\nAddress=10.62.0.1/24\\n' > 10-br-nd.network
printf '[NetDev]\\nName=dm-nd\\nKind=dummy\\n' > 20-dm-nd.netdev
printf '[Match]\\nName=dm-nd\\n[Network]\\nBridge=br-nd\\n' > 20-dm-nd.network
systemctl enable systemd-networkd
systemctl restart systemd-networkd",
    anew: "systemctl stop systemd-networkd.socket systemd-networkd; ip link del br-nd; ip link del dm-nd; systemctl start systemd-networkd",
};

const NETPLAN: Service = Service {
    name: "netplan",
    bridge: "br-np",
    port: "dm-np",
    mend: FIX,
    addresses: ["10.63.0.1/24", "10.63.0.9/24"],
    files: "/etc/netplan /etc/systemd/network",
    start: "set -e
ip link add dm-np type dummy
mkdir -p /etc/netplan
cat > /etc/netplan/50-np.yaml <<END
network:
  version: 2
  renderer: networkd
  ethernets:
    dm-np: {}
  bridges:
    br-np:
      interfaces: [dm-np]
      addresses: [10.63.0.1/24]
END
chmod 600 /etc/netplan/50-np.yaml
netplan generate
systemctl enable systemd-networkd
systemctl restart systemd-networkd",
    anew: "systemctl stop systemd-networkd.socket systemd-networkd; ip link del br-np; netplan generate; systemctl start systemd-networkd",
};

const IFUPDOWN2: Service = Service {
    name: "ifupdown2",
    bridge: "br-if",
    port: "dm-if",
    mend: "vlan persist --bridge br-if",
    addresses: ["10.64.0.1/24", "10.64.0.9/24"],
    files: "/etc/network/interfaces",
    start: "set -e
systemctl unmask networking; systemctl enable networking
mkdir -p /run/network
ip link add dm-if type dummy
cat > /etc/network/interfaces <<END
auto lo
iface lo inet loopback

auto dm-if
iface dm-if

# the bridge
auto br-if
iface br-if
    address 10.64.0.1/24
    bridge-ports dm-if
    bridge-vlan-aware yes
END
ifup dm-if br-if",
    anew: "ip link del br-if; ifup dm-if br-if",
};

/// What an administrator types, and forgets to write down.
fn by_hand(service: &Service) -> String {
    let (bridge, port) = (service.bridge, service.port);
    format!(
        "set -e
ip link set {bridge} type bridge vlan_filtering 1
bridge vlan add dev {bridge} vid 100 pvid untagged self
bridge vlan add dev {bridge} vid 10 self
bridge vlan del dev {bridge} vid 1 self
bridge vlan add dev {port} vid 100 pvid untagged
bridge vlan add dev {port} vid 20-22
bridge vlan del dev {port} vid 1"
    )
}

/// The VLANs of bridge and port, once both are there.
fn vlans(machine: &Machine, service: &Service) -> Value {
    let wait = format!(
        "for i in $(seq 150); do test \"$(cat /sys/class/net/{p}/brport/bridge/uevent 2>/dev/null | \
         grep -c {b})\" = 1 && break; sleep 0.2; done; sleep 3",
        p = service.port,
        b = service.bridge
    );
    machine.run(&wait, Duration::from_secs(60)).unwrap();
    let text = machine.ok("bridge -j vlan show").unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut of: Vec<Value> = all.as_array().unwrap().clone();
    of.retain(|entry| entry["ifname"] == service.bridge || entry["ifname"] == service.port);
    of.sort_by_key(|entry| entry["ifname"].to_string());
    Value::Array(of)
}

#[test]
fn what_is_persisted_comes_back_with_networkmanager_and_networkd() {
    comes_back(&[NETWORK_MANAGER, NETWORKD]);
}

#[test]
fn what_is_persisted_comes_back_with_netplan() {
    comes_back(&[NETPLAN]);
}

#[test]
fn what_is_persisted_comes_back_with_ifupdown2() {
    comes_back(&[IFUPDOWN2]);
}

#[test]
fn long_what_is_confirmed_comes_back_with_each_service_and_goes_again() {
    let machine = host();
    for service in [NETWORK_MANAGER, NETWORKD, NETPLAN, IFUPDOWN2] {
        machine.ok(service.start).unwrap();
        vlans(&machine, &service);
        applied_confirmed_and_taken_back(&machine, &service);
    }
}

/// The service makes its bridge anew, and the kernel has the VLANs that were typed by hand. (ifupdown2,
/// a large program in Python, takes a minute for it beside other busy machines.)
fn comes_back(services: &[Service]) {
    let machine = host();
    machine
        .put("/root/planned.toml", PLANNED.as_bytes())
        .unwrap();
    let mut wrong = Vec::new();
    for service in services {
        let started = machine.run(service.start, PATIENCE).unwrap();
        assert_eq!(started.code, 0, "{started:?}");
        vlans(&machine, service);
        machine.ok(&by_hand(service)).unwrap();
        let before = vlans(&machine, service);
        let said = nofail(&machine, &format!("{} --yes", service.mend), &[0]);
        let anew = machine.run(service.anew, PATIENCE).unwrap();
        let after = vlans(&machine, service);
        if before != after {
            wrong.push(format!(
                "{}: before {before} after {after}\n{said}\n{anew:?}",
                service.name
            ));
            continue;
        }
        println!("{}: {before}", service.name);
        let again = format!("vlan persist --bridge {} --dry-run", service.bridge);
        nofail(&machine, &again, &[0, 1]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// `net apply` of other VLANs and another address: confirmed, the service makes just them; taken
/// back, kernel and files are as before to the last byte.
fn applied_confirmed_and_taken_back(machine: &Machine, service: &Service) {
    let name = service.name;
    let files = format!("find {} -type f | sort | xargs grep -H ''", service.files);
    let address = format!("ip -br -4 address show dev {}", service.bridge);
    let old_files = machine.ok(&files).unwrap();
    let old = vlans(machine, service);
    let [first, second] = service.addresses;
    assert!(machine.ok(&address).unwrap().contains(first), "{name}");
    let declared = format!(
        "[bridges.{b}]\nvlan_filtering = true\npvid = 101\nuntagged = [101]\ntagged = [11]\naddresses = [\"{second}\"]\n\
         [bridges.{b}.ports.{p}]\npvid = 101\nuntagged = [101]\ntagged = [20, 30]\n",
        b = service.bridge,
        p = service.port
    );
    machine.put("/root/net.toml", declared.as_bytes()).unwrap();
    let shown = nofail(machine, "net apply /root/net.toml --dry-run", &[1]);
    assert!(
        shown.contains("the profile says otherwise"),
        "{name}: {shown}"
    );
    assert!(!shown.contains("by hand"), "{name}: {shown}");
    // Not confirmed in time: neither kernel nor profile has changed.
    let late = "/root/nofail net apply /root/net.toml --yes --confirm 1s --probe-for 1s";
    let output = machine.run(late, PATIENCE).unwrap();
    assert_eq!(output.code, 1, "{name}: {output:?}");
    assert_eq!(vlans(machine, service), old, "{name}");
    assert_eq!(machine.ok(&files).unwrap(), old_files, "{name}");

    change(machine, "/root/net.toml");
    let new = vlans(machine, service);
    assert_ne!(new, old, "{name}");
    let anew = machine.run(service.anew, Duration::from_secs(60)).unwrap();
    let made = vlans(machine, service);
    let texts = machine.ok(&files).unwrap();
    assert_eq!(made, new, "{name}: {anew:?}\n{texts}");
    let after = machine.ok(&address).unwrap();
    assert!(
        after.contains(second) && !after.contains(first),
        "{name}: {after}"
    );

    nofail(machine, "net rollback", &[0]);
    assert_eq!(vlans(machine, service), old, "{name}");
    assert_eq!(machine.ok(&files).unwrap(), old_files, "{name}");
    let after = machine.ok(&address).unwrap();
    assert!(
        after.contains(first) && !after.contains(second),
        "{name}: {after}"
    );
    let history = nofail(machine, "plans", &[0]);
    assert!(history.contains("nofail net apply"), "{name}: {history}");
}
