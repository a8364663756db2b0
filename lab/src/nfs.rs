//! An NFS server for the machines: nfs-ganesha on loopback, which a machine reaches as 10.0.2.2.
//!
//! It can be slow (a relay in this process delays every block), hung (stopped by a signal),
//! restarted with another file system id (stale handles), or gone.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Guard, Guarded};
use crate::tools;

/// The address under which a machine reaches this machine's loopback.
pub const ADDRESS: &str = "10.0.2.2";

/// The server's program.
const GANESHA: &str = "/usr/bin/ganesha.nfsd";

/// An NFSv4 server with some exports, gone when dropped.
#[derive(Debug)]
pub struct NfsServer {
    process: Option<Guarded>,
    relay: Relay,
    inner_port: u16,
    exports: Vec<String>,
    fsid: u32,
    dir: TempDir,
}

impl NfsServer {
    /// Starts a server that exports the empty directories `names` as `/NAME`.
    ///
    /// # Errors
    /// Where ganesha is missing or does not listen within 10 seconds.
    pub fn start(names: &[&str]) -> Result<Self> {
        tools::require(&[
            GANESHA,
            "/usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so",
            "/usr/bin/unshare",
        ])?;
        let dir = tempfile::Builder::new().prefix("nofail-nfs-").tempdir()?;
        for name in names {
            fs::create_dir_all(dir.path().join("exports").join(name))?;
        }
        fs::create_dir_all(dir.path().join("recovery"))?;
        let inner_port = free_port()?;
        let mut server = Self {
            process: None,
            relay: Relay::start(inner_port)?,
            inner_port,
            exports: names.iter().map(|name| (*name).to_owned()).collect(),
            fsid: 1,
            dir,
        };
        server.launch()?;
        Ok(server)
    }

    /// The exported directory `name` on this machine, to put files into.
    #[must_use]
    pub fn directory(&self, name: &str) -> PathBuf {
        self.dir.path().join("exports").join(name)
    }

    /// What stands in a machine's fstab as source: `10.0.2.2:/NAME`.
    #[must_use]
    pub fn source(&self, name: &str) -> String {
        format!("{ADDRESS}:/{name}")
    }

    /// Mount options that reach it: version 4.2 and the port on loopback.
    #[must_use]
    pub fn options(&self) -> String {
        format!("vers=4.2,proto=tcp,port={}", self.relay.port)
    }

    /// Delays every block in both directions by this much.
    pub fn slow(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.relay.state.delay.store(millis, Ordering::Relaxed);
    }

    /// Stops answering; connections stay open and nothing is refused.
    ///
    /// # Errors
    /// Where the server is gone.
    pub fn hang(&self) -> Result<()> {
        self.process
            .as_ref()
            .context("the NFS server is gone")?
            .signal(Signal::STOP)
    }

    /// Answers again after [`Self::hang`].
    ///
    /// # Errors
    /// Where the server is gone.
    pub fn go_on(&self) -> Result<()> {
        self.process
            .as_ref()
            .context("the NFS server is gone")?
            .signal(Signal::CONT)
    }

    /// Ends the server; connections are refused until [`Self::restart`].
    pub fn vanish(&mut self) {
        self.process = None;
        self.relay.state.cut.store(true, Ordering::Relaxed);
    }

    /// Ends and starts it; with `other_fsid` the exports get another file system id, so that what
    /// a machine has mounted becomes stale.
    ///
    /// # Errors
    /// Where it does not listen again.
    pub fn restart(&mut self, other_fsid: bool) -> Result<()> {
        self.process = None;
        if other_fsid {
            self.fsid += 1;
        }
        self.launch()?;
        self.relay.state.cut.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Starts ganesha and waits until it listens.
    fn launch(&mut self) -> Result<()> {
        let dir = self.dir.path();
        let config = dir.join("ganesha.conf");
        fs::write(&config, self.configuration())?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let log = dir.join("ganesha.log");
        let args = [
            "-F".to_owned(),
            "-f".to_owned(),
            text(&config),
            "-L".to_owned(),
            text(&log),
            "-p".to_owned(),
            text(&dir.join("pid")),
        ];
        let mut process = Guarded::start(Guard::Family, GANESHA, &args, &dir.join("output.log"))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.inner_port)).is_err() {
            if !process.alive() || Instant::now() > deadline {
                let log = fs::read_to_string(&log).unwrap_or_default();
                bail!("nfs-ganesha does not listen: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
        Ok(())
    }

    fn configuration(&self) -> String {
        let (port, dir, fsid) = (self.inner_port, self.dir.path().display(), self.fsid);
        let mut text = format!(
            "NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Bind_addr = 127.0.0.1;\n\
             \x20 Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }}\n\
             NFSV4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = \"{dir}/recovery\"; }}\n\
             NFS_KRB5 {{ Active_krb5 = false; }}\n\
             LOG {{ Default_Log_Level = WARN; }}\n"
        );
        for (index, name) in self.exports.iter().enumerate() {
            // The handles that clients hold carry the export's number: another one makes them stale.
            let number = 100 * self.fsid as usize + index;
            text.push_str(&format!(
                "EXPORT {{ Export_Id = {number}; Path = \"{dir}/exports/{name}\"; Pseudo = \"/{name}\";\n\
                 \x20 Access_Type = RW; Squash = No_Root_Squash; SecType = sys;\n\
                 \x20 Filesystem_id = {fsid}.{number}; FSAL {{ Name = VFS; }} }}\n"
            ));
        }
        text
    }
}

/// Passes TCP connections on to a port of loopback, delayed or refused at will.
#[derive(Debug)]
struct Relay {
    port: u16,
    state: Arc<RelayState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct RelayState {
    delay: AtomicU64,
    cut: AtomicBool,
    end: AtomicBool,
}

impl Relay {
    fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(RelayState::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.end.load(Ordering::Relaxed) {
                    return;
                }
                // Dropping the client unaccepted is as near to a refusal as user networking gets.
                if shared.cut.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
                        continue;
                    };
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || pass(from, to, &shared));
                }
            }
        });
        Ok(Self {
            port,
            state,
            thread: Some(thread),
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.end.store(true, Ordering::Relaxed);
        // Wakes the listener so that it sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Copies one direction until either side or the relay ends.
fn pass(mut from: TcpStream, mut to: TcpStream, state: &RelayState) {
    let mut block = vec![0; 1 << 16];
    let _ = from.set_read_timeout(Some(Duration::from_millis(200)));
    while !state.end.load(Ordering::Relaxed) && !state.cut.load(Ordering::Relaxed) {
        match from.read(&mut block) {
            Ok(0) => break,
            Ok(read) => {
                let delay = state.delay.load(Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(delay));
                if to.write_all(&block[..read]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A port of loopback that nobody has at this moment.
///
/// # Errors
/// Where there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_passes_delays_and_refuses() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let relay = Relay::start(server.local_addr().unwrap().port()).unwrap();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut block = [0; 4];
            while stream.read_exact(&mut block).is_ok() {
                stream.write_all(&block).unwrap();
            }
        });
        let mut client = TcpStream::connect(("127.0.0.1", relay.port)).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut block = [0; 4];
        client.write_all(b"ping").unwrap();
        client.read_exact(&mut block).unwrap();
        assert_eq!(&block, b"ping");
        relay.state.delay.store(150, Ordering::Relaxed);
        let clock = Instant::now();
        client.write_all(b"slow").unwrap();
        client.read_exact(&mut block).unwrap();
        assert!(clock.elapsed() >= Duration::from_millis(300));
        relay.state.cut.store(true, Ordering::Relaxed);
        assert_eq!(client.read(&mut block).unwrap(), 0);
        drop(relay);
        echo.join().unwrap();
    }
}
