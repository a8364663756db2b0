//! The files by which the guard stands on a host, as proposals for the change engine.
//!
//! | file | what it catches |
//! |---|---|
//! | wrappers in /usr/local/sbin | commands typed or run by name, where PATH has that directory first |
//! | nofail-guard.service | logind: a block inhibitor while going down would not be safe |
//! | ctrl-alt-del.target | the first presses of Ctrl-Alt-Del at the console |

use change::plan::{Act, Again, Command, Proposal, Run};

/// Directory of the wrappers: first in root's PATH on Debian and Red Hat, and empty by FHS.
pub const WRAPPERS: &str = "/usr/local/sbin";

/// The commands that are wrapped.
pub const COMMANDS: [&str; 8] = [
    "reboot",
    "shutdown",
    "poweroff",
    "halt",
    "kexec",
    "systemctl",
    "telinit",
    "init",
];

/// The one script behind all wrappers.
pub const SCRIPT: &str = "/usr/local/lib/nofail/guard";

/// Unit files.
pub const UNITS: [&str; 3] = [
    "/etc/systemd/system/nofail-guard.service",
    "/etc/systemd/system/nofail-guard-ctrl-alt-del.service",
    "/etc/systemd/system/ctrl-alt-del.target",
];

/// Settings: which site.toml, which host of it.
pub const SETTINGS: &str = "/etc/nofail/guard.toml";

/// Exit code of `nofail guard ask` that stops the wrapped command. Any other failure means that
/// nofail is broken, and the command goes on.
pub const REFUSED: u8 = 77;

/// The wrapper script. It fails open: a nofail that is missing, killed or confused stops nobody.
pub fn script(nofail: &str) -> String {
    format!(
        r#"#!/bin/sh
# nofail guard: asks before this host goes down, then runs the real command.
# Removed by: nofail guard uninstall. Passed by: the real command's full path.
name=${{0##*/}}
real=
for directory in /usr/sbin /sbin /usr/bin /bin; do
    if [ -x "$directory/$name" ]; then real=$directory/$name; break; fi
done
if [ -z "$real" ]; then echo "nofail guard: there is no $name beside this wrapper" >&2; exit 127; fi
# Quickly past whatever cannot take the host down.
case $name in
systemctl | init | telinit | kexec)
    down=
    for word in "$@"; do
        case $word in
        reboot* | poweroff* | halt* | kexec* | soft-reboot* | rescue* | emergency* | shutdown* | runlevel* | ctrl-alt-del* | isolate | -e | --exec | 0 | 1 | 6 | s | S) down=1 ;;
        esac
    done
    [ -n "$down" ] || exec "$real" "$@"
    ;;
esac
{nofail} guard ask -- "$name" "$@"
code=$?
case $code in
0) ;;
{REFUSED}) exit 1 ;;
*)
    echo "nofail guard: nofail itself is broken (exit code $code): nothing was checked, $name goes on" >&2
    logger -p auth.crit -t nofail-guard "nofail is broken (exit code $code): $name went on unchecked" 2>/dev/null
    ;;
esac
exec "$real" "$@"
"#
    )
}

fn hold_unit(nofail: &str) -> String {
    format!(
        "# Written by nofail guard install.\n\
         [Unit]\n\
         Description=nofail guard: blocks logind's ways down while they would not be safe\n\
         After=systemd-logind.service\n\n\
         [Service]\n\
         ExecStart={nofail} guard hold\n\
         Restart=on-failure\n\
         RestartSec=30\n\
         TimeoutStopSec=5\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

fn pressed_unit(nofail: &str) -> String {
    format!(
        "# Written by nofail guard install.\n\
         [Unit]\n\
         Description=nofail guard: Ctrl-Alt-Del was pressed\n\
         DefaultDependencies=no\n\n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={nofail} guard pressed\n\
         TimeoutStartSec=60\n"
    )
}

/// Overrides the alias of reboot.target (systemd.special(7)). Bound to its service, so that it is
/// down again for the next press.
const TARGET: &str = "# Written by nofail guard install.\n\
    [Unit]\n\
    Description=Ctrl-Alt-Del, guarded by nofail\n\
    DefaultDependencies=no\n\
    BindsTo=nofail-guard-ctrl-alt-del.service\n\
    After=nofail-guard-ctrl-alt-del.service\n\
    RefuseManualStart=no\n";

fn settings(site: Option<&str>, host: Option<&str>) -> String {
    let mut text =
        "# Written by nofail guard install: what the guard reads before the host goes down.\n"
            .to_owned();
    for (key, value) in [("site", site), ("host", host)] {
        if let Some(value) = value {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            text.push_str(&format!("{key} = \"{quoted}\"\n"));
        }
    }
    text
}

fn proposal(act: Act) -> Proposal {
    Proposal {
        act,
        rules: Vec::new(),
        safe: true,
    }
}

fn write(path: &str, content: String, mode: u32) -> Proposal {
    proposal(Act::Write {
        path: path.to_owned(),
        content: content.into_bytes(),
        mode,
    })
}

fn run<const N: usize>(argv: [&str; N], undo: Again) -> Proposal {
    proposal(Act::Run(Run {
        command: Command::new(argv),
        undo,
        seconds: 60,
        ..Run::default()
    }))
}

/// What an installation does, in order. `systemd` where the host runs it.
pub fn install(
    nofail: &str,
    site: Option<&str>,
    host: Option<&str>,
    systemd: bool,
) -> Vec<Proposal> {
    let mut all = vec![
        write(SETTINGS, settings(site, host), 0o644),
        write(SCRIPT, script(nofail), 0o755),
        write(UNITS[0], hold_unit(nofail), 0o644),
        write(UNITS[1], pressed_unit(nofail), 0o644),
        write(UNITS[2], TARGET.to_owned(), 0o644),
    ];
    for name in COMMANDS {
        all.push(proposal(Act::Link {
            path: format!("{WRAPPERS}/{name}"),
            target: SCRIPT.to_owned(),
        }));
    }
    if systemd {
        all.push(run(["systemctl", "daemon-reload"], Again::Last));
        let undo = vec![Command::new([
            "systemctl",
            "disable",
            "--now",
            "nofail-guard.service",
        ])];
        all.push(run(
            ["systemctl", "enable", "--now", "nofail-guard.service"],
            Again::By(undo),
        ));
    }
    all
}

/// What taking it away does: only the paths that are `there` and ours.
pub fn uninstall(there: &[String], systemd: bool) -> Vec<Proposal> {
    let mut all = Vec::new();
    let unit = there.iter().any(|p| p == UNITS[0]);
    if systemd && unit {
        let undo = vec![Command::new([
            "systemctl",
            "enable",
            "--now",
            "nofail-guard.service",
        ])];
        all.push(run(
            ["systemctl", "disable", "--now", "nofail-guard.service"],
            Again::By(undo),
        ));
    }
    for path in there {
        all.push(proposal(Act::Remove { path: path.clone() }));
    }
    if systemd && unit {
        all.push(run(["systemctl", "daemon-reload"], Again::Last));
    }
    all
}

/// Every path that an installation makes.
pub fn paths() -> Vec<String> {
    let mut all: Vec<String> = COMMANDS.iter().map(|c| format!("{WRAPPERS}/{c}")).collect();
    all.extend(UNITS.iter().map(|u| (*u).to_owned()));
    all.push(SCRIPT.to_owned());
    all.push(SETTINGS.to_owned());
    all
}
