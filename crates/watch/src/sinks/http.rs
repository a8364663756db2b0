//! One way to post over HTTP and HTTPS: with deadlines, without the C library's names.

use super::names::Finder;
use super::{DEADLINE, Failure};
use std::net::SocketAddr;
use std::sync::Arc;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// As many addresses as ureq takes.
const MOST: usize = 16;

impl Resolver for Finder {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses = self
            .find(host)
            .map_err(|why| Error::Io(std::io::Error::other(why)))?;
        let mut found = self.empty();
        for address in addresses.into_iter().take(MOST) {
            found.push(SocketAddr::new(address, port));
        }
        Ok(found)
    }
}

/// A client for one receiver.
pub(super) struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub(super) fn new(url: &str, finder: Finder) -> Result<Self, Failure> {
        let uri: Uri = url.parse().map_err(|e| format!("`{url}` is no URL: {e}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(format!("`{url}` is no http:// or https:// URL"));
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Config::builder()
            .timeout_global(Some(DEADLINE))
            .tls_config(tls)
            .user_agent(concat!("nofail/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), finder),
            url: url.to_owned(),
        })
    }

    /// Posts; anything but a success is a failure.
    pub(super) fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Failure> {
        let mut request = self.agent.post(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send(body);
        answer.map(|_| ()).map_err(|e| format!("{}: {e}", self.url))
    }
}
