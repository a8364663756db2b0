//! The guard before the reboot button: what a command line would do to the host ([`act`]), what it
//! would cost ([`Assessment`]), and whether it may go on ([`decide`]). Pure; the files that stand in
//! its way on a host are in [`install`].
//!
//! It never locks anyone out: an override is always possible and recorded, and where nofail itself
//! cannot say, the command goes on.

pub mod install;
pub mod peers;
#[cfg(test)]
mod tests;

/// What a command would do to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Reboot, by whatever way.
    Reboot,
    /// Power off or halt.
    PowerOff,
    /// Leave for rescue or emergency mode, which stops the guests' services.
    Rescue,
}

impl Act {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::PowerOff => "power off",
            Self::Rescue => "rescue mode",
        }
    }
}

/// What a command line does to the host; `None` where it does not take it down.
///
/// By systemctl(1), shutdown(8), halt(8), kexec(8), telinit(8).
pub fn act(name: &str, args: &[String]) -> Option<Act> {
    let has = |flags: &[&str]| args.iter().any(|a| flags.contains(&a.as_str()));
    if has(&["--help", "-h"]) && name != "shutdown" || has(&["--help", "--version"]) {
        return None;
    }
    match name {
        // -w only writes to wtmp.
        "reboot" | "poweroff" | "halt" if has(&["-w", "--wtmp-only"]) => None,
        "reboot" if has(&["-p", "--poweroff"]) => Some(Act::PowerOff),
        "poweroff" | "halt" if has(&["--reboot"]) => Some(Act::Reboot),
        "reboot" => Some(Act::Reboot),
        "poweroff" | "halt" => Some(Act::PowerOff),
        // -c cancels, -k only warns, --show tells what is planned.
        "shutdown" if has(&["-c", "-k", "--show"]) => None,
        "shutdown" if has(&["-r", "--reboot"]) => Some(Act::Reboot),
        "shutdown" => Some(Act::PowerOff),
        "kexec" if has(&["-e", "--exec"]) => Some(Act::Reboot),
        "telinit" | "init" => args.iter().find_map(|a| match a.as_str() {
            "0" => Some(Act::PowerOff),
            "6" => Some(Act::Reboot),
            "1" | "s" | "S" => Some(Act::Rescue),
            _ => None,
        }),
        "systemctl" => systemctl(args),
        _ => None,
    }
}

fn systemctl(args: &[String]) -> Option<Act> {
    // Options whose value is the next word.
    const WITH_VALUE: [&str; 14] = [
        "-t",
        "-p",
        "-P",
        "-H",
        "-M",
        "-s",
        "-n",
        "-o",
        "--type",
        "--property",
        "--host",
        "--machine",
        "--root",
        "--when",
    ];
    let mut words = Vec::new();
    let mut skip = false;
    for arg in args {
        if std::mem::take(&mut skip) {
            continue;
        }
        // Another host or a container goes down, not this one.
        if matches!(arg.as_str(), "-H" | "-M" | "--user")
            || arg.starts_with("--host")
            || arg.starts_with("--machine")
        {
            return None;
        }
        skip = WITH_VALUE.contains(&arg.as_str());
        if !arg.starts_with('-') {
            words.push(arg.as_str());
        }
    }
    let target = |units: &[&str]| units.iter().find_map(|unit| target(unit));
    match words.split_first()? {
        (&"reboot" | &"kexec" | &"soft-reboot", _) => Some(Act::Reboot),
        (&"poweroff" | &"halt", _) => Some(Act::PowerOff),
        (&"rescue" | &"emergency", _) => Some(Act::Rescue),
        (&"isolate" | &"start", units) => target(units),
        _ => None,
    }
}

fn target(unit: &str) -> Option<Act> {
    match unit.strip_suffix(".target").unwrap_or(unit) {
        "reboot" | "kexec" | "soft-reboot" | "runlevel6" | "ctrl-alt-del" => Some(Act::Reboot),
        "poweroff" | "halt" | "shutdown" | "runlevel0" => Some(Act::PowerOff),
        "rescue" | "emergency" | "runlevel1" => Some(Act::Rescue),
        _ => None,
    }
}

/// How dear it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing of weight is lost.
    Go,
    /// Something is lost for the time of the reboot.
    Losses,
    /// The host may not come back, or a service is lost for good.
    Unsafe,
    /// It could not be found out.
    Unknown,
}

impl Verdict {
    /// Its word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Losses => "losses",
            Self::Unsafe => "unsafe",
            Self::Unknown => "unknown",
        }
    }

    /// The exit code of `nofail guard check`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Go => 0,
            Self::Losses => 1,
            Self::Unknown => 2,
            Self::Unsafe => 3,
        }
    }
}

/// What is known of the host before it goes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The host.
    pub host: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Guests that run and would die.
    pub healthy: Vec<String>,
    /// Guests that are ill: paused, crashed, neither running nor off.
    pub ill: Vec<String>,
    /// Reasons, the weightiest first.
    pub reasons: Vec<String>,
    /// What to do instead.
    pub instead: Vec<String>,
    /// Whether the host runs on a UPS's battery: then going down in order is the safe thing.
    pub on_battery: bool,
}

/// At most five lines for the person at the keyboard.
pub fn lines(act: Act, found: &Assessment) -> Vec<String> {
    let mut lines = Vec::new();
    let word = match found.verdict {
        Verdict::Go => "safe",
        Verdict::Losses => "safe, with losses",
        Verdict::Unsafe => "UNSAFE",
        Verdict::Unknown => "could not be judged",
    };
    lines.push(format!(
        "nofail guard: {} of {} now: {word}",
        act.name(),
        found.host
    ));
    let count = found.healthy.len();
    let guests = if count == 1 {
        "healthy guest"
    } else {
        "healthy guests"
    };
    match (count, found.ill.as_slice()) {
        (0, _) => {}
        (_, []) => lines.push(format!(
            "{count} {guests} would die: {}; is one of them ill? try: nofail triage GUEST",
            few(&found.healthy)
        )),
        (_, ill) => lines.push(format!(
            "{count} {guests} would die to cure {}; try: nofail triage {}",
            ill.len(),
            ill[0]
        )),
    }
    let told = |reason: &&String| !reason.contains("running guest");
    lines.extend(found.reasons.iter().filter(told).take(2).cloned());
    lines.extend(found.instead.first().map(|text| format!("instead: {text}")));
    lines.truncate(5);
    lines
}

fn few(names: &[String]) -> String {
    const MOST: usize = 6;
    let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    let more = names.len().saturating_sub(MOST);
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

/// Who stands at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A person at a terminal; what they typed as host name and reason, once asked.
    Person(Option<(String, String)>),
    /// A script, without an override.
    Script,
    /// `NOFAIL_OVERRIDE='HOST: reason'` in the environment.
    Override(String),
}

/// Whether the command goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Go,
    /// It goes on although it is not safe, for this reason.
    Overridden(String),
    /// It goes on since nofail could not say; this is told and recorded.
    Open(String),
    /// The person must be asked for the host's name and a reason.
    Ask,
    /// It does not go on, and why.
    Refuse(String),
}

/// Decides.
pub fn decide(found: &Assessment, asker: &Asker) -> Decision {
    if found.verdict == Verdict::Go || found.on_battery {
        return Decision::Go;
    }
    if found.verdict == Verdict::Unknown {
        let why = found.reasons.first().cloned().unwrap_or_default();
        return Decision::Open(why);
    }
    match asker {
        Asker::Person(None) => Decision::Ask,
        Asker::Person(Some((host, reason))) => matched(&found.host, host, reason),
        Asker::Override(text) => match text.split_once(':') {
            Some((host, reason)) => matched(&found.host, host, reason),
            None => Decision::Refuse(format!(
                "NOFAIL_OVERRIDE must name this host and a reason: '{}: why'",
                found.host
            )),
        },
        Asker::Script => Decision::Refuse(format!(
            "nobody to ask here; to go on all the same: NOFAIL_OVERRIDE='{}: why' before the command",
            found.host
        )),
    }
}

/// Whether what was typed is this host's name (its first label is enough) and a reason.
fn matched(host: &str, typed: &str, reason: &str) -> Decision {
    let short = |name: &str| name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    if typed.trim().is_empty() || short(typed.trim()) != short(host) {
        return Decision::Refuse(format!(
            "this host is {host}, not `{}`: is this the right window?",
            typed.trim()
        ));
    }
    if reason.trim().is_empty() {
        return Decision::Refuse(
            "a reason is needed, for whoever reads the record tomorrow".to_owned(),
        );
    }
    Decision::Overridden(reason.trim().to_owned())
}
