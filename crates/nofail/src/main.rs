//! nofail keeps one failure from becoming an outage on KVM/libvirt hosts.
//!
//! A thin `main`: `cli/` has one file per command, `render/` what a person sees, `wire/` the
//! versioned JSON, `input` where a command reads from.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the disposable child that touches what may hang, and libvirt's hook,
    // for which a guest waits.
    collect::probe::child_main()
        .or_else(nofail::hook::early_main)
        .unwrap_or_else(nofail::cli::main)
}
