//! The question itself: who asks, what they answer, and the record of it.

use super::super::rollback::origin;
use super::assess::{self, Settings};
use crate::cli::Exit;
use ::collect::command;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;
use watch::guard::install::{REFUSED, UNITS};
use watch::guard::peers::MARKER;
use watch::guard::{Act, Asker, Assessment, Decision, Verdict, act, decide, lines};
use watch::recorder::{DEFAULT_PATH, Limits};
use watch::{Event, Kind, Recorder};

/// `nofail guard ask -- COMMAND ARGS…`: ends with 0 where it may go on, with [`REFUSED`] where
/// not.
///
/// # Errors
/// None of its own: what fails is told, and the command goes on.
pub fn ask(line: &[String]) -> anyhow::Result<Exit> {
    let Some((name, args)) = line.split_first() else {
        return Ok(Exit::Good);
    };
    let Some(act) = act(name, args) else {
        return Ok(Exit::Good);
    };
    // First the marker, then the look at the others: see `watch::guard::peers`.
    let marked = act != Act::Rescue && mark().is_ok();
    let found = assess::within_deadline(&Settings::read_or(None, None));
    let shown = lines(act, &found);
    for text in &shown {
        eprintln!("{text}");
    }
    let mut asker = asker();
    let mut decision = decide(&found, &asker);
    if decision == Decision::Ask {
        asker = Asker::Person(question(&found).or(Some((String::new(), String::new()))));
        decision = decide(&found, &asker);
    }
    let typed = line.join(" ");
    record(act, &found, &decision, &typed);
    match decision {
        Decision::Go => {}
        Decision::Overridden(_) => eprintln!("nofail guard: recorded; {name} goes on"),
        Decision::Open(why) => {
            eprintln!("nofail guard: could not say ({why}): nothing was checked, {name} goes on")
        }
        Decision::Ask | Decision::Refuse(_) => {
            if let Decision::Refuse(why) = &decision {
                eprintln!("nofail guard: {name} is not run: {why}");
            }
            if marked {
                let _ = std::fs::remove_file(MARKER);
            }
            std::process::exit(i32::from(REFUSED));
        }
    }
    release();
    Ok(Exit::Good)
}

/// `nofail guard pressed`: somebody pressed Ctrl-Alt-Del at the console.
///
/// # Errors
/// The reboot cannot be started.
pub fn pressed() -> anyhow::Result<Exit> {
    let found = assess::within_deadline(&Settings::read_or(None, None));
    let decision = match decide(&found, &Asker::Script) {
        Decision::Refuse(_) => Decision::Refuse(
            "Ctrl-Alt-Del does not reboot this host now: log in and type `reboot` to be asked"
                .to_owned(),
        ),
        other => other,
    };
    let mut told = lines(Act::Reboot, &found);
    if let Decision::Refuse(why) = &decision {
        told.push(why.clone());
    }
    // On the screen in front of whoever pressed, and to those who are logged in.
    let text = told.join("\n");
    if let Ok(mut console) = OpenOptions::new().write(true).open("/dev/console") {
        let _ = write!(console, "\r\n{}\r\n", told.join("\r\n"));
    }
    let _ = command::run("wall", &[], text.as_bytes(), Duration::from_secs(5));
    record(Act::Reboot, &found, &decision, "Ctrl-Alt-Del");
    if matches!(decision, Decision::Refuse(_) | Decision::Ask) {
        return Ok(Exit::Good);
    }
    release();
    command::output(
        systemctl(),
        &["--no-block", "reboot"],
        Duration::from_secs(20),
    )?;
    Ok(Exit::Good)
}

/// The real one, not our wrapper.
pub fn systemctl() -> &'static str {
    ["/usr/bin/systemctl", "/bin/systemctl"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("systemctl")
}

/// Gives logind's inhibitor up: from systemd 257 on it would hold root's command too, although
/// it was let go here.
fn release() {
    if Path::new(UNITS[0]).exists() {
        let stopped = command::run(
            systemctl(),
            &["stop", "nofail-guard.service"],
            &[],
            Duration::from_secs(10),
        );
        if let Err(error) = stopped {
            eprintln!("nofail guard: {error}: logind may still refuse; add -i");
        }
    }
}

fn mark() -> std::io::Result<()> {
    if let Some(directory) = Path::new(MARKER).parent() {
        std::fs::create_dir_all(directory)?;
    }
    File::create(MARKER).map(|_| ())
}

fn asker() -> Asker {
    if let Some(text) = std::env::var_os("NOFAIL_OVERRIDE") {
        return Asker::Override(text.to_string_lossy().into_owned());
    }
    let person = std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && File::open("/dev/tty").is_ok();
    if person {
        Asker::Person(None)
    } else {
        Asker::Script
    }
}

/// Asks at the terminal for the host's name and a reason; `None` where the person goes away.
fn question(found: &Assessment) -> Option<(String, String)> {
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let mut answers = BufReader::new(terminal.try_clone().ok()?);
    let mut ask = |text: String| {
        write!(terminal, "{text}").ok()?;
        let mut line = String::new();
        (answers.read_line(&mut line).ok()? > 0).then(|| line.trim().to_owned())
    };
    let host = ask("To go on, type this host's name (Enter stops): ".to_owned())?;
    if host.is_empty() {
        return Some((host, String::new()));
    }
    let reason = ask(format!("And why {} must go down now: ", found.host))?;
    Some((host, reason))
}

/// Puts it into the recorder and the system's log. A record that fails stops nobody.
fn record(act: Act, found: &Assessment, decision: &Decision, line: &str) {
    let (kind, what) = match decision {
        Decision::Go => (Kind::GuardAsked, "let through".to_owned()),
        Decision::Overridden(reason) => (Kind::GuardOverridden, format!("overridden: {reason}")),
        Decision::Open(why) => (
            Kind::GuardBroken,
            format!("could not say ({why}), let through"),
        ),
        Decision::Ask => (Kind::GuardStopped, "stopped".to_owned()),
        Decision::Refuse(why) => (Kind::GuardStopped, format!("stopped: {why}")),
    };
    let by = origin(None);
    let from = if by.from.is_empty() {
        String::new()
    } else {
        format!(", {}", by.from)
    };
    let verdict = if found.verdict == Verdict::Unknown {
        "unknown"
    } else {
        found.verdict.name()
    };
    let message = format!(
        "{} by {}{from} (`{line}`), {verdict}: {what}",
        act.name(),
        by.who
    );
    let event = Event::new(
        Timestamp::now(),
        &*found.host,
        "guard",
        kind,
        &*found.host,
        &*message,
    );
    let recorded = Recorder::open(Path::new(DEFAULT_PATH), Limits::default())
        .and_then(|mut recorder| recorder.record(&[event]));
    if let Err(error) = recorded {
        eprintln!("nofail guard: not recorded: {error}");
    }
    let _ = command::run(
        "logger",
        &["-p", "auth.crit", "-t", "nofail-guard", &message],
        &[],
        Duration::from_secs(5),
    );
}
