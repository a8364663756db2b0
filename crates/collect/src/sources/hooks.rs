//! libvirt hooks: the scripts, what SELinux makes of them, and the traces they left.

mod directories;
mod selinux;
mod traces;

use super::files;
use crate::reader::{Kind, Stat};
use crate::{HostReader, Options, command};
use facts::hook::{HookScript, interpreter, script};
use facts::{Known, Snapshot, Source};

const DIRECTORY: &str = "/etc/libvirt/hooks";

/// The hooks that libvirt knows (`virHookDriver`).
const HOOKS: &[&str] = &["daemon", "qemu", "lxc", "network", "libxl", "bhyve"];

/// A script of more bytes is not looked into.
const MAX_TEXT: u64 = 1024 * 1024;

/// Where `env` finds an interpreter: libvirt passes on its own `PATH`, which systemd sets to
/// these (systemd.exec(5), `$PATH`).
const PATH: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if reader.stat("/etc/libvirt").is_err() && !reader.complete() {
        snapshot.not_read(Source::Hooks, "no etc/libvirt in this tree");
        snapshot.not_read(Source::HookTraces, "a tree holds no running guests");
        return;
    }
    for hook in HOOKS {
        let main = format!("{DIRECTORY}/{hook}");
        let found = one(reader, options, hook, &main, snapshot);
        snapshot.hooks.scripts.extend(found);
        let directory = format!("{main}.d");
        match files::names(reader, &directory) {
            Ok(names) => {
                for name in names {
                    let path = format!("{directory}/{name}");
                    let found = one(reader, options, hook, &path, snapshot);
                    snapshot.hooks.scripts.extend(found);
                }
            }
            Err(reason) if !snapshot.unread.iter().any(|u| u.reason == reason) => {
                snapshot.item_not_read(Source::Hooks, directory, reason);
            }
            Err(_) => {}
        }
    }
    // Without permission for the directory nothing at all is known of hooks.
    if snapshot.hooks.scripts.is_empty()
        && let Err(reason) = files::names(reader, DIRECTORY)
    {
        snapshot.unread.retain(|u| u.source != Source::Hooks);
        snapshot.not_read(Source::Hooks, reason);
    }
    directories::collect(reader, snapshot);
    misplaced(reader, options, snapshot);
    selinux::collect(reader, snapshot);
    traces::collect(reader, options, snapshot);
}

/// Directories that people take for libvirt's, which has its own built in (`LIBVIRT_HOOK_DIR`,
/// SYSCONFDIR "/libvirt/hooks").
const ELSEWHERE: &[&str] = &[
    "/etc/libvirt/hook",
    "/etc/libvirt/qemu/hooks",
    "/etc/libvirt/hooks.d",
    "/usr/local/etc/libvirt/hooks",
    "/usr/lib/libvirt/hooks",
    "/usr/libexec/libvirt/hooks",
    "/usr/share/libvirt/hooks",
    "/var/lib/libvirt/hooks",
];

/// Files that look like hooks where none is run: `qemu.sh` beside `qemu`, or a hook's own name
/// in a directory that libvirt does not read. A directory that is not there has none.
fn misplaced(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    let mut paths = Vec::new();
    for name in files::names(reader, DIRECTORY).unwrap_or_default() {
        let hook = HOOKS.iter().find(|hook| {
            name.get(..hook.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(hook))
        });
        let Some(hook) = hook else { continue };
        let rest = &name[hook.len()..];
        // `qemu` and `qemu.d` themselves are read; `network` and `networks` are two words.
        let known = name.as_str() == *hook || rest == ".d";
        if !known && !rest.starts_with(|c: char| c.is_ascii_lowercase()) {
            paths.push((*hook, format!("{DIRECTORY}/{name}")));
        }
    }
    for directory in ELSEWHERE {
        for hook in HOOKS {
            paths.push((*hook, format!("{directory}/{hook}")));
            let names = files::names(reader, &format!("{directory}/{hook}.d"));
            let names = names.unwrap_or_default().into_iter();
            paths.extend(names.map(|name| (*hook, format!("{directory}/{hook}.d/{name}"))));
        }
    }
    for (hook, path) in paths {
        if reader.lstat(&path).is_err() {
            continue;
        }
        let found = one(reader, options, hook, &path, snapshot);
        snapshot.hooks.misplaced.extend(found);
    }
}

/// Reads one script. A directory below `qemu.d` (other programs' way of dispatching) is none.
fn one(
    reader: &dyn HostReader,
    options: &Options,
    hook: &str,
    path: &str,
    snapshot: &mut Snapshot,
) -> Option<HookScript> {
    let stat = match reader.stat(path) {
        Ok(stat) if stat.kind == Kind::File => stat,
        Ok(_) => return None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if reader.lstat(path).is_ok() {
                let reason = format!("{path}: a link to nothing");
                snapshot.item_not_read(Source::Hooks, path, reason);
            }
            return None;
        }
        Err(error) => {
            snapshot.item_not_read(Source::Hooks, path, super::why(path, &error));
            return None;
        }
    };
    let mut found = described(path, hook, &stat);
    found.label = label(reader, path);
    if stat.size > MAX_TEXT {
        snapshot.item_not_read(Source::Hooks, path, format!("{path}: larger than 1 MiB"));
        return Some(found);
    }
    match reader.read(path) {
        Ok(bytes) => text_of(reader, options, hook, bytes, &mut found),
        Err(error) => {
            let reason = super::why(path, &error);
            found.interpreter_present = Known::Unreadable(reason.clone());
            found.syntax_error = Known::Unreadable(reason.clone());
            snapshot.item_not_read(Source::Hooks, path, reason);
        }
    }
    Some(found)
}

/// The file's SELinux label. A tree that was copied without extended attributes has none on
/// anything, which says nothing of the host.
fn label(reader: &dyn HostReader, path: &str) -> Known<String> {
    let read = |path: &str| reader.xattr(path, "security.selinux");
    match read(path) {
        Ok(Some(value)) => {
            let value = String::from_utf8_lossy(&value);
            Known::Known(value.trim_end_matches('\0').to_owned())
        }
        Ok(None) if !reader.live() && !matches!(read("/etc"), Ok(Some(_))) => {
            Known::Unreadable("this tree carries no SELinux labels".to_owned())
        }
        Ok(None) => Known::Absent,
        Err(error) => Known::Unreadable(super::why(path, &error)),
    }
}

fn described(path: &str, hook: &str, stat: &Stat) -> HookScript {
    HookScript {
        path: path.to_owned(),
        hook: hook.to_owned(),
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        changed_at: Some(stat.ctime),
        syntax_error: Known::Unreadable("not checked".to_owned()),
        ..HookScript::default()
    }
}

fn text_of(
    reader: &dyn HostReader,
    options: &Options,
    hook: &str,
    bytes: Vec<u8>,
    found: &mut HookScript,
) {
    if bytes.starts_with(b"\x7fELF") {
        found.binary = true;
        found.interpreter_present = Known::Absent;
        found.syntax_error = Known::Absent;
        return;
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
    found.interpreter = interpreter::first_line(&text).map(str::to_owned);
    found.crlf = interpreter::has_crlf(&text);
    let deeds = script::analyse(hook, &text);
    found.phases = deeds.phases;
    found.calls_libvirt = deeds.calls_libvirt;
    found.sets_vlans = deeds.sets_vlans;
    found.is_nofail = deeds.is_nofail;
    found.runs_others = deeds.runs_others;
    found.log_tags = deeds.log_tags;
    if let Some(parsed) = found.interpreter.as_deref().and_then(interpreter::parse) {
        found.interpreter_present = interpreter_present(reader, &parsed);
        found.syntax_error = syntax(reader, options, &parsed, &text);
    }
    found.text = Some(text);
}

/// Whether the interpreter can be executed: known, with `false` where it cannot.
fn interpreter_present(reader: &dyn HostReader, wanted: &interpreter::Interpreter) -> Known<bool> {
    // Every host has a shell: a tree without one holds configuration only.
    let programs = ["/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash"];
    let holds_programs = programs.iter().any(|path| reader.lstat(path).is_ok());
    if !reader.live() && !holds_programs {
        return Known::Unreadable("this tree does not hold the host's programs".to_owned());
    }
    let executable = |path: &str| {
        reader
            .stat(path)
            .is_ok_and(|s| s.kind == Kind::File && s.mode & 0o111 != 0)
    };
    let found = match &wanted.through_env {
        Some(name) if name.contains('/') => executable(&wanted.program) && executable(name),
        Some(name) => {
            executable(&wanted.program) && PATH.iter().any(|d| executable(&format!("{d}/{name}")))
        }
        None => executable(&wanted.program),
    };
    Known::Known(found)
}

/// What the script's own shell says of its syntax (`-n` reads and does not run). Only on the
/// running host: another machine's shell may be of another kind.
fn syntax(
    reader: &dyn HostReader,
    options: &Options,
    wanted: &interpreter::Interpreter,
    text: &str,
) -> Known<facts::SyntaxError> {
    let Some(shell) = interpreter::shell(wanted) else {
        // No shell has a say in another language's script.
        return Known::Absent;
    };
    if !reader.live() {
        return Known::Unreadable("checked only on the running host".to_owned());
    }
    match command::run(shell, &["-n"], text.as_bytes(), options.deadline) {
        Ok(done) if done.status.success() => Known::Absent,
        Ok(done) => match interpreter::syntax_error(&done.stderr) {
            Some(error) => Known::Known(error),
            None => Known::Unreadable(format!("{shell} -n: {}", done.stderr)),
        },
        Err(error) => Known::Unreadable(error.to_string()),
    }
}
