//! Whole command-line sessions: `testdata/sessions/*.trycmd`, one file per subject.
//! `TRYCMD=overwrite cargo test -p nofail --test sessions` writes what the program says now.

#[test]
fn sessions() {
    // What this machine knows of its BMCs is none of theirs. The cases run when `cases` is dropped, before it.
    let state = tempfile::tempdir().expect("a temporary directory");
    let cases = trycmd::TestCases::new();
    cases
        .case("../../testdata/sessions/*.trycmd")
        .env("NOFAIL_STATE_DIR", state.path().display().to_string())
        .env("NO_COLOR", "1")
        .env("RUST_BACKTRACE", "0");
}
