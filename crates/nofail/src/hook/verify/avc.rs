//! SELinux's denials in the audit log, as far as they concern hooks: pure. The form is that of the
//! Linux audit project's "AVC" records.

use std::fmt;

/// One denial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// Seconds since 1970.
    pub at: i64,
    /// What was refused: `execute`, `nlmsg_write`.
    pub what: String,
    /// The program that asked.
    pub program: String,
    /// File or device, where one was named.
    pub name: String,
    /// Who asked, as a context.
    pub from: String,
    /// What was asked for, as a context.
    pub to: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "something"
        } else {
            &self.name
        };
        write!(
            f,
            "{} ({}) may not {} {name} ({})",
            self.program, self.from, self.what, self.to
        )
    }
}

/// Types and files by which a record is known to be about hooks.
const OURS: &[&str] = &["virt_hook", "libvirt/hooks", "50-nofail", "nofail"];

/// The denials of a log that concern hooks, in its order. Lines that are none are passed over;
/// what a permissive domain was merely warned of is not a denial.
pub fn denials(log: &str) -> Vec<Denial> {
    log.lines().filter_map(denial).collect()
}

fn denial(line: &str) -> Option<Denial> {
    let (head, rest) = line.split_once("avc:")?;
    let rest = rest.trim_start().strip_prefix("denied")?;
    let what = rest.split('{').nth(1)?.split('}').next()?.trim();
    let field = |name: &str| {
        rest.split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    if field("permissive") == "1" {
        return None;
    }
    let (from, to) = (field("scontext"), field("tcontext"));
    let name = [field("path"), field("name")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let asks = from.contains(":virtqemud_t:") || from.contains(":virtd_t:");
    // The daemon that wants to run a file by one of the hooks' names (`qemu`, `network`).
    let hook = asks && what.contains("execute") && ["qemu", "network"].contains(&name.as_str());
    let known = OURS
        .iter()
        .any(|word| name.contains(word) || from.contains(word) || to.contains(word));
    let at = head
        .split("audit(")
        .nth(1)
        .and_then(|time| time.split(['.', ':']).next()?.parse().ok())
        .unwrap_or(0);
    (hook || known).then(|| Denial {
        at,
        what: what.to_owned(),
        program: field("comm"),
        name,
        from,
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_hooks() {
        let line = |name: &str, from: &str, to: &str, permissive: u8| {
            format!(
                "type=AVC msg=audit(1776028931.123:417): avc:  denied  {{ execute }} for  pid=42 \
                 comm=\"rpc-virtqemud\" name=\"{name}\" dev=\"dm-0\" ino=1 scontext={from} \
                 tcontext={to} tclass=file permissive={permissive}\n"
            )
        };
        let daemon = "system_u:system_r:virtqemud_t:s0";
        let etc = "system_u:object_r:virt_etc_rw_t:s0";
        let log = [
            line("qemu", daemon, etc, 0),
            line("qemu", daemon, etc, 1),
            line("disk.img", daemon, etc, 0),
            line("x", daemon, "system_u:object_r:virt_hook_t:s0", 0),
            line("qemu", "system_u:system_r:httpd_t:s0", etc, 0),
            "type=SYSCALL msg=audit(1:2): arch=c000003e\n".to_owned(),
        ]
        .concat();
        let found = denials(&log);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].at, 1_776_028_931);
        assert_eq!(
            found[0].to_string(),
            "rpc-virtqemud (system_u:system_r:virtqemud_t:s0) may not execute qemu \
             (system_u:object_r:virt_etc_rw_t:s0)"
        );
    }
}
