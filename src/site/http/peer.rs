//! Who is at the other end: the address of a connection, and the peer that shares of what is bounded are counted for: an address, or
//! the IPv6 /64 that it lies in.
//!
//! One host has a whole /64 for the asking, so that its addresses are one peer; an IPv4 address that came in over an IPv6 socket is the
//! IPv4 address. A port is never part of it: that would make every connection a peer of its own.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::Extensions;

/// Bits of an IPv6 address that tell one host's network from another.
const NETWORK: u128 = !0 << 64;

/// The other end of the connection, put into the extensions of every request by the server.
#[derive(Debug, Clone, Copy)]
pub struct Remote(pub SocketAddr);

/// This end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local(pub(super) SocketAddr);

/// Put into requests that a proxy passed on: whoever asks is behind it, and the other end of the connection says nothing of that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forwarded;

/// Put into requests that came over TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct OverTls;

/// Who can read on the way what is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Nobody: it is encrypted, or does not leave this machine.
    Private,
    /// Whoever is on the network, or behind a proxy.
    Open,
}

impl Way {
    /// Judges the connection that a request came on; one that a proxy passed on over plain HTTP came from nobody knows where (R15).
    pub(super) fn of(extensions: &Extensions) -> Self {
        let is_local = extensions
            .get::<Remote>()
            .is_some_and(|Remote(address)| address.ip().to_canonical().is_loopback());
        if extensions.get::<OverTls>().is_some() || (is_local && extensions.get::<Forwarded>().is_none()) {
            Self::Private
        } else {
            Self::Open
        }
    }
}

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
