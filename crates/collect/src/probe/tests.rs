//! The prober on healthy paths, and with children that misbehave. Hung file systems need root:
//! `tests/root_probe.rs`.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn options(program: PathBuf) -> Options {
    Options {
        deadline: Duration::from_millis(500),
        probe_program: program,
    }
}

/// The example `probe_child`, which cargo builds beside the tests.
fn real() -> Prober {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples/probe_child");
    assert!(
        program.exists(),
        "{} is missing: build the examples",
        program.display()
    );
    Prober::new(&options(program))
}

fn script(dir: &std::path::Path, text: &str) -> PathBuf {
    let path = dir.join("child");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn every_question_on_a_healthy_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    std::fs::write(dir.path().join("b"), [0, 1, 254, 255]).unwrap();
    std::fs::write(dir.path().join("a \"quoted\" name"), "").unwrap();
    let mut prober = real();
    assert!(prober.stat(path).unwrap().is_dir());
    let file = format!("{path}/b");
    assert_eq!(prober.stat(&file).unwrap().size, 4);
    assert_eq!(prober.read_at(&file, 1, 100).unwrap(), [1, 254, 255]);
    let list = prober.list(path, 1).unwrap();
    assert_eq!((list.count, list.names.len()), (2, 1));
    assert_eq!(prober.peek(path, 1).unwrap().count, 1);
    assert!(prober.statvfs(path).unwrap().size > 0);
    prober.writable(path).unwrap();
    let error = prober.stat(&format!("{path}/none")).unwrap_err();
    assert!(error.is_absent(), "{error}");
    assert!(prober.list(&file, 1).unwrap_err().is_absent());
}

#[test]
fn a_child_that_is_killed_is_replaced() {
    let mut prober = real();
    prober.stat("/").unwrap();
    prober.child.as_mut().unwrap().child.kill().unwrap();
    prober.child.as_mut().unwrap().child.wait().unwrap();
    prober.stat("/").unwrap();
}

#[test]
fn a_silent_child_is_a_time_out_and_a_broken_one_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut silent = Prober::new(&options(script(dir.path(), "#!/bin/sh\nexec sleep 20\n")));
    let began = Instant::now();
    assert!(matches!(
        silent.stat("/a"),
        Err(ProbeError::NotResponding(_))
    ));
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut broken = Prober::new(&options(script(
        dir.path(),
        "#!/bin/sh\nread x; echo nonsense\n",
    )));
    assert!(matches!(broken.stat("/"), Err(ProbeError::Io(_))));
    let mut none = Prober::new(&options("/no/such/program".into()));
    assert!(
        none.stat("/")
            .unwrap_err()
            .to_string()
            .contains("/no/such/program")
    );
}

#[test]
fn hexadecimal_there_and_back() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(from_hex(&protocol::to_hex(&bytes)).unwrap(), bytes);
    assert_eq!(from_hex("0"), None);
    assert_eq!(from_hex("zz"), None);
}
