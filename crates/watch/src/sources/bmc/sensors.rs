//! Sensors of BMCs, as ipmitool reads them: this host's own through the kernel's driver, others
//! over the network where site.toml gives their credentials.

use crate::daemon::Context;
use crate::event::{Evidence, Kind};
use change::error::chain;
use collect::bmc::Credentials;
use collect::command::{self, CommandError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Reading all sensors through a slow BMC takes its time.
const DEADLINE: Duration = Duration::from_secs(60);
/// What ipmitool prints as lines of comma-separated fields.
const LIST: [&str; 3] = ["-c", "sdr", "list"];

/// Whose sensors.
#[derive(Debug)]
pub(super) enum Whose {
    /// This host's own.
    Own,
    /// Another BMC's.
    Remote {
        host: String,
        address: SocketAddr,
        credentials: PathBuf,
    },
}

impl Whose {
    /// What sensors of several BMCs are told apart by.
    fn subject(&self, sensor: &str) -> String {
        match self {
            Self::Own => sensor.to_owned(),
            Self::Remote { host, .. } => format!("{host} {sensor}"),
        }
    }
}

/// Reads every sensor and tells those outside their limits, and when they are back.
pub(super) fn look(context: &Context, whose: &Whose) {
    // What was not read is said once, and when it can be read again.
    let subject = match whose {
        Whose::Own => "bmc sensors".to_owned(),
        Whose::Remote { host, .. } => format!("bmc sensors of {host}"),
    };
    let text = match read(whose) {
        Ok(text) => text,
        Err(why) => {
            let message = format!("cannot read them: {why}");
            context.tell_once(context.event("bmc", Kind::SourceFailed, subject, message));
            return;
        }
    };
    context.tell_once(context.event(
        "bmc",
        Kind::SourceRecovered,
        subject,
        "they can be read again",
    ));
    for (name, value, status) in parse(&text) {
        let evidence = Evidence::measured("ipmitool sdr", format!("{name}: {value}, {status}"));
        let (kind, message) = match status.as_str() {
            "ok" => (Kind::SensorOk, format!("{value}: within its limits")),
            "lnc" | "lcr" | "lnr" | "unc" | "ucr" | "unr" | "nc" | "cr" | "nr" => (
                Kind::SensorBad,
                format!("{value}: outside its limits ({})", words(&status)),
            ),
            // `ns`: no reading.
            _ => continue,
        };
        let event = context.event("bmc", kind, whose.subject(&name), message);
        context.tell_once(event.evidence(evidence));
    }
}

fn read(whose: &Whose) -> Result<String, String> {
    let output = match whose {
        Whose::Own => command::output("ipmitool", &LIST, DEADLINE).map_err(|e| chain(&e))?,
        Whose::Remote {
            address,
            credentials,
            ..
        } => {
            let secret = Credentials::from_file(credentials).map_err(|e| chain(&e))?;
            let (ip, port) = (address.ip().to_string(), address.port().to_string());
            // Cipher suite 3 is what every BMC with IPMI 2.0 has; reading needs no more than a
            // user.
            let mut args = vec![
                "-I", "lanplus", "-C", "3", "-L", "USER", "-N", "2", "-R", "2",
            ];
            args.extend(["-H", &ip, "-p", &port, "-U", &secret.user, "-E"]);
            args.extend(LIST);
            let variables = [("IPMI_PASSWORD", secret.password.as_str())];
            let done = command::run_with("ipmitool", &args, &variables, &[], DEADLINE)
                .map_err(|e: CommandError| chain(&e))?;
            if !done.status.success() {
                return Err(done.stderr.replace('\n', "; "));
            }
            done.stdout
        }
    };
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// ipmitool's short words for a state (`ipmi_sdr_get_thresh_status`).
fn words(status: &str) -> String {
    let (side, rest) = match status.split_at_checked(1) {
        Some(("l", rest)) if rest.len() == 2 => ("lower ", rest),
        Some(("u", rest)) if rest.len() == 2 => ("upper ", rest),
        _ => ("", status),
    };
    let grade = match rest {
        "nc" => "non-critical",
        "cr" => "critical",
        "nr" => "non-recoverable",
        other => other,
    };
    format!("{side}{grade}")
}

/// `Fan1,1200,RPM,ok`: name, value with its unit, status.
fn parse(text: &str) -> Vec<(String, String, String)> {
    let rows = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let (name, status) = (*fields.first()?, *fields.last()?);
        let value = fields.get(1..fields.len().checked_sub(1)?)?.join(" ");
        (!name.is_empty()).then(|| (name.to_owned(), value, status.to_owned()))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensors_of_ipmitool() {
        let all = parse("Fan1,1200,RPM,ok\nTemp,95,degrees C,ucr\nPS2,0x00,ok\nx\n\n");
        assert_eq!(all.len(), 3);
        assert_eq!(all[1], ("Temp".into(), "95 degrees C".into(), "ucr".into()));
        assert_eq!(all[2].1, "0x00");
        assert_eq!(words("ucr"), "upper critical");
        assert_eq!(words("lnc"), "lower non-critical");
        assert_eq!(words("nr"), "non-recoverable");
    }
}
