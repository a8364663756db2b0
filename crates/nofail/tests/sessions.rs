//! Whole command-line sessions: `testdata/sessions/*.trycmd`, one file per subject.
//! `TRYCMD=overwrite cargo test -p nofail --test sessions` writes what the program says now.

#[test]
fn sessions() {
    trycmd::TestCases::new()
        .case("../../testdata/sessions/*.trycmd")
        .env("NO_COLOR", "1")
        .env("RUST_BACKTRACE", "0");
}
