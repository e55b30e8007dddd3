//! Leaves out of a history what its failure does not need.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::step::Step;

/// Where, and how, a history failed.
pub(super) type Failure = (usize, String);

/// Plays something; a panic is a failure like another.
pub(super) fn attempt<T>(play: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err((usize::MAX, text.unwrap_or_default()))
    })
}

/// Drops steps, longer stretches first, while the rest still fails.
pub(super) fn shrink(steps: &[Step], fails: impl Fn(&[Step]) -> Option<Failure>) -> (Vec<Step>, Failure) {
    let mut least = steps.to_vec();
    let mut failure = fails(&least).unwrap_or((0, "it did not fail again".into()));
    // What comes after the failure was never played.
    least.truncate(failure.0.saturating_add(1));
    let mut stretch = least.len().div_ceil(2);
    while stretch > 0 {
        let mut at = 0;
        while at < least.len() {
            let mut fewer = least.clone();
            fewer.drain(at..(at + stretch).min(least.len()));
            match fails(&fewer) {
                Some(found) => (least, failure) = (fewer, found),
                None => at += stretch,
            }
        }
        stretch /= 2;
    }
    (least, failure)
}

/// A history for people.
pub(super) fn told(quota: usize, (steps, (at, found)): &(Vec<Step>, Failure)) -> String {
    let mut text = format!("quota {quota}; the least that fails:\n");
    for (number, step) in steps.iter().enumerate() {
        writeln!(text, "  {number:2} {step}").unwrap();
    }
    write!(text, "step {at}: {found}").unwrap();
    text
}
