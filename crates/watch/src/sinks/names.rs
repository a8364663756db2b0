//! Addresses of receivers: as they stand, or from the hosts file. The C library is not asked (a
//! static binary has none that works elsewhere), and DNS is not either: it may be what is down.

use std::net::IpAddr;

/// The address of a host.
pub(super) fn address(host: &str) -> Result<IpAddr, String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    find(host, &hosts).ok_or_else(|| {
        format!("`{host}` is neither an address nor in /etc/hosts: give it a line there (DNS is not asked: it may be what is down)")
    })
}

fn find(host: &str, hosts: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Some(address);
    }
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words
            .any(|name| name.eq_ignore_ascii_case(host))
            .then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.9 mail\n10.0.0.1\tntfy.example Mail # x\n";
        let is = |host: &str| find(host, hosts).map(|a| a.to_string());
        assert_eq!(is("10.1.2.3").as_deref(), Some("10.1.2.3"));
        assert_eq!(is("[::1]").as_deref(), Some("::1"));
        assert_eq!(is("mail").as_deref(), Some("10.0.0.1"));
        assert_eq!(is("other"), None);
    }
}
