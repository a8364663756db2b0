//! `nofail bmc check`: whether the console of last resort would be there today.

use super::{Exit, Format};
use crate::{render, state, wire};
use ::collect::bmc::{Credentials, Kind, Target};
use anyhow::{Context, bail};
use facts::bmc::Check;
use model::{Site, site};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Flags of `nofail bmc`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask BMCs over the network: reachable, login, power, console, clock. Run it on a machine
    /// that is not the host.
    Check(CheckArgs),
}

/// Flags of `nofail bmc check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail bmc check --site site.toml                  every BMC of the site
  nofail bmc check kvm-01 --site site.toml -o proof.json
                                                     and a proof for `nofail net apply --bmc-proof`
  NOFAIL_BMC_USER=admin NOFAIL_BMC_PASSWORD=… nofail bmc check kvm-01 --site site.toml

Credentials: `credentials_file` (mode 0600, lines user = … and password = …) or `credentials_command`
(prints both, a line each) of [hosts.NAME.bmc] in site.toml, else NOFAIL_BMC_USER and
NOFAIL_BMC_PASSWORD. Each password is tried once. The outcome is kept under /var/lib/nofail (or
NOFAIL_STATE_DIR), where the rule bmc/unverified looks.

Exit code: 0 all is well, 1 something is not, 2 could not run.")]
pub struct CheckArgs {
    /// Only this host's BMC.
    pub host: Option<String>,
    /// The site's intent, which names the BMCs.
    #[arg(long, value_name = "FILE")]
    pub site: PathBuf,
    /// Try cipher suite 0 and factory passwords as well, one attempt each. May lock accounts on
    /// a BMC that counts bad passwords.
    #[arg(long)]
    pub probe_weak: bool,
    /// Write the outcome to this file as well.
    #[arg(short, long, value_name = "FILE", requires = "host")]
    pub output: Option<PathBuf>,
    /// Seconds that one question may take.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = crate::input::seconds)]
    pub deadline: Duration,
}

/// Runs the command.
///
/// # Errors
/// site.toml cannot be used, or names no such BMC.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    let Command::Check(args) = &args.command;
    format.only("bmc check", &[Format::Human, Format::Json])?;
    let text = std::fs::read_to_string(&args.site)
        .with_context(|| format!("cannot read {}", args.site.display()))?;
    let site = Site::parse(&args.site.display().to_string(), &text)?;
    let base = args.site.parent().unwrap_or(Path::new("."));
    let wanted: Vec<(&String, &site::Bmc)> = site
        .hosts
        .iter()
        .filter(|(name, _)| args.host.as_ref().is_none_or(|h| h == *name))
        .filter_map(|(name, host)| Some((name, host.bmc.as_ref()?)))
        .collect();
    if wanted.is_empty() {
        match &args.host {
            Some(name) if site.hosts.contains_key(name) => {
                bail!(
                    "{} names no BMC of {name}: add [hosts.{name}.bmc]",
                    args.site.display()
                )
            }
            Some(name) => bail!("{} has no host `{name}`", args.site.display()),
            None => bail!("{} names no BMC", args.site.display()),
        }
    }
    // Each in its own thread: a BMC that hangs delays no other.
    let checks: Vec<anyhow::Result<Check>> = std::thread::scope(|scope| {
        let threads: Vec<_> = wanted
            .iter()
            .map(|(name, bmc)| scope.spawn(|| one(name, bmc, base, args)))
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| bail!("the check broke")))
            .collect()
    });
    let checks: Vec<Check> = checks.into_iter().collect::<anyhow::Result<_>>()?;
    let kept = state::directory();
    for check in &checks {
        if let Err(error) = state::keep_bmc_check(&kept, check) {
            eprintln!(
                "nofail: the outcome for {} is not kept: {error:#}",
                check.host
            );
        }
        if let Some(file) = &args.output {
            let text = serde_json::to_vec_pretty(check)?;
            change::place::replace(file, &text, 0o644)?;
        }
    }
    match format {
        Format::Json => wire::print(&wire::bmc::Document::of(&checks))?,
        _ => render::print(&render::bmc::text(&checks))?,
    }
    Ok(if checks.iter().all(Check::is_good) {
        Exit::Good
    } else {
        Exit::Found
    })
}

fn one(name: &str, bmc: &site::Bmc, base: &Path, args: &CheckArgs) -> anyhow::Result<Check> {
    let place = bmc
        .address
        .as_deref()
        .with_context(|| format!("[hosts.{name}.bmc] has no address"))?;
    let (address, port, plain) = address(place).with_context(|| {
        format!(
            "[hosts.{name}.bmc]: `{place}` is no address: write an IP address, with :PORT where it \
             is not the usual one (a name may not resolve on the day when the BMC is needed)"
        )
    })?;
    let target = Target {
        host: name.to_owned(),
        address,
        port,
        kind: match bmc.kind.as_deref() {
            Some("redfish") => Kind::Redfish,
            _ => Kind::Ipmi,
        },
        certificate: bmc.certificate.as_ref().map(|file| base.join(file)),
        verify: bmc.verify_certificate != Some(false),
        plain,
    };
    let credentials = credentials(bmc, base, args.deadline);
    let usable = match &credentials {
        Ok(credentials) => Ok(credentials),
        Err(why) => Err(why.as_str()),
    };
    Ok(::collect::bmc::check(
        &target,
        usable,
        args.probe_weak,
        args.deadline,
    ))
}

/// `ADDRESS`, `ADDRESS:PORT`; `http://…` on loopback is a simulator without TLS.
fn address(text: &str) -> Option<(IpAddr, Option<u16>, bool)> {
    if let Some(plain) = text.strip_prefix("http://") {
        let (address, port, _) = address(plain)?;
        return address.is_loopback().then_some((address, port, true));
    }
    if let Ok(address) = text.parse() {
        return Some((address, None, false));
    }
    let both: SocketAddr = text.parse().ok()?;
    Some((both.ip(), Some(both.port()), false))
}

fn credentials(bmc: &site::Bmc, base: &Path, deadline: Duration) -> Result<Credentials, String> {
    let told = |error| format!("{:#}", anyhow::Error::from(error));
    if let Some(file) = &bmc.credentials_file {
        return Credentials::from_file(&base.join(file)).map_err(told);
    }
    if let Some(command) = &bmc.credentials_command {
        return Credentials::from_command(command, deadline * 5).map_err(told);
    }
    let variable = |name: &str| std::env::var(name).ok();
    match (variable("NOFAIL_BMC_USER"), variable("NOFAIL_BMC_PASSWORD")) {
        (Some(user), Some(password)) => Ok(Credentials { user, password }),
        _ => Err(
            "no credentials: credentials_file or credentials_command in site.toml, or \
             NOFAIL_BMC_USER and NOFAIL_BMC_PASSWORD"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(
            address("10.50.1.21"),
            Some(("10.50.1.21".parse().unwrap(), None, false))
        );
        assert_eq!(address("[2001:db8::1]:6230").unwrap().1, Some(6230));
        assert_eq!(address("bmc-01"), None);
        // Plain HTTP would show the password to the network.
        assert_eq!(address("http://10.50.1.21"), None);
        assert!(address("http://127.0.0.1:8000").unwrap().2);
    }
}
