//! What SELinux makes of hooks: its mode, the boolean, the label that the policy gives.

use super::super::files;
use crate::HostReader;
use facts::hook::selinux;
use facts::{Known, Snapshot};

const BOOLEAN: &str = "virt_hooks_unconfined";
const CONFIG: &str = "/etc/selinux/config";

pub(super) fn collect(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let hooks = &mut snapshot.hooks;
    let config = reader.text(CONFIG);
    // A kernel that has SELinux and got no policy labels nothing, though it says "permissive": libselinux takes it as
    // on where there is this file (is_selinux_enabled(3)).
    let unconfigured =
        matches!(&config, Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    let (mode, kind) = config
        .map(|text| selinux::config(&text))
        .unwrap_or_default();
    if reader.live() && unconfigured {
        hooks.selinux = Known::Absent;
    } else if reader.live() {
        let enforce = reader.text("/sys/fs/selinux/enforce");
        hooks.selinux = match enforce.as_deref().map(selinux::mode_of_enforce) {
            Ok(Some(mode)) => Known::Known(mode.to_owned()),
            Ok(None) => Known::Unreadable("/sys/fs/selinux/enforce: neither 0 nor 1".to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Known::Absent,
            Err(error) => Known::Unreadable(super::super::why("/sys/fs/selinux/enforce", error)),
        };
    } else {
        hooks.selinux = match mode {
            Some(mode) => Known::Known(mode),
            None if reader.complete() => Known::Absent,
            None => Known::Unreadable(format!("{CONFIG}: not in this tree")),
        };
    }
    if hooks.selinux.is_absent() || hooks.selinux.known().is_some_and(|m| m == "disabled") {
        return;
    }
    let Some(kind) = kind else {
        let reason = format!("{CONFIG} names no policy");
        hooks.policy_type = Known::Unreadable(reason.clone());
        hooks.virt_hooks_unconfined = Known::Unreadable(reason);
        return;
    };
    policy(reader, &kind, snapshot);
}

/// The label of a hook by the policy's `file_contexts`, over which the administrator's
/// `file_contexts.local` wins; and the boolean.
fn policy(reader: &dyn HostReader, kind: &str, snapshot: &mut Snapshot) {
    let hooks = &mut snapshot.hooks;
    let contexts = format!("/etc/selinux/{kind}/contexts/files/file_contexts");
    let wanted = "/etc/libvirt/hooks/qemu";
    let expected = |path: &str| match files::text(reader, path) {
        files::Got::Text(text) => Ok(selinux::expected(&text, wanted)),
        files::Got::Absent => Ok(None),
        files::Got::Unread(reason) => Err(reason),
    };
    let found = match expected(&format!("{contexts}.local")) {
        Ok(Some(context)) => Ok(Some(context)),
        _ => expected(&contexts),
    };
    hooks.policy_type = match found {
        Ok(context) => context
            .and_then(|c| selinux::type_of(&c).map(str::to_owned))
            .into(),
        Err(reason) => Known::Unreadable(reason),
    };
    let path = format!("/sys/fs/selinux/booleans/{BOOLEAN}");
    if reader.live() {
        hooks.virt_hooks_unconfined = match reader.text(&path) {
            Ok(text) => selinux::boolean_of_kernel(&text).into(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Known::Absent,
            Err(error) => Known::Unreadable(super::super::why(&path, &error)),
        };
        return;
    }
    // A tree: what was set for good (setsebool -P), else the policy's default, which is off.
    let local = ["/var/lib/selinux", "/etc/selinux"]
        .iter()
        .find_map(|root| {
            let text = reader
                .text(&format!("{root}/{kind}/active/booleans.local"))
                .ok()?;
            selinux::boolean_of_file(&text, BOOLEAN)
        });
    hooks.virt_hooks_unconfined = match local {
        Some(value) => Known::Known(value),
        // A policy that labels hooks has the boolean.
        None if hooks
            .policy_type
            .known()
            .is_some_and(|t| t == "virt_hook_t") =>
        {
            if reader
                .list(&format!("/var/lib/selinux/{kind}/active"))
                .is_ok()
            {
                Known::Known(false)
            } else {
                Known::Unreadable(format!("/var/lib/selinux/{kind}/active cannot be read"))
            }
        }
        None => Known::Absent,
    };
}
