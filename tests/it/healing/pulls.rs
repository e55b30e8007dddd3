//! Healing while clients pull: good content flows, the damaged is never completed wrong, and comes back without a restart.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use airlock::domain::Digest;

use super::ward::{Damage, Ward, blob_path};
use crate::support::appliance::{Serving, wait_for};
use crate::support::bundles::REPOSITORY;
use crate::support::client::{get, raw};
use crate::support::site::digest;

const CLIENTS: usize = 20;

/// What clients saw of one blob.
#[derive(Default)]
struct Seen {
    good: AtomicUsize,
    refused: AtomicUsize,
}

#[test]
fn f23_twenty_clients_pull_while_blobs_are_damaged_and_healed() {
    let ward = Ward::new();
    let Ward {
        appliance,
        state,
        made,
        bundle,
        ..
    } = &ward;
    let serving = Serving::start(state);
    serving.assert_serves(made);
    let address = serving.address;
    // One damaged, one missing, one large, the manifest; the others are whole throughout.
    let last = made.layers.len() - 1;
    let struck = [made.layers[0], made.layers[1], made.layers[last], made.manifest];
    let all: Vec<(Digest, Seen)> = made
        .layers
        .iter()
        .chain([&made.manifest])
        .map(|d| (*d, Seen::default()))
        .collect();
    let stop = AtomicBool::new(false);
    let pull = |wanted: &Digest, seen: &Seen| {
        let kind = if *wanted == made.manifest { "manifests" } else { "blobs" };
        let text =
            format!("GET /v2/{REPOSITORY}/{kind}/{wanted} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        match raw(address, text.as_bytes(), false) {
            Ok(reply) if reply.status == 200 => {
                assert_eq!(digest(&reply.body), *wanted, "wrong bytes came whole");
                seen.good.fetch_add(1, Ordering::SeqCst);
            }
            // Refused, or broken off before its first wrong byte.
            Ok(reply) => {
                assert_eq!(reply.status, 500, "{}", String::from_utf8_lossy(&reply.body));
                seen.refused.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => {
                seen.refused.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (all, stop, pull) = (&all, &stop, &pull);
            scope.spawn(move || {
                let mut turn = client;
                while !stop.load(Ordering::SeqCst) {
                    let (wanted, seen) = &all[turn % all.len()];
                    pull(wanted, seen);
                    turn += 1;
                }
            });
        }
        // Whatever fails here must not leave the clients running for ever.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let of = |digest: &Digest| &all.iter().find(|(known, _)| known == digest).unwrap().1;
            flip(&blob_path(state, &struck[0]));
            Damage::Gone.strike(&blob_path(state, &struck[1]));
            flip(&blob_path(state, &struck[2]));
            for blob in &struck[..3] {
                wait_for("the damage", || of(blob).refused.load(Ordering::SeqCst) > 0);
            }
            wait_for("/readyz", || get(address, "/readyz").status == 503);
            let healed = appliance.import(bundle);
            assert_eq!(healed.code, Some(0), "{}", healed.stderr);
            assert_eq!(healed.result["restored_blobs"], 3, "{}", healed.stderr);
            for blob in &struck {
                let before = of(blob).good.load(Ordering::SeqCst);
                wait_for("the end of the damage", || {
                    of(blob).good.load(Ordering::SeqCst) > before + CLIENTS
                });
            }
            wait_for("/readyz", || get(address, "/readyz").status == 200);
        }));
        stop.store(true, Ordering::SeqCst);
        told.unwrap();
    });
    for (digest, seen) in &all {
        let refused = seen.refused.load(Ordering::SeqCst);
        assert!(seen.good.load(Ordering::SeqCst) > 0);
        if !struck.contains(digest) {
            assert_eq!(refused, 0, "{digest} was whole throughout");
        }
    }
}

/// Puts a damaged file in the place of a good one, in one step: what is being sent was checked, and nobody can check what changes while
/// it is sent.
fn flip(path: &std::path::Path) {
    let struck = path.with_extension("struck");
    std::fs::copy(path, &struck).unwrap();
    Damage::Flipped.strike(&struck);
    rustix::fs::rename(struck, path).unwrap();
}
