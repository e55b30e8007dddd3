//! There and back: what a travel form makes, whatever it is cut into, and what is refused.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::container::{digest_of, tests::KIND};
use crate::crypto::RunningHash;
use crate::domain::{Class, Hash, Result};

const CHUNK: u64 = 1 << 20;

/// Text that repeats at long distance, with stretches that no compressor makes smaller.
fn plain(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut out = Vec::with_capacity(size + 64);
    while out.len() < size {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word = state.to_le_bytes();
        match word[7] % 4 {
            0 => out.extend_from_slice(&word),
            1 => out.extend_from_slice(b"ustar  root root 0000644 "),
            _ if out.len() > 1000 => {
                let from = usize::try_from(state >> 24).unwrap() % (out.len() - 500);
                out.extend_from_within(from..from + 400);
            }
            _ => out.extend_from_slice(&[0; 100]),
        }
    }
    out.truncate(size);
    out
}

fn travel(plain: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (digest, size) = (digest_of(plain), plain.len() as u64);
    let mut source = Cursor::new(plain.to_vec());
    let form = write_travel(digest, size, &mut source, Level::Quick, &mut out, &mut |_| ()).unwrap()?;
    assert_eq!((form.size, form.digest), (out.len() as u64, digest_of(&out)));
    Some(out)
}

fn statement(plain: &[u8], travel: &[u8]) -> Statement {
    Statement {
        digest: digest_of(plain),
        size: plain.len() as u64,
        travel_size: travel.len() as u64,
        encoding: Encoding::Plain,
        chunk_bytes: CHUNK,
    }
}

fn take(out: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    assert_eq!(offset, out.len() as u64);
    out.extend_from_slice(bytes);
}

/// Restores a travel form that comes in parts of so many bytes.
pub(super) fn restore(statement: Statement, travel: &[u8], part: usize) -> Result<(Vec<u8>, Vec<Hash>)> {
    restore_copying(statement, None, travel, part)
}

/// Restores one that is copied from others.
pub(super) fn restore_copying(
    statement: Statement,
    copying: Option<Copying>,
    travel: &[u8],
    part: usize,
) -> Result<(Vec<u8>, Vec<Hash>)> {
    let mut restorer = Restorer::new(&KIND, statement, copying, &Buffers::default());
    let mut out = Vec::new();
    for part in travel.chunks(part.max(1)) {
        restorer.push(part, &mut |offset, bytes| {
            take(&mut out, offset, bytes);
            Ok(())
        })?;
    }
    restorer
        .finish(&mut |offset, bytes| {
            take(&mut out, offset, bytes);
            Ok(())
        })
        .map(|restored| (out, restored.expect("bases are at hand").midstates))
}

fn refused(statement: Statement, travel: &[u8]) -> (Class, &'static str) {
    let error = restore(statement, travel, 1 << 20).unwrap_err();
    (error.class(), error.code())
}

#[test]
fn two_groups_come_back_with_the_states_of_their_pieces() {
    // One part again and again: making as much that never repeats takes longer than all that is tested.
    let mut plain = plain(3 << 20, 1).repeat(25);
    plain.truncate((64 << 20) + (9 << 20) + 5);
    let travel = travel(&plain).unwrap();
    let (restored, midstates) = restore(statement(&plain, &travel), &travel, 1 << 20).unwrap();
    assert!(restored == plain);
    let mut hash = RunningHash::default();
    let mut states: Vec<Hash> = plain
        .chunks(1 << 20)
        .filter_map(|piece| {
            hash.update(piece);
            hash.midstate()
        })
        .collect();
    assert_eq!(plain.len().div_ceil(1 << 20), 74);
    states.truncate(73);
    assert_eq!(midstates, states);
}

#[test]
fn what_does_not_become_smaller_has_no_travel_form() {
    let mut state = 7_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(5 << 20)
    .collect();
    assert_eq!(travel(&noise), None);
}

#[test]
fn a_source_that_is_another_one_is_refused() {
    let plain = plain(100_000, 3);
    let write = |source: &[u8]| {
        let mut source = Cursor::new(source.to_vec());
        write_travel(
            digest_of(&plain),
            plain.len() as u64,
            &mut source,
            Level::Quick,
            &mut Vec::new(),
            &mut |_| (),
        )
        .map_err(|error| (error.class(), error.code()))
    };
    let mut other = plain.clone();
    other[50_000] ^= 1;
    let longer = [&plain[..], b"x"].concat();
    for wrong in [&other[..], &longer, &plain[..99_999]] {
        assert_eq!(write(wrong), Err((Class::Integrity, "source")));
    }
    assert!(write(&plain).unwrap().is_some());
}

#[test]
fn a_travel_form_is_used_up_exactly() {
    let plain = plain(5 << 20, 4);
    let good = travel(&plain).unwrap();
    let is = |travel: &[u8]| refused(statement(&plain, travel), travel);
    let form = (Class::Format, "travel");
    // A byte more, a record more, one less, and the middle of a record.
    assert_eq!(is(&[&good[..], b"\0"].concat()), form);
    assert_eq!(is(&[&good[..], &[1, 0, 0, 0x80, 7]].concat()), form);
    let first = usize::try_from(u32::from_le_bytes(good[..4].try_into().unwrap())).unwrap() + 4;
    assert_eq!(is(&good[..first]), form);
    assert_eq!(is(&good[..first + 2]), form);
    assert_eq!(is(&good[..good.len() - 1]), form);
    // A raw record in the place of a frame is as good, where its size is right.
    let last = &plain[4 << 20..];
    let mut raw = good[..first].to_vec();
    raw.extend_from_slice(&(u32::try_from(last.len()).unwrap() | 1 << 31).to_le_bytes());
    raw.extend_from_slice(last);
    assert_eq!(restore(statement(&plain, &raw), &raw, 777).unwrap().0, plain);
    let mut other = raw.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(is(&other), (Class::Integrity, "content-digest"));
}

#[test]
fn every_change_of_a_byte_is_refused_or_makes_the_same() {
    let plain = plain(3000, 5);
    let good = travel(&plain).unwrap();
    let mut codes = std::collections::BTreeSet::new();
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            match restore(statement(&plain, &bad), &bad, 1 << 20) {
                Ok((restored, _)) => assert!(restored == plain, "{at} {flip:x}"),
                Err(error) => {
                    codes.insert(error.code());
                }
            }
        }
    }
    let expected = ["content-digest", "frame", "non-canonical-frame", "travel"];
    assert!(expected.iter().all(|code| codes.contains(code)), "{codes:?}");
    assert!(!codes.contains("panic"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("AIRLOCK_SLOW").is_some() { 24 } else { 6 }, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_encoded_comes_back(size in 65_536_usize..6_000_000, seed: u64, part in 1_usize..300_000) {
        let plain = plain(size, seed);
        if let Some(travel) = travel(&plain) {
            let (restored, _) = restore(statement(&plain, &travel), &travel, part).unwrap();
            prop_assert!(restored == plain);
        }
    }
}
