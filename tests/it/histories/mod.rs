//! Random histories of a site and two vendors, by the real code on both sides, against a plain model.
//!
//! A history is a list of steps: agents report, bundles come in, packages leave, arrive, are lost, come twice or in another order;
//! acknowledgements come late, twice, to another copy; folders and ledgers are restored, copied, turned back; keys are replaced; clocks are
//! wrong. After every step both must have come to the same, and at the end every copy of the site brings home what agents were answered for.
//!
//! | File | One step or type |
//! |---|---|
//! | `step` | what may happen, drawn at random |
//! | `cast` | who takes part: made once, copied for each history |
//! | `told` | a package, as both sides can read it |
//! | `machine`, `stream` | a state folder, and the model of what it knows of each vendor |
//! | `desk`, `book` | a workspace, and the model of what its ledger holds |
//! | `play` | does every step for real and by the model |
//! | `shrink` | leaves out what a failure does not need |
//!
//! `AIRLOCK_SLOW=1` plays 10,000 of them; `AIRLOCK_HISTORY_SEED` begins with another one than the default, `AIRLOCK_HISTORIES` says how many.

mod book;
mod cast;
mod desk;
mod machine;
mod play;
mod shrink;
mod step;
mod stream;
mod told;

use self::cast::Cast;
use self::play::{Tally, play};
use self::shrink::{attempt, shrink};
use self::step::{Dice, Step};

/// The first history of a run that names no other.
const SEED: u64 = 2026;
/// Steps of a history, at least and at most.
const STEPS: (usize, usize) = (8, 48);

/// The steps of a history, and which quota it has.
fn history(seed: u64) -> (usize, Vec<Step>) {
    let mut dice = Dice::new(seed);
    let quota = usize::from(dice.roll(3) == 0);
    let count = STEPS.0 + dice.roll(STEPS.1 - STEPS.0);
    (quota, (0..count).map(|_| Step::draw(&mut dice)).collect())
}

/// Histories after which it is said how far a long run is.
const REPORT: u64 = 500;

/// Plays some histories, one after the other.
fn play_all(seeds: impl Iterator<Item = u64>) -> Tally {
    let cast = Cast::new();
    let mut all = Tally::default();
    for (played, seed) in (0_u64..).zip(seeds) {
        if played > 0 && played.is_multiple_of(REPORT) {
            println!("{played} histories, the next is {seed}");
        }
        let (quota, steps) = history(seed);
        match attempt(|| play(&cast, quota, &steps)) {
            Ok(tally) => all.add(tally),
            Err((at, found)) => {
                let least = shrink(&steps, |steps| attempt(|| play(&cast, quota, steps)).err());
                panic!("history {seed}, step {at}: {found}\n{}", shrink::told(quota, &least));
            }
        }
    }
    all
}

#[test]
fn both_sides_come_to_what_the_model_says() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let first: u64 = number("AIRLOCK_HISTORY_SEED", SEED);
    let count: u64 = number("AIRLOCK_HISTORIES", if slow { 10_000 } else { 3 });
    println!("histories {first} to {}", first + count - 1);
    let workers = if slow {
        std::thread::available_parallelism().unwrap().get()
    } else {
        1
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let started: Vec<_> = (first..first + workers as u64)
            .map(|start| scope.spawn(move || play_all((start..first + count).step_by(workers))))
            .collect();
        for worker in started {
            match worker.join() {
                Ok(tally) => all.add(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    println!("{all:?}");
    assert!(
        all.packages as u64 >= 2 * count && all.deliveries as u64 >= 2 * count,
        "{all:?}"
    );
}
