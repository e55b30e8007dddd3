//! Under which names agents may ask (threat model R11).
//!
//! Nothing of a request's `Host` ever comes back in an answer; a request under a name that the configuration does not know was made
//! for somebody else, perhaps by a page in a browser, and gets 421.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

use crate::http::settings::{AgentsAddress, Settings, host_name};

/// The names that this appliance answers agents under.
#[derive(Debug, Clone)]
pub(in crate::http) struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Takes the names of the configuration.
    pub(in crate::http) fn new(settings: &Settings, agents: &AgentsAddress) -> Self {
        let names = settings.tls.names.iter().map(String::as_str);
        let names = names.chain(["localhost", agents.name()]);
        Self(names.map(str::to_ascii_lowercase).collect())
    }

    /// Whether a request that came in at an address of this machine asks under a known name. Ports do not count: what forwards a port
    /// may have another one.
    pub(super) fn know(&self, uri: &Uri, headers: &HeaderMap, local: Option<IpAddr>) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Ok(host) = host.to_str() else { return false };
        let known = |host: &str| {
            // Only what can be an authority is taken apart.
            if host.contains('@') || host.parse::<Authority>().is_err() {
                return false;
            }
            let name = host_name(host).to_ascii_lowercase();
            self.0.contains(&name)
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|ip| local.is_some_and(|local| local.to_canonical() == ip.to_canonical()))
        };
        known(host) && uri.authority().is_none_or(|authority| known(authority.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_configured_names_and_the_address_that_was_reached_are_known() {
        let mut settings = Settings::default();
        settings.tls.names = vec!["Airlock.plant.example".into()];
        let agents = AgentsAddress {
            host: "10.0.0.9:5443".into(),
            https: true,
        };
        let hosts = Hosts::new(&settings, &agents);
        let local: Option<IpAddr> = Some("192.168.0.4".parse().unwrap());
        let ask = |uri: &str, values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::HOST, HeaderValue::from_str(value).unwrap());
            }
            hosts.know(&uri.parse().unwrap(), &headers, local)
        };
        for host in [
            "airlock.plant.example",
            "AIRLOCK.plant.example:1",
            "localhost",
            "10.0.0.9",
            "192.168.0.4:5000",
        ] {
            assert!(ask("/", &[host]), "{host}");
        }
        for host in [
            "",
            "evil",
            "evil.example",
            "airlock.plant.example.evil",
            "127.0.0.1",
            "x@localhost",
            "local host",
            "[::1",
        ] {
            assert!(!ask("/", &[host]), "{host}");
        }
        assert!(!ask("/", &[]) && !ask("/", &["localhost", "localhost"]));
        assert!(ask("http://localhost/", &["localhost"]) && !ask("http://evil/", &["localhost"]));
    }
}
