//! The board's management controller of a machine: OpenIPMI's `ipmi_sim` on a loopback port, whose
//! power commands act on that machine's QEMU.
//!
//! The simulator calls a script for each power command; the script hands it over a loopback
//! connection to a thread here, which has its own QMP connection. "Off" is a machine that was
//! reset and stands still: what it had not written is lost, as without power.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::channel::Channel;
use crate::machine::Machine;
use crate::nfs::free_port;
use crate::process::{Guard, Guarded, run_text};
use crate::tools;

/// The simulator.
const SIMULATOR: &str = "/usr/bin/ipmi_sim";

/// User with administrator's rights.
pub const USER: &str = "admin";

/// That user's password.
pub const PASSWORD: &str = "lab-secret";

/// A running BMC; silent when dropped.
#[derive(Debug)]
pub struct Bmc {
    simulator: Guarded,
    /// UDP port of 127.0.0.1.
    pub port: u16,
    end: Arc<AtomicBool>,
    inner_port: u16,
    thread: Option<JoinHandle<()>>,
    _dir: TempDir,
}

impl Bmc {
    /// Gives `machine` a BMC.
    ///
    /// # Errors
    /// Where a tool is missing or the simulator does not answer within 10 seconds.
    pub fn of(machine: &Machine) -> Result<Self> {
        tools::require(&[SIMULATOR, "/usr/bin/ipmitool", "/usr/bin/unshare"])?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut qmp = Channel::connect(&machine.dir().join("qmp-bmc"), "QEMU", deadline)?;
        qmp.execute("qmp_capabilities", Value::Null, deadline)?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let inner_port = listener.local_addr()?.port();
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // A failed answer shows as a failed power command at the caller's ipmitool.
                let _ = answer(stream, &mut qmp);
            }
        });
        let dir = tempfile::Builder::new().prefix("nofail-bmc-").tempdir()?;
        let port = free_port()?;
        let at = dir.path().display();
        let script = format!(
            "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/{inner_port} || exit 1\n\
             echo \"$*\" >&3\nread -r answer <&3\necho \"$answer\"\n[ \"$answer\" != failed ]\n"
        );
        let chassis = dir.path().join("chassis");
        fs::write(&chassis, script)?;
        fs::set_permissions(&chassis, fs::Permissions::from_mode(0o755))?;
        let rights = ["callback", "user", "operator", "admin"]
            .map(|right| format!("    allowed_auths_{right} none md2 md5 straight\n"))
            .concat();
        let lan = format!(
            "name \"lab\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n\
             \x20   priv_limit admin\n{rights}    guid 0fa110000000400080000000000000b3\n  endlan\n\
             \x20 chassis_control \"{at}/chassis\"\n  startnow false\n\
             \x20 user 1 true \"\" \"\" user 10 none md2 md5 straight\n\
             \x20 user 2 true \"{USER}\" \"{PASSWORD}\" admin 10 none md2 md5 straight\n"
        );
        fs::write(dir.path().join("lan.conf"), lan)?;
        let board = "mc_setbmc 0x20\n\
             mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n\
             sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
        fs::write(dir.path().join("board.emu"), board)?;
        let args: Vec<String> = ["-c", "lan.conf", "-f", "board.emu", "-s", "state", "-n"]
            .map(str::to_owned)
            .to_vec();
        let log = dir.path().join("simulator.log");
        fs::create_dir(dir.path().join("state"))?;
        let simulator = Guarded::start_in(Guard::Family, SIMULATOR, &args, &log, &[], dir.path())?;
        let bmc = Self {
            simulator,
            port,
            end,
            inner_port,
            thread: Some(thread),
            _dir: dir,
        };
        while let Err(error) = bmc.ipmitool(&["mc", "info"]) {
            if Instant::now() > deadline {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(error.context(format!("the BMC does not answer: {log}")));
            }
        }
        Ok(bmc)
    }

    /// Runs `ipmitool` against it, as an administrator does.
    ///
    /// # Errors
    /// Where the command fails or takes over 10 seconds.
    pub fn ipmitool(&self, command: &[&str]) -> Result<String> {
        let port = self.port.to_string();
        let mut args = vec!["-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", &port];
        args.extend(["-N", "1", "-R", "2", "-U", USER, "-P", PASSWORD]);
        args.extend(command);
        run_text("/usr/bin/ipmitool", &args, Duration::from_secs(10))
    }

    /// Makes it silent for good, as a BMC that hangs.
    pub fn kill(&mut self) {
        self.simulator.kill();
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        self.simulator.kill();
        self.end.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.inner_port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Does one power command: `get power`, `set power 0|1`, `set reset 1`, `set shutdown 1`.
fn answer(stream: TcpStream, qmp: &mut Channel) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let reply = power(&words, qmp).unwrap_or_else(|_| "failed".to_owned());
    let mut stream = stream;
    writeln!(stream, "{reply}")?;
    Ok(())
}

/// The simulator's script protocol (ipmi_lan(5), `chassis_control`).
fn power(words: &[&str], qmp: &mut Channel) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut ask = |command: &str| qmp.execute(command, Value::Null, deadline);
    match words {
        ["get", "power"] => {
            let status = ask("query-status")?;
            let running = status["running"].as_bool().context("QEMU told no status")?;
            return Ok(format!("power:{}", u8::from(running)));
        }
        ["set", "power", "0"] => {
            ask("stop")?;
            ask("system_reset")?;
        }
        ["set", "power", "1"] => {
            ask("cont")?;
        }
        ["set", "reset", ..] => {
            ask("system_reset")?;
        }
        ["set", "shutdown", ..] => {
            ask("system_powerdown")?;
        }
        _ => bail!("no such power command: {}", words.join(" ")),
    }
    Ok(String::new())
}
