//! One cause, or the list of what was ruled out.

use super::*;
use facts::Known;
use facts::unit::Daemon;
use model::Estate;

fn host(script: Option<HookScript>) -> Snapshot {
    let mut snapshot = Snapshot::new("kvm-01");
    snapshot.libvirt_version = Some("9.0.0".to_owned());
    snapshot.hooks.selinux = Known::Absent;
    snapshot.daemons.running.push(Daemon {
        name: "libvirtd".to_owned(),
        pid: 1,
        started_at: Some(1_000),
        context: None,
    });
    snapshot.hooks.scripts.extend(script);
    snapshot
}

fn script() -> HookScript {
    HookScript {
        path: "/etc/libvirt/hooks/qemu.d/50-nofail".to_owned(),
        hook: "qemu".to_owned(),
        mode: 0o755,
        changed_at: Some(500),
        interpreter: Some("/bin/sh".to_owned()),
        interpreter_present: Known::Known(true),
        text: Some("#!/bin/sh\nexec nofail hook run -- \"$@\"\n".to_owned()),
        is_nofail: true,
        sets_vlans: true,
        syntax_error: Known::Absent,
        label: Known::Absent,
        ..HookScript::default()
    }
}

fn verdict(snapshot: Snapshot, looked: Looked) -> Verified {
    let selection = rules::engine::Selection {
        only: vec!["hook".to_owned()],
    };
    let audit = rules::audit(&Estate::of(snapshot.clone()), &selection.rules().unwrap());
    judge(&snapshot, &audit, looked)
}

#[test]
fn one_cause_in_plain_words() {
    let said = |script: Option<HookScript>| verdict(host(script), Looked::default()).cause;
    assert!(said(None).unwrap().starts_with("there is no qemu hook"));
    let with = |change: fn(&mut HookScript)| {
        let mut script = script();
        change(&mut script);
        said(Some(script)).unwrap()
    };
    assert!(with(|s| s.mode = 0o644).contains("execut"));
    assert!(with(|s| s.interpreter_present = Known::Known(false)).contains("/bin/sh"));
    assert!(with(|s| s.crlf = true).contains("carriage return"));
    assert!(with(|s| s.changed_at = Some(2_000)).contains("after libvirtd had started"));
    let mut old = host(Some(script()));
    old.libvirt_version = Some("6.0.0".to_owned());
    let cause = verdict(old, Looked::default()).cause.unwrap();
    assert!(cause.contains("does not read qemu.d"), "{cause}");
    let mut labelled = script();
    labelled.label = Known::Known("system_u:object_r:virt_hook_t:s0".to_owned());
    let mut refused = host(Some(labelled));
    refused.hooks.selinux = Known::Known("enforcing".to_owned());
    let denials = Looked {
        denials: Some(Ok(avc::denials(
            "type=AVC msg=audit(1776028931.123:417): avc:  denied  { execute } for  pid=4242 \
             comm=\"rpc-virtqemud\" name=\"50-nofail\" dev=\"dm-0\" ino=1 \
             scontext=system_u:system_r:virtqemud_t:s0 tcontext=unconfined_u:object_r:user_home_t:s0 \
             tclass=file permissive=0\n",
        ))),
        ..Looked::default()
    };
    let cause = verdict(refused, denials).cause.unwrap();
    assert!(cause.contains("SELinux refused it 1 time"), "{cause}");
}

#[test]
fn what_may_not_be_read_is_no_cause() {
    let mut closed = host(None);
    closed.not_read(Source::Hooks, "/etc/libvirt: permission denied");
    let verified = verdict(closed, Looked::default());
    assert_eq!((verified.fires, &verified.cause), ("unknown", &None));
    let first = &verified.not_checked[0];
    assert!(first.contains("/etc/libvirt: permission denied"), "{first}");
    assert!(verified.ruled_out.is_empty(), "{:?}", verified.ruled_out);
}

#[test]
fn a_defect_that_a_younger_trace_disproves_is_told_beside_it() {
    let mut main = script();
    main.path = "/etc/libvirt/hooks/qemu".to_owned();
    main.mode = 0o644;
    let mut snapshot = host(Some(script()));
    snapshot.hooks.scripts.push(main);
    snapshot.hooks.scripts[0].uid = 1000;
    let verified = verdict(snapshot.clone(), Looked::default());
    assert!(verified.cause.unwrap().contains("qemu is not executable"));
    snapshot.hooks.traces.push(facts::hook::HookTrace {
        guest: "bind-01".to_owned(),
        at: "1970-01-01T00:10:00Z".to_owned(),
        text: "set".to_owned(),
    });
    let verified = verdict(snapshot, Looked::default());
    assert_eq!((verified.fires, &verified.cause), ("yes", &None));
    assert_eq!(verified.also.len(), 2, "{:?}", verified.also);
    assert!(verified.also[1].contains("it belongs to user 1000"));
}

#[test]
fn a_stray_file_is_the_cause_only_where_nothing_else_stands() {
    let mut stray = script();
    stray.path = "/etc/libvirt/hooks/qemu.sh".to_owned();
    let mut alone = host(None);
    alone.hooks.misplaced.push(stray.clone());
    let cause = verdict(alone, Looked::default()).cause.unwrap();
    assert!(cause.contains("qemu.sh is no place"), "{cause}");
    let mut beside = host(Some(script()));
    beside.hooks.misplaced.push(stray);
    let verified = verdict(beside, Looked::default());
    assert_eq!(verified.cause, None);
    assert!(verified.also[0].contains("qemu.sh"), "{:?}", verified.also);
}

#[test]
fn a_denial_before_the_last_change_explains_nothing() {
    let denial = |at: i64| {
        let log = format!(
            "type=AVC msg=audit({at}.1:1): avc:  denied  {{ execute }} for  pid=1 comm=\"x\" \
             name=\"50-nofail\" scontext=a:b:virtqemud_t:s0 tcontext=a:b:c:s0 tclass=file\n"
        );
        let looked = Looked {
            denials: Some(Ok(avc::denials(&log))),
            ..Looked::default()
        };
        verdict(host(Some(script())), looked)
    };
    assert!(denial(600).cause.unwrap().contains("refused it 1 time"));
    let old = denial(400);
    assert_eq!(old.cause, None);
    let said = old.ruled_out.join(" ");
    assert!(said.contains("nothing since the hook"), "{said}");
}

#[test]
fn or_what_was_ruled_out() {
    let verified = verdict(host(Some(script())), Looked::default());
    assert_eq!(verified.cause, None, "{verified:?}");
    assert_eq!(verified.fires, "unknown");
    assert!(verified.ruled_out.len() >= 8, "{:?}", verified.ruled_out);
    let looked = Looked {
        probe: Some(Check::Good("a guest was started".to_owned())),
        ..Looked::default()
    };
    let verified = verdict(host(Some(script())), looked);
    assert_eq!((verified.fires, verified.cause), ("yes", None));
    let looked = Looked {
        probe: Some(Check::Bad(
            "a guest was started and it kept silent".to_owned(),
        )),
        ..Looked::default()
    };
    let verified = verdict(host(Some(script())), looked);
    assert_eq!(verified.fires, "no");
    assert!(verified.cause.unwrap().contains("kept silent"));
}
