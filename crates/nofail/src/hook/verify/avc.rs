//! SELinux's denials, as far as they concern hooks: pure.
//!
//! The kernel writes one form of text (`avc_audit_pre_callback` in `security/selinux/avc.c`), and
//! each reader puts its own before it:
//!
//! | where | what stands there |
//! |---|---|
//! | `audit.log`, `ausearch --raw` | `type=AVC msg=audit(1776028931.123:417): avc:  denied  { execute } for  pid=…` |
//! | `audit.log` with `name_format` | the same after `node=kvm-01 ` |
//! | `ausearch --interpret` | `type=AVC msg=audit(04/12/2026 21:22:11.123:417) : avc:  denied  …`, values without quotes |
//! | kernel log, no auditd | `audit: type=1400 audit(1776028931.123:417): avc:  denied  …` |
//! | journal, `-o short-unix` | `1776028931.123456 kvm-01 audit[4242]: AVC avc:  denied  …` |
//! | user-space managers | `type=USER_AVC msg=audit(…): pid=… msg='avc:  denied  { start } for auid=…` |
//!
//! A value that holds a space, a quotation mark or a control character is written in hexadecimal
//! and without quotes (`audit_log_untrustedstring`), which is how a file `qemu hook` appears.

use std::fmt;

/// One denial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// Seconds since 1970; `None` where the line has none, or one of a time zone that is not known.
    pub at: Option<i64>,
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
        let or = |text: &'static str, value: &str| {
            if value.is_empty() {
                text.to_owned()
            } else {
                value.to_owned()
            }
        };
        write!(
            f,
            "{} ({}) may not {} {} ({})",
            or("a program", &self.program),
            self.from,
            self.what,
            or("something", &self.name),
            self.to
        )
    }
}

/// Types and files by which a record is known to be about hooks.
const OURS: &[&str] = &["virt_hook", "libvirt/hooks", "50-nofail", "nofail"];
/// Domains of the daemons that run the qemu hook.
const DAEMONS: &[&str] = &["virtqemud_t", "virtd_t"];

/// The denials of a log that concern hooks, in its order. Lines that are none are passed over;
/// what a permissive domain was merely warned of is not a denial.
pub fn denials(log: &str) -> Vec<Denial> {
    log.lines().filter_map(denial).collect()
}

fn denial(line: &str) -> Option<Denial> {
    let (head, rest) = line.split_once("avc:")?;
    let rest = rest.trim_start().strip_prefix("denied")?;
    let (what, rest) = rest.split_once('{')?.1.split_once('}')?;
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    if field(rest, "permissive") == "1" {
        return None;
    }
    let (from, to) = (field(rest, "scontext"), field(rest, "tcontext"));
    let name = [field(rest, "path"), field(rest, "name")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let asks = from.split(':').nth(2).is_some_and(|t| DAEMONS.contains(&t));
    // The daemon that wants to run a file by one of the hooks' names (`qemu`, `network`).
    let hook = asks && what.contains("execute") && ["qemu", "network"].contains(&name.as_str());
    let known = OURS
        .iter()
        .any(|word| name.contains(word) || from.contains(word) || to.contains(word));
    (hook || known).then(|| Denial {
        at: time(head),
        what,
        program: field(rest, "comm"),
        name,
        from,
        to,
    })
}

/// When: `audit(SECONDS.…:NUMBER)`, else the seconds with which `journalctl -o short-unix` begins a
/// line. What `ausearch --interpret` writes is local time of a zone that it does not tell.
fn time(head: &str) -> Option<i64> {
    let text = match head.split_once("audit(") {
        Some((_, text)) => text,
        None => head.trim_start(),
    };
    let whole = text.split(['.', ':']).next()?;
    whole.parse().ok()
}

/// The value of a field: in quotes, bare, or in hexadecimal where it is one of those that a user may
/// have chosen. Empty where there is none.
fn field(text: &str, name: &str) -> String {
    let mut rest = text;
    // A field begins the text or follows white space: `name=` is also the end of `dev_name=`.
    let value = loop {
        let Some(at) = rest.find(name) else {
            return String::new();
        };
        let begins = rest[..at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace);
        let after = &rest[at + name.len()..];
        match after.strip_prefix('=') {
            Some(value) if begins => break value,
            _ => rest = after,
        }
    };
    if let Some(quoted) = value.strip_prefix('"') {
        return quoted.split('"').next().unwrap_or_default().to_owned();
    }
    let bare = value.split_whitespace().next().unwrap_or_default();
    // USER_AVC ends in the quotation mark of its message.
    let bare = bare.trim_end_matches('\'');
    match name {
        "path" | "name" | "comm" => hexadecimal(bare).unwrap_or_else(|| bare.to_owned()),
        _ => bare.to_owned(),
    }
}

/// Text that the kernel wrote in hexadecimal: it does so in capitals, and only where the text has a
/// character that it would not write plainly. A word such as `FACE` is a word.
fn hexadecimal(text: &str) -> Option<String> {
    let digits = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.chars().all(digits) {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    let bytes = bytes?;
    let odd = |b: &u8| *b == b'"' || *b < 0x21 || *b > 0x7e;
    bytes.iter().any(odd).then(|| {
        String::from_utf8_lossy(&bytes)
            .trim_end_matches('\0')
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAEMON: &str = "system_u:system_r:virtqemud_t:s0";
    const ETC: &str = "system_u:object_r:virt_etc_rw_t:s0";

    #[test]
    fn only_what_concerns_hooks() {
        let line = |name: &str, from: &str, to: &str, permissive: u8| {
            format!(
                "type=AVC msg=audit(1776028931.123:417): avc:  denied  {{ execute }} for  pid=42 \
                 comm=\"rpc-virtqemud\" name=\"{name}\" dev=\"dm-0\" ino=1 scontext={from} \
                 tcontext={to} tclass=file permissive={permissive}\n"
            )
        };
        let log = [
            line("qemu", DAEMON, ETC, 0),
            line("qemu", DAEMON, ETC, 1),
            line("disk.img", DAEMON, ETC, 0),
            line("x", DAEMON, "system_u:object_r:virt_hook_t:s0", 0),
            line("qemu", "system_u:system_r:httpd_t:s0", ETC, 0),
            "type=SYSCALL msg=audit(1:2): arch=c000003e\n".to_owned(),
            "type=AVC msg=audit(1:3): avc:  granted  { execute } for  pid=1 comm=\"x\" \
             name=\"50-nofail\" scontext=a:b:c:s0 tcontext=a:b:d:s0 tclass=file\n"
                .to_owned(),
        ]
        .concat();
        let found = denials(&log);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].at, Some(1_776_028_931));
        assert_eq!(
            found[0].to_string(),
            "rpc-virtqemud (system_u:system_r:virtqemud_t:s0) may not execute qemu \
             (system_u:object_r:virt_etc_rw_t:s0)"
        );
    }

    /// One denial as each reader shows it.
    #[test]
    fn every_form_is_the_same_denial() {
        let fields = format!(
            "{{ execute }} for  pid=4242 comm=\"rpc-virtqemud\" name=\"qemu\" dev=\"dm-0\" ino=33 \
             scontext={DAEMON} tcontext={ETC} tclass=file permissive=0"
        );
        let forms = [
            format!("type=AVC msg=audit(1776028931.123:417): avc:  denied  {fields}"),
            format!("node=kvm-01 type=AVC msg=audit(1776028931.123:417): avc:  denied  {fields}"),
            format!("audit: type=1400 audit(1776028931.123:417): avc:  denied  {fields}"),
            format!(
                "[   12.345678] audit: type=1400 audit(1776028931.123:417): avc:  denied  {fields}"
            ),
            format!(
                "1776028931.123999 kvm-01 kernel: audit: type=1400 audit(1776028931.123:417): avc:  \
                 denied  {fields}"
            ),
            format!("1776028931.123456 kvm-01 audit[4242]: AVC avc:  denied  {fields}"),
            format!(
                "Apr 12 21:22:11 kvm-01 kernel: audit: type=1400 audit(1776028931.123:417): avc:  \
                 denied  {fields}"
            ),
        ];
        let wanted = denials(&forms[0]);
        assert_eq!(wanted[0].at, Some(1_776_028_931));
        assert_eq!(wanted[0].name, "qemu");
        for form in &forms {
            assert_eq!(denials(form), wanted, "{form}");
        }
        // ausearch -i: no quotes, a time of the host's own zone, spaces before the colon.
        let interpreted = format!(
            "type=AVC msg=audit(04/12/2026 21:22:11.123:417) : avc:  denied  {{ execute }} for  \
             pid=4242 comm=rpc-virtqemud name=qemu dev=\"dm-0\" ino=33 scontext={DAEMON} \
             tcontext={ETC} tclass=file permissive=0"
        );
        let read = denials(&interpreted);
        assert_eq!(read[0].to_string(), wanted[0].to_string());
        assert_eq!(read[0].at, None);
        // The journal's short form has a time that says no year.
        let short = format!("Apr 12 21:22:11 kvm-01 audit[4242]: AVC avc:  denied  {fields}");
        assert_eq!(denials(&short)[0].at, None);
    }

    #[test]
    fn odd_values() {
        // `/etc/libvirt/hooks/qemu.d/my hook`, which the kernel writes in hexadecimal.
        let path = "2F6574632F6C6962766972742F686F6F6B732F71656D752E642F6D7920686F6F6B";
        let line = format!(
            "type=AVC msg=audit(1776028931.123:417): avc:  denied  {{ read open }} for  pid=42 \
             comm=7270632076697274 path={path} dev=\"dm-0\" ino=33 \
             scontext=system_u:system_r:virtqemud_t:s0-s0:c0.c1023 \
             tcontext=unconfined_u:object_r:user_home_t:s0 tclass=file permissive=0"
        );
        let found = denials(&line);
        assert_eq!(found[0].name, "/etc/libvirt/hooks/qemu.d/my hook");
        assert_eq!(found[0].program, "rpc virt");
        assert_eq!(found[0].what, "read open");
        // A domain of the hook's own may not talk to the kernel: no name at all.
        let netlink = "audit: type=1400 audit(1776028931.123:418): avc:  denied  { nlmsg_write } for  \
             pid=43 comm=\"nofail\" scontext=system_u:system_r:virt_hook_unconfined_t:s0 \
             tcontext=system_u:system_r:virt_hook_unconfined_t:s0 tclass=netlink_route_socket \
             permissive=0";
        assert_eq!(denials(netlink)[0].name, "");
        // A user-space manager's, with its quotation mark at the end.
        let user = "type=USER_AVC msg=audit(1776028931.2:9): pid=1 uid=0 auid=4294967295 \
             subj=system_u:system_r:init_t:s0 msg='avc:  denied  { start } for auid=n/a uid=0 \
             path=\"/usr/lib/systemd/system/x.service\" scontext=a:b:virt_hook_t:s0 \
             tcontext=a:b:c:s0 tclass=service'";
        assert_eq!(denials(user)[0].what, "start");
        for cut in 0..line.len() {
            let _ = denials(&line[..cut]);
        }
    }
}
