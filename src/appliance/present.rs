//! The effective present: what time it is, as far as signed statements and the machine's clock tell (threat model 2.6).

use crate::domain::Timestamp;

/// Time before which this version of airlock did not exist: the lowest floor.
const BUILT: &str = "2026-11-01T00:00:00Z";

/// Returns the effective present: the clock, but never before what signed statements have proven to be past.
pub(super) fn effective_now(clock: Timestamp, floor: Timestamp) -> Timestamp {
    let built: Timestamp = BUILT.parse().expect("a constant time");
    clock.max(floor).max(built)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // The seed of a failure is printed; no folder shall appear for it in the repository.
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_present_is_never_before_the_floor(clock in 0..253_402_300_799_i64, floor in 0..253_402_300_799_i64) {
            let (clock, floor) = (Timestamp::from_unix(clock).unwrap(), Timestamp::from_unix(floor).unwrap());
            let now = effective_now(clock, floor);
            let built = BUILT.parse::<Timestamp>().unwrap();
            prop_assert!(now >= clock && now >= floor && now >= built);
            prop_assert!([clock, floor, built].contains(&now));
        }
    }
}
