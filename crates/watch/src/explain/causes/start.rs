//! A start that failed, and of what.

use super::{Around, Cause, candidate};
use crate::explain::Candidate;
use facts::history::{Trace, What};

impl Around<'_> {
    pub(super) fn failed(&self) -> Candidate {
        let words = |w: &What| matches!(w, What::Qemu { .. } | What::DaemonError { .. });
        let said: Vec<&Trace> = self.find(10, 2, words);
        let text = |t: &Trace| match &t.what {
            What::Qemu { text } | What::DaemonError { text } => text.clone(),
            _ => String::new(),
        };
        let classified = said.iter().rev().find_map(|t| {
            let words = text(t);
            Some((failed_start(&words)?, words, *t))
        });
        match classified {
            Some((cause, words, trace)) => {
                let what = match cause {
                    Cause::StartMissingDisk => "a disk or file is not there",
                    Cause::StartMissingBridge => "the bridge or network is not there",
                    _ => "a port is taken",
                };
                candidate(
                    cause,
                    96,
                    format!("it could not be started: {what}: {}", last_words(&words)),
                )
                .seen([trace])
            }
            None => {
                let last = said
                    .last()
                    .map_or_else(String::new, |t| format!(": {}", last_words(&text(t))));
                let mut cause = candidate(
                    Cause::StartFailed,
                    if said.is_empty() { 80 } else { 90 },
                    format!("it could not be started{last}"),
                )
                .seen(said.iter().copied());
                if said.is_empty() {
                    cause = cause.but("the daemon's error of that time was not found: only libvirt's log says that the start failed");
                }
                cause
            }
        }
    }
}

/// What a start failed of, by the words of libvirt or QEMU.
fn failed_start(words: &str) -> Option<Cause> {
    let has = |any: &[&str]| any.iter().any(|w| words.contains(w));
    if has(&[
        "Address already in use",
        "Failed to find an available port",
        "Unable to find an unused port",
    ]) {
        return Some(Cause::StartPortInUse);
    }
    if has(&[
        "Cannot get interface MTU",
        "Unable to add port",
        "Unable to add bridge",
        "Network not found",
        "is not active",
    ]) && !words.contains("storage pool")
    {
        return Some(Cause::StartMissingBridge);
    }
    let missing = has(&[
        "Cannot access storage file",
        "Storage volume not found",
        "Storage pool not found",
        "Could not open",
        "Cannot access backing file",
        "storage pool",
        "cannot stat",
    ]) || (words.contains("No such file or directory") && words.contains('/'));
    missing.then_some(Cause::StartMissingDisk)
}

/// The last part of a long error.
fn last_words(words: &str) -> &str {
    const BEFORE: &str = "qemu-system";
    match words
        .find(BEFORE)
        .and_then(|at| words[at..].split_once(": "))
    {
        Some((_, rest)) => rest,
        None => words,
    }
}
