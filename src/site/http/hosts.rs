//! Under which names this appliance answers (threat model R11, R15).
//!
//! A request under a name that the configuration does not know was made for somebody else, perhaps by a page in a browser whose name
//! was made to lead here, and gets 421. Nothing of a request's `Host` ever comes back in an answer.
//!
//! Known are the names of `[tls] names`, the host of `agents.address`, `localhost`, the addresses to listen on, and the address that the
//! connection came to. Case and one trailing dot do not count, and neither do ports: what forwards a port may have another one.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

use super::settings::{AgentsAddress, Settings, host_name};

/// The names that this appliance answers under.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHost {
    /// No host, several, or something that is none: a user before it, a zone in it, a port that is no number.
    Malformed,
    /// A name that is not this appliance's, or two names.
    Unknown,
}

impl Hosts {
    /// Takes the names of the configuration.
    pub(super) fn new(settings: &Settings, agents: &AgentsAddress) -> Self {
        let names = settings.tls.names.iter().map(String::as_str);
        let names = names.chain(["localhost", agents.name()]).map(plain_name);
        let listen = settings.listen.iter().chain(&settings.tls.listen);
        let listen = listen.map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
        let (addresses, names): (Vec<_>, Vec<_>) = names.partition(|name| name.parse::<IpAddr>().is_ok());
        let addresses = addresses.iter().filter_map(|address| address.parse().ok());
        Self {
            names: names.into_iter().collect(),
            addresses: addresses.chain(listen).map(|ip| ip.to_canonical()).collect(),
        }
    }

    /// Checks under which name a request came in at an address of this machine.
    ///
    /// # Errors
    ///
    /// [`BadHost`].
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap, local: Option<IpAddr>) -> Result<(), BadHost> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(BadHost::Malformed);
        };
        let host = read(host.to_str().map_err(|_| BadHost::Malformed)?)?;
        self.know(&host, local)?;
        // An address with a host in it says the same host again.
        match uri.authority() {
            Some(authority) if read(authority.as_str())? != host => Err(BadHost::Unknown),
            _ => Ok(()),
        }
    }

    fn know(&self, host: &str, local: Option<IpAddr>) -> Result<(), BadHost> {
        let known = match host.parse::<IpAddr>() {
            Ok(ip) => {
                let ip = ip.to_canonical();
                self.addresses.contains(&ip) || local.is_some_and(|local| local.to_canonical() == ip)
            }
            Err(_) => self.names.contains(host),
        };
        if known { Ok(()) } else { Err(BadHost::Unknown) }
    }
}

/// Takes the host out of `host` or `host:port`, in the form in which hosts are compared.
fn read(text: &str) -> Result<String, BadHost> {
    let authority: Authority = text.parse().map_err(|_| BadHost::Malformed)?;
    let port = text.strip_prefix(authority.host()).unwrap_or_default();
    let number = |port: &str| port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let good_port = port.is_empty() || port.strip_prefix(':').is_some_and(number);
    let name = plain_name(host_name(authority.host()));
    let brackets = authority.host().starts_with('[');
    let good_name = !name.is_empty() && (!brackets || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()));
    // A user stands before the host, so that then neither is the beginning of the other.
    if text.contains('@') || !good_port || !good_name {
        return Err(BadHost::Malformed);
    }
    Ok(name)
}

fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ask(uri: &str, values: &[&str]) -> Result<(), BadHost> {
        let mut settings = Settings::default();
        settings.tls.names = vec!["Airlock.plant.example".into(), "10.0.0.8".into()];
        settings.tls.listen = vec!["[fd00::5]:5443".parse().unwrap(), "0.0.0.0:5444".parse().unwrap()];
        let agents = AgentsAddress {
            host: "10.0.0.9:5443".into(),
            https: true,
        };
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::HOST, HeaderValue::from_str(value).unwrap());
        }
        let local = "192.168.0.4".parse().unwrap();
        Hosts::new(&settings, &agents).check(&uri.parse().unwrap(), &headers, Some(local))
    }

    #[test]
    fn configured_names_and_the_addresses_of_this_machine_are_known() {
        for host in [
            "airlock.plant.example",
            "AIRLOCK.plant.example:1",
            "airlock.plant.example.",
            "airlock.plant.example.:5443",
            "localhost",
            "localhost:65535",
            "10.0.0.8",
            "10.0.0.9",
            "127.0.0.1:5000",
            "192.168.0.4:5000",
            "[::ffff:192.168.0.4]:5000",
            "[fd00::5]",
            "[FD00:0::5]:80",
        ] {
            assert_eq!(ask("/", &[host]), Ok(()), "{host}");
        }
        for (uri, host) in [
            ("http://localhost/", "localhost"),
            ("http://LOCALHOST:1/v2/", "localhost"),
            ("http://airlock.plant.example/", "airlock.plant.example."),
        ] {
            assert_eq!(ask(uri, &[host]), Ok(()), "{uri} {host}");
        }
    }

    #[test]
    fn every_other_name_is_somebody_elses() {
        for host in [
            "evil",
            "evil.example",
            "evil.example:5000",
            "airlock.plant.example.evil",
            "airlock.plant.example..",
            "xlocalhost",
            "a.localhost",
            "127.0.0.2",
            "0.0.0.0:5444",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "[::1]",
            "[fd00::6]",
        ] {
            assert_eq!(ask("/", &[host]), Err(BadHost::Unknown), "{host}");
        }
        for (uri, host) in [
            ("http://evil/", "localhost"),
            ("http://localhost/", "evil"),
            ("http://127.0.0.1/", "localhost"),
        ] {
            assert_eq!(ask(uri, &[host]), Err(BadHost::Unknown), "{uri} {host}");
        }
    }

    #[test]
    fn what_is_no_host_is_malformed() {
        for host in [
            "",
            ".",
            "x@localhost",
            "x:y@localhost",
            "localhost@evil",
            "local host",
            "[::1",
            "[localhost]",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "[fe80::1%eth0]",
            "localhost:",
            "localhost:65536",
            "localhost:+1",
            "localhost:x",
            "localhost, evil",
            "http://localhost",
        ] {
            assert_eq!(ask("/", &[host]), Err(BadHost::Malformed), "{host}");
        }
        assert_eq!(ask("/", &[]), Err(BadHost::Malformed));
        assert_eq!(ask("/", &["localhost", "localhost"]), Err(BadHost::Malformed));
        assert_eq!(ask("http://x@localhost/", &["localhost"]), Err(BadHost::Malformed));
    }
}
