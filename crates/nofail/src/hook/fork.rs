//! The second process: made by fork(2) alone, without loading the program a second time.
//!
//! Loading it anew costs more than all the work: its 20 MB are mapped again, and each page that
//! holds an address is written to (`perf trace -F all` shows some hundred page faults).

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use std::io;

/// What fork(2) returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The process that goes on, and the number of the other.
    First(i32),
    /// The new process.
    Second,
}

/// Splits this process in two. The second one dies with the first, until it says [`outlive`]; it
/// keeps no standard stream, for which libvirt would wait.
///
/// # Errors
/// There is no room for another process, or this one has threads.
pub fn split() -> io::Result<Side> {
    let first = getpid();
    let side = apart()?;
    if side == Side::Second {
        // What was not done in time must not be done later: a port may be another guest's by then.
        let bound = set_parent_process_death_signal(Some(Signal::KILL));
        // The first one may have ended before.
        if bound.is_err() || getppid() != Some(first) {
            end();
        }
    }
    Ok(side)
}

/// As [`split`], but the second one lives on when the first one ends, however soon that is.
///
/// # Errors
/// As [`split`].
pub fn apart() -> io::Result<Side> {
    // `.`, `..` aside: one directory for each thread, each a link of this one (proc(5)).
    let tasks = rustix::fs::stat("/proc/self/task")?.st_nlink;
    if tasks != 3 {
        return Err(io::Error::other(format!("{} threads run", tasks - 2)));
    }
    #[expect(
        unsafe_code,
        reason = "the standard library starts no process without loading a program"
    )]
    // SAFETY: this process has one thread, as was just seen, so that fork(2) copies it whole: no
    // lock is held by a thread that is missing in the copy.
    let number = unsafe { libc::fork() };
    match number {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        number => return Ok(Side::First(number)),
    }
    if silence().is_err() {
        end();
    }
    Ok(Side::Second)
}

/// From now on the second process lives on when the first one ends.
pub fn outlive() {
    let _ = set_parent_process_death_signal(None);
}

/// Ends the second process: nothing of the first one's may run in it.
pub fn end() -> ! {
    std::process::exit(0)
}

fn silence() -> io::Result<()> {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
