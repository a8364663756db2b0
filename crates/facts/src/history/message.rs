//! One message of the journal or of syslog: who wrote it (the identifier) and its words.

use super::daemon_log;
use super::{GuestsAction, Stopping, What};

/// What such a message tells; `None` where it has no bearing on guests or on the host's life.
/// `pid` is the writer's.
pub fn classify(identifier: &str, pid: Option<&str>, message: &str, guest: &str) -> Option<What> {
    let program = identifier.rsplit('/').next().unwrap_or(identifier);
    match program {
        "kernel" => kernel(message),
        "libvirtd" | "virtqemud" | "virtlogd" => daemon_log::error(bare(message)),
        "sshd" | "sshd-session" => sshd(pid, message),
        "sudo" => sudo(message),
        "systemd-logind" => logind(message),
        "systemd" => systemd(message),
        "systemd-shutdown" => stopping(message).map(|how| What::HostStopping { how }),
        "libvirt-guests.sh" | "libvirt-guests" => guests(message),
        "systemd-coredump" => coredump(message),
        "audit" | "auditd" => super::audit::record(message, guest),
        "qemu-ga" => Some(What::GuestTold {
            text: message.to_owned(),
        }),
        "cron" | "CRON" | "crond" => cron(message),
        _ => None,
    }
}

/// Without the source position that libvirt may put before its words: `virFunction:1283 : words`.
fn bare(message: &str) -> &str {
    match message.split_once(" : ") {
        Some((place, words)) if !place.contains(' ') && place.contains(':') => words,
        _ => message,
    }
}

/// The kernel's words.
pub fn kernel(message: &str) -> Option<What> {
    let text = message.trim();
    if let Some(what) = out_of_memory(text) {
        return Some(what);
    }
    // "qemu-system-x86[338]: segfault at …", "traps: qemu-system-x86[338] trap int3 …"
    if text.contains(": segfault at ") || text.starts_with("traps: ") {
        let name = text.trim_start_matches("traps: ");
        let (process, rest) = name.split_once('[')?;
        return Some(What::Fault {
            pid: rest.split(']').next().and_then(|pid| pid.parse().ok()),
            process: process.trim().to_owned(),
        });
    }
    let any = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let owned = || text.to_owned();
    if any(&["not responding", "nfs: server", "lost connection to server"]) {
        return Some(What::StorageServer { text: owned() });
    }
    if any(&[
        "I/O error",
        "Medium Error",
        "critical target error",
        "rejecting I/O",
        "EXT4-fs error",
        "XFS (",
        "Buffer I/O",
        "Remounting filesystem read-only",
        "task abort",
    ]) && !text.contains("Mounting")
        && !text.contains("Ending clean mount")
        && !text.contains("Unmounting")
    {
        return Some(What::IoError { text: owned() });
    }
    if any(&[
        "mce: [Hardware Error]",
        "Machine check events logged",
        "EDAC ",
        "Kernel panic",
    ]) {
        return Some(What::MachineCheck { text: owned() });
    }
    None
}

/// Both lines that the kernel writes of one kill: `oom-kill:constraint=…,task_memcg=…,task=…,pid=…`
/// and `Out of memory: Killed process 338 (qemu-system-x86) …`.
fn out_of_memory(text: &str) -> Option<What> {
    if let Some((_, fields)) = text.split_once("oom-kill:") {
        let field = |key: &str| {
            fields
                .split(',')
                .find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        };
        return Some(What::OutOfMemory {
            pid: field("pid")?.parse().ok()?,
            process: field("task")?.to_owned(),
            guest: field("task_memcg").and_then(guest_of_cgroup),
            cgroup: field("constraint") == Some("CONSTRAINT_MEMCG"),
        });
    }
    let (before, rest) = text.split_once("Killed process ")?;
    if !before.to_ascii_lowercase().contains("out of memory") {
        return None;
    }
    Some(What::OutOfMemory {
        pid: rest.split([' ', ',']).next()?.parse().ok()?,
        process: rest.split_once('(')?.1.split(')').next()?.to_owned(),
        guest: None,
        cgroup: before.contains("cgroup"),
    })
}

/// The guest of a cgroup that systemd-machined made for libvirt:
/// `/machine.slice/machine-qemu\x2d3\x2dbind\x2d01.scope/libvirt/emulator` is bind-01's.
pub fn guest_of_cgroup(path: &str) -> Option<String> {
    let scope = path
        .split('/')
        .find(|part| part.starts_with("machine-qemu") && part.ends_with(".scope"))?;
    let name = scope.strip_prefix("machine-")?.strip_suffix(".scope")?;
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = rest
            .strip_prefix(br"\x")
            .and_then(|code| std::str::from_utf8(code.get(..2)?).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(value) => {
                bytes.push(value);
                rest = &rest[4..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    // "qemu-3-bind-01"
    let (id, guest) = name.strip_prefix("qemu-")?.split_once('-')?;
    id.parse::<u32>().ok()?;
    Some(guest.to_owned())
}

fn sshd(pid: Option<&str>, message: &str) -> Option<What> {
    let key = format!("sshd[{}]", pid.unwrap_or("?"));
    if let Some(rest) = message.strip_prefix("Accepted ") {
        // "publickey for root from 10.50.1.5 port 52014 ssh2: …"
        let (_, who) = rest.split_once(" for ")?;
        let (user, from) = who.split_once(" from ")?;
        return Some(What::SessionOpened {
            user: user.to_owned(),
            address: from.split_whitespace().next().map(str::to_owned),
            key,
        });
    }
    let ended = message.contains("session closed for user")
        || message.starts_with("Disconnected from user")
        || message.starts_with("Received disconnect");
    ended.then_some(What::SessionClosed { key })
}

fn sudo(message: &str) -> Option<What> {
    // "alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/virsh destroy bind-01"
    let (user, rest) = message.trim().split_once(" : ")?;
    let field = |key: &str| {
        rest.split(" ; ")
            .find_map(|part| part.trim().strip_prefix(key))
    };
    let line = field("COMMAND=")?;
    bears_on_guests(line).then(|| What::Command {
        user: user.trim().to_owned(),
        terminal: field("TTY=").filter(|t| *t != "unknown").map(str::to_owned),
        line: line.to_owned(),
    })
}

/// Whether a command line may have stopped a guest or the host. Others are nobody's business.
pub fn bears_on_guests(line: &str) -> bool {
    let words = [
        "virsh",
        "reboot",
        "shutdown",
        "poweroff",
        "halt",
        "init 0",
        "init 6",
        "kexec",
        "systemctl",
        "kill",
        "virt-",
        "libvirt",
        "ipmitool",
        "nofail",
        "sysrq",
    ];
    words.iter().any(|word| line.contains(word))
}

fn logind(message: &str) -> Option<What> {
    if message.starts_with("Power key pressed") {
        return Some(What::HostStopping {
            how: Stopping::PowerOff,
        });
    }
    stopping(message).map(|how| What::HostStopping { how })
}

/// The words with which systemd and logind announce that a host goes down.
fn stopping(message: &str) -> Option<Stopping> {
    let has = |words: &str| message.contains(words);
    if has("System is rebooting")
        || has("will reboot now")
        || has("system will reboot")
        || has("Rebooting.")
    {
        return Some(Stopping::Reboot);
    }
    let off = has("System is powering down")
        || has("will power off now")
        || has("system will power off")
        || has("System is halting")
        || has("will halt now")
        || has("Powering off.");
    off.then_some(Stopping::PowerOff)
}

fn systemd(message: &str) -> Option<What> {
    let message = message.trim_end_matches('.');
    match message {
        "Reached target reboot.target - System Reboot"
        | "Reached target Reboot"
        | "Reached target System Reboot" => Some(What::HostStopping {
            how: Stopping::Reboot,
        }),
        "Reached target poweroff.target - System Power Off"
        | "Reached target Power-Off"
        | "Reached target System Power Off" => Some(What::HostStopping {
            how: Stopping::PowerOff,
        }),
        "Reached target shutdown.target - System Shutdown"
        | "Reached target Shutdown"
        | "Reached target System Shutdown" => Some(What::HostStopping {
            how: Stopping::Either,
        }),
        _ => stopping(message).map(|how| What::HostStopping { how }),
    }
}

/// What the script of libvirt-guests.service prints, see libvirt-guests(8).
fn guests(message: &str) -> Option<What> {
    let say = |action, guest: Option<&str>| {
        let guest = guest.map(|g| g.trim().trim_end_matches('.').to_owned());
        Some(What::GuestsService {
            action,
            guest: guest.filter(|g| !g.is_empty()),
        })
    };
    for (words, action) in [
        ("Starting shutdown on guest: ", GuestsAction::ShutDown),
        ("Shutdown of guest ", GuestsAction::ShutDown),
        ("Suspending ", GuestsAction::Suspend),
        ("Resuming guest ", GuestsAction::Start),
    ] {
        if let Some(rest) = message.strip_prefix(words) {
            if rest.starts_with("guests on") {
                return say(action, None);
            }
            let name = rest.split(':').next().unwrap_or(rest);
            return say(
                action,
                name.trim_end_matches(" complete.")
                    .split(" complete")
                    .next(),
            );
        }
    }
    if message.starts_with("Shutting down guests on") {
        return say(GuestsAction::ShutDown, None);
    }
    None
}

fn coredump(message: &str) -> Option<What> {
    // "Process 338 (qemu-system-x86) of user 64055 dumped core."
    let rest = message.strip_prefix("Process ")?;
    let pid = rest.split_whitespace().next()?.parse().ok();
    let process = rest.split_once('(')?.1.split(')').next()?;
    Some(What::Fault {
        pid,
        process: process.to_owned(),
    })
}

fn cron(message: &str) -> Option<What> {
    // "(root) CMD (/usr/local/sbin/nightly.sh)"
    let (user, rest) = message.strip_prefix('(')?.split_once(") CMD (")?;
    let line = rest.strip_suffix(')').unwrap_or(rest);
    bears_on_guests(line).then(|| What::Command {
        user: user.to_owned(),
        terminal: Some("cron".to_owned()),
        line: line.to_owned(),
    })
}
