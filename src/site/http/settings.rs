//! What a server is told: where to listen, who may read, how much anybody may take.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::{Class, Error, Result};

/// Settings of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Addresses to listen on without TLS.
    pub listen: Vec<SocketAddr>,
    /// HTTPS.
    pub tls: TlsSettings,
    /// What agents are told.
    pub agents: AgentSettings,
    /// Who may read.
    pub read: ReadPolicy,
    /// Where numbers of the server are told; nowhere where this is left out.
    pub metrics: Option<SocketAddr>,
    /// Whether an address that other machines reach may be served without TLS.
    pub plain_http_beyond_loopback: bool,
    /// Bounds.
    pub limits: Limits,
}

/// HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Host names and addresses that clients use, without port.
    pub names: Vec<String>,
    /// A certificate of the site's own, in place of one that the appliance's authority signs.
    pub own: Option<OwnCertificate>,
}

/// A certificate of the site's own: PEM files, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The server's certificate first, then those that lead to its root.
    pub certificate: PathBuf,
    /// Its key, without passphrase, for its owner alone.
    pub key: PathBuf,
    /// What agents are told to trust; what their system trusts already when left out.
    pub authority: Option<PathBuf>,
}

/// What agents are told about this appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// `host` or `host:port`; follows from the addresses to listen on when left out.
    pub address: Option<String>,
    /// Whether they use plain HTTP; follows from whether HTTPS is served when left out.
    pub plain_http: Option<bool>,
    /// How often they ask, as Go writes durations. Not a divisor of 30 s: distr-protocol 2.1, deadlock.
    pub interval: String,
}

/// Where agents find this appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentsAddress {
    /// `host` or `host:port`.
    pub host: String,
    /// HTTPS, or plain HTTP.
    pub https: bool,
}

/// Who may read from the registry (D19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadPolicy {
    /// This machine only.
    Loopback,
    /// This machine and these networks.
    Networks(Vec<Network>),
    /// Whoever shows an agent's token, from wherever: what its product holds.
    Credentials,
}

/// Bounds of a server (threat model R12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time; a quarter of them is for peers that showed credentials lately.
    pub connections: usize,
    /// Connections at one time of one peer: an address, or an IPv6 /64.
    pub connections_per_address: usize,
    /// Bytes of answers in memory that clients have not taken yet.
    pub bytes_in_flight: usize,
    /// The same, of one address (IPv6: one /64).
    pub bytes_in_flight_per_peer: usize,
    /// How long a connection may take from its start, or from the end of an answer, to the end of a request's head.
    pub head: Duration,
    /// How long a client may take for 64 KiB of an answer.
    pub stall: Duration,
    /// How long answers in progress may take when the server ends.
    pub shutdown: Duration,
}

/// Addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 5000))],
            tls: TlsSettings::default(),
            agents: AgentSettings::default(),
            read: ReadPolicy::Loopback,
            metrics: None,
            plain_http_beyond_loopback: false,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 512,
            bytes_in_flight: 64 << 20,
            bytes_in_flight_per_peer: 16 << 20,
            head: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            shutdown: Duration::from_secs(30),
        }
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            address: None,
            plain_http: None,
            interval: "5.37s".into(),
        }
    }
}

impl Settings {
    /// Returns where agents find this appliance, when it listens on these addresses.
    pub fn agents_address(&self, plain: &[SocketAddr], tls: &[SocketAddr]) -> AgentsAddress {
        let https = match self.agents.plain_http {
            Some(plain_http) => !plain_http,
            None => !tls.is_empty(),
        };
        let host = self.agents.address.clone().unwrap_or_else(|| {
            let (first, name) = match tls.first() {
                Some(first) if https => (Some(first), self.tls.names.first()),
                _ => (plain.first().or(tls.first()), None),
            };
            let Some(address) = first else {
                return "localhost".into();
            };
            match name {
                Some(name) if name.contains(':') => format!("[{name}]:{}", address.port()),
                Some(name) => format!("{name}:{}", address.port()),
                // Nobody can connect to "any address".
                None if address.ip().is_unspecified() => format!("localhost:{}", address.port()),
                None => address.to_string(),
            }
        });
        AgentsAddress { host, https }
    }

    /// Returns the names that the certificate is for. One of the site's own need not be for this machine's local names.
    pub(super) fn certificate_names(&self, tls: &[SocketAddr], agents: &AgentsAddress) -> Vec<String> {
        let mut names = self.tls.names.clone();
        if agents.https {
            names.push(agents.name().to_owned());
        }
        if self.tls.own.is_none() {
            names.extend(["localhost".into(), "127.0.0.1".into(), "::1".into()]);
            let addresses = tls.iter().map(|address| address.ip().to_canonical());
            names.extend(addresses.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
        }
        names.sort();
        names.dedup();
        names
    }

    /// Checks what no single setting shows.
    ///
    /// # Errors
    ///
    /// `E-USAGE tls-name` and `agents-address` for what is no name; `E-USAGE plain-http`: an address that other machines reach, without TLS and without saying so.
    pub fn check(&self) -> Result<()> {
        for name in &self.tls.names {
            super::server_name::server_name(name)?;
        }
        if let Some(address) = &self.agents.address {
            check_host(address)?;
        }
        if let Some(address) = self.tls.listen.iter().find(|address| address.ip().is_unspecified())
            && self.tls.names.is_empty()
        {
            return Err(Error::new(
                Class::Usage,
                "tls-name",
                format!("HTTPS on {address} answers under every address of this machine, and tls.names says none"),
            )
            .expected("the names and addresses that clients use, as in names = [\"airlock.plant.example\"]"));
        }
        let open = self
            .listen
            .iter()
            .find(|address| !address.ip().to_canonical().is_loopback());
        match open {
            Some(address) if !self.plain_http_beyond_loopback => Err(Error::new(
                Class::Usage,
                "plain-http",
                format!("{address} can be reached from other machines, and would be served without TLS"),
            )
            .expected("a loopback address")
            .remedy("listen there with [tls], put a TLS proxy in front (behind it everybody needs credentials), or set plain_http_beyond_loopback = true in the configuration")),
            _ => Ok(()),
        }
    }
}

impl AgentsAddress {
    /// Returns the host without its port, and an IPv6 address without its brackets.
    pub fn name(&self) -> &str {
        host_name(&self.host)
    }

    /// Returns `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// Takes the port from `host:port`, and the brackets from an IPv6 address.
pub(super) fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Checks `host` or `host:port`. It goes into scripts and manifests, so nothing but a host may be in it (threat model A11).
fn check_host(address: &str) -> Result<()> {
    let name = host_name(address);
    let rest = address.trim_start_matches('[').strip_prefix(name).unwrap_or_default();
    let port = rest.trim_start_matches(']');
    let good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let good_name = match name.parse::<IpAddr>() {
        Ok(ip) => ip.is_ipv6() == address.starts_with('['),
        Err(_) => {
            !address.starts_with('[')
                && name
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c))
        }
    };
    if good && good_name && super::server_name::server_name(name).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        Class::Usage,
        "agents-address",
        format!(
            "{:?} is no address for agents",
            address.chars().take(80).collect::<String>()
        ),
    )
    .expected("HOST or HOST:PORT in lower case, as in airlock.plant.example:5443"))
}

impl ReadPolicy {
    /// Whether a peer may read without credentials. This machine always may, but where credentials are wanted of everybody.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        match self {
            Self::Loopback => peer.is_loopback(),
            Self::Networks(networks) => peer.is_loopback() || networks.iter().any(|network| network.contains(peer)),
            Self::Credentials => false,
        }
    }
}

impl Network {
    /// Whether an address belongs to it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same_bits(
                u128::from(network.to_bits()) << 96,
                u128::from(address.to_bits()) << 96,
                self.bits,
            ),
            (IpAddr::V6(network), IpAddr::V6(address)) => same_bits(network.to_bits(), address.to_bits(), self.bits),
            _ => false,
        }
    }
}

fn same_bits(a: u128, b: u128, bits: u32) -> bool {
    (a ^ b).leading_zeros() >= bits
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(
                Class::Usage,
                "network",
                format!("{:?} is no network", text.chars().take(80).collect::<String>()),
            )
            .expected("an address and the number of its fixed bits, as in 10.0.0.0/8, with the other bits zero")
        };
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        let (value, width) = match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        // 10.1.2.3/8 is more likely a mistake than a network.
        let host_bits = value.checked_shl(bits).unwrap_or(0);
        if bits > width || host_bits != 0 {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "fd00::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                inside,
                "{network:?} {address}"
            );
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.1.0.0/8",
            "x/8",
            "10.0.0.0/-1",
            "fd00::1/8",
            "::/129",
        ] {
            assert_eq!(bad.parse::<Network>().unwrap_err().class(), Class::Usage, "{bad}");
        }
    }

    #[test]
    fn this_machine_may_always_read() {
        let policy = ReadPolicy::Networks(vec!["10.0.0.0/8".parse().unwrap()]);
        for (policy, peer, allowed) in [
            (&ReadPolicy::Loopback, "127.0.0.1", true),
            (&ReadPolicy::Loopback, "::1", true),
            (&ReadPolicy::Loopback, "::ffff:127.0.0.1", true),
            (&ReadPolicy::Loopback, "10.0.0.1", false),
            (&policy, "127.0.0.1", true),
            (&policy, "10.0.0.1", true),
            (&policy, "192.168.0.1", false),
        ] {
            assert_eq!(policy.allows(peer.parse().unwrap()), allowed, "{policy:?} {peer}");
        }
    }

    #[test]
    fn plain_http_for_other_machines_must_be_said() {
        let mut settings = Settings::default();
        settings.check().unwrap();
        settings.listen = vec!["[::1]:0".parse().unwrap(), "0.0.0.0:5000".parse().unwrap()];
        let error = settings.check().unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "plain-http"));
        settings.plain_http_beyond_loopback = true;
        settings.check().unwrap();
    }
}
