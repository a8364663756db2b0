//! The first way: a static copy of nofail is sent, run once, and removed.

use super::{Remote, RemoteError};
use facts::Snapshot;

/// What came of it.
pub(super) enum Sent {
    /// It ran.
    Snapshot(Box<Snapshot>),
    /// It could not run there, and why.
    CannotRun(String),
}

/// Exit codes of the script below, beyond those of the program.
pub(super) const NO_PLACE: i32 = 97;
pub(super) const OTHER_MACHINE: i32 = 98;

pub(super) fn collect(remote: &Remote, address: &str) -> Result<Sent, RemoteError> {
    let path = remote
        .program
        .clone()
        .unwrap_or_else(|| "/proc/self/exe".into());
    let program = match std::fs::read(&path) {
        Ok(program) => program,
        Err(error) => {
            let reason = format!("cannot read {}: {error}", path.display());
            return Ok(Sent::CannotRun(reason));
        }
    };
    if !is_static(&program) {
        return Ok(Sent::CannotRun(
            "this nofail is not a static binary".to_owned(),
        ));
    }
    // The directory is 0700 and its name cannot be guessed; it goes away however this ends.
    let script = format!(
        r#"[ "$(uname -m)" = {machine} ] || exit {OTHER_MACHINE}
d=$(mktemp -d) || exit {NO_PLACE}
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$d/nofail" && chmod 700 "$d/nofail" || exit {NO_PLACE}
"$d/nofail" --format json collect --deadline {deadline} </dev/null"#,
        machine = std::env::consts::ARCH,
        deadline = remote.probe_deadline.as_secs_f64(),
    );
    let answer = remote.run(address, &script, &program)?;
    match answer.code {
        0 => {}
        NO_PLACE => return Ok(Sent::CannotRun("no place for a file there".to_owned())),
        OTHER_MACHINE => return Ok(Sent::CannotRun("another architecture".to_owned())),
        // sh: 126 found but not executable (noexec), 127 not found.
        126 | 127 => {
            return Ok(Sent::CannotRun(format!(
                "cannot run there: {}",
                answer.said
            )));
        }
        code => {
            let said = if answer.said.is_empty() {
                format!("ended with {code}")
            } else {
                answer.said
            };
            return Err(RemoteError::Answer(said));
        }
    }
    let text = String::from_utf8(answer.stdout)
        .map_err(|_| RemoteError::Answer("not UTF-8".to_owned()))?;
    let mut snapshot =
        Snapshot::from_json(&text).map_err(|error| RemoteError::Answer(error.to_string()))?;
    "ssh, nofail sent".clone_into(&mut snapshot.reader);
    Ok(Sent::Snapshot(Box::new(snapshot)))
}

/// Whether a 64-bit ELF program asks for no interpreter (elf(5): no `PT_INTERP` header).
pub(super) fn is_static(program: &[u8]) -> bool {
    let number = |at: usize, length: usize| -> Option<usize> {
        let bytes = program.get(at..at + length)?;
        let fold = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(bytes.iter().rev().fold(0, fold))
    };
    // EI_CLASS 64 bit, EI_DATA little endian.
    if program.get(..6) != Some(b"\x7fELF\x02\x01") {
        return false;
    }
    let headers = (|| Some((number(32, 8)?, number(54, 2)?, number(56, 2)?)))();
    let Some((offset, size, count)) = headers else {
        return false;
    };
    (0..count).all(|index| {
        const PT_INTERP: usize = 3;
        number(offset.saturating_add(index * size), 4).is_some_and(|kind| kind != PT_INTERP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_is_not_sent() {
        assert!(!is_static(&std::fs::read("/bin/sh").unwrap()));
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(b"\x7fELF\x02\x01"));
    }
}
