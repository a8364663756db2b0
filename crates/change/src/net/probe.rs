//! Whether the way is still there: answers to pings and connections.

use super::echo;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// One thing that must answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Whom to ask.
    pub to: To,
    /// Who that is: `the gateway`, `your end of this SSH connection`.
    pub what: String,
}

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// An echo request.
    Ping(IpAddr),
    /// A TCP connection, closed at once.
    Connect(SocketAddr),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            To::Ping(address) => write!(f, "{} ({address})", self.what),
            To::Connect(address) => write!(f, "{} ({address}, TCP)", self.what),
        }
    }
}

impl To {
    /// Reads `ADDRESS` or `ADDRESS:PORT`. No names: the resolver may be what is cut.
    ///
    /// # Errors
    /// What it should be.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Ping(address));
        }
        text.parse::<SocketAddr>()
            .map(Self::Connect)
            .map_err(|_| format!("`{text}`: an address, or address:port; no name"))
    }

    /// Asks once, within a second.
    ///
    /// # Errors
    /// No raw socket may be opened for a ping: this takes root.
    pub fn answers(self) -> Result<bool, Errno> {
        const WAIT: Duration = Duration::from_secs(1);
        match self {
            Self::Ping(address) => echo::answers(address, WAIT),
            Self::Connect(address) => Ok(TcpStream::connect_timeout(&address, WAIT).is_ok()),
        }
    }
}
