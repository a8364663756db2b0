//! The process behind nofail-guard.service: a block inhibitor at logind, held while going down would
//! not be safe.
//!
//! What it gives (systemd-inhibit(1), systemd#949): it stops users other than root, desktops and
//! the power key; from systemd 257 on root's `systemctl reboot` too, unless `-i` is given.

use super::assess::{self, Settings};
use crate::cli::Exit;
use std::process::{Child, Stdio};
use std::time::Duration;
use watch::guard::{Act, Verdict, lines};

/// How often the host is judged again.
const PAUSE: Duration = Duration::from_secs(60);

/// Runs until it is ended.
///
/// # Errors
/// systemd-inhibit cannot be started.
pub fn hold() -> anyhow::Result<Exit> {
    let mut held: Option<Child> = None;
    loop {
        let found = assess::within_deadline(&Settings::read_or(None, None));
        let wanted =
            matches!(found.verdict, Verdict::Losses | Verdict::Unsafe) && !found.on_battery;
        // One that ended by itself (logind restarted) is taken again.
        if held
            .as_mut()
            .is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
        {
            held = None;
        }
        match (&mut held, wanted) {
            (None, true) => {
                let why = lines(Act::Reboot, &found).into_iter().nth(1);
                held = Some(inhibit(
                    &why.unwrap_or_else(|| "see nofail guard check".to_owned()),
                )?);
            }
            (Some(child), false) => {
                let _ = child.kill();
                let _ = child.wait();
                held = None;
            }
            _ => {}
        }
        std::thread::sleep(PAUSE);
    }
}

fn inhibit(why: &str) -> anyhow::Result<Child> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a child that lives as long as the block is wanted; it has no deadline"
    )]
    let child = std::process::Command::new("systemd-inhibit")
        .args(["--what=shutdown", "--mode=block", "--who=nofail guard"])
        .arg(format!("--why={why}"))
        .args(["sleep", "infinity"])
        .stdin(Stdio::null())
        .spawn()?;
    Ok(child)
}
