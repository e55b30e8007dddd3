//! Slots for connections: a bound in all, and one for each address (threat model R12).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::Limits;

/// Connections at present, in all and by address.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionSlots(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The slot of one connection; free again when dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    slots: ConnectionSlots,
    address: IpAddr,
}

impl ConnectionSlots {
    /// Takes a slot, while there is one for this address.
    pub(super) fn take(&self, address: IpAddr, limits: &Limits) -> Option<ConnectionSlot> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.total >= limits.connections || own >= limits.connections_per_address {
            return None;
        }
        taken.total = taken.total.saturating_add(1);
        taken.by_address.insert(address, own.saturating_add(1));
        Some(ConnectionSlot {
            slots: self.clone(),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.total = taken.total.saturating_sub(1);
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_bounded_in_all_and_by_address() {
        let limits = Limits {
            connections: 3,
            connections_per_address: 2,
            ..Limits::default()
        };
        let slots = ConnectionSlots::default();
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        let two: IpAddr = "10.0.0.2".parse().unwrap();
        let three: IpAddr = "10.0.0.3".parse().unwrap();
        let held = [slots.take(one, &limits).unwrap(), slots.take(one, &limits).unwrap()];
        assert!(slots.take("::ffff:10.0.0.1".parse().unwrap(), &limits).is_none());
        let other = slots.take(two, &limits).unwrap();
        assert!(slots.take(three, &limits).is_none());
        drop(other);
        assert!(slots.take(three, &limits).is_some());
        drop(held);
        assert_eq!(slots.lock().total, 0);
        assert!(slots.lock().by_address.is_empty());
    }
}
