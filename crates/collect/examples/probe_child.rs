//! The probe child alone, for tests of `collect`: `nofail probe-child` without the rest.

use std::process::ExitCode;

fn main() -> ExitCode {
    collect::probe::child_main().unwrap_or_else(|| {
        eprintln!("usage: probe_child probe-child");
        ExitCode::from(2)
    })
}
