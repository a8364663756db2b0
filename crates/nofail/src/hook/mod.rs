//! nofail as libvirt's hook: each port of a starting guest gets its VLANs.
//!
//! Two processes. The first is the one that libvirt waits for ([`supervise`]): it reads standard
//! input, makes the second ([`fork`], [`worker`]), waits for its answer no longer than the deadline,
//! and ends. The second reads site.toml and talks to the kernel; either can block beyond any signal's
//! reach (a dead server below a path, another's hold of the kernel's RTNL lock), and is then left
//! behind. Once it has answered it leaves its notes in the journal and in the recorder ([`events`]).
//!
//! Nothing is ever written to standard output: libvirt would take it for new XML at `migrate` and
//! `restore`. Nothing asks libvirt: it waits for us. Neither process starts threads or a runtime.

pub mod events;
pub mod fork;
pub mod layout;
pub mod phase;
pub mod probe;
pub mod record;
pub mod script;
pub mod supervise;
pub mod verify;
pub mod worker;

use std::error::Error;
use std::process::ExitCode;

/// The tag in the journal.
pub const IDENTIFIER: &str = "nofail-hook";

/// Where `nofail hook install` puts the site's intent.
pub const SITE: &str = "/etc/nofail/site.toml";

/// To be called first thing in `main`: where this process is the hook, does all of it and returns
/// the exit code; else `None`. The rest of the command line is not even built.
pub fn early_main() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let first = words.next()?;
    if first != "hook" || words.next()? != "run" {
        return None;
    }
    // What stands after `--` is libvirt's.
    let asks_for_help = |word: &std::ffi::OsString| word == "--help" || word == "-h";
    let mut own = words.take_while(|word| word != "--");
    if !own.any(|word| asks_for_help(&word)) {
        return Some(supervise::main());
    }
    None
}

/// An error with its causes, in one line.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
