//! Places where a test kills the process. Compiled only with debug assertions: no released
//! program looks at the variable.

/// Counts this place; the one whose number stands in `NOFAIL_KILL_AT` ends the process as
/// `kill -9` would.
#[cfg(debug_assertions)]
pub(crate) fn hit() {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let at = AT.get_or_init(|| std::env::var("NOFAIL_KILL_AT").ok()?.parse().ok());
    if *at == Some(SEEN.fetch_add(1, Ordering::SeqCst) + 1) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing in a released program.
#[cfg(not(debug_assertions))]
pub(crate) fn hit() {}
