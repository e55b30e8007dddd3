//! Several vendors on one appliance, and none can touch another (D18; K20, K22 to K24): a prepared appliance imports every hostile
//! vendor of a long list, each alone, while it serves; then everything that anybody can ask about A is asked again.
//! `AIRLOCK_SLOW=1` plays all of them, with every date with every fate, and every rehearsal, and asks once more after A's next release
//! in every case; otherwise the stories and every forty-first one of those that are not one more of a kind are played, and every third of
//! these asks so.
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
mod squatters;
mod stage;
mod stories;
mod times;
mod wire;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::case::{Case, Theatre, What};
use crate::support::slow::share;

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
    let share = share();
    let slow = share.is_some();
    if !slow {
        cases.retain(|case| !case.slow);
    }
    let mut number = 0;
    cases.retain(|case| {
        number += 1;
        let is_chosen = share.map_or(number % 41 == 0, |share| share.takes(number));
        is_chosen || matches!(case.what, What::Story(_))
    });
    let wrong = play(&theatre, &cases, if slow { 1 } else { 3 });
    println!(
        "{} hostile vendors, {} questions each time: {} change something",
        cases.len(),
        theatre.size(),
        wrong.len()
    );
    let told: Vec<String> = wrong
        .iter()
        .map(|(name, reasons)| format!("{name}\n    {}", reasons.join("\n    ")))
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n  "));
}

fn check_names(cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().map(|case| &case.name[..]).collect();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
}

/// Plays all cases, every so manieth with A's next release, and returns what is wrong with those that fail.
fn play<'a>(theatre: &Theatre, cases: &'a [Case], every: usize) -> Vec<(&'a str, Vec<String>)> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    // What a test of mine trips over is one more thing that is wrong with the case.
                    let found = catch_unwind(AssertUnwindSafe(|| theatre.play(case, number % every == 0)));
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
