//! A real sshd for tests.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A real sshd on a loopback port of its own, with keys of its own; gone when dropped.
pub struct Sshd {
    child: Child,
    /// Keys and configuration: `ssh_config` is the client's.
    pub dir: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status();
    assert!(status.unwrap().success(), "{program} {args:?}");
}

/// Starts one.
pub fn sshd() -> Sshd {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for key in ["host", "user"] {
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", &path(key)],
        );
    }
    std::fs::copy(path("user.pub"), path("authorized_keys")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    std::fs::create_dir_all("/run/sshd").unwrap();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\n\
         PermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\nSetEnv HOME={}\n",
        path("host"),
        path("authorized_keys"),
        // What this machine's root has its shell do at a login is not the test's.
        dir.path().display()
    );
    std::fs::write(path("sshd_config"), config).unwrap();
    let client = format!(
        "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n\
         StrictHostKeyChecking accept-new\n",
        path("user"),
        path("known_hosts")
    );
    std::fs::write(path("ssh_config"), client).unwrap();
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", &path("sshd_config")])
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd (Debian package openssh-server)");
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "sshd does not listen"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Sshd { child, dir, port }
}
