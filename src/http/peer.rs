//! Who is at the other end, for shares of what is bounded: an address, or the IPv6 /64 that it lies in.
//!
//! One host has a whole /64 for the asking, so that its addresses are one peer; an IPv4 address that came in over an IPv6 socket is the
//! IPv4 address. A port is never part of it: that would make every connection a peer of its own.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Bits of an IPv6 address that tell one host's network from another.
const NETWORK: u128 = !0 << 64;

/// A peer: the key under which shares are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Peer(IpAddr);

impl Peer {
    /// Returns the peer that a connection belongs to.
    pub(super) fn of(remote: SocketAddr) -> Self {
        Self(match remote.ip().to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            // Loopback is one host, not a /64 of them; masked it would be the unspecified address.
            IpAddr::V6(address) if address.is_loopback() => IpAddr::V6(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(network) if !network.is_loopback() => write!(f, "{network}/64"),
            address => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_peer() {
        let of = |text: &str| Peer::of(text.parse().unwrap());
        let shown = |text: &str| of(text).to_string();
        assert_eq!(of("192.0.2.7:1"), of("192.0.2.7:2"));
        assert_eq!(of("[::ffff:192.0.2.7]:1"), of("192.0.2.7:2"));
        assert_eq!(of("[2001:db8:1:2::1]:1"), of("[2001:db8:1:2:ffff:ffff:ffff:ffff]:2"));
        assert_ne!(of("[2001:db8:1:2::1]:1"), of("[2001:db8:1:3::1]:1"));
        assert_ne!(of("192.0.2.7:1"), of("192.0.2.8:1"));
        assert_ne!(of("[::1]:1"), of("127.0.0.1:1"));
        assert_eq!(shown("[2001:db8:1:2::1]:1"), "2001:db8:1:2::/64");
        assert_eq!(
            (shown("[::1]:1"), shown("127.0.0.2:1")),
            ("::1".into(), "127.0.0.2".into())
        );
    }
}
