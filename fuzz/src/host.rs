//! Hooks, names, kernel settings, units and the BMC.

use crate::{text, two};
use facts::bmc::{Bmc, ipmi, smbios};
use facts::hook::{interpreter, script, selinux, shell, trace};
use facts::kernel::{cloudstack, cmdline, script as rebooters, sysctl, watchdog};
use facts::names::{self, Names};
use facts::unit::{self, boot, ini, journal, proc_stat, settings, version};

/// A libvirt hook's text.
pub fn hook(data: &[u8]) {
    let text = text(data);
    for name in ["qemu", "network"] {
        let _ = script::analyse(name, &text);
    }
    let _ = shell::commands(&text);
    if let Some(line) = interpreter::first_line(&text)
        && let Some(found) = interpreter::parse(line)
    {
        let _ = interpreter::shell(&found);
    }
    let _ = interpreter::has_crlf(&text);
    let _ = interpreter::syntax_error(&text);
}

/// SELinux's files: configuration, modes, and the labels that a policy expects.
pub fn selinux(data: &[u8]) {
    let text = text(data);
    let _ = selinux::expected(&text, "/etc/libvirt/hooks/qemu");
    let _ = selinux::config(&text);
    let _ = selinux::mode_of_enforce(&text);
    let _ = selinux::boolean_of_kernel(&text);
    let _ = selinux::boolean_of_file(&text, "virt_hooks_unconfined");
    let _ = selinux::type_of(&text);
}

/// hosts, nsswitch.conf, resolv.conf and resolved.conf, and the question who answers for a name.
pub fn names(data: &[u8]) {
    let (hosts, rest) = two(data);
    let resolv = names::parse_resolv_conf("resolv.conf", &rest);
    let _ = names::parse_nsswitch(&rest);
    let _ = names::merge_resolved(&[("resolved.conf".to_owned(), rest.clone())]);
    let read = Names {
        hosts: names::parse_hosts(&hosts),
        servers: resolv.servers,
        ..Names::default()
    };
    for name in rest.split_whitespace().take(4).chain(["nas.lan"]) {
        let _ = names::lookup::resolve(&read, name);
        let _ = names::needs_dns(&read, name);
        let _ = names::server_address(name);
    }
}

/// nsswitch.conf alone.
pub fn nsswitch(data: &[u8]) {
    let _ = names::parse_nsswitch(&text(data));
}

/// sysctl.d files and the kernel's command line.
pub fn sysctl(data: &[u8]) {
    let text = text(data);
    let _ = sysctl::parse("99.conf", &text);
    let _ = cmdline::parameters(&text);
    let _ = cmdline::value(&text, "panic");
    let _ = cmdline::serial_consoles(&text);
}

/// What reboots a host by itself: watchdog.conf, CloudStack's agent, scripts.
pub fn rebooters(data: &[u8]) {
    let text = text(data);
    let _ = watchdog::parse("watchdog.conf", &text);
    let _ = cloudstack::parse("agent.properties", &text);
    let _ = rebooters::scan("heartbeat.sh", &text);
}

/// Unit files and settings files.
pub fn unit_files(data: &[u8]) {
    let text = text(data);
    let file = ini::parse(&text);
    for item in &file.assignments {
        let _ = ini::boolean(&item.value);
    }
    let _ = settings::parse("libvirt-guests", &text);
    let _ = version::from_dpkg_status(&text, "libvirt-daemon");
    let _ = version::systemd_from_library(&text);
    let _ = version::libvirt_from_library(&text);
    let _ = unit::path_of_unit(&text);
    // A long name is shortened to a hash and has no way back.
    if text.len() <= 60
        && let Some(name) = unit::escape::unit_from_path(&text, ".mount")
        && let Some(path) = unit::path_of_unit(&name)
    {
        let again = unit::escape::unit_from_path(&path, ".mount");
        assert_eq!(again, Some(name));
    }
}

/// The journal's entries, lists of boots, and the times of processes.
pub fn journal(data: &[u8]) {
    let text = text(data);
    if let Ok(records) = journal::parse(&text) {
        for record in &records {
            let _ = record.realtime();
            let _ = trace::guest_of(record, &["bind-01"]);
        }
        let _ = boot::mode_of(&records);
    }
    for list in [boot::parse_list, boot::parse_plain_list] {
        for listed in list(&text).unwrap_or_default() {
            let _ = boot::boot(&listed, None, None);
        }
    }
    let _ = proc_stat::started_at(&text, &text);
}

/// SMBIOS tables and the answers of a BMC.
pub fn bmc(data: &[u8]) {
    let _ = smbios::parse(data);
    let _ = smbios::find(data);
    let mut found = Bmc::default();
    for parameter in ipmi::Parameter::ALL {
        let _ = parameter.request(1);
        if let Ok(rest) = ipmi::completed(data) {
            let _ = ipmi::apply(&mut found, parameter, rest);
        }
    }
    let _ = ipmi::channel_medium(data);
}
