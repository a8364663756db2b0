//! Programs of a root file system run apart from this machine: in name spaces of their own, over a copy that is
//! thrown away.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::process;
use crate::tools;

/// Shell commands that give `$own`, an empty directory, a writable copy of the root `$root` at `$own/root`, with
/// what programs expect of the kernel in it but `/proc`. For a mount name space of one's own; needs root.
pub const OVERLAY: &str = r#"
mount -t tmpfs none "$own"
mkdir "$own/upper" "$own/work" "$own/root"
mount -t overlay none -o "lowerdir=$root,upperdir=$own/upper,workdir=$own/work" "$own/root"
mount --bind /dev "$own/root/dev"
mount -t sysfs none "$own/root/sys"
mount -t cgroup2 none "$own/root/sys/fs/cgroup"
mount -t tmpfs -o mode=1777 none "$own/root/run"
"#;

/// What a script has for itself beside its mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// Nothing.
    Mounts,
    /// Its network, and its processes, which end with it. systemd takes that for a container.
    All,
}

/// Runs a shell script in name spaces of its own, with `$root` and an empty directory `$own`, and gives
/// what it printed.
///
/// # Errors
/// Where it fails or does not end within `limit`.
pub fn run(root: &Path, apart: Apart, script: &str, limit: Duration) -> Result<String> {
    tools::require(&["/usr/bin/unshare"])?;
    let own = tempfile::tempdir()?;
    let script = format!("set -e\nroot=$1 own=$2\n{script}");
    let (root, own) = (root.to_string_lossy(), own.path().to_string_lossy());
    let spaces: &[&str] = match apart {
        Apart::Mounts => &["--mount", "--propagation", "private"],
        Apart::All => &[
            "--mount",
            "--propagation",
            "private",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
        ],
    };
    let rest = ["sh", "-c", &script, "sh", &root, &own];
    process::run_text("/usr/bin/unshare", &[spaces, &rest].concat(), limit)
}
