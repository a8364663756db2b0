//! Reads the records of one guest's and its host's past (see [`facts::history`]). Not part of a
//! snapshot: these records are large and asked for only when a guest went down.
//!
//! A record that cannot be read leaves its reason in [`History::not_read`] and stops no other.

use crate::command::{self, CommandError};
use crate::{HostReader, Options};
use facts::history::{
    History, audit, daemon_log, journal, packages, qemu_log, shell, syslog, wtmp,
};
use facts::unit::boot::{Listed, parse_list};
use facts::unit::journal as entries;
use jiff::tz::TimeZone;
use std::io;

const MINUTE: i64 = 60_000_000;
/// How much of the end of a log is read: enough for weeks, bounded for a log without rotation.
const TAIL: u64 = 8 << 20;
/// Entries of the journal at most.
const ENTRIES: &str = "20000";

/// What to look for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The guest.
    pub guest: String,
    /// Only what happened since then, microseconds since 1970; `None` for around its last stop.
    pub since: Option<i64>,
    /// Now, microseconds since 1970.
    pub now: i64,
}

/// Reads everything that can be read.
pub fn read(reader: &dyn HostReader, options: &Options, question: &Question) -> History {
    let mut past = Past {
        reader,
        options,
        question,
        zone: zone(reader),
        history: History {
            guest: question.guest.clone(),
            ..History::default()
        },
    };
    past.qemu_logs();
    let (from, to) = past.window();
    past.daemon_logs();
    past.boots();
    if !past.journal(from, to) {
        past.text_logs();
        past.dmesg();
    }
    past.wtmp();
    past.audit();
    past.packages();
    past.shells();
    let mut history = past.history;
    // Boots and this guest's own log count from ever; the rest within the window.
    let own = |file: &str| file.contains("/libvirt/qemu/") || file.contains("list-boots");
    let life = |t: &facts::history::Trace| {
        use facts::history::What;
        matches!(
            t.what,
            What::HostBooted | What::HostLast | What::HostStopping { .. }
        )
    };
    history
        .traces
        .retain(|t| own(&t.evidence.file) || life(t) || (from..=to).contains(&t.at));
    history.settle();
    history
}

/// The zone in which the host's logs tell the time; UTC where it has none.
fn zone(reader: &dyn HostReader) -> TimeZone {
    let bytes = reader.read("/etc/localtime").unwrap_or_default();
    TimeZone::tzif("host", &bytes).unwrap_or(TimeZone::UTC)
}

struct Past<'a> {
    reader: &'a dyn HostReader,
    options: &'a Options,
    question: &'a Question,
    zone: TimeZone,
    history: History,
}

impl Past<'_> {
    /// The end of a file, from the beginning of a line.
    fn tail(&self, path: &str) -> io::Result<String> {
        let size = self.reader.stat(path)?.size;
        if size <= TAIL {
            return self.reader.text(path);
        }
        let length = usize::try_from(TAIL).unwrap_or(usize::MAX);
        let bytes = self.reader.read_at(path, size - TAIL, length)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text
            .split_once('\n')
            .map_or("", |(_, rest)| rest)
            .to_owned())
    }

    /// Reads a file where it is; tells whether it was there. A missing one is no reproach.
    fn file(
        &mut self,
        path: &str,
        parse: impl Fn(&Self, &str) -> Vec<facts::history::Trace>,
    ) -> bool {
        match self.tail(path) {
            Ok(text) => {
                let traces = parse(self, &text);
                self.history.add(path, traces);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                self.history.missing(path, error.to_string());
                false
            }
        }
    }

    /// The guest's log and its rotated forerunners (`NAME.log.0` is the newest of those).
    fn qemu_logs(&mut self) {
        const DIRECTORY: &str = "/var/log/libvirt/qemu";
        let base = format!("{}.log", self.question.guest);
        let names = match self.reader.list(DIRECTORY) {
            Ok(names) => names,
            Err(error) => return self.history.missing(DIRECTORY, error.to_string()),
        };
        let of_guest = |name: &&String| {
            let rest = name.strip_prefix(&base);
            rest.is_some_and(|r| {
                r.is_empty()
                    || r.strip_prefix('.')
                        .is_some_and(|n| n.parse::<u32>().is_ok())
            })
        };
        let files: Vec<String> = names.iter().filter(of_guest).cloned().collect();
        if files.is_empty() {
            let reason =
                "no such file: the guest was never started on this host, or its log was removed";
            return self.history.missing(format!("{DIRECTORY}/{base}"), reason);
        }
        for name in files {
            let path = format!("{DIRECTORY}/{name}");
            self.file(&path, |_, text| qemu_log::parse(&path, text));
        }
        self.history.traces.sort_by_key(|trace| trace.at);
    }

    /// The span in which other records matter: an hour before the last thing that the guest's log
    /// tells, to now. A guest that stopped long ago is explained by that day's records.
    fn window(&self) -> (i64, i64) {
        let now = self.question.now + MINUTE;
        if let Some(since) = self.question.since {
            return (since, now);
        }
        use facts::history::What;
        let stop = self
            .history
            .traces
            .iter()
            .rev()
            .find(|t| matches!(t.what, What::Stopped { .. }));
        let began = self
            .history
            .traces
            .iter()
            .rev()
            .find(|t| matches!(t.what, What::Started { .. }));
        match (stop, began) {
            // Started after its last stop: what ended this run is not in its log.
            (Some(stop), Some(began)) if began.at > stop.at => {
                (began.at.max(now - 31 * 24 * 60 * MINUTE), now)
            }
            (Some(stop), _) => (stop.at - 60 * MINUTE, (stop.at + 24 * 60 * MINUTE).min(now)),
            (None, Some(began)) => (began.at.max(now - 31 * 24 * 60 * MINUTE), now),
            (None, None) => (now - 24 * 60 * MINUTE, now),
        }
    }

    fn daemon_logs(&mut self) {
        for name in ["libvirtd", "virtqemud"] {
            let path = format!("/var/log/libvirt/{name}.log");
            let guest = self.question.guest.clone();
            self.file(&path, |_, text| daemon_log::parse(&path, text, &guest));
        }
    }

    /// `--directory` for a tree with a persistent journal; `None` where there is no journal.
    fn place(&self) -> Option<Vec<String>> {
        if self.reader.live() {
            return Some(Vec::new());
        }
        const JOURNAL: &str = "/var/log/journal";
        let names = self.reader.list(JOURNAL).ok()?;
        let path = self
            .reader
            .path_here(JOURNAL)
            .filter(|_| !names.is_empty())?;
        Some(vec![format!("--directory={}", path.display())])
    }

    fn journalctl(&self, args: &[&str]) -> Result<String, String> {
        let Some(place) = self.place() else {
            return Err("no var/log/journal in this tree".to_owned());
        };
        let mut all = vec!["--no-pager", "--quiet"];
        all.extend(place.iter().map(String::as_str));
        all.extend(args);
        // A journal of gigabytes is searched: more time than one probe gets.
        let deadline = self.options.deadline * 15;
        let done =
            command::run("journalctl", &all, &[], deadline).map_err(|error| match error {
                CommandError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    "no journalctl on this machine".to_owned()
                }
                error => error.to_string(),
            })?;
        if done.stdout.is_empty() && !done.stderr.is_empty() {
            return Err(done.stderr);
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    fn boots(&mut self) {
        let listed: Result<Vec<Listed>, String> = self
            .journalctl(&["--list-boots", "--output=json"])
            .and_then(|text| match text.trim() {
                "" => Err("the journal holds no boot".to_owned()),
                text => parse_list(text).map_err(|e| format!("journalctl --list-boots:{e}")),
            });
        match listed {
            Ok(listed) => self
                .history
                .add("journalctl --list-boots", journal::boots(&listed)),
            Err(reason) => self.history.missing("journalctl --list-boots", reason),
        }
    }

    /// Whether a journal was there and told something.
    fn journal(&mut self, from: i64, to: i64) -> bool {
        let stamp = |at: i64, up: bool| format!("@{}", at.div_euclid(1_000_000) + i64::from(up));
        let (since, until) = (
            format!("--since={}", stamp(from, false)),
            format!("--until={}", stamp(to, true)),
        );
        let lines = format!("--lines={ENTRIES}");
        let mut args = vec!["--output=json", &since, &until, &lines];
        // Conditions on one field are alternatives, groups between `+` too.
        args.extend(["_TRANSPORT=kernel", "+", "_TRANSPORT=audit", "+", "_PID=1"]);
        args.push("+");
        args.extend([
            "SYSLOG_IDENTIFIER=libvirtd",
            "SYSLOG_IDENTIFIER=virtqemud",
            "SYSLOG_IDENTIFIER=libvirt-guests.sh",
            "SYSLOG_IDENTIFIER=sshd",
            "SYSLOG_IDENTIFIER=sshd-session",
            "SYSLOG_IDENTIFIER=sudo",
            "SYSLOG_IDENTIFIER=systemd-logind",
            "SYSLOG_IDENTIFIER=systemd-shutdown",
            "SYSLOG_IDENTIFIER=systemd-coredump",
            "SYSLOG_IDENTIFIER=CRON",
            "SYSLOG_IDENTIFIER=crond",
            "SYSLOG_IDENTIFIER=qemu-ga",
        ]);
        let records = self
            .journalctl(&args)
            .and_then(|text| entries::parse(&text).map_err(|e| format!("journalctl:{e}")));
        match records {
            Ok(records) if records.is_empty() => {
                self.history
                    .missing("journal", "it holds nothing of that time");
                false
            }
            Ok(records) => {
                let traces = journal::traces(&records, &self.question.guest);
                self.history.add("journal", traces);
                true
            }
            Err(reason) => {
                self.history.missing("journal", reason);
                false
            }
        }
    }

    /// What rsyslog and its like wrote, where there is no journal.
    fn text_logs(&mut self) {
        let mut found = false;
        for name in [
            "syslog", "messages", "auth.log", "secure", "kern.log", "cron",
        ] {
            for suffix in [".1", ""] {
                let path = format!("/var/log/{name}{suffix}");
                let written = self.reader.stat(&path).map(|s| s.mtime);
                let latest = written.map_or(self.question.now, |s| s.saturating_mul(1_000_000));
                let guest = self.question.guest.clone();
                found |= self.file(&path, |past, text| {
                    syslog::parse(&path, text, &guest, &past.zone, latest)
                });
            }
        }
        if !found {
            self.history
                .missing("syslog", "no /var/log/syslog, messages, auth.log or secure");
        }
    }

    /// The running kernel's messages.
    fn dmesg(&mut self) {
        if !self.reader.live() {
            return;
        }
        match command::output("dmesg", &["--time-format=iso"], self.options.deadline) {
            Ok(bytes) => {
                let traces = syslog::dmesg(&String::from_utf8_lossy(&bytes));
                self.history.add("dmesg", traces);
            }
            Err(error) => self.history.missing("dmesg", error.to_string()),
        }
    }

    fn wtmp(&mut self) {
        const FILE: &str = "/var/log/wtmp";
        match self.reader.read(FILE) {
            Ok(bytes) => self.history.add(FILE, wtmp::parse(FILE, &bytes)),
            Err(error) => self.history.missing(FILE, error.to_string()),
        }
    }

    fn audit(&mut self) {
        const FILE: &str = "/var/log/audit/audit.log";
        let guest = self.question.guest.clone();
        if !self.file(FILE, |_, text| audit::parse(FILE, text, &guest)) {
            self.history
                .missing(FILE, "not there: no audit daemon writes it");
        }
    }

    fn packages(&mut self) {
        self.file("/var/log/dpkg.log", |past, text| {
            packages::dpkg("/var/log/dpkg.log", text, &past.zone)
        });
        self.file("/var/log/dnf.rpm.log", |_, text| {
            packages::dnf("/var/log/dnf.rpm.log", text)
        });
    }

    /// Histories of shells that carry times, root's and those of users under /home.
    fn shells(&mut self) {
        let mut homes = vec![("root".to_owned(), "/root".to_owned())];
        // /home may be an automount from a server: only what lies on this host's own disks is
        // looked at.
        if !self.homes_are_remote() {
            let names = self.reader.list("/home").unwrap_or_default();
            homes.extend(names.into_iter().map(|n| (n.clone(), format!("/home/{n}"))));
        }
        for (user, home) in homes {
            let path = format!("{home}/.bash_history");
            self.file(&path, |_, text| shell::parse(&path, text, &user));
        }
    }

    fn homes_are_remote(&self) -> bool {
        let Ok(text) = self.reader.text("/proc/self/mountinfo") else {
            return false;
        };
        let mounts = facts::mount::parse_mountinfo(&text).unwrap_or_default();
        mounts
            .iter()
            .any(|m| m.target.starts_with("/home") && (m.is_network() || m.fstype == "autofs"))
    }
}
