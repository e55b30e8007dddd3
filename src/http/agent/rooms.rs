//! Room for large bodies: so many in memory at one time, and few of one target (threat model R12, A06).
//!
//! A body begins in a little memory of its own connection. When it needs more it takes a room, and gives it back at its end; who
//! finds none in time is told nothing bad, and its logs become a gap record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::Uuid;

/// Bytes that a body may hold without a room.
pub(super) const SMALL_BYTES: usize = 24 << 10;
/// Rooms in all; a body in one holds three times the longest text at most.
const ROOMS: usize = 40;
/// Rooms of one target.
const OF_ONE: usize = 2;
/// How long a body waits for a room; bodies in rooms end within milliseconds as a rule. Short, because an agent stands still while
/// its own log is being taken.
const PATIENCE: Duration = Duration::from_secs(1);

/// The rooms.
#[derive(Debug, Clone)]
pub(super) struct Rooms {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
    patience: Duration,
}

/// A room; given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

/// A part of what one target may have; given back when dropped.
#[derive(Debug)]
struct Share {
    rooms: Rooms,
    target: Uuid,
}

impl Rooms {
    pub(super) fn new() -> Self {
        Self::with_patience(PATIENCE)
    }

    fn with_patience(patience: Duration) -> Self {
        Self {
            patience,
            free: Arc::new(Semaphore::new(ROOMS)),
            taken: Arc::default(),
        }
    }

    /// Takes a room; nothing when the target has its share, or none becomes free.
    pub(super) async fn take(&self, target: Uuid) -> Option<Room> {
        {
            let mut taken = self.lock();
            let own = taken.entry(target).or_insert(0);
            if *own >= OF_ONE {
                return None;
            }
            *own = own.saturating_add(1);
        }
        let share = Share {
            rooms: self.clone(),
            target,
        };
        let permit = tokio::time::timeout(self.patience, self.free.clone().acquire_owned())
            .await
            .ok()?
            .ok()?;
        Some(Room {
            _permit: permit,
            _share: share,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.rooms.lock();
        if let Some(own) = taken.get_mut(&self.target) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rooms_are_bounded_in_all_and_by_target() {
        let rooms = Rooms::with_patience(Duration::from_millis(1));
        let target = |number: usize| Uuid::derived("test", &[&number.to_string()]);
        let mut held = vec![
            rooms.take(target(0)).await.unwrap(),
            rooms.take(target(0)).await.unwrap(),
        ];
        assert!(rooms.take(target(0)).await.is_none());
        for number in 1..=ROOMS - 2 {
            held.push(rooms.take(target(number)).await.unwrap());
        }
        // None is free: who waits in vain gives its share back too.
        assert!(rooms.take(target(99)).await.is_none());
        assert!(!rooms.lock().contains_key(&target(99)));
        drop(held);
        assert!(rooms.take(target(0)).await.is_some());
        assert!(rooms.lock().is_empty());
    }
}
