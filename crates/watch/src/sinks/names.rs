//! Addresses of receivers: as they stand, from the hosts file, or from the name servers of
//! resolv.conf, in the order of nsswitch.conf. The C library is not asked: a static binary has
//! none that works elsewhere. DNS may be what is down: the addresses that a name had last are kept
//! for that.

use crate::daemon::Context;
use facts::names::{self, Names, lookup};
use hickory_resolver::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All questions for one name together.
const DEADLINE: Duration = Duration::from_secs(8);
/// One question to one server.
const QUESTION: Duration = Duration::from_secs(2);

/// An answer is good for so long; what comes in a burst asks once.
const FRESH: Duration = Duration::from_secs(60);

/// The addresses of a name, before it: a watch that starts while DNS is down needs them most.
const KEPT: &str = "address ";

/// Finds addresses, and remembers those of the last name it was asked for.
#[derive(Debug, Default)]
pub(super) struct Finder {
    last: Mutex<Option<Last>>,
    /// Where they are kept beyond the life of the process.
    context: Option<Arc<Context>>,
}

#[derive(Debug)]
struct Last {
    name: String,
    addresses: Vec<IpAddr>,
    asked: Instant,
}

impl Finder {
    /// One that keeps what it found in the recorder.
    pub(super) fn keeping(context: &Arc<Context>) -> Self {
        Self {
            context: Some(context.clone()),
            ..Self::default()
        }
    }

    /// The addresses of a host, the best first; never empty.
    ///
    /// # Errors
    /// Where they were looked for, and what came.
    pub(super) fn find(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        self.find_from(host, Path::new("/etc"))
    }

    fn find_from(&self, host: &str, etc: &Path) -> Result<Vec<IpAddr>, String> {
        let (names, search) = read(etc);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let missing = || {
            format!(
                "`{host}` is neither an address nor a name that nsswitch.conf's sources here know: give it a line in /etc/hosts"
            )
        };
        match lookup::resolve(&names, host) {
            lookup::Answer::Literal => bare.parse().map(|a| vec![a]).map_err(|_| missing()),
            lookup::Answer::Hosts(entry) => entry
                .address
                .parse()
                .map(|a| vec![a])
                .map_err(|_| missing()),
            lookup::Answer::Own => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            lookup::Answer::Multicast | lookup::Answer::Nowhere => Err(missing()),
            lookup::Answer::Dns => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                let known = last.as_mut().filter(|last| last.name == host);
                if let Some(known) = &known
                    && known.asked.elapsed() < FRESH
                {
                    return Ok(known.addresses.clone());
                }
                let known = known.map(|last| last.addresses.clone());
                let known = known.or_else(|| self.kept(host));
                match (ask(host, &names, &search), known) {
                    (Ok(addresses), known) => {
                        if known.as_ref() != Some(&addresses) {
                            self.keep(host, &addresses);
                        }
                        *last = Some(Last {
                            name: host.to_owned(),
                            addresses: addresses.clone(),
                            asked: Instant::now(),
                        });
                        Ok(addresses)
                    }
                    (Err(_), Some(known)) => Ok(known),
                    (Err(why), None) => Err(format!(
                        "no address of `{host}` is known: {why}; a line in /etc/hosts helps where DNS itself may be down"
                    )),
                }
            }
        }
    }

    /// What an earlier process found; nothing where it found nothing.
    fn kept(&self, host: &str) -> Option<Vec<IpAddr>> {
        let text = self.context.as_ref()?.state(&format!("{KEPT}{host}"))?;
        let addresses: Option<Vec<IpAddr>> = text.split(' ').map(|a| a.parse().ok()).collect();
        addresses.filter(|all| !all.is_empty())
    }

    fn keep(&self, host: &str, addresses: &[IpAddr]) {
        let Some(context) = &self.context else { return };
        let text: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        context.keep(format!("{KEPT}{host}"), text.join(" "));
    }
}

/// What the files say. A local stub (127.0.0.53) is a name server like any other here.
fn read(etc: &Path) -> (Names, Vec<String>) {
    let text = |name: &str| std::fs::read_to_string(etc.join(name)).unwrap_or_default();
    let conf = names::parse_resolv_conf("/etc/resolv.conf", &text("resolv.conf"));
    // A line that cannot be read is the audit's to tell; glibc's default holds then.
    let (nsswitch, nsswitch_actions) = names::parse_nsswitch(&text("nsswitch.conf"))
        .ok()
        .flatten()
        .unwrap_or_default();
    let own_name = rustix::system::uname();
    let names = Names {
        servers: conf.servers,
        hosts: names::parse_hosts(&text("hosts")),
        nsswitch,
        nsswitch_actions,
        own_name: Some(own_name.nodename().to_string_lossy().into_owned()),
        ..Names::default()
    };
    (names, conf.search)
}

fn ask(host: &str, names: &Names, search: &[String]) -> Result<Vec<IpAddr>, String> {
    let servers: Vec<IpAddr> = names
        .servers
        .iter()
        .take(names::MAX_SERVERS)
        .filter_map(|server| server.address.parse().ok())
        .collect();
    // resolv.conf(5): without a server it is the one on this host.
    let servers = if servers.is_empty() {
        vec![Ipv4Addr::LOCALHOST.into()]
    } else {
        servers
    };
    let list = servers.iter().map(IpAddr::to_string).collect::<Vec<_>>();
    let list = list.join(", ");
    let failed = |why: &dyn std::fmt::Display| format!("{list} said: {why}");
    let configs = servers.into_iter().map(NameServerConfig::udp_and_tcp);
    let mut config = ResolverConfig::from_name_servers(configs.collect());
    for domain in search {
        if let Ok(domain) = domain.parse() {
            config.add_search(domain);
        }
    }
    // For the time of the question only: a sink sleeps nearly always.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot set up the resolver: {e}"))?;
    runtime.block_on(async {
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = QUESTION;
        options.attempts = 2;
        options.cache_size = 0;
        let resolver = builder.build().map_err(|e| failed(&e))?;
        let answer = tokio::time::timeout(DEADLINE, resolver.lookup_ip(host)).await;
        let answer = answer.map_err(|_| failed(&format!("nothing within {DEADLINE:?}")))?;
        let found: Vec<IpAddr> = answer.map_err(|e| failed(&e))?.iter().collect();
        if found.is_empty() {
            return Err(failed(&"it has no address"));
        }
        Ok(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn addresses_the_hosts_file_and_what_nobody_knows() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.9 mail\n10.0.0.1\tntfy.example Mail # x\n";
        let etc = etc(&[("hosts", hosts), ("nsswitch.conf", "hosts: files\n")]);
        let finder = Finder::default();
        let is = |host: &str| {
            let found = finder.find_from(host, etc.path());
            found.map(|a| a[0].to_string())
        };
        assert_eq!(is("10.1.2.3").unwrap(), "10.1.2.3");
        assert_eq!(is("[::1]").unwrap(), "::1");
        assert_eq!(is("mail").unwrap(), "10.0.0.1");
        assert_eq!(is("localhost").unwrap(), "127.0.0.1");
        assert!(is("other").unwrap_err().contains("/etc/hosts"));
    }

    #[test]
    fn a_server_that_does_not_answer_is_named() {
        // Nothing listens on that address of the loopback.
        let etc = etc(&[("resolv.conf", "nameserver 127.9.9.9\n")]);
        let finder = Finder::default();
        let error = finder.find_from("ntfy.example", etc.path()).unwrap_err();
        assert!(
            error.contains("127.9.9.9") && error.contains("ntfy.example"),
            "{error}"
        );
        // What was known before is good enough then.
        let known = vec![IpAddr::from([10, 0, 0, 7])];
        *finder.last.lock().unwrap() = Some(Last {
            name: "ntfy.example".into(),
            addresses: known.clone(),
            asked: Instant::now().checked_sub(FRESH).unwrap(),
        });
        assert_eq!(finder.find_from("ntfy.example", etc.path()).unwrap(), known);
    }
}
