//! Hosts of registries and token services, as text with a port.

use std::net::IpAddr;

use reqwest::Url;

/// Whether a host is this machine, so that plain HTTP leaves nothing to listen to.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let name = without_port(host);
    matches!(name, "localhost" | "127.0.0.1" | "::1")
}

/// Whether a proxy could reach a host at all: under such an address it finds its own machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        host.split_once(']')
            .map_or(host, |(name, _)| name.trim_start_matches('['))
    } else {
        host.split_once(':').map_or(host, |(name, _)| name)
    }
}

/// Returns the host of an address, with its port unless that is the scheme's own.
pub(crate) fn host_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// A host without its port.
pub(super) fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:80", "[::1]", "[::1]:5000"] {
            assert!(is_this_machine(host) && is_loopback(host), "{host}");
        }
        // A proxy is asked for neither.
        for host in ["127.0.0.2", "127.9.9.9:5000"] {
            assert!(!is_this_machine(host) && is_loopback(host), "{host}");
        }
        for host in [
            "docker.io",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "[::2]:80",
            "10.0.0.1",
        ] {
            assert!(!is_this_machine(host) && !is_loopback(host), "{host}");
        }
    }
}
