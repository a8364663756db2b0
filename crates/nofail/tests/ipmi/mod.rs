//! OpenIPMI's `ipmi_sim` as a BMC.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server on loopback; gone when dropped.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its administrator's password.
pub const PASSWORD: &str = "lab-secret-4711";

/// Writes a file with a mode.
pub fn file(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Starts a simulator, with serial over LAN (to a port that nobody serves) or without, and waits
/// until it answers. Its cipher suites are 0 to 11: OpenIPMI's lanserv 2.0.33 knows HMAC-SHA1 and
/// -MD5 only, so that suite 17 (HMAC-SHA256) can never be taken there, only asked for in vain.
pub fn start(dir: &Path, serial: bool) -> (Server, u16) {
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    (start_at(dir, serial, None, ("127.0.0.1", port)), port)
}

/// The same at an address, in a network namespace.
pub fn start_at(dir: &Path, serial: bool, namespace: Option<&str>, place: (&str, u16)) -> Server {
    launch(dir, serial, namespace, place, "")
}

/// One on a port of one's own, with more lines for its board (ipmi_sim_cmd(5)).
pub fn start_with(dir: &Path, port: u16, board: &str) -> Server {
    launch(dir, false, None, ("127.0.0.1", port), board)
}

fn launch(
    dir: &Path,
    serial: bool,
    namespace: Option<&str>,
    (address, port): (&str, u16),
    more: &str,
) -> Server {
    let rights = ["callback", "user", "operator", "admin"]
        .map(|right| format!("    allowed_auths_{right} none md2 md5 straight\n"))
        .concat();
    let sol = if serial {
        "  sol \"tcp:127.0.0.1:1\" 115200\n"
    } else {
        ""
    };
    let lan = format!(
        "name \"lab\"\nset_working_mc 0x20\n  startlan 1\n    addr {address} {port}\n    priv_limit admin\n\
         {rights}    guid 0fa110000000400080000000000000b3\n  endlan\n  startnow false\n{sol}\
         \x20 user 1 true \"\" \"\" user 10 none md2 md5 straight\n\
         \x20 user 2 true \"admin\" \"{PASSWORD}\" admin 10 none md2 md5 straight\n"
    );
    file(&dir.join("lan.conf"), &lan, 0o600);
    let board = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n\
                 sel_enable 0x20 1000 0x0a\n";
    let board = format!("{board}{more}mc_enable 0x20\n");
    file(&dir.join("board.emu"), &board, 0o600);
    std::fs::create_dir_all(dir.join("sim-state")).unwrap();
    let mut words = vec!["ipmi_sim"];
    if let Some(namespace) = namespace {
        words.splice(0..0, ["ip", "netns", "exec", namespace]);
    }
    let child = Command::new(words[0])
        .args(&words[1..])
        .args(["-c", "lan.conf", "-f", "board.emu", "-s", "sim-state", "-n"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ipmi_sim (Debian package openipmi)");
    let server = Server(child);
    std::thread::sleep(Duration::from_millis(500));
    server
}
