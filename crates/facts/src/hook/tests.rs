//! Hook scripts as people write them.

use super::{interpreter, script, selinux, shell, trace};
use crate::unit::journal;

const VLAN_HOOK: &str = include_str!("../../../../testdata/fixtures/hooks/vlan-at-started.sh");
const DISPATCHER: &str = include_str!("../../../../testdata/fixtures/hooks/dispatcher.sh");
const PYTHON: &str = include_str!("../../../../testdata/fixtures/hooks/forward-ports.py");

#[test]
fn a_script_that_sets_vlans_when_a_guest_has_started() {
    let deeds = script::analyse("qemu", VLAN_HOOK);
    assert_eq!(deeds.phases, ["started"]);
    assert!(deeds.sets_vlans);
    assert_eq!(deeds.calls_libvirt, [] as [u32; 0]);
    assert_eq!(deeds.log_tags, ["libvirt-hook[$1]"]);
    assert_eq!(
        trace::identifier_of_tag(&deeds.log_tags[0]),
        Some("libvirt-hook")
    );
}

#[test]
fn a_dispatcher_mentions_no_phase() {
    let deeds = script::analyse("qemu", DISPATCHER);
    assert_eq!(deeds.phases, [] as [&str; 0]);
    assert!(!deeds.sets_vlans);
    assert!(deeds.runs_others);
    assert!(!script::analyse("qemu", VLAN_HOOK).runs_others);
}

#[test]
fn a_python_hook_that_asks_libvirt() {
    let deeds = script::analyse("qemu", PYTHON);
    assert_eq!(deeds.calls_libvirt, [4]);
    assert_eq!(deeds.phases, ["start", "stopped", "reconnect"]);
}

#[test]
fn virsh_calls_and_what_only_looks_like_one() {
    let calls = |text: &str| script::analyse("qemu", text).calls_libvirt;
    assert_eq!(
        calls("#!/bin/sh\n# virsh list\nmac=$(virsh domiflist \"$1\" | awk '{print $5}')\n"),
        [3]
    );
    assert_eq!(
        calls("if timeout 5 /usr/bin/virsh list >/dev/null; then\n:\nfi\n"),
        [1]
    );
    assert_eq!(calls("x=\"`virsh -q list`\"\n"), [1]);
    assert_eq!(calls("bash -c 'sleep 1; virsh list'\n"), [1]);
    assert_eq!(
        calls("virsh list &\n"),
        [1],
        "its standard error is still libvirt's"
    );
    for quiet in [
        "echo 'virsh list'\n",
        "logger -t hook \"do not run virsh here\"\n",
        "(sleep 5; virsh attach-interface a) >/dev/null 2>&1 &\n",
        "systemd-run --no-block virsh start b\n",
        "cat <<EOF\nvirsh list\nEOF\n",
        "command -v virsh\n",
        "VIRSH=/usr/bin/virsh\n",
    ] {
        assert_eq!(calls(quiet), [] as [u32; 0], "{quiet}");
    }
}

#[test]
fn phases_are_not_verbs_of_other_programs() {
    let phases = |text: &str| script::analyse("qemu", text).phases;
    assert_eq!(phases("systemctl start x\necho stopped\n"), [] as [&str; 0]);
    assert_eq!(
        phases("case \"$2\" in\n prepare|start) a ;;\n release) b ;;\nesac\n"),
        ["prepare", "start", "release"]
    );
    assert_eq!(
        phases("if [ \"$2/$3\" = \"started/begin\" ]; then a; fi\n"),
        ["started"]
    );
    assert_eq!(phases("[[ $2 == stopped ]] && a\n"), ["stopped"]);
}

#[test]
fn other_ways_to_set_vlans() {
    let sets = |text: &str| script::analyse("qemu", text).sets_vlans;
    assert!(sets(
        "/usr/sbin/bridge vlan add vid 100 dev vnet0 pvid untagged\n"
    ));
    assert!(sets(
        "subprocess.run([\"bridge\", \"vlan\", \"add\", \"dev\", tap])\n"
    ));
    assert!(sets("exec /usr/bin/nofail hook run \"$@\"\n"));
    assert!(!sets("# bridge vlan add\nbridge vlan show\n"));
    assert!(script::analyse("qemu", "exec nofail hook run \"$@\"\n").is_nofail);
}

#[test]
fn commands_keep_lines_and_groups() {
    let found = shell::commands("a \\\n b\n{ c; d; } 2>/dev/null &\n${x:-e f} g\n");
    let lines: Vec<_> = found
        .iter()
        .map(|c| (c.words[0].as_str(), c.line, c.background))
        .collect();
    assert_eq!(lines[0], ("a", 1, false));
    assert_eq!(lines[1], ("c", 3, true));
    assert_eq!(lines[2], ("d", 3, true));
    assert_eq!(found[4].words, ["${x:-e f}", "g"]);
    for text in [
        "\"", "'", "`", "$(", "${", "<<", "<<EOF", "((", "))", "}", "{ ", "\\", "a &", "$((1)",
    ] {
        shell::commands(text);
    }
    let deep = "$(".repeat(5000);
    shell::commands(&deep);
}

#[test]
fn interpreters() {
    let parse = |text: &str| interpreter::parse(interpreter::first_line(text).unwrap()).unwrap();
    assert_eq!(parse("#! /bin/bash -e\n").program, "/bin/bash");
    let env = parse("#!/usr/bin/env -S LC_ALL=C bash -e\n");
    assert_eq!(env.through_env.as_deref(), Some("bash"));
    assert_eq!(interpreter::shell(&env), Some("bash"));
    assert!(interpreter::has_crlf("#!/bin/sh\r\necho\r\n"));
    assert!(!interpreter::has_crlf("#!/bin/sh\necho\r\n"));
    assert_eq!(interpreter::first_line("echo\n"), None);
    assert_eq!(interpreter::parse(""), None);
    let bash = interpreter::syntax_error(
        "bash: line 3: syntax error near unexpected token `fi'\nbash: line 3: `fi'",
    )
    .unwrap();
    assert_eq!(bash.line, 3);
    assert_eq!(
        interpreter::syntax_error("sh: 7: Syntax error: end of file unexpected")
            .unwrap()
            .line,
        7
    );
    assert_eq!(interpreter::syntax_error("no such thing"), None);
}

const CONTEXTS: &str = "\
# comment
/.*\tsystem_u:object_r:default_t:s0
/etc/.*\tsystem_u:object_r:etc_t:s0
/etc/libvirt/.*/.*\tsystem_u:object_r:virt_etc_rw_t:s0
/etc/libvirt/[^/]*\t-d\tsystem_u:object_r:virt_etc_rw_t:s0
/etc/libvirt/hooks(/.*)?\tsystem_u:object_r:virt_hook_t:s0
/etc/[unclosed\tsystem_u:object_r:bad_t:s0
";

#[test]
fn the_policy_tells_the_label() {
    let label = |text: &str, path: &str| selinux::expected(text, path);
    let path = "/etc/libvirt/hooks/qemu";
    assert_eq!(
        label(CONTEXTS, path).as_deref(),
        Some("system_u:object_r:virt_hook_t:s0")
    );
    let old = CONTEXTS.replace("/etc/libvirt/hooks(/.*)?", "/nowhere");
    assert_eq!(
        selinux::type_of(&label(&old, path).unwrap()),
        Some("virt_etc_rw_t")
    );
    assert_eq!(label("/etc/.*\t<<none>>\n", path), None);
    assert_eq!(selinux::type_of("unlabeled"), None);
    assert_eq!(selinux::mode_of_enforce("1"), Some("enforcing"));
    assert_eq!(selinux::boolean_of_kernel("0 1\n"), Some(false));
    assert_eq!(
        selinux::boolean_of_file(
            "# x\na=1\nvirt_hooks_unconfined=1\n",
            "virt_hooks_unconfined"
        ),
        Some(true)
    );
    let config = selinux::config("#SELINUX=x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n");
    assert_eq!(config, (Some("enforcing".into()), Some("targeted".into())));
}

#[test]
fn traces_of_syslog_and_of_nofail() {
    let text = r#"{"__REALTIME_TIMESTAMP":"5000000","SYSLOG_IDENTIFIER":"libvirt-hook","SYSLOG_PID":"bind-01","MESSAGE":"old"}
{"__REALTIME_TIMESTAMP":"9000000","SYSLOG_IDENTIFIER":"libvirt-hook","SYSLOG_PID":"bind-01","MESSAGE":"vnet3: pvid 100"}
{"__REALTIME_TIMESTAMP":"7000000","SYSLOG_IDENTIFIER":"nofail-hook","GUEST":"ise-01","MESSAGE":"set"}
{"__REALTIME_TIMESTAMP":"7000000","SYSLOG_IDENTIFIER":"qemu-hook","SYSLOG_PID":"4711","MESSAGE":"guest vyos-01: started."}
{"SYSLOG_IDENTIFIER":"libvirt-hook"}"#;
    let records = journal::parse(text).unwrap();
    let traces = trace::latest(&records, &["vyos-01"], |us| Some(us.to_string()));
    let all: Vec<_> = traces
        .iter()
        .map(|t| (t.guest.as_str(), t.at.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            ("bind-01", "9000000"),
            ("ise-01", "7000000"),
            ("vyos-01", "7000000")
        ]
    );
    assert_eq!(trace::identifier_of_tag("$0"), None);
    assert_eq!(trace::identifier_of_tag("vm-$1"), Some("vm"));
}
