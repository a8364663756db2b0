//! Kernel settings and rebooters as real hosts have them.

use super::{cloudstack, cmdline, script, sysctl, watchdog};

#[test]
fn command_lines() {
    let line = "BOOT_IMAGE=(hd0)/vmlinuz root=UUID=1 ro console=tty0 console=ttyS1,115200n8 \
                console=ttyS1 panic=10 dyndbg=\"file a.c +p\" quiet\n";
    assert_eq!(cmdline::serial_consoles(line), ["ttyS1"]);
    assert_eq!(cmdline::value(line, "panic"), Some(Some("10".into())));
    assert_eq!(cmdline::value(line, "quiet"), Some(None));
    assert_eq!(
        cmdline::value(line, "dyndbg"),
        Some(Some("file a.c +p".into()))
    );
    assert_eq!(cmdline::value(line, "emergency"), None);
}

#[test]
fn sysctl_files_and_the_last_word() {
    let mut all = sysctl::parse("/usr/lib/sysctl.d/50-a.conf", "kernel.panic = 0\n# x\n");
    all.extend(sysctl::parse(
        "/etc/sysctl.d/90-panic.conf",
        "-kernel/panic=30\n;kernel.panic=1\nnet/ipv4/conf/eth0.1/forwarding=1\nnonsense\n",
    ));
    assert_eq!(all[2].name, "net.ipv4.conf.eth0/1.forwarding");
    let effective = sysctl::effective(&all);
    assert_eq!(effective.len(), 1);
    assert_eq!((effective[0].value.as_str(), effective[0].line), ("30", 1));
    assert_eq!(effective[0].file, "/etc/sysctl.d/90-panic.conf");
}

#[test]
fn watchdog_tests() {
    let found = watchdog::parse(
        "/etc/watchdog.conf",
        "#ping = 10.0.0.1\nping = 10.50.1.70\n file=/mnt/nas/vms/.alive\nwatchdog-device = /dev/watchdog\ninterval = 1\ntest-binary=\n",
    );
    let lines: Vec<_> = found.iter().map(|r| r.line).collect();
    assert_eq!(lines, [2, 3]);
}

#[test]
fn cloudstack_reboots_unless_told_not_to() {
    let file = "/etc/cloudstack/agent/agent.properties";
    assert_eq!(cloudstack::parse(file, "a=b\n").unwrap().line, 0);
    let on = format!("#{0}=false\n{0} = true\n", cloudstack::SETTING);
    assert_eq!(cloudstack::parse(file, &on).unwrap().line, 2);
    let off = format!("{}=false\n", cloudstack::SETTING);
    assert_eq!(cloudstack::parse(file, &off), None);
}

#[test]
fn a_script_that_reboots_on_a_dead_mount() {
    let text = "#!/bin/bash\n# reboot when the NAS is gone\nif ! timeout 5 stat /mnt/nas/vms; then\n  logger gone\n  /sbin/reboot -f\nfi\n";
    let found = script::scan("/usr/local/sbin/nas-check", text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line, 5);
    for text in [
        "* * * * * root mountpoint -q /mnt/nas || systemctl reboot\n",
        "ping -c 3 10.50.1.70 || echo b > /proc/sysrq-trigger\n",
        "ping -c 3 nas-01 || { sudo shutdown -r now; }\n",
        "[Service]\nExecStart=/bin/sh -c 'findmnt /mnt/nas || /usr/bin/systemctl --force reboot'\n",
    ] {
        assert_eq!(script::scan("x", text).len(), 1, "{text}");
    }
}

#[test]
fn scripts_that_reboot_nothing_for_a_mount() {
    for text in [
        "#!/bin/sh\napt-get upgrade\nreboot\n",
        "ping -c 1 a || echo 'please reboot'\n",
        "mountpoint -q /mnt/nas || logger 'no reboot here'\n",
        "grep reboot /var/log/messages; ping -c1 a\n",
        "ping -c1 a || shutdown -c\n",
        "# ping a || reboot\n",
    ] {
        assert_eq!(script::scan("x", text), [], "{text}");
    }
}
