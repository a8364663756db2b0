//! Redfish over HTTPS (DSP0266, DSP0268): the service root without login, then the one system,
//! its manager and their serial console.

use super::{Credentials, Target, clock};
use facts::bmc::check::{Answer, Check, State};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Longest answer that is read.
const LARGEST: u64 = 4 << 20;

pub(super) fn check(
    target: &Target,
    to: SocketAddr,
    credentials: Result<&Credentials, &str>,
    probe_weak: bool,
    deadline: Duration,
    check: &mut Check,
) {
    let agent = match agent(target, deadline) {
        Ok(agent) => agent,
        Err(why) => {
            check.reachable = Answer::not_checked(why);
            return;
        }
    };
    let scheme = if target.plain { "http" } else { "https" };
    let service = Service {
        agent,
        base: format!("{scheme}://{to}"),
        credentials: None,
    };
    match service.get("/redfish/v1/") {
        Ok(root) => {
            let version = root["RedfishVersion"].as_str();
            check.reachable = match version {
                Some(version) => Answer::good(format!("it speaks Redfish {version}")),
                None => Answer::bad("what answers there is no Redfish service"),
            };
        }
        Err(error) => check.reachable = Answer::bad(error.text()),
    }
    if check.reachable.state != State::Good {
        return;
    }
    match credentials {
        Err(why) => check.login = Answer::not_checked(why),
        Ok(credentials) => {
            let service = Service {
                credentials: Some(credentials.clone()),
                ..service.clone()
            };
            session(&service, check);
        }
    }
    if probe_weak {
        for (user, password) in [("root", "calvin"), ("admin", "admin"), ("ADMIN", "ADMIN")] {
            let service = Service {
                credentials: Some(Credentials {
                    user: user.to_owned(),
                    password: password.to_owned(),
                }),
                ..service.clone()
            };
            let let_in = service.get("/redfish/v1/Systems").is_ok();
            check
                .weak
                .push((format!("a factory password of {user}"), let_in));
        }
    }
}

fn session(service: &Service, check: &mut Check) {
    let systems = match service.get("/redfish/v1/Systems") {
        Ok(systems) => systems,
        Err(Failure::Status(status @ (401 | 403))) => {
            check.login = Answer::bad(format!("user or password are wrong (HTTP {status})"));
            return;
        }
        Err(error) => {
            check.login = Answer::bad(error.text());
            return;
        }
    };
    check.login = Answer::good("basic authentication");
    let members = links(&systems["Members"]);
    let system = match members.as_slice() {
        [one] => service.get(one),
        [] => Err(Failure::Other("it knows of no system".to_owned())),
        several => Err(Failure::Other(format!(
            "it rules {} systems, and which one is this host cannot be told",
            several.len()
        ))),
    };
    let system = match system {
        Ok(system) => system,
        Err(error) => {
            check.power = Answer::bad(error.text());
            return;
        }
    };
    check.power = match system["PowerState"].as_str() {
        Some(state) => Answer::good(state.to_lowercase()),
        None => Answer::bad("it does not tell whether the host has power"),
    };
    let managers = links(&system["Links"]["ManagedBy"]);
    let manager = managers.first().map(|path| service.get(path));
    let manager = match manager {
        Some(Ok(manager)) => manager,
        Some(Err(error)) => {
            let why = format!("its manager cannot be read: {}", error.text());
            check.clock = Answer::not_checked(why);
            Value::Null
        }
        None => {
            check.clock = Answer::not_checked("it names no manager");
            Value::Null
        }
    };
    check.console = console(&system["SerialConsole"], &manager["SerialConsole"]);
    if !manager.is_null() {
        check.clock = match manager["DateTime"].as_str() {
            Some(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => clock(time.as_second(), text),
                Err(_) => Answer::not_checked(format!("its time cannot be read: {text}")),
            },
            None => Answer::not_checked("its manager does not tell its time"),
        };
    }
}

/// A system's console names services (ComputerSystem 1.13 and later); a manager's its types.
fn console(system: &Value, manager: &Value) -> Answer {
    let services: Vec<&str> = ["SSH", "IPMI", "Telnet"]
        .into_iter()
        .filter(|name| system[name]["ServiceEnabled"].as_bool() == Some(true))
        .collect();
    if !services.is_empty() {
        return Answer::good(format!("serial console over {}", services.join(", ")));
    }
    match manager["ServiceEnabled"].as_bool() {
        Some(true) => {
            let types: Vec<&str> = manager["ConnectTypesSupported"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            Answer::good(format!("serial console ({})", types.join(", ")))
        }
        Some(false) => Answer::bad("its serial console is switched off"),
        None if system.is_object() => Answer::bad("its serial console is switched off"),
        None => Answer::not_checked("it does not tell of a serial console"),
    }
}

fn links(list: &Value) -> Vec<String> {
    let link = |member: &Value| member["@odata.id"].as_str().map(str::to_owned);
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(link)
        .collect()
}

/// Certificates are checked against those of the system, or the one that site.toml names.
fn agent(target: &Target, deadline: Duration) -> Result<ureq::Agent, String> {
    let roots = match &target.certificate {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let reads = |error| format!("cannot read {}: {error}", path.display());
            let mut pem = Vec::new();
            std::fs::OpenOptions::new()
                .read(true)
                .open(path)
                .and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut pem))
                .map_err(reads)?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|error| format!("{} is no certificate: {error}", path.display()))?;
            RootCerts::new_with_certs(&[certificate])
        }
    };
    let tls = TlsConfig::builder()
        .root_certs(roots)
        .disable_verification(!target.verify)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Ok(ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(deadline * 3))
        .http_status_as_error(false)
        // A redirect would carry the password elsewhere, a proxy would see it.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build()
        .into())
}

#[derive(Clone)]
struct Service {
    agent: ureq::Agent,
    base: String,
    credentials: Option<Credentials>,
}

enum Failure {
    Status(u16),
    Other(String),
}

impl Failure {
    fn text(&self) -> String {
        match self {
            Self::Status(status) => format!("it answers with HTTP {status}"),
            Self::Other(text) => text.clone(),
        }
    }
}

impl Service {
    /// One resource. Only paths below `/redfish/` are asked for, whatever a link says.
    fn get(&self, path: &str) -> Result<Value, Failure> {
        if !path.starts_with("/redfish/") {
            return Err(Failure::Other(format!(
                "it links to {path}, which is not its own"
            )));
        }
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(credentials) = &self.credentials {
            let both = format!("{}:{}", credentials.user, credentials.password);
            request = request.header(
                "Authorization",
                format!("Basic {}", base64(both.as_bytes())),
            );
        }
        let mut answer = request
            .header("Accept", "application/json")
            .call()
            .map_err(|error| Failure::Other(format!("no answer: {error}")))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(Failure::Status(status));
        }
        let text = answer
            .body_mut()
            .with_config()
            .limit(LARGEST)
            .read_to_string()
            .map_err(|error| Failure::Other(format!("its answer cannot be read: {error}")))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::Other(format!("its answer is no JSON: {error}")))
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let of = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for n in 0..4 {
            let six = (bits >> (18 - 6 * n)) & 63;
            let letter = ALPHABET.get(six as usize).copied().unwrap_or(b'=');
            text.push(if n <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn base64_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn consoles() {
        let ssh = json!({"SSH": {"ServiceEnabled": true}, "IPMI": {"ServiceEnabled": false}});
        assert_eq!(console(&ssh, &Value::Null).seen, "serial console over SSH");
        let manager = json!({"ServiceEnabled": true, "ConnectTypesSupported": ["IPMI", "SSH"]});
        assert_eq!(
            console(&Value::Null, &manager).seen,
            "serial console (IPMI, SSH)"
        );
        let off = json!({"ServiceEnabled": false});
        assert_eq!(console(&Value::Null, &off).state, State::Bad);
        assert_eq!(console(&Value::Null, &Value::Null).state, State::NotChecked);
    }
}
