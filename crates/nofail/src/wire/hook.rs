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
