//! The health of one network mount.

use super::{ProbeError, ProbeStat, Prober};
use facts::mount::{Health, HealthState, Mount};
use rustix::io::Errno;
use std::time::Instant;

/// Probes a network mount: asks the server (statvfs), the root directory, its entries, and
/// whether writing is refused as read-only, all of it within one deadline. Gives the root's
/// metadata as well where it answered.
///
/// A read-only *export* that is mounted `rw` is seen only where the kernel answers `EROFS`: an
/// `EACCES` for root may as well be `root_squash`.
pub fn probe_mount(prober: &mut Prober, mount: &Mount) -> (Health, Option<ProbeStat>) {
    let began = Instant::now();
    let mut root = None;
    prober.together(true);
    let found = look(prober, mount, &mut root);
    prober.together(false);
    let (state, detail) = found.unwrap_or_else(|error| verdict(&error));
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    (
        Health {
            state,
            detail,
            milliseconds,
        },
        root,
    )
}

fn look(
    prober: &mut Prober,
    mount: &Mount,
    root: &mut Option<ProbeStat>,
) -> Result<(HealthState, String), ProbeError> {
    let vfs = prober.statvfs(&mount.target)?;
    *root = Some(prober.stat(&mount.target)?);
    let list = prober.peek(&mount.target, 1)?;
    if !mount.is_read_only() {
        let refused = match prober.writable(&mount.target) {
            Err(error) if error.errno() == Some(Errno::ROFS.raw_os_error()) => true,
            Err(error @ (ProbeError::NotResponding(_) | ProbeError::Stale)) => return Err(error),
            _ => vfs.read_only,
        };
        if refused {
            return Ok((
                HealthState::ReadOnly,
                "mounted rw, but writing is refused: read-only file system".to_owned(),
            ));
        }
    }
    if list.count == 0 {
        return Ok((HealthState::Empty, "answers and holds nothing".to_owned()));
    }
    Ok((HealthState::Ok, "answers".to_owned()))
}

/// What an error of a probe says of a mount.
pub fn verdict(error: &ProbeError) -> (HealthState, String) {
    let state = match error {
        ProbeError::NotResponding(_) => HealthState::NotResponding,
        ProbeError::Stale => HealthState::Stale,
        ProbeError::Io(_) => match error.errno().map(Errno::from_raw_os_error) {
            // Soft mounts, and SMB, give up by themselves.
            Some(Errno::TIMEDOUT | Errno::HOSTDOWN | Errno::HOSTUNREACH) => {
                HealthState::NotResponding
            }
            // Somebody else's FUSE mount refuses even root.
            Some(Errno::ACCESS | Errno::PERM) => HealthState::NoPermission,
            _ => HealthState::Failed,
        },
    };
    (state, error.to_string())
}
