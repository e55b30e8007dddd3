//! Case F09: `airlock gc` is killed at every call with which it changes something. What is live is whole after each, nothing points at what
//! is gone, and the next run ends where an undisturbed one does.

use std::collections::BTreeSet;

use super::world::World;
use crate::support::appliance::Serving;
use crate::support::slow::share;
use crate::support::stopper;
use crate::support::strace::Fault;

/// By default the first and the last call, and every so manieth of the others.
const STRIDE: usize = 7;

#[test]
fn f09_gc_that_is_killed_anywhere_is_finished_by_the_next() {
    if !stopper::available() {
        return;
    }
    let world = World::new(3);
    let words = ["gc", "--yes", "--keep", "0"];
    let undisturbed = world.copy();
    let run = stopper::run(&undisturbed.arguments(&words), None);
    assert_eq!((run.ended.code, undisturbed.here()), (Some(0), vec![3]));
    let (calls, expected) = (run.calls, undisturbed.stored());
    assert!(calls.iter().filter(|call| *call == "unlink").count() >= 8, "{calls:?}");
    let (mut killed, mut states) = (0, BTreeSet::new());
    for number in 1..=calls.len() {
        let is_taken = match share() {
            Some(share) => share.takes(number),
            None => number == 1 || number == calls.len() || number % STRIDE == 0,
        };
        if !is_taken {
            continue;
        }
        let copy = world.copy();
        let struck = stopper::run(&copy.arguments(&words), Some((Fault::Kill, number)));
        if !struck.fired {
            continue;
        }
        killed += 1;
        // Exactly old or exactly new: both releases are here, or neither.
        let here = copy.here();
        assert!(here == [3, 2, 1] || here == [3], "call {number}: {here:?}");
        states.insert(here.len());
        let list = copy.good(&["release", "list"]);
        assert!(list["damage"].as_array().unwrap().is_empty(), "call {number}: {list}");
        copy.good(&["audit", "verify"]);
        if number % 3 == 0 {
            Serving::start(&copy.state()).assert_serves(&copy.releases[2]);
        }
        copy.good(&words);
        assert_eq!(
            (copy.here(), copy.stored()),
            (vec![3], expected.clone()),
            "call {number}"
        );
    }
    assert!(killed >= 3 && states.len() == 2, "{killed} kills, {states:?}");
}
