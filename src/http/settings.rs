//! What a server is told: where to listen, who may read, how much anybody may take.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::domain::{Class, Error, Result};

/// Settings of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Who may read.
    pub read: ReadPolicy,
    /// Whether an address that other machines reach may be served without TLS.
    pub plain_http_beyond_loopback: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Who may read from the registry (D19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadPolicy {
    /// This machine only.
    Loopback,
    /// This machine and these networks.
    Networks(Vec<Network>),
}

/// Bounds of a server (threat model R12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Connections of one address at one time.
    pub connections_per_address: usize,
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
            read: ReadPolicy::Loopback,
            plain_http_beyond_loopback: false,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 512,
            head: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            shutdown: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Checks what no single setting shows.
    ///
    /// # Errors
    ///
    /// `E-USAGE plain-http`: an address that other machines reach, without TLS and without saying so.
    pub fn check(&self) -> Result<()> {
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
            .remedy("put a TLS proxy in front, or set plain_http_beyond_loopback = true in the configuration")),
            _ => Ok(()),
        }
    }
}

impl ReadPolicy {
    /// Whether a peer may read. This machine always may.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback()
            || match self {
                Self::Loopback => false,
                Self::Networks(networks) => networks.iter().any(|network| network.contains(peer)),
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
