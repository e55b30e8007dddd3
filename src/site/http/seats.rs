//! Seats for connections: how many there are, and who gives way when all are taken (threat model R12, R14).
//!
//! - A bound in all, and one for each peer: an address, or the /64 of an IPv6 host ([`Peer`]).
//! - A quarter of all seats is for **known** peers alone: those that showed a target's credentials within the last minutes. Whoever
//!   fills everything else, agents and engines with tokens still find room.
//! - A quarter of those is lent to **guests**: newcomers that are not known and find no other seat. A guest is asked for its credentials:
//!   what shows none that are good is answered "come again" and closed, and nothing else is done for it. So a server that has just
//!   started, and knows nobody, comes to know its agents, whoever fills everything else.
//! - Where a newcomer finds no seat, an **idle** connection closes in its favour: one that waits for a request and owes nothing. It is
//!   taken from the peer that has most, the one that is idle longest; never from a peer that has no more than the newcomer; never
//!   from a known peer for an unknown one. A peer that has all it may have gives up an idle one of its own.
//! - Connections that are at work are never closed for others: timers bound how long they may take.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::known_peers::KnownPeers;
use super::peer::Peer;
use super::settings::Limits;

/// One part in so many of all seats is for known peers alone.
const RESERVED: usize = 4;
/// One part in so many of these is lent to guests.
const LENT: usize = 4;
/// How long a connection must have been idle to give way: a new one has time for its request.
const IDLE: Duration = Duration::from_millis(500);
/// Connections that were told to give way and are not gone yet, beside the seats.
const LEAVING: usize = 64;

/// All seats.
#[derive(Debug, Clone)]
pub(super) struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: usize,
    reserved: usize,
    guests: usize,
    of_one_peer: usize,
    idle: Duration,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Numbers are given in the order in which connections came.
    next: u64,
    count: usize,
    leaving: usize,
    by_peer: HashMap<Peer, BTreeMap<u64, Arc<Holder>>>,
    known: KnownPeers,
}

/// What is known of the connection on a seat.
#[derive(Debug)]
struct Holder {
    activity: Mutex<Activity>,
    give_way: CancellationToken,
}

#[derive(Debug)]
struct Activity {
    /// Requests whose answers are not sent yet; and one more for ever where a handler took the connection over.
    requests: u32,
    /// Whether something is still to be written to the socket.
    unsent: bool,
    idle_since: Instant,
}

/// The seat of one connection; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    peer: Peer,
    number: u64,
    guest: bool,
    holder: Arc<Holder>,
}

/// Tells what a connection does.
#[derive(Debug, Clone)]
pub(super) struct SeatActivity(Arc<Holder>);

/// A request that is answered; its answer is sent when this is dropped.
#[derive(Debug)]
pub(super) struct AtWork(Arc<Holder>);

/// Put into requests: makes the peer a known one.
#[derive(Debug, Clone)]
pub(super) struct Acquaintance {
    seats: Seats,
    peer: Peer,
    guest: bool,
}

impl Seats {
    /// As many as the limits say.
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with(limits, IDLE)
    }

    fn with(limits: &Limits, idle: Duration) -> Self {
        Self(Arc::new(Shared {
            all: limits.connections,
            reserved: limits.connections / RESERVED,
            guests: limits.connections / RESERVED / LENT,
            of_one_peer: limits.connections_per_address,
            idle,
            taken: Mutex::default(),
        }))
    }

    /// Takes a seat, at the cost of an idle connection where all are taken; nothing where nobody can give way.
    pub(super) fn take(&self, peer: Peer) -> Option<Seat> {
        let mut taken = self.lock();
        let own = taken.of(peer);
        let mut guest = false;
        let victim = if own >= self.0.of_one_peer {
            Some(taken.longest_idle(peer, self.0.idle).map(|number| (peer, number))?)
        } else if self.is_full(&taken, peer) {
            let victim = self.victim(&taken, peer, own);
            guest = victim.is_none() && self.lends(&taken, peer);
            if victim.is_none() && !guest {
                return None;
            }
            victim
        } else {
            None
        };
        if let Some((of, number)) = victim {
            if taken.leaving >= LEAVING {
                return None;
            }
            let holder = taken.remove(of, number)?;
            taken.leaving += 1;
            holder.give_way.cancel();
        }
        let number = taken.next;
        taken.next = taken.next.wrapping_add(1);
        let holder = Arc::new(Holder {
            activity: Mutex::new(Activity {
                requests: 0,
                unsent: false,
                idle_since: Instant::now(),
            }),
            give_way: CancellationToken::new(),
        });
        taken.by_peer.entry(peer).or_default().insert(number, holder.clone());
        taken.count += 1;
        Some(Seat {
            seats: self.clone(),
            peer,
            number,
            guest,
            holder,
        })
    }

    /// Whether no seat is free for this peer.
    fn is_full(&self, taken: &Taken, peer: Peer) -> bool {
        let open = self.open();
        // Counted only when it matters.
        taken.count >= self.0.all
            || (taken.count >= open && !taken.known.contains(peer) && taken.of_unknown_peers() >= open)
    }

    /// Whether a seat can be lent to this peer.
    fn lends(&self, taken: &Taken, peer: Peer) -> bool {
        let most = self.open().saturating_add(self.0.guests);
        taken.count < self.0.all && !taken.known.contains(peer) && taken.of_unknown_peers() < most
    }

    /// Seats that are not for known peers alone.
    fn open(&self) -> usize {
        self.0.all.saturating_sub(self.0.reserved)
    }

    /// Who gives way to a newcomer: of unknown peers first, and for an unknown newcomer of no others.
    fn victim(&self, taken: &Taken, newcomer: Peer, own: usize) -> Option<(Peer, u64)> {
        let newcomer_is_known = taken.known.contains(newcomer);
        let among = |known: bool, more_than: usize| {
            let mut peers: Vec<(usize, Peer)> = taken
                .by_peer
                .iter()
                .filter(|(peer, holders)| holders.len() > more_than && taken.known.contains(**peer) == known)
                .map(|(peer, holders)| (holders.len(), *peer))
                .collect();
            peers.sort_unstable();
            let most = peers.into_iter().rev().map(|(_, peer)| peer);
            most.filter(|peer| *peer != newcomer)
                .find_map(|peer| Some((peer, taken.longest_idle(peer, self.0.idle)?)))
        };
        if newcomer_is_known {
            among(false, 0).or_else(|| among(true, own))
        } else {
            among(false, own)
        }
    }

    /// Returns how many are taken, how many there are, and how many peers are known.
    pub(super) fn count(&self) -> (usize, usize, usize) {
        let taken = self.lock();
        (taken.count, self.0.all, taken.known.count())
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&self, peer: Peer) -> usize {
        self.by_peer.get(&peer).map_or(0, BTreeMap::len)
    }

    fn of_unknown_peers(&self) -> usize {
        let unknown = self.by_peer.iter().filter(|(peer, _)| !self.known.contains(**peer));
        unknown.map(|(_, holders)| holders.len()).sum()
    }

    /// The connection of a peer that has been idle longest, and long enough.
    fn longest_idle(&self, peer: Peer, least: Duration) -> Option<u64> {
        let holders = self.by_peer.get(&peer)?.iter();
        holders
            .filter_map(|(number, holder)| Some((holder.idle_since()?, *number)))
            .min()
            .filter(|(since, _)| since.elapsed() >= least)
            .map(|(_, number)| number)
    }

    fn remove(&mut self, peer: Peer, number: u64) -> Option<Arc<Holder>> {
        let holders = self.by_peer.get_mut(&peer)?;
        let removed = holders.remove(&number)?;
        if holders.is_empty() {
            self.by_peer.remove(&peer);
        }
        self.count = self.count.saturating_sub(1);
        Some(removed)
    }
}

impl Holder {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when nothing is going on; nothing while something is.
    fn idle_since(&self) -> Option<Instant> {
        let activity = self.activity();
        (activity.requests == 0 && !activity.unsent).then_some(activity.idle_since)
    }
}

impl Seat {
    /// Returns what tells of the connection's activity.
    pub(super) fn activity(&self) -> SeatActivity {
        SeatActivity(self.holder.clone())
    }

    /// Returns what makes the peer a known one.
    pub(super) fn acquaintance(&self) -> Acquaintance {
        Acquaintance {
            seats: self.seats.clone(),
            peer: self.peer,
            guest: self.guest,
        }
    }

    /// Waits until the connection is to give way to another one. A request that came meanwhile may be answered.
    pub(super) async fn give_way(&self) {
        self.holder.give_way.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if taken.remove(self.peer, self.number).is_none() {
            // Its seat is another's already.
            taken.leaving = taken.leaving.saturating_sub(1);
        }
    }
}

impl SeatActivity {
    /// A request is answered from now on.
    pub(super) fn begin(&self) -> AtWork {
        let mut activity = self.0.activity();
        activity.requests = activity.requests.saturating_add(1);
        AtWork(self.0.clone())
    }

    /// Whether something waits to be written to the socket.
    pub(super) fn set_unsent(&self, unsent: bool) {
        let mut activity = self.0.activity();
        activity.unsent = unsent;
        activity.idle_since = Instant::now();
    }

    /// Whether the connection has been idle for a time.
    pub(super) fn has_rested(&self, time: Duration) -> bool {
        self.0.idle_since().is_some_and(|since| since.elapsed() >= time)
    }

    /// Whether a request is being answered, or its answer being sent.
    pub(super) fn is_at_work(&self) -> bool {
        self.0.idle_since().is_none()
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.requests = activity.requests.saturating_sub(1);
        activity.idle_since = Instant::now();
    }
}

impl Acquaintance {
    /// Whether the connection has a seat that is only lent to it, and the peer has shown no credentials that are good.
    pub(super) fn is_guest(&self) -> bool {
        self.guest && !self.seats.lock().known.contains(self.peer)
    }

    /// The peer showed credentials that are good.
    pub(super) fn note(&self) {
        self.seats.lock().known.note(self.peer);
    }
}

#[cfg(test)]
#[path = "seats_tests.rs"]
mod tests;
