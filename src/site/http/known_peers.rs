//! Peers that lately showed a target's credentials.
//!
//! Nothing of this outlasts the process: after a start nobody is known until credentials were shown, for which there are the seats of
//! guests ([`super::seats`]).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::peer::Peer;

/// How long a peer stays known: agents ask every few seconds, engines pull behind them.
const KNOWN: Duration = Duration::from_secs(15 * 60);
/// Peers that are remembered; more make the one that was heard of least lately forgotten.
const PEERS: usize = 1 << 14;

/// The peers, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct KnownPeers(HashMap<Peer, Instant>);

impl KnownPeers {
    /// A peer showed credentials just now.
    pub(super) fn note(&mut self, peer: Peer) {
        if self.0.len() >= PEERS && !self.0.contains_key(&peer) {
            self.0.retain(|_, seen| seen.elapsed() < KNOWN);
            if self.0.len() >= PEERS
                && let Some(oldest) = self.0.iter().min_by_key(|(_, seen)| **seen).map(|(peer, _)| *peer)
            {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(peer, Instant::now());
    }

    /// Returns how many are known.
    pub(super) fn count(&self) -> usize {
        self.0.values().filter(|seen| seen.elapsed() < KNOWN).count()
    }

    /// Whether a peer is known.
    pub(super) fn contains(&self, peer: Peer) -> bool {
        self.0.get(&peer).is_some_and(|seen| seen.elapsed() < KNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let peer = |number: usize| {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 | u32::try_from(number).unwrap());
            Peer::of((address, 1).into())
        };
        let mut known = KnownPeers::default();
        for number in 0..=PEERS {
            known.note(peer(number));
        }
        assert_eq!(known.0.len(), PEERS);
        assert!(!known.contains(peer(0)) && known.contains(peer(1)) && known.contains(peer(PEERS)));
    }
}
