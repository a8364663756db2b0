//! The process that libvirt waits for: reads its input, has the work done, ends in time.

use super::fork::{self, Side};
use super::phase::{self, Deed, Phase};
use super::record::Call;
use super::worker::Job;
use super::{IDENTIFIER, events, probe};
use crate::cli::hook::{Policy, RunArgs};
use change::log::{Entry, Priority};
use clap::{Args, FromArgMatches};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// No domain XML is larger.
const MAX_INPUT: usize = 16 << 20;
/// What the worker may say.
const MAX_ANSWER: u64 = 16 << 10;
/// The second process ends a little earlier than we do, so that its own word is heard.
const HEAD_START: Duration = Duration::from_millis(50);

/// `nofail hook run`: reads the command line and does the work.
pub fn main() -> ExitCode {
    let began = Instant::now();
    let words = std::env::args_os().skip(2);
    let command = RunArgs::augment_args(clap::Command::new("nofail hook run"));
    let parsed = command
        .try_get_matches_from(words)
        .and_then(|matches| RunArgs::from_arg_matches(&matches));
    match parsed {
        Ok(args) => run(&args, began),
        Err(error) => {
            let text = error.to_string();
            let message = format!("wrong command line: {}", text.replace('\n', " "));
            log(Priority::Error, message);
            // Told to libvirt only where it asks: by an exit code that stops the guest's start,
            // which a spelling mistake must not do.
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
    }
}

fn log(priority: Priority, message: String) {
    Entry {
        priority,
        identifier: IDENTIFIER,
        message,
        fields: Vec::new(),
    }
    .send();
}

fn run(args: &RunArgs, began: Instant) -> ExitCode {
    let end = began + args.deadline;
    let call = Call {
        object: args.object.clone(),
        operation: args.operation.clone(),
    };
    probe::mark(&args.object, &args.operation);
    let phase = phase::of(&args.operation, &args.sub_operation);
    if phase.deed == Deed::Note {
        let said = format!("{} {}", args.operation, args.sub_operation);
        call.entry(Priority::Debug, &said).send();
        return ExitCode::SUCCESS;
    }
    let done = input(end)
        .map_err(|error| format!("standard input: {error}"))
        .and_then(|xml| work(args, phase, &xml, end, &call));
    let (reason, logged) = match done {
        Ok(answer) => match answer.strip_prefix("unmet\n") {
            None => return ExitCode::SUCCESS,
            Some(reason) => (reason.to_owned(), true),
        },
        Err(reason) => (reason, false),
    };
    let blocks = phase.may_block && args.policy == Policy::Block;
    let what = if blocks {
        "the plan for its VLANs cannot be met, and the policy blocks it"
    } else {
        "the plan for its VLANs cannot be met; it goes on, by policy"
    };
    if !logged || blocks {
        let message = format!("{what}: {reason}");
        call.entry(Priority::Error, &message).send();
    }
    if !logged {
        record(&call, &reason);
    }
    if !blocks {
        return ExitCode::SUCCESS;
    }
    // libvirt shows this to whoever started the guest.
    let text = format!("nofail hook: {}: {what}: {reason}\n", args.object);
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Waits until there is something to read, or the time is over.
fn readable(fd: &impl AsFd, end: Instant) -> io::Result<()> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "out of time")),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Standard input to its end.
fn input(end: Instant) -> io::Result<Vec<u8>> {
    let stdin = rustix::stdio::stdin();
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        readable(&stdin, end)?;
        let length = match rustix::io::read(stdin, buffer.as_mut_slice()) {
            Ok(0) => return Ok(all),
            Ok(length) => length,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(error) => return Err(error.into()),
        };
        all.extend_from_slice(&buffer[..length]);
        if all.len() > MAX_INPUT {
            return Err(io::Error::other("larger than 16 MiB"));
        }
    }
}

/// Has the work done by a second process. Its answer: `met`, or `unmet`, a line feed and why.
fn work(
    args: &RunArgs,
    phase: Phase,
    xml: &[u8],
    end: Instant,
    call: &Call,
) -> Result<String, String> {
    let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let (mut ours, mut theirs) = UnixStream::pair().map_err(failed("cannot make a socket"))?;
    let number = match fork::split().map_err(failed("cannot start a second process"))? {
        Side::First(number) => number,
        Side::Second => {
            drop(ours);
            let job = Job {
                end: end.checked_sub(HEAD_START).unwrap_or(end),
                site: &args.site,
                deed: phase.deed,
                call: call.clone(),
            };
            let done = job.run(xml);
            // The ports are as they will be; what is left is telling, which may take its time.
            fork::outlive();
            let answer = match done.unmet.as_slice() {
                [] => "met".to_owned(),
                reasons => format!("unmet\n{}", reasons.join("; ")),
            };
            let _ = theirs.write_all(answer.as_bytes());
            drop(theirs);
            done.tell(call);
            fork::end();
        }
    };
    // So that its end is seen.
    drop(theirs);
    let answer = answer(&mut ours, end).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => format!(
            "no answer within {} s; the second process ({number}) is left behind",
            args.deadline.as_secs_f32(),
        ),
        _ => error.to_string(),
    })?;
    match answer.as_str() {
        // It broke before it could say anything.
        "" => Err("the second process ended without an answer".to_owned()),
        _ => Ok(answer),
    }
}

/// Has an event recorded that the second process cannot record. Where that cannot be done, the
/// journal has it.
fn record(call: &Call, reason: &str) {
    if let Ok(Side::Second) = fork::apart() {
        events::record(vec![events::unmet(call, reason)]);
        fork::end();
    }
}

fn answer(stream: &mut UnixStream, end: Instant) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        readable(stream, end)?;
        let length = stream.read(&mut buffer)?;
        if length == 0 || bytes.len() as u64 > MAX_ANSWER {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        bytes.extend_from_slice(&buffer[..length]);
    }
}
