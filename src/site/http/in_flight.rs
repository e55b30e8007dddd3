//! Bytes of answers that are in memory because their clients have not taken them yet: a bound in all, and one for each peer (threat
//! model R14).
//!
//! Every connection may hold a little ([`SMALL_BYTES`]) without asking: connections are bounded. What is longer is put down in the
//! account of its peer before it is made, and stays there until the last byte was sent or the client is gone: the permit travels
//! inside the bytes. A buffer that many answers share is put down once. Where an account is full, whatever has a source to read from
//! piece by piece (files, documents of targets) goes on in small pieces, and lists, which have none, are refused after a moment.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Extensions;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::peer::{Peer, Remote};

/// Bytes that an answer may hold without a permit: a record of TLS.
pub(super) const SMALL_BYTES: usize = 16 << 10;
/// How long an answer waits for others to be taken.
const PATIENCE: Duration = Duration::from_secs(1);

/// The accounts of all peers. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct InFlight(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Bytes in all.
    total: usize,
    /// Bytes of one peer.
    share: usize,
    patience: Duration,
    books: Mutex<Books>,
    given_back: Notify,
}

#[derive(Debug, Default)]
struct Books {
    total: usize,
    by_peer: HashMap<Peer, usize>,
    /// Buffers that several answers send, by address: their holders keep them alive, so no other buffer has that address.
    buffers: HashMap<usize, HashMap<Peer, usize>>,
}

/// Why there is no room at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The peer has its share in memory.
    Share,
    /// All peers together have everything there is.
    Total,
}

/// The account of one peer, as a request meets it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    in_flight: InFlight,
    peer: Peer,
}

/// Room for so many bytes; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    account: Account,
    bytes: usize,
}

/// How long an answer waits for room.
#[derive(Debug)]
pub(super) struct Patience {
    length: Duration,
    end: Option<Instant>,
}

/// Bytes that hold their permit until they were sent.
struct Held<B> {
    bytes: B,
    _permit: Permit,
}

/// A buffer that several answers send, and one of them.
struct SharedBytes {
    bytes: Arc<[u8]>,
    account: Account,
}

impl InFlight {
    /// Makes empty accounts: `total` bytes in all, `share` for each peer.
    pub(super) fn new(total: usize, share: usize) -> Self {
        Self::with_patience(total, share, PATIENCE)
    }

    fn with_patience(total: usize, share: usize, patience: Duration) -> Self {
        Self(Arc::new(Shared {
            total,
            share,
            patience,
            books: Mutex::default(),
            given_back: Notify::new(),
        }))
    }

    /// Returns the account that a request's answer is put down in. Requests that came through no socket share one.
    pub(super) fn account(&self, extensions: &Extensions) -> Account {
        let remote = extensions.get::<Remote>().map(|Remote(address)| *address);
        Account {
            in_flight: self.clone(),
            peer: Peer::of(remote.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given_back(&self) {
        self.0.given_back.notify_waiters();
    }
}

impl Books {
    /// Puts bytes down: for a peer, and in all unless another answer holds the same ones.
    fn add(&mut self, bounds: &Shared, peer: Peer, own: usize, total: usize) -> Result<(), Full> {
        let peers = self.by_peer.get(&peer).copied().unwrap_or(0).saturating_add(own);
        let all = self.total.saturating_add(total);
        if peers > bounds.share {
            return Err(Full::Share);
        }
        if all > bounds.total {
            return Err(Full::Total);
        }
        self.put_down(peer, own, total);
        Ok(())
    }

    fn put_down(&mut self, peer: Peer, own: usize, total: usize) {
        self.total = self.total.saturating_add(total);
        if own > 0 {
            let held = self.by_peer.entry(peer).or_insert(0);
            *held = held.saturating_add(own);
        }
    }

    fn remove(&mut self, peer: Peer, own: usize, total: usize) {
        self.total = self.total.saturating_sub(total);
        if let Some(held) = self.by_peer.get_mut(&peer) {
            *held = held.saturating_sub(own);
            if *held == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }
}

impl Account {
    /// Takes room, if there is any now; there always is for a little.
    pub(super) fn take(&self, bytes: usize) -> Result<Permit, Full> {
        let bytes = counted(bytes);
        if bytes == 0 {
            return Ok(Permit {
                account: self.clone(),
                bytes,
            });
        }
        let shared = &self.in_flight.0;
        self.in_flight.books().add(shared, self.peer, bytes, bytes)?;
        Ok(Permit {
            account: self.clone(),
            bytes,
        })
    }

    /// Returns whose account it is.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Returns how long an answer waits that has no room.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            length: self.in_flight.0.patience,
            end: None,
        }
    }

    /// Is ready when room was given back since this was called.
    pub(super) fn given_back(&self) -> Notified<'_> {
        self.in_flight.0.given_back.notified()
    }

    /// Returns bytes to send that only this answer holds.
    pub(super) fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, Full> {
        Ok(self.take(bytes.len())?.hold(bytes))
    }

    /// Returns a buffer to send that other answers may send too.
    pub(super) fn share(&self, bytes: &Arc<[u8]>) -> Result<Bytes, Full> {
        if bytes.len() > SMALL_BYTES {
            let mut books = self.in_flight.books();
            let holders = books.buffers.get(&address(bytes));
            let (known, own) = (
                holders.is_some(),
                holders.is_some_and(|peers| peers.contains_key(&self.peer)),
            );
            let cost = |held: bool| if held { 0 } else { bytes.len() };
            books.add(&self.in_flight.0, self.peer, cost(own), cost(known))?;
            let answers = books.buffers.entry(address(bytes)).or_default();
            let answers = answers.entry(self.peer).or_insert(0);
            *answers = answers.saturating_add(1);
        }
        Ok(Bytes::from_owner(SharedBytes {
            bytes: bytes.clone(),
            account: self.clone(),
        }))
    }

    /// Ends one answer's part of a shared buffer.
    fn unshare(&self, bytes: &Arc<[u8]>) {
        let mut books = self.in_flight.books();
        let Some(holders) = books.buffers.get_mut(&address(bytes)) else {
            return;
        };
        let Some(answers) = holders.get_mut(&self.peer) else {
            return;
        };
        *answers = answers.saturating_sub(1);
        if *answers > 0 {
            return;
        }
        holders.remove(&self.peer);
        let last = holders.is_empty();
        if last {
            books.buffers.remove(&address(bytes));
        }
        books.remove(self.peer, bytes.len(), if last { bytes.len() } else { 0 });
        drop(books);
        self.in_flight.given_back();
    }
}

impl Patience {
    /// Waits for room that is given back; nothing when it took too long, from the first time on.
    pub(super) async fn wait(&mut self, given_back: Notified<'_>) -> Option<()> {
        let end = *self.end.get_or_insert_with(|| Instant::now() + self.length);
        tokio::time::timeout_at(end, given_back).await.ok()
    }
}

impl Permit {
    /// Returns bytes that hold this permit, cut or grown to their size, until they were sent.
    pub(super) fn hold<B: AsRef<[u8]> + Send + 'static>(mut self, bytes: B) -> Bytes {
        // What is longer than was thought is there already; others wait for it.
        let (held, own) = (self.bytes, counted(bytes.as_ref().len()));
        if own != held {
            let mut books = self.account.in_flight.books();
            let peer = self.account.peer;
            books.remove(peer, held, held);
            books.put_down(peer, own, own);
            drop(books);
            self.bytes = own;
        }
        if own < held {
            self.account.in_flight.given_back();
        }
        if own == 0 {
            return Bytes::from_owner(bytes);
        }
        Bytes::from_owner(Held { bytes, _permit: self })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let account = &self.account;
        account.in_flight.books().remove(account.peer, self.bytes, self.bytes);
        account.in_flight.given_back();
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        if self.bytes.len() > SMALL_BYTES {
            self.account.unshare(&self.bytes);
        }
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is put down for an answer of a length.
fn counted(bytes: usize) -> usize {
    if bytes > SMALL_BYTES { bytes } else { 0 }
}

fn address(bytes: &Arc<[u8]>) -> usize {
    Arc::as_ptr(bytes).cast::<u8>().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn account(in_flight: &InFlight, last: u8) -> Account {
        let mut extensions = Extensions::new();
        extensions.insert(Remote(SocketAddr::from(([127, 0, 0, last], 1))));
        in_flight.account(&extensions)
    }

    fn is_empty(in_flight: &InFlight) -> bool {
        let books = in_flight.books();
        books.total == 0 && books.by_peer.is_empty() && books.buffers.is_empty()
    }

    #[test]
    fn a_peer_has_its_share_and_all_have_the_total() {
        let in_flight = InFlight::new(100 * KIB, 60 * KIB);
        let (one, two) = (account(&in_flight, 1), account(&in_flight, 2));
        let first = one.hold(vec![1; 50 * KIB]).unwrap();
        assert_eq!(one.hold(vec![0; 20 * KIB]).unwrap_err(), Full::Share);
        assert_eq!(two.hold(vec![0; 60 * KIB]).unwrap_err(), Full::Total);
        let second = two.hold(vec![2; 50 * KIB]).unwrap();
        // A little is never refused, and is put down nowhere.
        assert_eq!(one.hold(vec![3; SMALL_BYTES]).unwrap().len(), SMALL_BYTES);
        // Parts of the bytes hold them all.
        let part = first.slice(..1);
        drop(first);
        assert_eq!(one.take(20 * KIB).unwrap_err(), Full::Share);
        drop((part, second));
        assert!(is_empty(&in_flight));
        assert!(one.take(60 * KIB).is_ok());
    }

    #[test]
    fn a_shared_buffer_counts_once_in_all_and_once_for_each_peer() {
        let in_flight = InFlight::new(100 * KIB, 60 * KIB);
        let (one, two) = (account(&in_flight, 1), account(&in_flight, 2));
        let buffer: Arc<[u8]> = vec![7; 40 * KIB].into();
        let held: Vec<Bytes> = (0..500).map(|_| one.share(&buffer).unwrap()).collect();
        let other = two.share(&buffer).unwrap();
        assert_eq!(in_flight.books().total, 40 * KIB);
        assert_eq!(one.take(21 * KIB).unwrap_err(), Full::Share);
        // The first holder goes; the second still has it.
        drop(held);
        assert_eq!(in_flight.books().total, 40 * KIB);
        assert!(one.take(60 * KIB).is_ok());
        assert_eq!(two.take(21 * KIB).unwrap_err(), Full::Share);
        drop(other);
        assert!(is_empty(&in_flight));
    }

    #[test]
    fn a_permit_becomes_as_long_as_its_bytes() {
        let in_flight = InFlight::new(100 * KIB, 60 * KIB);
        let one = account(&in_flight, 1);
        let short = one.take(50 * KIB).unwrap().hold(vec![0; 20 * KIB]);
        assert_eq!(in_flight.books().total, 20 * KIB);
        let little = one.take(30 * KIB).unwrap().hold(vec![0; 10 * KIB]);
        assert_eq!(in_flight.books().total, 20 * KIB);
        let long = one.take(17 * KIB).unwrap().hold(vec![0; 80 * KIB]);
        assert_eq!(in_flight.books().total, 100 * KIB);
        assert_eq!(one.take(17 * KIB).unwrap_err(), Full::Share);
        drop((short, little, long));
        assert!(is_empty(&in_flight));
    }

    #[tokio::test]
    async fn who_waits_is_told_when_others_are_done_or_gives_up_in_time() {
        let in_flight = InFlight::with_patience(100 * KIB, 60 * KIB, Duration::from_millis(20));
        let one = account(&in_flight, 1);
        let mut patience = one.patience();
        let held = one.take(60 * KIB).unwrap();
        assert_eq!(patience.wait(one.given_back()).await, None);
        let patient = InFlight::with_patience(100 * KIB, 60 * KIB, Duration::from_secs(3600));
        let one = account(&patient, 1);
        let other = one.take(60 * KIB).unwrap();
        let (mut patience, given_back) = (one.patience(), one.given_back());
        drop((other, held));
        assert_eq!(patience.wait(given_back).await, Some(()));
        assert!(is_empty(&patient) && is_empty(&in_flight));
    }
}
