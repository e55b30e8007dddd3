//! X8: has the bundle expired, by the clock or by what signed statements have proven to be past?

use crate::bundle::Head;
use crate::crypto::RootDocument;
use crate::domain::{Class, Error, Result, Step, Timestamp};

/// A clock further than this past the newest signed statement is not believed when it would refuse a bundle.
const CLOCK_SPAN_SECONDS: i64 = 5 * 366 * 24 * 60 * 60;

/// Has it expired? `now` is the effective present, `clock` what the machine says.
pub(in crate::appliance::import) fn check_time(
    head: &Head,
    root: &RootDocument,
    now: Timestamp,
    clock: Timestamp,
    floor: Timestamp,
) -> Result<()> {
    if head.issued_at > root.expires {
        return Err(Error::new(
            Class::Clock,
            "issued-after-root",
            format!(
                "the bundle says it was issued at {}, after its root expires",
                head.issued_at
            ),
        )
        .expected(format!("a time before {}", root.expires))
        .remedy("ask the vendor for a bundle with the right date")
        .at(Step::X8));
    }
    let (expired, what) = if root.expires <= now {
        (root.expires, "the vendor's root")
    } else if head.expires <= now {
        (head.expires, "the bundle")
    } else {
        return Ok(());
    };
    // Only the machine's clock says so, and it stands years past everything signed: it may simply be wrong.
    let newest_statement = floor.max(head.issued_at);
    if now == clock && clock > newest_statement.plus_seconds(CLOCK_SPAN_SECONDS) {
        return Err(Error::new(
            Class::Clock,
            "clock-ahead",
            format!("the clock says {clock}, years past the newest signed statement ({newest_statement}), and by it {what} has expired"),
        )
        .expected("a clock that is right")
        .remedy("correct the clock, or confirm today's date with --date YYYY-MM-DDTHH:MM:SSZ")
        .at(Step::X8));
    }
    let code = if what == "the bundle" { "bundle" } else { "root" };
    Err(Error::new(Class::Expired, code, format!("{what} expired at {expired}"))
        .expected(format!("an expiry after {now}"))
        .remedy("ask the vendor for a newer bundle; what is live here goes on being served")
        .at(Step::X8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::appliance::import::policy::fixtures::{head, root, year};
    use crate::appliance::present::effective_now;

    proptest! {
        // The seed of a failure is printed; no folder shall appear for it in the repository.
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// A clock behind the floor changes nothing at all, and whatever it says, what has expired does not come in.
        #[test]
        fn a_clock_may_block_and_never_lets_in(clock in 0..5_000_000_000_i64, floor in 0..5_000_000_000_i64) {
            let (clock, floor) = (Timestamp::from_unix(clock).unwrap(), Timestamp::from_unix(floor).unwrap());
            let (head, root) = (head(0, 1), root(0));
            let now = effective_now(clock, floor);
            let verdict = check_time(&head, &root, now, clock, floor);
            prop_assert_eq!(verdict.is_ok(), now < head.expires);
            if let Err(error) = &verdict {
                prop_assert!(matches!(error.class(), Class::Expired | Class::Clock));
                // Signed statements alone are enough to say so: then the clock is not to blame.
                prop_assert!(floor < head.expires || error.class() == Class::Expired || clock > floor);
            }
            if clock < floor {
                let correct = check_time(&head, &root, effective_now(floor, floor), floor, floor);
                prop_assert_eq!(verdict.is_ok(), correct.is_ok());
                prop_assert!(verdict.err().is_none_or(|error| error.class() == Class::Expired));
            }
        }
    }

    /// What becomes of the head of 2026 under a clock, a floor, and perhaps a date that a person confirmed: as the import does it.
    fn at(head: &Head, root: &RootDocument, clock: Timestamp, floor: Timestamp, date: Option<Timestamp>) -> String {
        let trusted = date.unwrap_or(clock);
        let doubted = if date.is_some() { Timestamp::EPOCH } else { clock };
        match check_time(head, root, effective_now(trusted, floor), doubted, floor) {
            Ok(()) => "ok".into(),
            Err(error) => {
                assert_eq!(error.step(), Some(Step::X8));
                format!("{} {}", error.class(), error.code())
            }
        }
    }

    #[test]
    fn a_dead_clock_stops_nothing() {
        let (head, root) = (head(0, 1), root(0));
        assert_eq!(at(&head, &root, Timestamp::EPOCH, Timestamp::EPOCH, None), "ok");
        assert_eq!(at(&head, &root, Timestamp::EPOCH, year(2027), None), "ok");
        // What signed statements prove to be past is past, whatever the clock says.
        assert_eq!(at(&head, &root, Timestamp::EPOCH, year(2029), None), "E-EXPIRED bundle");
        assert_eq!(at(&head, &root, Timestamp::EPOCH, year(2037), None), "E-EXPIRED root");
    }

    #[test]
    fn a_runaway_clock_asks_a_person() {
        let (head, root) = (head(0, 1), root(0));
        let floor = year(2026);
        assert_eq!(at(&head, &root, year(2099), floor, None), "E-CLOCK clock-ahead");
        assert_eq!(at(&head, &root, year(2099), floor, Some(year(2027))), "ok");
        // The confirmed date is taken at its word, also when it says that the bundle is old …
        assert_eq!(
            at(&head, &root, year(2099), floor, Some(year(2029))),
            "E-EXPIRED bundle"
        );
        assert_eq!(at(&head, &root, year(2099), floor, Some(year(2099))), "E-EXPIRED root");
        // … and a date before the floor is as good as the floor.
        assert_eq!(
            at(&head, &root, year(2099), year(2029), Some(year(2027))),
            "E-EXPIRED bundle"
        );
        // Ahead or not: what has not expired comes in, and a clock a little ahead is believed.
        let (mut long, mut lasting) = (head.clone(), root.clone());
        (long.expires, lasting.expires) = (year(2120), year(2120));
        assert_eq!(at(&long, &lasting, year(2099), floor, None), "ok");
        assert_eq!(at(&head, &root, year(2029), floor, None), "E-EXPIRED bundle");
        let edge = floor.plus_seconds(CLOCK_SPAN_SECONDS);
        assert_eq!(at(&head, &root, edge, floor, None), "E-EXPIRED bundle");
        assert_eq!(
            at(&head, &root, edge.plus_seconds(1), floor, None),
            "E-CLOCK clock-ahead"
        );
        // Later statements vouch for later clocks.
        assert_eq!(
            at(&head, &root, edge.plus_seconds(1), floor.plus_seconds(1), None),
            "E-EXPIRED bundle"
        );
    }

    #[test]
    fn expiry_is_a_moment() {
        let (head, root) = (head(0, 1), root(0));
        let last = head.expires.plus_seconds(-1);
        assert_eq!(at(&head, &root, last, Timestamp::EPOCH, None), "ok");
        assert_eq!(
            at(&head, &root, head.expires, Timestamp::EPOCH, None),
            "E-EXPIRED bundle"
        );
        let mut late = head.clone();
        late.issued_at = root.expires.plus_seconds(1);
        late.expires = year(2040);
        assert_eq!(
            at(&late, &root, year(2027), Timestamp::EPOCH, None),
            "E-CLOCK issued-after-root"
        );
    }
}
