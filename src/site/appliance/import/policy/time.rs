//! X8: has the bundle expired, and is its date one that the clock can vouch for (threat model 2.6)?

use crate::appliance::present::effective_now;
use crate::bundle::Head;
use crate::crypto::RootDocument;
use crate::domain::{Class, Error, Result, Step, Timestamp, latest_issue};

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// A clock further than this past the newest signed statement is not believed when it would refuse a bundle.
const CLOCK_SPAN_SECONDS: i64 = 5 * 366 * DAY_SECONDS;

/// What is known of the present when a bundle is judged.
#[derive(Debug, Clone, Copy)]
pub(in crate::appliance::import) struct Present {
    /// What the machine's clock said at X0.
    pub(in crate::appliance::import) clock: Timestamp,
    /// The date that a person confirmed.
    pub(in crate::appliance::import) confirmed: Option<Timestamp>,
    /// The floor of the bundle's trust domain.
    pub(in crate::appliance::import) floor: Timestamp,
}

impl Present {
    /// The moment by which expiry is judged. A person's date takes the place of a clock that is [not believed](Self::is_runaway) alone; beside
    /// any other the later of the two counts, so that what has expired by a clock that may be right comes in by nobody's word.
    fn now(&self, head: &Head) -> Timestamp {
        let clock = match self.confirmed {
            Some(date) if self.is_runaway(head) => date,
            Some(date) => date.max(self.clock),
            None => self.clock,
        };
        effective_now(clock, self.floor)
    }

    /// The newest time that a statement of this vendor proves, with the one that is judged.
    fn newest_statement(&self, head: &Head) -> Timestamp {
        self.floor.max(head.issued_at)
    }

    /// Whether the clock stands years past everything signed: it may simply be wrong.
    fn is_runaway(&self, head: &Head) -> bool {
        self.clock > self.newest_statement(head).plus_seconds(CLOCK_SPAN_SECONDS)
    }

    /// Returns the newest date that a release may have by a clock. One that is behind the floor is known to be wrong and judges nothing.
    fn newest_date(&self, clock: Timestamp) -> Timestamp {
        latest_issue(clock, self.floor)
    }

    /// Whether a date needs a person who confirms it: neither the clock nor a confirmed date vouches for it.
    fn doubts(&self, issued_at: Timestamp) -> bool {
        let mut clocks = [Some(self.clock), self.confirmed].into_iter().flatten();
        clocks.any(|clock| issued_at > self.newest_date(clock)) && self.confirmed.is_none_or(|date| date < issued_at)
    }
}

/// Checks the date and the expiry of a head and its root.
///
/// # Errors
///
/// At X8: `E-USAGE date` for a date of a person's that is proven to be past, `E-CLOCK issued-after-root`, `issued-ahead` and `clock-ahead`,
/// `E-EXPIRED root` and `bundle`.
pub(in crate::appliance::import) fn check_time(head: &Head, root: &RootDocument, present: &Present) -> Result<()> {
    check_date(head, root, present)?;
    let now = present.now(head);
    let (expired, what) = if root.expires <= now {
        (root.expires, "the vendor's root")
    } else if head.expires <= now {
        (head.expires, "the bundle")
    } else {
        return check_confirmed(present);
    };
    let newest_statement = present.newest_statement(head);
    if present.confirmed.is_none() && present.is_runaway(head) {
        return Err(Error::new(
            Class::Clock,
            "clock-ahead",
            format!("the clock says {now}, years past the newest statement of this vendor ({newest_statement}), and by it {what} has expired"),
        )
        .expected("a clock that is right")
        .remedy("correct the clock, or confirm today's date with --date YYYY-MM-DDTHH:MM:SSZ")
        .at(Step::X8));
    }
    let code = if what == "the bundle" { "bundle" } else { "root" };
    let refused = Error::new(Class::Expired, code, format!("{what} expired at {expired}"));
    // This clock alone would take it: only the vendor's own dates say that it is that late.
    let refused = if present.clock < expired && expired <= present.floor {
        refused
            .expected(format!("an expiry after {now}, which this vendor's statements say is past"))
            .remedy("ask the vendor for a newer bundle; where this clock is right, a wrong date of the vendor's went out: ask for a bundle with a root that puts its time right (`airlock vendor trust set --time-reset`); what is live here goes on being served")
    } else if present.confirmed.is_some_and(|date| date < expired) {
        refused
            .expected(format!("an expiry after {now}, which the clock says; --date makes it no earlier"))
            .remedy("where the clock is right, ask the vendor for a newer bundle; where it is wrong, correct it and import again; what is live here goes on being served")
    } else {
        refused
            .expected(format!("an expiry after {now}"))
            .remedy("ask the vendor for a newer bundle; what is live here goes on being served")
    };
    Err(refused.at(Step::X8))
}

/// A date before the floor is none of today, whoever says it; last, for where a vendor's wrong date has moved the floor, what expired by it is
/// refused with the way out of that.
fn check_confirmed(present: &Present) -> Result<()> {
    let Some(date) = present.confirmed.filter(|date| *date < present.floor) else {
        return Ok(());
    };
    Err(Error::new(
        Class::Usage,
        "date",
        format!("the date given with --date is {date}, which is past"),
    )
    .expected(format!(
        "today's date: it is {} or later, by this vendor's statements or the age of this program",
        present.floor
    ))
    .remedy("give today's date, or leave --date out where the clock is right")
    .at(Step::X8))
}

fn check_date(head: &Head, root: &RootDocument, present: &Present) -> Result<()> {
    let issued_at = head.issued_at;
    if issued_at > root.expires {
        return Err(Error::new(
            Class::Clock,
            "issued-after-root",
            format!("the bundle says it was issued at {issued_at}, after its root expires"),
        )
        .expected(format!("a time before {}", root.expires))
        .remedy("ask the vendor for a bundle with the right date")
        .at(Step::X8));
    }
    if !present.doubts(issued_at) {
        return Ok(());
    }
    let Present { clock, floor, .. } = *present;
    let (said, newest) = match present.confirmed {
        Some(date) => (
            format!("the date given with --date is {date}"),
            present.newest_date(clock).min(present.newest_date(date)),
        ),
        None if clock < floor => (
            format!(
                "the clock says {clock}, which is behind {floor}, proven by this vendor's statements or the age of this program"
            ),
            present.newest_date(clock),
        ),
        None => (format!("the clock says {clock}"), present.newest_date(clock)),
    };
    Err(Error::new(
        Class::Clock,
        "issued-ahead",
        format!("the bundle says it was issued at {issued_at}, and {said}"),
    )
    .expected(format!("a bundle issued at {newest} or before, or a person who confirms its date"))
    .remedy(format!(
        "find out today's date: if it is {issued_at} or later, correct the clock or import with --date {issued_at}; if not, ask the vendor for a bundle with the right date"
    ))
    .at(Step::X8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::appliance::import::policy::fixtures::{head, root, year};
    use crate::appliance::present::built;
    use crate::domain::limits;

    proptest! {
        // The seed of a failure is printed; no folder shall appear for it in the repository.
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// A clock behind the floor changes nothing at all, and whatever it says, what has expired does not come in.
        #[test]
        fn a_clock_may_block_and_never_lets_in(clock in 0..5_000_000_000_i64, floor in 0..5_000_000_000_i64) {
            let (clock, floor) = (Timestamp::from_unix(clock).unwrap(), Timestamp::from_unix(floor).unwrap());
            let (head, root) = (head(0, 1), root(0));
            let present = Present { clock, confirmed: None, floor };
            let verdict = check_time(&head, &root, &present);
            let now = present.now(&head);
            let ahead = head.issued_at > present.newest_date(clock);
            prop_assert_eq!(verdict.is_ok(), now < head.expires && !ahead);
            if let Err(error) = &verdict {
                prop_assert!(matches!(error.class(), Class::Expired | Class::Clock));
                prop_assert_eq!(error.code() == "issued-ahead", ahead);
                // Signed statements alone are enough to say so: then the clock is not to blame.
                prop_assert!(floor < head.expires || error.class() == Class::Expired || clock > floor);
            }
            if clock < floor {
                let dead = check_time(&head, &root, &Present { clock: Timestamp::EPOCH, confirmed: None, floor });
                prop_assert_eq!(verdict.map_err(|error| error.code()), dead.map_err(|error| error.code()));
            }
        }

        /// `issued-ahead` goes away with a date at or after it, and with nothing less; a confirmed date lets in nothing that it or the
        /// floor says has expired, nor what the clock says so of, unless the clock is years past everything signed.
        #[test]
        fn a_person_confirms_dates_and_nothing_else(
            clock in 0..5_000_000_000_i64,
            floor in 0..5_000_000_000_i64,
            issued in 0..5_000_000_000_i64,
            life in 1..1_000_000_000_i64,
            late in -1_000_000_000..1_000_000_000_i64,
        ) {
            let time = |seconds| Timestamp::from_unix(seconds).unwrap();
            let (mut head, mut root) = (head(0, 1), root(0));
            head.issued_at = time(issued);
            head.expires = head.issued_at.plus_seconds(life);
            root.expires = head.expires.plus_seconds(1);
            let present = Present { clock: time(clock), confirmed: None, floor: time(floor) };
            let code = |present: &Present| check_time(&head, &root, present).map_err(|error| error.code());
            let asked = code(&present) == Err("issued-ahead");
            let bound = if clock < floor { floor + limits::ISSUED_AHEAD_OF_FLOOR_SECONDS } else { clock + limits::ISSUED_AHEAD_SECONDS };
            prop_assert_eq!(asked, issued > bound);
            let date = head.issued_at.plus_seconds(late);
            let told = Present { confirmed: Some(date), ..present };
            if late >= 0 {
                let runaway = clock > floor.max(issued) + CLOCK_SPAN_SECONDS;
                let believed = if runaway { date } else { date.max(time(clock)) };
                let is_good = believed.max(time(floor)) < head.expires;
                prop_assert_eq!(code(&told).is_ok(), is_good && date >= time(floor));
                prop_assert_eq!(code(&told) == Err("date"), is_good && date < time(floor));
                prop_assert_ne!(code(&told), Err("issued-ahead"));
            } else if asked {
                prop_assert_eq!(code(&told), Err("issued-ahead"));
            }
            prop_assert_ne!(code(&told), Err("clock-ahead"));
        }
    }

    /// What becomes of the head of 2026 under a clock, a floor, and perhaps a date that a person confirmed.
    fn at(
        head: &Head,
        root: &RootDocument,
        clock: Timestamp,
        floor: Timestamp,
        confirmed: Option<Timestamp>,
    ) -> String {
        let floor = floor.max(built());
        match check_time(
            head,
            root,
            &Present {
                clock,
                confirmed,
                floor,
            },
        ) {
            Ok(()) => "ok".into(),
            Err(error) => {
                assert_eq!(error.step(), Some(Step::X8));
                format!("{} {}", error.class(), error.code())
            }
        }
    }

    #[test]
    fn a_date_ahead_of_the_clock_waits_for_a_person() {
        let (mut head, root) = (head(0, 1), root(0));
        (head.issued_at, head.expires) = (year(2030), year(2033));
        let (floor, ahead) = (year(2027), "E-CLOCK issued-ahead");
        let before = |seconds: i64| head.issued_at.plus_seconds(-seconds);
        for (clock, floor, date, expected) in [
            (before(limits::ISSUED_AHEAD_SECONDS), floor, None, "ok"),
            (before(limits::ISSUED_AHEAD_SECONDS + 1), floor, None, ahead),
            (before(limits::ISSUED_AHEAD_SECONDS + 1), floor, Some(before(0)), "ok"),
            (before(limits::ISSUED_AHEAD_SECONDS + 1), floor, Some(before(1)), ahead),
            (
                before(limits::ISSUED_AHEAD_SECONDS + 1),
                floor,
                Some(year(2034)),
                "E-EXPIRED bundle",
            ),
            // A right clock and a date a little before it: nothing is ahead.
            (before(3600), floor, Some(before(7200)), "ok"),
            (before(0), floor, Some(year(2029)), ahead),
            // A dead clock judges nothing: a year from the newest statement needs nobody.
            (Timestamp::EPOCH, floor, None, ahead),
            (
                Timestamp::EPOCH,
                before(limits::ISSUED_AHEAD_OF_FLOOR_SECONDS),
                None,
                "ok",
            ),
            (
                Timestamp::EPOCH,
                before(limits::ISSUED_AHEAD_OF_FLOOR_SECONDS + 1),
                None,
                ahead,
            ),
            (
                Timestamp::EPOCH,
                before(limits::ISSUED_AHEAD_OF_FLOOR_SECONDS + 1),
                Some(before(0)),
                "ok",
            ),
            (floor.plus_seconds(-1), floor, None, ahead),
        ] {
            assert_eq!(
                at(&head, &root, clock, floor, date),
                expected,
                "{clock} {floor} {date:?}"
            );
        }
        let refusal = check_time(
            &head,
            &root,
            &Present {
                clock: year(2028),
                confirmed: None,
                floor,
            },
        )
        .unwrap_err();
        assert!(
            refusal.to_string().contains(&format!("--date {}", head.issued_at)),
            "{refusal}"
        );
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
        let floor = year(2027);
        assert_eq!(at(&head, &root, year(2099), floor, None), "E-CLOCK clock-ahead");
        assert_eq!(at(&head, &root, year(2099), floor, Some(year(2027))), "ok");
        // The confirmed date is taken at its word, also when it says that the bundle is old …
        assert_eq!(
            at(&head, &root, year(2099), floor, Some(year(2029))),
            "E-EXPIRED bundle"
        );
        assert_eq!(at(&head, &root, year(2099), floor, Some(year(2099))), "E-EXPIRED root");
        // … and a date before the floor is known to be wrong: it lets nothing in.
        assert_eq!(
            at(&head, &root, year(2099), year(2029), Some(year(2027))),
            "E-EXPIRED bundle"
        );
        assert_eq!(
            at(&head, &root, year(2027), floor, Some(Timestamp::EPOCH)),
            "E-USAGE date"
        );
        // A clock that may be right is believed beside an earlier date, and a later date beside it.
        assert_eq!(
            at(&head, &root, year(2029), floor, Some(year(2027))),
            "E-EXPIRED bundle"
        );
        assert_eq!(
            at(&head, &root, year(2027), floor, Some(year(2029))),
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
