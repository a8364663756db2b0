//! IPMI over LAN: one packet of our own to see that a BMC is there, then `ipmitool -I lanplus`.

use super::{Credentials, clock};
use crate::command::{self, CommandError};
use facts::bmc::check::{Answer, Check, State};
use facts::bmc::lan;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Cipher suites in order: 17 (SHA256), then 3 (SHA1), the only ones worth a password (IPMI 2.0,
/// table 22-20, and its errata E7).
const CIPHERS: [&str; 2] = ["17", "3"];

/// Factory passwords, one attempt each.
const FACTORY: [(&str, &str, &str); 4] = [
    ("ADMIN", "ADMIN", "the factory password of ADMIN"),
    ("admin", "admin", "the password admin of admin"),
    ("root", "calvin", "the factory password of root"),
    ("USERID", "PASSW0RD", "the factory password of USERID"),
];

pub(super) fn check(
    to: SocketAddr,
    credentials: Result<&Credentials, &str>,
    probe_weak: bool,
    deadline: Duration,
    check: &mut Check,
) {
    check.reachable = reachable(to, deadline);
    if check.reachable.state != State::Good {
        return;
    }
    match credentials {
        Err(why) => check.login = Answer::not_checked(why),
        Ok(credentials) => session(to, credentials, deadline, check),
    }
    if probe_weak {
        weak(to, credentials.ok(), deadline, check);
    }
}

/// Asks for the authentication capabilities, which needs no login.
fn reachable(to: SocketAddr, deadline: Duration) -> Answer {
    const TRIES: u32 = 3;
    let ask = || -> std::io::Result<Result<lan::Capabilities, &'static str>> {
        let any: SocketAddr = if to.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(to)?;
        socket.set_read_timeout(Some((deadline / TRIES).max(Duration::from_millis(50))))?;
        let mut packet = [0; 512];
        let mut last = None;
        for _ in 0..TRIES {
            socket.send(&lan::REQUEST)?;
            match socket.recv(&mut packet) {
                Ok(length) => return Ok(lan::parse(packet.get(..length).unwrap_or(&[]))),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| std::io::ErrorKind::TimedOut.into()))
    };
    match ask() {
        Ok(Ok(told)) if told.version_2 => Answer::good("it speaks IPMI 2.0"),
        Ok(Ok(_)) => {
            Answer::bad("it speaks IPMI 1.5 only: no encryption, no serial console over LAN")
        }
        Ok(Err(what)) => Answer::bad(what),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ) =>
        {
            Answer::bad(format!("no answer from {to} (UDP) within {deadline:?}"))
        }
        Err(error) => Answer::bad(format!("no answer from {to} (UDP): {error}")),
    }
}

fn session(to: SocketAddr, credentials: &Credentials, deadline: Duration, check: &mut Check) {
    let mut cipher = None;
    for suite in CIPHERS {
        match ipmitool(
            to,
            suite,
            &credentials.user,
            &credentials.password,
            &["chassis", "power", "status"],
            deadline,
        ) {
            Ok(said) => {
                check.login = Answer::good(format!("cipher suite {suite}"));
                check.power = power(&said);
                cipher = Some(suite);
                break;
            }
            Err(CommandError::Failed { stderr, .. }) if no_such_suite(&stderr) => {}
            Err(CommandError::Failed { stderr, .. }) => {
                // The next suite would be another wrong password towards the lock.
                check.login = Answer::bad(format!(
                    "no session with cipher suite {suite}: {}: user or password are wrong, or the \
                     user may not use this channel",
                    stderr
                        .lines()
                        .last()
                        .unwrap_or("no reason given")
                        .trim_start_matches("Error: ")
                ));
                return;
            }
            Err(error) => {
                check.login = Answer::not_checked(error.to_string());
                return;
            }
        }
    }
    let Some(cipher) = cipher else {
        check.login = Answer::bad("it takes neither cipher suite 17 nor 3");
        return;
    };
    let ask = |words: &[&str]| {
        ipmitool(
            to,
            cipher,
            &credentials.user,
            &credentials.password,
            words,
            deadline,
        )
    };
    check.console = match ask(&["sol", "info"]) {
        Ok(said) => console(&said),
        Err(error) => Answer::bad(format!("no serial over LAN: {}", reason(&error))),
    };
    check.clock = match ask(&["sel", "time", "get"]) {
        Ok(said) => sel_time(said.trim()),
        Err(error) => Answer::not_checked(reason(&error)),
    };
}

fn power(said: &str) -> Answer {
    match said.trim() {
        "Chassis Power is on" => Answer::good("on"),
        "Chassis Power is off" => Answer::good("off"),
        other => Answer::bad(format!("it does not tell: {other}")),
    }
}

/// `Enabled                         : true`.
fn console(said: &str) -> Answer {
    let value = |key: &str| {
        said.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim())
        })
    };
    match value("Enabled") {
        Some("true") => Answer::good(match value("Non-Volatile Bit Rate (kbps)") {
            Some(rate) => format!("serial over LAN, {rate} kbit/s"),
            None => "serial over LAN".to_owned(),
        }),
        Some(_) => Answer::bad("serial over LAN is switched off: ipmitool sol set enabled true"),
        None => Answer::bad("it does not tell of serial over LAN"),
    }
}

/// `11/22/2026 23:47:17` or `11/22/26 23:47:17 UTC`, taken as UTC unless the time zone fits better;
/// `S+ …` is a clock that was never set, seconds since its start.
fn sel_time(said: &str) -> Answer {
    if said.starts_with("S+") || said.contains("Pre-Init") {
        return Answer::bad(format!("its clock was never set ({said})"));
    }
    // ipmitool 1.8.19 appends the time zone's name, and writes the date as the locale does (%x): in
    // the C locale with two digits for the year.
    let mut words = said.split_whitespace();
    let (date, time) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let parsed = ["%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S"]
        .iter()
        .filter(|format| format.contains("%Y") == (date.len() == "11/22/2026".len()))
        .find_map(|format| jiff::civil::DateTime::strptime(format, format!("{date} {time}")).ok())
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
    match parsed {
        // BMCs count local time or UTC, and the log does not say which: whole quarters of an hour
        // up to a day are a time zone.
        Some(time) => {
            let off = time.timestamp().as_second() - jiff::Timestamp::now().as_second();
            let zone = (off as f64 / 900.0).round() as i64 * 900;
            if zone != 0 && zone.abs() <= 14 * 3600 && (off - zone).abs() <= 60 {
                return Answer::good(format!(
                    "{said}, local time of {:+} h",
                    zone as f64 / 3600.0
                ));
            }
            clock(time.timestamp().as_second(), said)
        }
        None => Answer::not_checked(format!("its time cannot be read: {said}")),
    }
}

/// Cipher suite 0 lets anybody in with any password; factory passwords let everybody in who reads.
fn weak(to: SocketAddr, credentials: Option<&Credentials>, deadline: Duration, check: &mut Check) {
    let status: &[&str] = &["chassis", "power", "status"];
    let user = credentials.map_or("admin", |c| c.user.as_str());
    let mut tried = |what: String, suite: &str, user: &str, password: &str| {
        if let Ok(_) | Err(CommandError::Failed { .. }) =
            ipmitool(to, suite, user, password, status, deadline)
                .map(|_| check.weak.push((what.clone(), true)))
                .inspect_err(|e| {
                    if matches!(e, CommandError::Failed { .. }) {
                        check.weak.push((what.clone(), false));
                    }
                })
        {}
    };
    tried(
        "cipher suite 0 and any password".to_owned(),
        "0",
        user,
        "no-such-password",
    );
    for (user, password, what) in FACTORY {
        tried(what.to_owned(), "3", user, password);
    }
}

/// The BMC does not know the cipher suite: told before any password is tried.
fn no_such_suite(stderr: &str) -> bool {
    let said = stderr.to_lowercase();
    said.contains("cipher suite")
        || said.contains("invalid authentication algorithm")
        || said.contains("invalid integrity algorithm")
        || said.contains("invalid confidentiality algorithm")
}

fn reason(error: &CommandError) -> String {
    match error {
        CommandError::Failed { stderr, .. } => stderr
            .lines()
            .next()
            .unwrap_or("no reason given")
            .to_owned(),
        other => other.to_string(),
    }
}

fn ipmitool(
    to: SocketAddr,
    suite: &str,
    user: &str,
    password: &str,
    words: &[&str],
    deadline: Duration,
) -> Result<String, CommandError> {
    let (address, port) = (to.ip().to_string(), to.port().to_string());
    let mut args = vec![
        "-I", "lanplus", "-C", suite, "-H", &address, "-p", &port, "-U", user, "-E", "-N", "1",
        "-R", "1",
    ];
    args.extend(words);
    let variables = [("IPMI_PASSWORD", password), ("IPMITOOL_PASSWORD", password)];
    // Its own time-outs are a second each; a BMC that hangs in the middle meets the deadline.
    let done = command::run_with("ipmitool", &args, &variables, &[], deadline * 3)?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(CommandError::Failed {
        line: format!("ipmitool {}", args.join(" ")),
        status: done.status,
        stderr: done.stderr,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        assert_eq!(sel_time("S+ 04:01:57").state, State::Bad);
        assert_eq!(sel_time("01/01/1970 00:12:00").state, State::Bad);
        let now = jiff::Timestamp::now();
        let shown = |time: jiff::Timestamp| {
            time.to_zoned(jiff::tz::TimeZone::UTC)
                .strftime("%m/%d/%Y %H:%M:%S")
                .to_string()
        };
        assert_eq!(sel_time(&shown(now)).state, State::Good);
        assert_eq!(sel_time(&format!("{} UTC", shown(now))).state, State::Good);
        let short = now.to_zoned(jiff::tz::TimeZone::UTC);
        let short = short.strftime("%m/%d/%y %H:%M:%S UTC").to_string();
        assert_eq!(sel_time(&short).state, State::Good);
        assert_eq!(sel_time("01/01/20 00:00:00 UTC").state, State::Bad);
        let local = now + jiff::SignedDuration::from_hours(2);
        assert!(sel_time(&shown(local)).seen.contains("local time of +2 h"));
        let off = now + jiff::SignedDuration::from_secs(2000);
        assert_eq!(sel_time(&shown(off)).state, State::Bad);
        assert_eq!(sel_time("nonsense").state, State::NotChecked);
    }

    #[test]
    fn consoles() {
        let said = "Set in progress                 : set-complete\nEnabled                         : true\n\
                    Non-Volatile Bit Rate (kbps)    : 115.2\n";
        assert_eq!(console(said).seen, "serial over LAN, 115.2 kbit/s");
        assert_eq!(console("Enabled   : false\n").state, State::Bad);
        assert_eq!(console("").state, State::Bad);
    }

    #[test]
    fn a_suite_that_is_not_there_costs_no_password() {
        assert!(no_such_suite(
            "Error in open session response message : invalid authentication algorithm\n"
        ));
        assert!(no_such_suite(
            "Error in open session response message : no matching cipher suite"
        ));
        assert!(!no_such_suite(
            "Error: Unable to establish IPMI v2 / RMCP+ session"
        ));
    }
}
