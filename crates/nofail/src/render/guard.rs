//! The guard's words for a person.

use super::boot::item;
use super::plans::indented;
use super::style::{Style, paint};
use watch::guard::{Act, Assessment, Verdict, lines};

/// The verdict in its five lines.
pub fn text(act: Act, found: &Assessment) -> String {
    let mut out = String::new();
    let style = match found.verdict {
        Verdict::Go => Style::Green,
        Verdict::Losses | Verdict::Unknown => Style::Yellow,
        Verdict::Unsafe => Style::Red,
    };
    for (at, line) in lines(act, found).iter().enumerate() {
        let shown = if at == 0 {
            paint(style, line)
        } else {
            line.clone()
        };
        item(&mut out, "", &shown);
    }
    out
}

/// The steps of an installation or its removal.
pub fn steps(steps: &[String]) -> String {
    let mut out = String::new();
    for step in steps {
        // Diffs and commands, as they are: a line that is broken anew is another command.
        indented(&mut out, step);
    }
    out
}

/// What stands.
pub fn status(parts: &[(&'static str, bool, String)], systemd: Option<u32>) -> String {
    let mut out = String::new();
    for (part, stands, detail) in parts {
        let mark = if *stands {
            paint(Style::Green, "yes")
        } else {
            paint(Style::Yellow, "no ")
        };
        item(&mut out, &format!("  {mark}  {part:<13}"), detail);
    }
    let root = match systemd {
        Some(version) if version >= 257 => {
            "systemd 257 and later: the inhibitor holds root too, unless -i is given"
        }
        Some(_) => {
            "before systemd 257 the inhibitor holds other users, desktops and the power key, not root"
        }
        None => "systemd's version is not known",
    };
    item(&mut out, "  ", root);
    item(
        &mut out,
        "  ",
        "asked by nobody: commands by their full path, --force --force, kexec -e by its path, sysrq, Ctrl-Alt-Del again and again, the BMC",
    );
    out
}
