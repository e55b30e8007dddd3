//! What time it is for a trust domain, as far as its signed statements and the machine's clock tell (threat model 2.6).
//!
//! The floor of a domain judges the expiry of that domain's documents and nothing else. Tokens, certificates and audit rows go by the
//! clock, so that no vendor's date reaches them.

use crate::crypto::Chain;
use crate::db::Connection;
use crate::db::site::{time_floor, trust};
use crate::domain::{Hash, Result, Timestamp};

/// Time before which this version of airlock did not exist: the lowest floor, and for every clock the end of what is plainly wrong.
const BUILT: &str = "2026-11-01T00:00:00Z";

/// Returns the time before which this version of airlock did not exist.
pub(super) fn built() -> Timestamp {
    BUILT.parse().expect("a constant time")
}

/// Returns the effective present of a domain: the clock, but never before the domain's floor.
pub(super) fn effective_now(clock: Timestamp, floor: Timestamp) -> Timestamp {
    clock.max(floor)
}

/// Returns the floor of a trust domain.
///
/// # Errors
///
/// `E-STATE floor-missing`; those of the database.
pub(super) fn floor(connection: &Connection, domain: Hash) -> Result<Timestamp> {
    Ok(time_floor::get(connection, domain)?
        .unwrap_or(Timestamp::EPOCH)
        .max(built()))
}

/// What a root link says of time.
#[derive(Debug, Clone, Copy)]
struct LinkTime {
    issued_at: Timestamp,
    /// Whether the floor starts anew.
    reset: bool,
}

/// Returns the floor after new root links of the domain, in order, under the clock that accepted them.
///
/// A link proves no more than the clock confirms: it moves trust, and whoever signs it must not move time. One with `time_reset` starts
/// the floor anew, also backwards.
fn floor_after(floor: Timestamp, links: impl IntoIterator<Item = LinkTime>, clock: Timestamp) -> Timestamp {
    links.into_iter().fold(floor.max(built()), |floor, link| {
        let proven = link.issued_at.min(clock).max(built());
        if link.reset { proven } else { floor.max(proven) }
    })
}

/// Keeps the links of a chain from `first` on and moves the floor of its domain, in a transaction of the caller. Links before are kept
/// already.
///
/// # Errors
///
/// `E-STATE other-root`, `E-STATE floor-missing`; those of the database.
pub(super) fn keep_links(
    transaction: &crate::db::Transaction<'_>,
    chain: &Chain,
    first: u64,
    clock: Timestamp,
) -> Result<()> {
    let floor = floor_with(transaction, chain, first, clock)?;
    trust::store_chain(transaction, chain, clock)?;
    time_floor::set(transaction, chain.domain(), floor)
}

/// Returns the floor that the domain of a chain has once its links from `first` on are accepted.
///
/// # Errors
///
/// As [`floor`].
pub(super) fn floor_with(connection: &Connection, chain: &Chain, first: u64, clock: Timestamp) -> Result<Timestamp> {
    let documents = (first..=chain.newest().version).filter_map(|version| chain.document(version));
    let links = documents.map(|root| LinkTime {
        issued_at: root.issued_at,
        reset: root.time_reset,
    });
    Ok(floor_after(floor(connection, chain.domain())?, links, clock))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(issued_at: Timestamp, reset: bool) -> LinkTime {
        LinkTime { issued_at, reset }
    }

    #[test]
    fn links_move_the_floor_up_to_the_clock_and_a_reset_moves_it_back() {
        let at = |year: u32| format!("{year}-01-01T00:00:00Z").parse::<Timestamp>().unwrap();
        let (plain, reset) = (|year| link(at(year), false), |year| link(at(year), true));
        let clock = at(2030);
        for (floor, links, expected) in [
            (at(2028), vec![], at(2028)),
            (at(1970), vec![], built()),
            (at(2028), vec![plain(2027)], at(2028)),
            (at(2028), vec![plain(2029)], at(2029)),
            (at(2028), vec![plain(9998)], clock),
            (at(2028), vec![plain(1970)], at(2028)),
            (at(2040), vec![reset(2029)], at(2029)),
            (at(2040), vec![reset(9998)], clock),
            (at(2040), vec![reset(1970)], built()),
            // Any of the new links counts, in order.
            (at(2040), vec![reset(2027), plain(2029)], at(2029)),
            (at(2040), vec![plain(2029), reset(2027)], at(2027)),
            (at(2040), vec![reset(2028), reset(2027), plain(2026)], at(2027)),
        ] {
            assert_eq!(
                floor_after(floor, links.iter().copied(), clock),
                expected,
                "{floor} {links:?}"
            );
        }
        // A dead clock accepts links and learns nothing from them.
        assert_eq!(floor_after(at(2028), [plain(2029)], Timestamp::EPOCH), at(2028));
        assert_eq!(floor_after(at(2028), [reset(2029)], Timestamp::EPOCH), built());
    }

    proptest! {
        // The seed of a failure is printed; no folder shall appear for it in the repository.
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// No link takes the floor beyond the clock, none but a reset takes it back, and nothing takes it below the build.
        #[test]
        fn links_never_move_the_floor_beyond_the_clock(
            floor in 0..253_402_300_799_i64,
            clock in 0..253_402_300_799_i64,
            issued in proptest::collection::vec((0..253_402_300_799_i64, any::<bool>()), 0..5),
        ) {
            let time = |seconds| Timestamp::from_unix(seconds).unwrap();
            let (floor, clock) = (time(floor), time(clock));
            let links: Vec<_> = issued.iter().map(|(at, reset)| link(time(*at), *reset)).collect();
            let after = floor_after(floor, links.iter().copied(), clock);
            prop_assert!(after >= built());
            prop_assert!(after <= floor.max(clock).max(built()));
            if links.iter().any(|link| link.reset) {
                prop_assert!(after <= clock.max(built()));
            } else {
                prop_assert!(after >= floor);
            }
        }

        #[test]
        fn the_present_is_never_before_the_floor(clock in 0..253_402_300_799_i64, floor in 0..253_402_300_799_i64) {
            let (clock, floor) = (Timestamp::from_unix(clock).unwrap(), Timestamp::from_unix(floor).unwrap());
            let now = effective_now(clock, floor);
            prop_assert!(now >= clock && now >= floor);
            prop_assert!([clock, floor].contains(&now));
        }
    }
}
