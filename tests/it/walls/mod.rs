//! Several vendors on one appliance, and none can touch another (D18; K20, K22 to K24): a prepared appliance imports every hostile
//! vendor of a long list, each alone, while it serves; then everything that anybody can ask about A is asked again.
//! `AIRLOCK_SLOW=1` plays every date with every fate, and every rehearsal.
//!
//! ```text
//! forge ─> neighbour (A), guest (B) ─> times, claims, names, squatters: the list
//!                 stage (an appliance that runs) ─> world (A's answers) ─> case (one of the list, judged)
//! ```

mod case;
mod claims;
mod fleet;
mod forge;
mod guest;
mod names;
mod neighbour;
mod open;
mod squatters;
mod stage;
mod times;
mod wire;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::case::{Case, Theatre};
use self::open::OPEN;

/// Cases at one time.
const WORKERS: usize = 2;

#[test]
fn k20_k22_k23_k24_nothing_that_others_bring_in_changes_anything_for_a() {
    let theatre = Theatre::open();
    let mut cases = times::cases(&theatre.b);
    cases.extend(claims::cases(&theatre));
    cases.extend(names::cases(&theatre));
    cases.extend(squatters::cases());
    check_names(&cases);

    if std::env::var_os("AIRLOCK_SLOW").is_none() {
        cases.retain(|case| !case.slow);
    }
    let wrong = play(&theatre, &cases);
    let played: BTreeSet<&str> = cases.iter().map(|case| &case.name[..]).collect();
    let open: BTreeSet<&str> = OPEN.iter().copied().filter(|name| played.contains(name)).collect();
    let failed: BTreeSet<&str> = wrong.iter().map(|(name, _)| *name).collect();
    println!(
        "{} hostile vendors, {} questions each time: {} change something, {} of them known",
        cases.len(),
        theatre.size(),
        failed.len(),
        open.len()
    );
    let mut report = String::new();
    for (name, reasons) in &wrong {
        let known = if open.contains(name) { " (known)" } else { "" };
        report += &format!("  {name}{known}\n    {}\n", reasons.join("\n    "));
    }
    println!("{report}");
    let new: Vec<_> = failed.difference(&open).collect();
    assert!(new.is_empty(), "{} cases fail: {new:#?}", new.len());
    let closed: Vec<_> = open.difference(&failed).collect();
    assert!(
        closed.is_empty(),
        "these stand now and leave the list of open ones: {closed:#?}"
    );
}

fn check_names(cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().map(|case| &case.name[..]).collect();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
    let unknown: Vec<_> = OPEN.iter().filter(|name| !names.contains(*name)).collect();
    assert!(unknown.is_empty(), "no such cases: {unknown:?}");
}

/// Plays all cases, and returns what is wrong with those that fail.
fn play<'a>(theatre: &Theatre, cases: &'a [Case]) -> Vec<(&'a str, Vec<String>)> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // What a test of mine trips over is one more thing that is wrong with the case.
                    let found = catch_unwind(AssertUnwindSafe(|| theatre.play(case)));
                    let found = found.unwrap_or_else(|panic| {
                        let said = panic.downcast_ref::<String>().cloned();
                        vec![format!("panicked: {}", said.unwrap_or_default())]
                    });
                    if !found.is_empty() {
                        wrong.lock().unwrap().push((&case.name[..], found));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    wrong
}
