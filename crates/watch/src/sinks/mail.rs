//! Mail over SMTP with TLS.

use super::book::Batch;
use super::names::Finder;
use super::{DEADLINE, Failure, Teller, text};
use change::error::chain;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) struct Mail {
    host: String,
    port: u16,
    tls: Security,
    credentials: Option<Credentials>,
    certificate: Option<Certificate>,
    from: Mailbox,
    to: Vec<Mailbox>,
    finder: Finder,
}

#[derive(Clone, Copy, PartialEq)]
enum Security {
    /// TLS from the first byte (RFC 8314).
    Wrapped,
    /// STARTTLS, without which nothing is sent.
    Started,
    /// None; for a relay on this host.
    None,
}

impl Mail {
    pub(super) fn new(
        url: &str,
        from: &str,
        to: &[String],
        password: Option<&Path>,
        ca: Option<&Path>,
        finder: Finder,
    ) -> Result<Self, Failure> {
        let (tls, port, rest) = if let Some(rest) = url.strip_prefix("smtps://") {
            (Security::Wrapped, 465, rest)
        } else if let Some(rest) = url.strip_prefix("smtp+plain://") {
            (Security::None, 25, rest)
        } else if let Some(rest) = url.strip_prefix("smtp://") {
            (Security::Started, 587, rest)
        } else {
            return Err(format!(
                "`{url}` begins neither with smtps://, smtp:// nor smtp+plain://"
            ));
        };
        let (user, place) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(user, place)| (Some(user), place));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, text)) if !text.ends_with(']') => (
                host,
                text.parse().map_err(|_| format!("`{text}` is no port"))?,
            ),
            _ => (place, port),
        };
        let mailbox = |text: &str| {
            text.parse::<Mailbox>()
                .map_err(|e| format!("`{text}` is no mail address: {e}"))
        };
        if to.is_empty() {
            return Err("nobody to write to".to_owned());
        }
        let credentials = match (user, password) {
            (Some(user), Some(file)) => Some(Credentials::new(user.to_owned(), secret(file)?)),
            (Some(_), None) => return Err("a user needs a password_file".to_owned()),
            (None, _) => None,
        };
        if credentials.is_some() && tls == Security::None {
            return Err("a password is not sent without TLS".to_owned());
        }
        let certificate = ca
            .map(|file| {
                let pem = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
                Certificate::from_pem(&pem).map_err(|e| format!("{}: {e}", file.display()))
            })
            .transpose()?;
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            credentials,
            certificate,
            from: mailbox(from)?,
            to: to.iter().map(|t| mailbox(t)).collect::<Result<_, _>>()?,
            finder,
        })
    }

    fn transport(&self, address: IpAddr) -> Result<SmtpTransport, Failure> {
        let parameters = || {
            let mut builder = TlsParameters::builder(self.host.clone());
            if let Some(certificate) = &self.certificate {
                builder = builder.add_root_certificate(certificate.clone());
            }
            builder.build_rustls().map_err(|e| format!("TLS: {e}"))
        };
        let tls = match self.tls {
            Security::Wrapped => Tls::Wrapper(parameters()?),
            Security::Started => Tls::Required(parameters()?),
            Security::None => Tls::None,
        };
        // The address is ours to find; the certificate is checked against the name.
        let mut builder = SmtpTransport::builder_dangerous(address.to_string())
            .port(self.port)
            .tls(tls)
            .timeout(Some(DEADLINE));
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(builder.build())
    }
}

/// A password from a file that only its owner may read.
fn secret(file: &Path) -> Result<String, Failure> {
    let failed = |e: std::io::Error| format!("{}: {e}", file.display());
    let mode = std::fs::metadata(file)
        .map_err(failed)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{} is readable by others: chmod 600 it",
            file.display()
        ));
    }
    Ok(std::fs::read_to_string(file)
        .map_err(failed)?
        .trim_end()
        .to_owned())
}

impl Teller for Mail {
    fn tell(&mut self, host: &str, batch: &Batch) -> Result<(), Failure> {
        let ids = batch.raised.iter().chain(&batch.notes).map(|i| i.id);
        let ids = ids.chain(batch.cleared.iter().map(|(i, _)| -i.id));
        // The same batch has the same ID: a reader shows it once even where we were killed
        // between sending and remembering.
        let id = ids.map(|id| id.to_string()).collect::<Vec<_>>().join(".");
        let id = if id.is_empty() {
            jiff::Timestamp::now().as_second().to_string()
        } else {
            id
        };
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(text::title(host, batch))
            .message_id(Some(format!(
                "<nofail.{}@{host}>",
                &id[..id.len().min(200)]
            )))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        let message = message
            .body(text::body(host, batch))
            .map_err(|e| e.to_string())?;
        let mut failure = String::new();
        for address in self.finder.find(&self.host)? {
            match self.transport(address)?.send(&message) {
                Ok(_) => return Ok(()),
                // The server spoke: another address of it says the same.
                Err(e) if e.is_permanent() || e.is_transient() => {
                    return Err(format!("mail: {}", chain(&e)));
                }
                Err(e) => failure = format!("mail: {address}: {}", chain(&e)),
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let to = ["root@example.org".to_owned()];
        let new = |url: &str, from: &str, to: &[String]| {
            Mail::new(url, from, to, None, None, Finder::default()).err()
        };
        assert_eq!(new("smtps://10.0.0.1", "a@b.c", &to), None);
        assert_eq!(new("smtp+plain://127.0.0.1:1025", "a@b.c", &to), None);
        assert!(new("10.0.0.1", "a@b.c", &to).unwrap().contains("smtps://"));
        assert!(
            new("smtp://u@10.0.0.1", "a@b.c", &to)
                .unwrap()
                .contains("password_file")
        );
        assert!(
            new("smtp://10.0.0.1:x", "a@b.c", &to)
                .unwrap()
                .contains("port")
        );
        assert!(
            new("smtp://10.0.0.1", "nobody", &to)
                .unwrap()
                .contains("nobody")
        );
        assert!(new("smtp://10.0.0.1", "a@b.c", &[]).is_some());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Mail::new(
            "smtp://u@10.0.0.1",
            "a@b.c",
            &to,
            Some(file.path()),
            None,
            Finder::default(),
        )
        .err()
        .unwrap();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
