//! Bad vectors against an appliance: what it says, and that nothing else changes.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use airlock::appliance::{Options, Outcome};

use super::kit::{Site, verdict};
use crate::format::vectors::{Vector, telling, vectors};

/// Runs a check of every one of these vectors over all cores and reports what is wrong.
fn check_all(all: &[Vector], check: impl Fn(&Vector) -> Result<(), String> + Sync) -> usize {
    let (next, wrong) = (Mutex::new(all.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(vector) = next.lock().unwrap().next() else {
                        return;
                    };
                    if let Err(what) = check(vector) {
                        wrong.lock().unwrap().push(format!("{}: {what}", vector.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        all.len(),
        wrong.join("\n")
    );
    all.len()
}

/// What an appliance says: what it does not hold, it misses before it looks at content; and of a repair file, the release.
fn expected_at_a_site(vector: &Vector) -> String {
    if vector.name.starts_with("j06-need-") || vector.name == "delta-need-of-nobody" {
        "E-DEPENDENCY needs at X10".into()
    } else if vector.name.starts_with("repair-")
        && matches!(vector.text["expect"]["step"].as_str(), Some("X11" | "X12"))
    {
        "E-DEPENDENCY release at X7".into()
    } else {
        vector.expected()
    }
}

fn attack(vector: &Vector) -> Result<(), String> {
    let expected = expected_at_a_site(vector);
    if vector.pins().is_err() {
        // The pin itself is refused: there is no appliance to attack.
        return Ok(());
    }
    let site = Site::of(vector);
    let before = site.world();
    let Err(error) = site.import(&vector.bundle(), &Options::default()) else {
        return Err(format!("expected {expected}, was imported"));
    };
    if verdict(&error) != expected {
        return Err(format!("expected {expected}, found {}: {error}", verdict(&error)));
    }
    let after = site.world();
    // Of a set the other volumes stay, and only the damaged one is copied again.
    let keeps = error.class().keeps_incoming() || vector.name == "volumes-damaged";
    if after.has_incoming() && !keeps {
        return Err("something is left in incoming".into());
    }
    if let Some(difference) = after.differs_from(&before, true, keeps) {
        return Err(difference);
    }
    if vector.name.starts_with("k10-") && vector.name != "k10-links-stripped" && !after.trust_moved_since(&before) {
        return Err("the valid links were lost".into());
    }
    match site.import_newer(vector) {
        Ok(newer) if matches!(newer.result, Outcome::Published { .. }) => Ok(()),
        Ok(newer) => Err(format!("the newer bundle: {:?}", newer.result)),
        Err(error) => Err(format!("the newer bundle: {error:?}")),
    }
}

#[test]
fn every_bad_vector_changes_nothing_and_a_newer_bundle_imports_afterwards() {
    // Those whose order the links decide have a check of their own.
    let mut vectors = vectors("bad");
    let telling: BTreeSet<String> = telling().into_iter().map(|vector| vector.name).collect();
    vectors.retain(|vector| telling.contains(&vector.name) || vector.name.starts_with("k10-"));
    let judged = check_all(&vectors, attack);
    println!("{judged} attacks refused");
}

/// One bad vector for every step.
const SAMPLE: [&str; 13] = [
    "b01-version-2",
    "k09-only-new",
    "k01-none",
    "j02-unknown",
    "j03-other-site",
    "k16-older",
    "k13-expired",
    "b03-approvals",
    "b03-index",
    "j06-need-config",
    "b13-order",
    "j07-urls",
    "b04-one-byte",
];

#[test]
fn a_dry_run_says_the_same_and_writes_one_row() {
    // It takes the same path as the import up to X9a: one of every step is enough.
    let mut sample = vectors("bad");
    sample.retain(|vector| SAMPLE.contains(&vector.name.as_str()));
    assert_eq!(sample.len(), SAMPLE.len());
    check_all(&sample, |vector| {
        let site = Site::of(vector);
        let before = site.world();
        let options = Options {
            dry_run: true,
            ..Options::default()
        };
        let found = site
            .import(&vector.bundle(), &options)
            .err()
            .map(|error| verdict(&error));
        if found.as_ref() != Some(&expected_at_a_site(vector)) {
            return Err(format!("expected {}, found {found:?}", vector.expected()));
        }
        site.world().differs_from(&before, false, false).map_or(Ok(()), Err)
    });
}

/// Good vectors of so many lines that two imports of them take seconds.
const LARGE: [&str; 4] = ["j16-rendered", "j17-annotations", "j17-edges", "j17-names"];
/// Of the others by default one in so many is imported here: other tests import most of them.
const ONE_IN: usize = 3;

#[test]
fn every_twin_imports() {
    let twins: BTreeSet<String> = vectors("bad")
        .iter()
        .map(|vector| vector.text["twin"].as_str().unwrap().to_owned())
        .collect();
    let good: BTreeSet<String> = vectors("good").into_iter().map(|vector| vector.name).collect();
    assert!(twins.is_subset(&good), "{twins:?}");
    let mut imported = vectors("good");
    // The largest come in by the program in `remedies::corrected`, too.
    if std::env::var_os("AIRLOCK_SLOW").is_none() {
        imported.retain(|vector| !LARGE.contains(&vector.name.as_str()));
        imported = imported.into_iter().step_by(ONE_IN).collect();
    }
    check_all(&imported, |vector| {
        let site = Site::of(vector);
        let imported = site.import(&vector.bundle(), &Options::default());
        match (vector.name.as_str(), imported) {
            ("needs", Err(error)) if verdict(&error) == "E-DEPENDENCY needs at X10" => return Ok(()),
            (_, Ok(imported)) if matches!(imported.result, Outcome::Published { .. }) => {}
            (_, other) => return Err(format!("{other:?}")),
        }
        // The same bundle once more is a success without effect (K16).
        let before = site.world();
        let again = site
            .import(&vector.bundle(), &Options::default())
            .map_err(|error| format!("{error:?}"))?;
        if !matches!(again.result, Outcome::Already(_)) {
            return Err(format!("once more: {:?}", again.result));
        }
        let after = site.world();
        // Its acknowledgement is refused once more, as it is for another life of the site: a row here, and one that its vendor is told.
        if vector.name == "acknowledgement" && after.is_but_for_rows(&before, 2, 1) {
            return Ok(());
        }
        after.differs_from(&before, false, false).map_or(Ok(()), Err)
    });
}
