//! The staging by itself: what has a name when, and where the next try goes on.

use std::fs::{self, File};
use std::io::Write as _;

use super::batch::{Batch, Sealer, Small};
use super::journal::{Journal, Update};
use super::*;
use crate::crypto::RunningHash;
use crate::domain::{Class, Digest, Hash};
use crate::store::Store;

fn digest(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest(Hash(sha2::Sha256::digest(bytes).into()))
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    Store::create(folder.path()).unwrap();
    let store = Store::open(folder.path(), |_| {}).unwrap();
    (folder, store)
}

fn open(store: &Store) -> Staging {
    Staging::open(store, Hash([1; 32])).unwrap()
}

/// Puts a piece on the shelf, and gives it its turn.
fn piece(staging: &mut Staging, name: &Digest, whole: &[u8], range: std::ops::Range<usize>) {
    let shelf = staging.shelf();
    shelf
        .write(name, whole.len() as u64, range.start as u64, &whole[range.clone()])
        .unwrap();
    staging.advance(range.len() as u64);
}

#[test]
fn small_blobs_are_named_by_the_batch() {
    let (_folder, store) = store();
    let mut staging = open(&store);
    let shelf = staging.shelf();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let shelf = &shelf;
            scope.spawn(move || {
                for n in 0..5 {
                    shelf.put(&digest(&[thread * 5 + n]), &[thread * 5 + n]).unwrap();
                }
            });
        }
    });
    assert_eq!(store.size_of(&digest(&[3])).unwrap(), None, "not before it is durable");
    for chunk in 1..=5 {
        staging.chunk_done(chunk, None).unwrap();
    }
    staging.keep(5).unwrap();
    for n in 0..20 {
        assert_eq!(store.read(&digest(&[n]), 9).unwrap(), [n]);
    }
    drop(staging);
    assert_eq!(open(&store).chunks_done(), 5);
    // That of another head begins anew beside it.
    assert_eq!(Staging::open(&store, Hash([2; 32])).unwrap().chunks_done(), 0);
    assert_eq!(open(&store).chunks_done(), 5);
}

#[test]
fn what_was_gone_on_with_longest_ago_makes_way() {
    let (_folder, store) = store();
    for head in 1..=5_u8 {
        let staging = Staging::open(&store, Hash([head; 32])).unwrap();
        staging.keep_volume(1, |_, _| Ok(())).unwrap();
        if head != 2 {
            staging.call(&format!("release {head}")).unwrap();
        }
    }
    let heads = || store.stopped_imports().unwrap();
    // For one of them that goes on: three others stay.
    assert_eq!(make_way(&store, Hash([1; 32])).unwrap(), [Hash([2; 32]).to_hex()]);
    assert_eq!(heads().len(), 4);
    assert_eq!(make_way(&store, Hash([1; 32])).unwrap(), [""; 0]);
    // For one that begins.
    assert_eq!(make_way(&store, Hash([6; 32])).unwrap(), ["release 1"]);
    assert!(!heads().contains(&Hash([1; 32])) && heads().len() == 3);
    // Who only looks finds what is there, and leaves it.
    let earlier = Earlier::read(&store, Hash([5; 32])).unwrap();
    assert!(earlier.kept_volume(1, 0).unwrap().is_some() && earlier.kept_volume(2, 0).unwrap().is_none());
    assert_eq!(Earlier::read(&store, Hash([9; 32])).unwrap().chunks_done(), 0);
    assert_eq!(heads().len(), 3);
}

#[test]
fn what_was_said_not_to_be_here_and_is_costs_nothing() {
    let (_folder, store) = store();
    let mut staging = open(&store);
    staging.put(&digest(b"one"), b"one").unwrap();
    staging.flush().unwrap();
    staging.expect(std::collections::HashSet::new());
    staging.put(&digest(b"one"), b"one").unwrap();
    staging.put(&digest(b"two"), b"two").unwrap();
    staging.flush().unwrap();
    assert_eq!(store.read(&digest(b"one"), 9).unwrap(), b"one");
    assert_eq!(store.read(&digest(b"two"), 9).unwrap(), b"two");
}

#[test]
fn a_large_blob_goes_on_where_the_journal_ends() {
    let (_folder, store) = store();
    let whole: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let name = digest(&whole);
    let mut hash = RunningHash::default();
    hash.update(&whole[..128_000]);
    let state = hash.midstate();
    let mut staging = open(&store);
    staging.begin(&name);
    // The second piece comes first, as from a faster worker; it counts with its turn.
    let (size, second) = (whole.len() as u64, &whole[128_000..256_000]);
    staging.shelf().write(&name, size, 128_000, second).unwrap();
    piece(&mut staging, &name, &whole, 0..128_000);
    staging.chunk_done(1, state).unwrap();
    staging.keep(1).unwrap();
    drop(staging);
    let mut staging = open(&store);
    assert_eq!(staging.chunks_done(), 1);
    assert!(staging.part_bytes().unwrap() >= 256_000, "its room is there already");
    assert_eq!(staging.midstates(1..2).unwrap(), [state.unwrap()]);
    assert_eq!(staging.midstates(2..3).unwrap_err().class(), Class::State);
    let mut seen = Vec::new();
    staging
        .prefix(&name, 1000, &mut |bytes| seen.extend_from_slice(bytes))
        .unwrap();
    assert_eq!(seen, whole[..1000]);
    staging.begin(&name);
    piece(&mut staging, &name, &whole, 128_000..whole.len());
    staging.end();
    assert_eq!(store.size_of(&name).unwrap(), None, "not before it is durable");
    staging.flush().unwrap();
    assert_eq!(store.read(&name, 1 << 20).unwrap(), whole);
    // Between the name and the next journal a stop leaves the older journal: it still fits.
    drop(staging);
    let mut staging = open(&store);
    assert_eq!((staging.chunks_done(), staging.part_bytes().unwrap()), (1, 0));
    staging.begin(&name);
    piece(&mut staging, &name, &whole, 128_000..whole.len());
    staging.end();
    staging.flush().unwrap();
    staging.remove().unwrap();
    assert_eq!(fs::read_dir(store.incoming()).unwrap().count(), 0);
}

#[test]
fn a_journal_without_its_midstates_counts_as_none() {
    let (_folder, store) = store();
    let mut staging = open(&store);
    staging.chunk_done(1, None).unwrap();
    staging.keep(1).unwrap();
    drop(staging);
    let midstates = store.incoming().join(Hash([1; 32]).to_hex()).join("midstates");
    assert_eq!(fs::metadata(&midstates).unwrap().len(), 32);
    assert_eq!(open(&store).chunks_done(), 1);
    File::options()
        .write(true)
        .open(midstates)
        .unwrap()
        .set_len(31)
        .unwrap();
    assert_eq!(open(&store).chunks_done(), 0);
}

#[test]
fn nothing_is_kept_after_a_failure_of_the_disk() {
    let (_folder, store) = store();
    let mut staging = open(&store);
    staging.put(&digest(b"one"), b"one").unwrap();
    staging.chunk_done(1, None).unwrap();
    staging.keep(1).unwrap();
    staging.put(&digest(b"two"), b"two").unwrap();
    // A file in the place of its folder stands for any failure while the batch is named.
    let folder = store.path(&digest(b"two")).parent().unwrap().to_owned();
    fs::remove_dir(&folder).unwrap();
    File::create(&folder).unwrap();
    staging.chunk_done(2, None).unwrap();
    assert_eq!(staging.keep(2).unwrap_err().class(), Class::Io);
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    staging.keep(2).unwrap();
    drop(staging);
    assert_eq!(open(&store).chunks_done(), 1, "what was not named is not counted");
}

#[test]
fn after_a_failure_nobody_seals_anything() {
    let (folder, store) = store();
    // The journal of the first batch has no folder to stand in.
    let sealer = Sealer::new(&store, folder.path().join("none")).unwrap();
    let update = Update {
        journal: Journal { chunks: 1, part: None },
        midstates: vec![Hash([0; 32])],
    };
    let first = sealer.seal(Batch {
        update: Some(update),
        ..Batch::default()
    });
    let first = first.unwrap_err();
    let unnamed = tempfile::tempfile_in(store.folder()).unwrap();
    let second = sealer.seal(Batch {
        small: vec![Small {
            digest: digest(b"two"),
            size: 0,
            file: Some(unnamed.into()),
        }],
        ..Batch::default()
    });
    let second = second.unwrap_err();
    assert_eq!((second.class(), second.code()), (first.class(), first.code()));
    assert_eq!(store.size_of(&digest(b"two")).unwrap(), None);
    // The twin: one that has not failed.
    let sealer = Sealer::new(&store, folder.path().to_owned()).unwrap();
    sealer.seal(Batch::default()).unwrap();
}

#[test]
fn a_try_that_brings_nothing_new_keeps_the_part_of_the_last() {
    let (_folder, store) = store();
    let name = digest(b"whole blob");
    let mut staging = open(&store);
    staging.begin(&name);
    piece(&mut staging, &name, b"whole blob", 0..5);
    staging.chunk_done(1, None).unwrap();
    staging.keep(1).unwrap();
    drop(staging);
    // This one ends before the part is taken up.
    open(&store).keep(1).unwrap();
    let staging = open(&store);
    assert_eq!(staging.chunks_done(), 1);
    // A part that lost bytes since is never filled up with zeroes.
    let part = staging.shelf().part_path(&name);
    File::options().write(true).open(part).unwrap().set_len(3).unwrap();
    let error = staging.shelf().write(&name, 10, 5, b" blob").unwrap_err();
    assert_eq!(error.class(), Class::Io);
}

#[test]
fn a_damaged_blob_is_set_aside_and_written_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, store) = store();
    let mut staging = open(&store);
    staging.put(&digest(b"good"), b"good").unwrap();
    staging.flush().unwrap();
    let path = store.path(&digest(b"good"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    File::create(&path).unwrap().write_all(b"evil").unwrap();
    assert_eq!(store.read(&digest(b"good"), 9).unwrap_err().class(), Class::State);
    staging.put(&digest(b"good"), b"good").unwrap();
    staging.flush().unwrap();
    assert_eq!(store.read(&digest(b"good"), 9).unwrap(), b"good");
    assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 1);
}
