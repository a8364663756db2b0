//! `nofail.hook-install/1`, `nofail.hook-uninstall/1` and `nofail.hook-verify/1`.

use serde::Serialize;

/// `nofail hook install` and `nofail hook uninstall`.
#[derive(Debug, Serialize)]
pub struct Installed {
    /// The schema.
    pub schema: &'static str,
    /// Whether something was changed.
    pub applied: bool,
    /// The plan in the journal, for `nofail rollback`.
    pub plan: Option<String>,
    /// What was or would be done: diffs and commands.
    pub steps: Vec<String>,
    /// What remains for the administrator.
    pub notes: Vec<String>,
    /// Whether the daemon has to look for hooks again.
    pub reload: Option<Reload>,
}

/// The daemon that has to look for hooks again.
#[derive(Debug, Serialize)]
pub struct Reload {
    /// Its name.
    pub daemon: String,
    /// The command.
    pub command: String,
    /// Whether it was run.
    pub done: bool,
}

impl Installed {
    /// Nothing done yet.
    pub fn new(schema: &'static str) -> Self {
        Self {
            schema,
            applied: false,
            plan: None,
            steps: Vec::new(),
            notes: Vec::new(),
            reload: None,
        }
    }
}

/// `nofail hook verify`.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The schema.
    pub schema: &'static str,
    /// The host.
    pub host: String,
    /// `yes`, `no`, `unknown`.
    pub fires: &'static str,
    /// What shows it.
    pub proof: Option<String>,
    /// Why it does not, in plain words.
    pub cause: Option<String>,
    /// What else is wrong.
    pub also: Vec<String>,
    /// What was looked at and is in order.
    pub ruled_out: Vec<String>,
    /// What could not be looked at.
    pub not_checked: Vec<String>,
    /// The scripts.
    pub scripts: Vec<String>,
    /// The guests that run.
    pub guests: Vec<GuestRow>,
}

/// A guest that runs.
#[derive(Clone, Debug, Serialize)]
pub struct GuestRow {
    /// Its name.
    pub guest: String,
    /// When it was started, seconds since 1970.
    pub started_at: Option<i64>,
    /// When the hook last left a trace for it, RFC 3339.
    pub last_fired: Option<String>,
    /// What the trace says.
    pub said: Option<String>,
    /// Its ports that have a plan: what the hook would look at.
    pub ports: Vec<PortRow>,
}

/// A port of a guest that runs.
#[derive(Clone, Debug, Serialize)]
pub struct PortRow {
    /// Device name.
    pub port: String,
    /// What it has.
    pub has: String,
    /// What it should have: PVID.
    pub pvid: Option<u16>,
    /// What it should have: tagged VLANs.
    pub tagged: Vec<u16>,
    /// Whether it has it.
    pub right: bool,
}

impl Verified {
    /// Nothing known yet.
    pub fn new(host: &str) -> Self {
        Self {
            schema: "nofail.hook-verify/1",
            host: host.to_owned(),
            fires: "unknown",
            proof: None,
            cause: None,
            also: Vec::new(),
            ruled_out: Vec::new(),
            not_checked: Vec::new(),
            scripts: Vec::new(),
            guests: Vec::new(),
        }
    }
}
