//! Domain XML to [`Guest`]: a definition, or the wrappers that libvirt puts around one.

use super::{Guest, METADATA_NAMESPACE, NeededFile, disk, interface, quantity};
use crate::syntax::SyntaxError;
use crate::xml::{Xml, attribute, child, child_attribute, children, text_of};
use roxmltree::Node;

/// Reads one guest from domain XML.
///
/// The document is a definition (`/etc/libvirt/qemu/NAME.xml`, `virsh dumpxml`), a live status
/// (`<domstatus>` of `/run/libvirt/qemu/NAME.xml`, which gives state and PID), or a definition
/// inside `<domainsnapshot>` or `<domaincheckpoint>`. What only the host knows is left to the
/// caller: [`Guest::file`], [`Guest::autostart`], and [`Guest::state`] of a bare definition.
/// [`Guest::persistent`] is set for everything but a live status.
///
/// # Errors
/// Where it is no XML, holds no domain, or breaks a rule that libvirt itself refuses: a missing
/// name, a malformed UUID, an amount of memory or a VLAN that is none.
pub fn parse(text: &str) -> Result<Guest, SyntaxError> {
    let xml = Xml::parse(text)?;
    let root = xml.root();
    let mut guest = guest(&xml, domain_of(&xml)?)?;
    guest.persistent = true;
    if root.has_tag_name("domstatus") {
        guest.persistent = false;
        guest.state = root.attribute("state").map(state_name);
        guest.state_reason = attribute(root, "reason");
        guest.pid = number(&xml, root, "pid")?;
    }
    Ok(guest)
}

/// The domain element: the root itself, or the one that a wrapper holds.
pub(super) fn domain_of<'a>(xml: &'a Xml<'a>) -> Result<Node<'a, 'a>, SyntaxError> {
    let root = xml.root();
    match root.tag_name().name() {
        "domain" => Ok(root),
        name @ ("domstatus" | "domainsnapshot" | "domaincheckpoint") => child(root, "domain")
            .ok_or_else(|| xml.error(root, format!("this <{name}> holds no <domain>"))),
        name => Err(xml.error(
            root,
            format!(
                "the root element is <{name}>; expected <domain>, <domstatus>, <domainsnapshot> \
                 or <domaincheckpoint>"
            ),
        )),
    }
}

fn guest(xml: &Xml, domain: Node) -> Result<Guest, SyntaxError> {
    let name = child(domain, "name").filter(|n| n.text().is_some_and(|t| !t.trim().is_empty()));
    let Some(name) = name else {
        return Err(xml.error(domain, "the domain has no <name>"));
    };
    let devices = child(domain, "devices");
    let mut disks = Vec::new();
    let mut interfaces = Vec::new();
    for device in devices.iter().flat_map(Node::children) {
        match device.tag_name().name() {
            "disk" => disks.push(disk::parse(xml, device)),
            "interface" => interfaces.push(interface::parse(xml, device)?),
            _ => {}
        }
    }
    let vcpus = match text_of(domain, "vcpu") {
        Some(text) => Some(text.parse().map_err(|_| {
            xml.error(
                child(domain, "vcpu").unwrap_or(domain),
                format!("{text:?} is no number of virtual CPUs"),
            )
        })?),
        None => None,
    };
    Ok(Guest {
        // libvirt keeps blanks at the ends of a name; no name of use has any.
        name: name.text().unwrap_or_default().trim().to_owned(),
        line: xml.line(name),
        uuid: uuid(xml, domain)?,
        memory_kib: memory(xml, domain)?,
        vcpus,
        on_crash: text_of(domain, "on_crash"),
        on_poweroff: text_of(domain, "on_poweroff"),
        on_reboot: text_of(domain, "on_reboot"),
        files: files(xml, domain, devices),
        hostdevs: devices.map(hostdevs).unwrap_or_default(),
        panic_device: devices.is_some_and(|devices| child(devices, "panic").is_some()),
        metadata_vlans: metadata_vlans(domain),
        disks,
        interfaces,
        ..Guest::default()
    })
}

/// The UUID as 8-4-4-4-12 lower case digits: libvirt accepts it with or without dashes.
fn uuid(xml: &Xml, domain: Node) -> Result<String, SyntaxError> {
    let Some(text) = text_of(domain, "uuid") else {
        return Ok(String::new());
    };
    let digits: String = text
        .chars()
        .filter(|c| *c != '-' && !c.is_whitespace())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if digits.len() != 32 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        let node = child(domain, "uuid").unwrap_or(domain);
        return Err(xml.error(node, format!("{text:?} is no UUID (32 hexadecimal digits)")));
    }
    Ok([
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-"))
}

fn memory(xml: &Xml, domain: Node) -> Result<Option<u64>, SyntaxError> {
    let Some(node) = child(domain, "memory") else {
        return Ok(None);
    };
    let text = node.text().unwrap_or_default();
    let unit = node.attribute("unit");
    quantity::kib(text, unit).map(Some).ok_or_else(|| {
        xml.error(
            node,
            format!(
                "{:?} with unit {:?} is no amount of memory (units: b, KB, KiB, MB, MiB, …)",
                text.trim(),
                unit.unwrap_or("KiB")
            ),
        )
    })
}

fn number(xml: &Xml, node: Node, name: &str) -> Result<Option<u32>, SyntaxError> {
    attribute(node, name)
        .map(|text| {
            text.parse()
                .map_err(|_| xml.error(node, format!("{name}={text:?} is no number")))
        })
        .transpose()
}

/// libvirt's name of a state as the rest of nofail spells it.
fn state_name(state: &str) -> String {
    match state {
        "shutoff" => "shut-off",
        "shutdown" => "in-shutdown",
        "pmsuspended" => "pm-suspended",
        "nostate" => "no-state",
        other => other,
    }
    .to_owned()
}

/// Files beside the disks that QEMU opens when the guest starts.
fn files(xml: &Xml, domain: Node, devices: Option<Node>) -> Vec<NeededFile> {
    let mut files = Vec::new();
    let mut push = |role: &str, path: Option<String>, node: Node| {
        if let Some(path) = path {
            files.push(NeededFile {
                role: role.to_owned(),
                path,
                line: xml.line(node),
            });
        }
    };
    if let Some(os) = child(domain, "os") {
        for role in ["kernel", "initrd", "dtb", "loader", "nvram"] {
            if let Some(node) = child(os, role) {
                // Since libvirt 8.5 nvram may hold a <source>, as a disk does.
                let path = text_of(os, role).or_else(|| child_attribute(node, "source", "file"));
                push(role, path, node);
            }
        }
        if let Some(acpi) = child(os, "acpi") {
            for table in children(acpi, "table") {
                let path = table.text().map(|t| t.trim().to_owned());
                push("acpi-table", path.filter(|p| !p.is_empty()), table);
            }
        }
    }
    for device in devices.iter().flat_map(Node::children) {
        match device.tag_name().name() {
            "filesystem" => {
                if let Some(source) = child(device, "source") {
                    let path = ["dir", "file", "dev", "socket"]
                        .iter()
                        .find_map(|name| attribute(source, name));
                    push("filesystem", path, device);
                }
            }
            "interface" | "hostdev" => {
                push("rom", child_attribute(device, "rom", "file"), device);
            }
            "memory" => {
                let path = child(device, "source").and_then(|source| text_of(source, "path"));
                push("nvdimm", path, device);
            }
            _ => {}
        }
    }
    files
}

/// Host devices as `type address`.
fn hostdevs(devices: Node) -> Vec<String> {
    children(devices, "hostdev")
        .map(|device| {
            let kind = attribute(device, "type").unwrap_or_else(|| "?".to_owned());
            let source = child(device, "source");
            let address = source.and_then(|source| {
                let address = child(source, "address");
                match kind.as_str() {
                    "pci" => address.map(interface::pci_address),
                    "mdev" => address.and_then(|a| attribute(a, "uuid")),
                    "usb" => match (
                        child_attribute(source, "vendor", "id"),
                        child_attribute(source, "product", "id"),
                    ) {
                        (Some(vendor), Some(product)) => Some(format!("{vendor}:{product}")),
                        _ => address.map(|a| {
                            let part = |name| attribute(a, name).unwrap_or_default();
                            format!("bus {} device {}", part("bus"), part("device"))
                        }),
                    },
                    "scsi" => child_attribute(source, "adapter", "name").map(|adapter| {
                        let part = |name| {
                            address
                                .and_then(|a| attribute(a, name))
                                .unwrap_or_else(|| "0".to_owned())
                        };
                        format!(
                            "{adapter}:{}:{}:{}",
                            part("bus"),
                            part("target"),
                            part("unit")
                        )
                    }),
                    "scsi_host" => attribute(source, "wwpn"),
                    _ => text_of(source, "block").or_else(|| text_of(source, "char")),
                }
            });
            match address {
                Some(address) => format!("{kind} {address}"),
                None => kind,
            }
        })
        .collect()
}

fn metadata_vlans(domain: Node) -> Option<String> {
    let metadata = child(domain, "metadata")?;
    let vlans = metadata
        .children()
        .find(|node| node.has_tag_name((METADATA_NAMESPACE, "vlans")))?;
    let text = vlans
        .text()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let attributes = || {
        vlans
            .attributes()
            .map(|a| format!("{}={}", a.name(), a.value()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let value = if text.is_empty() { attributes() } else { text };
    (!value.is_empty()).then_some(value)
}
