//! The hub's verifiers: the right secret, two at a time, and a queue with an end (A03).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::Hash;

const SECRET: &str = "00112233445566778899aabbccddeeff";

fn verifier(secret: &str) -> Verifier {
    Verifier {
        algorithm: "argon2id".into(),
        hash: Hash(hash(&[5; 16], secret).unwrap()).to_hex(),
        lanes: 4,
        memory_kib: 65_536,
        salt: "05".repeat(16),
        time: 1,
    }
}

#[test]
fn the_right_secret_and_no_other() {
    let hashing = Hashing::default();
    let verifier = verifier(SECRET);
    // What another implementation (argon2-cffi) makes of these 32 characters.
    assert_eq!(
        verifier.hash,
        "8f65e48601c4726ff3fbaf014fcc15f295aaae304341b6810403ee036ad2965f"
    );
    assert_eq!(hashing.check(Some(&verifier), SECRET).unwrap(), Some(true));
    assert_eq!(
        hashing
            .check(Some(&verifier), "00112233445566778899aabbccddeefe")
            .unwrap(),
        Some(false)
    );
    assert_eq!(hashing.check(None, SECRET).unwrap(), Some(false));
}

#[test]
fn two_at_a_time_and_unknown_ids_never_take_both_places() {
    let hashing = Hashing::default();
    let first = hashing.enter(true).unwrap();
    let second = hashing.enter(false).unwrap();
    let (refused, waited) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for in_vain in [true, false] {
            for _ in 0..500 {
                let (hashing, refused, waited) = (&hashing, &refused, &waited);
                scope.spawn(move || {
                    let place = hashing.enter(in_vain);
                    if place.is_none() {
                        refused.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    let state = hashing.state.lock().unwrap();
                    assert!(state.running <= AT_ONCE && state.running_in_vain <= IN_VAIN);
                    waited.fetch_add(1, Ordering::SeqCst);
                });
            }
        }
        // Everybody who is not refused waits now; then all of them get their turn.
        while refused.load(Ordering::SeqCst) < 1000 - QUEUE - QUEUE_IN_VAIN {
            std::thread::yield_now();
        }
        drop(second);
        drop(first);
    });
    assert_eq!(refused.load(Ordering::SeqCst), 1000 - QUEUE - QUEUE_IN_VAIN);
    assert_eq!(waited.load(Ordering::SeqCst), QUEUE + QUEUE_IN_VAIN);
    let state = hashing.state.lock().unwrap();
    assert_eq!(
        (
            state.running,
            state.running_in_vain,
            state.waiting,
            state.waiting_in_vain
        ),
        (0, 0, 0, 0)
    );
}

#[test]
fn a_known_target_gets_a_place_while_unknown_ids_wait() {
    let hashing = Hashing::default();
    let _in_vain = hashing.enter(true).unwrap();
    assert_eq!(hashing.check(Some(&verifier(SECRET)), SECRET).unwrap(), Some(true));
}
