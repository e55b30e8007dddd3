//! Every file of the store, damaged in every way, comes back from the bundle; a whole store costs one audit row.

use std::fs;

use airlock::appliance::{Options, Outcome, Restored};
use airlock::db::site::names;

use super::ward::{Damage, assert_whole, audited, blob_path, receipts, release, stored};
use crate::support::appliance::{import_here, write};
use crate::support::bundles::Made;
use crate::support::in_process::InProcessAppliance;

fn again(instance: &InProcessAppliance, made: &Made, dry_run: bool) -> Restored {
    let path = instance.state().join("../bundle");
    write(&path, &made.bytes);
    let options = Options {
        dry_run,
        ..Options::default()
    };
    let imported = import_here(&instance.appliance(), &path, &options, &instance.clock).unwrap();
    assert_eq!(imported.warnings.len(), 0, "{:?}", imported.warnings);
    match imported.result {
        Outcome::Already(restored) => restored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn f23_every_file_in_every_state_comes_back() {
    let instance = InProcessAppliance::new();
    let state = instance.state();
    let made = release(&instance.vendor, 1);
    instance.import(&made, false).unwrap();
    let files = stored(&state);
    assert!(files.len() > 15, "{files:?}");
    let evidence = || fs::read_dir(state.join("evidence")).unwrap().count();
    for (round, damage) in (1..).zip(Damage::ALL) {
        let before = evidence();
        for path in &files {
            // Two may share a folder.
            if path.try_exists().unwrap() {
                damage.strike(path);
            }
        }
        let rows = audited(&state).len();
        let count = files.len() as u64;
        let would = again(&instance, &made, true);
        assert_eq!((would.blobs, would.receipt), (count, None), "{damage:?}");
        assert_eq!(audited(&state).len(), rows + 1, "a dry run writes one row: {damage:?}");
        assert_eq!(evidence(), before, "a dry run sets nothing aside: {damage:?}");
        let told = instance.appliance().damage().unwrap();
        // Bytes that changed under their size are met by whoever reads them; the rest is seen from outside.
        assert_eq!(
            told.len(),
            usize::from(damage != Damage::Flipped),
            "{damage:?}: {told:?}"
        );
        let healed = again(&instance, &made, false);
        assert_eq!((healed.blobs, healed.receipt), (count, Some(round + 2)), "{damage:?}");
        assert_whole(&state, &files);
        let set_aside = if damage.leaves_evidence() { files.len() } else { 0 };
        assert_eq!(evidence(), before + set_aside, "{damage:?}");
        assert!(instance.appliance().damage().unwrap().is_empty(), "{damage:?}");
        let log = audited(&state);
        let (action, detail) = log.last().unwrap();
        assert_eq!(
            (action.as_str(), &detail["restored"]),
            ("restore", &count.into()),
            "{damage:?}"
        );
        let all = receipts(&state);
        assert_eq!(all.len() as u64, round + 1);
        assert_eq!(all.last().unwrap().head, all[0].head);
        assert_eq!(fs::read_dir(state.join("incoming")).unwrap().count(), 0);
        // The twin: nothing is damaged, and nothing happens.
        let whole = again(&instance, &made, false);
        assert_eq!((whole.blobs, whole.receipt), (0, None));
        let now = audited(&state);
        assert_eq!(
            (now.len(), now.last().unwrap().0.as_str()),
            (log.len() + 1, "import-already")
        );
        assert_eq!(receipts(&state).len() as u64, round + 1);
    }
    instance.hub();
}

#[test]
fn f23_one_damaged_file_of_many_is_the_one_that_is_restored() {
    use std::os::unix::fs::MetadataExt as _;
    let instance = InProcessAppliance::new();
    let state = instance.state();
    let made = release(&instance.vendor, 1);
    instance.import(&made, false).unwrap();
    let files = stored(&state);
    let inode = |path: &std::path::PathBuf| fs::metadata(path).unwrap().ino();
    let inodes: Vec<u64> = files.iter().map(inode).collect();
    for (number, victim) in files.iter().enumerate() {
        let damage = Damage::ALL[number % Damage::ALL.len()];
        if damage == Damage::FolderGone {
            continue;
        }
        damage.strike(victim);
        assert_eq!(again(&instance, &made, false).blobs, 1, "{damage:?}");
        assert_whole(&state, &files);
    }
    // Files that were struck once are other ones now; each stays what it was while its neighbours are healed.
    let changed = files
        .iter()
        .zip(&inodes)
        .filter(|(path, before)| inode(path) != **before)
        .count();
    assert!(changed <= files.len());
    let last = files.len() - 1;
    let before: Vec<u64> = files.iter().map(inode).collect();
    Damage::Gone.strike(&files[last]);
    assert_eq!(again(&instance, &made, false).blobs, 1);
    let after: Vec<u64> = files.iter().map(inode).collect();
    assert_eq!(before[..last], after[..last], "nothing that is whole is touched");
}

#[test]
fn f23_the_kept_head_and_the_hashes_of_pieces_come_back() {
    let instance = InProcessAppliance::new();
    let state = instance.state();
    let made = release(&instance.vendor, 1);
    instance.import(&made, false).unwrap();
    let change = |sql: &str| {
        use airlock::db::SqlResult as _;
        let appliance = instance.appliance();
        appliance.db.write(|tx| tx.execute_batch(sql).sql("damage")).unwrap();
    };
    for sql in [
        "UPDATE release SET head_bytes = CAST('{}' AS BLOB)",
        "UPDATE release SET signatures = CAST('{\"signatures\":[]}' AS BLOB)",
        "UPDATE release SET root_version = 9",
        "UPDATE release SET sequence = 9",
        "UPDATE release SET epoch = 9",
        "UPDATE release SET version = '9.9'",
    ] {
        change(sql);
        let told = instance.appliance().damage().unwrap();
        assert_eq!((told.len(), told[0].count()), (1, 0), "{sql}");
        assert!(told[0].head.is_some());
        let healed = again(&instance, &made, false);
        assert!(
            healed.signed_head && healed.blobs == 0 && healed.receipt.is_some(),
            "{sql}: {healed:?}"
        );
        assert!(instance.appliance().damage().unwrap().is_empty());
        assert!(!again(&instance, &made, false).signed_head);
    }
    // A good blob whose kept hashes are wrong looks damaged to readers: with the blob, the hashes come back.
    let large = made.layers.last().unwrap();
    let pieces = || {
        instance
            .appliance()
            .db
            .read(|c| names::pieces(c, large))
            .unwrap()
            .unwrap()
    };
    let before = pieces();
    change("UPDATE blob SET pieces = zeroblob(length(pieces)) WHERE pieces IS NOT NULL");
    assert_ne!(pieces(), before);
    Damage::Gone.strike(&blob_path(&state, large));
    assert_eq!(again(&instance, &made, false).blobs, 1);
    assert_eq!(pieces(), before);
}
