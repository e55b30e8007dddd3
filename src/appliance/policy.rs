//! Whether a verified head may come in: audience, number, time (X6 to X8). Pure decisions.

use crate::bundle::Head;
use crate::crypto::RootDocument;
use crate::db::release::Mark;
use crate::domain::{
    Audience, Class, Error, Hash, Name, Result, SiteId, Step, Timestamp, Version, latest_issue, limits,
};

/// Time before which this version of airlock did not exist: the lowest floor.
const BUILT: &str = "2026-11-01T00:00:00Z";
/// A clock further than this past the newest signed statement is not believed when it would refuse a bundle.
const CLOCK_SPAN_SECONDS: i64 = 5 * 366 * 24 * 60 * 60;

/// What the number of a bundle means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    /// Newer than everything imported.
    New,
    /// Exactly what was imported last.
    Already,
}

/// Returns the effective present: the clock, but never before what signed statements have proven to be past.
pub(super) fn effective_now(clock: Timestamp, floor: Timestamp) -> Timestamp {
    let built: Timestamp = BUILT.parse().expect("a constant time");
    clock.max(floor).max(built)
}

/// X6: does the site take this product and channel at all?
pub(super) fn check_scope(head: &Head, accept: &[(Name, Name)]) -> Result<()> {
    let taken = accept
        .iter()
        .any(|(product, channel)| *product == head.product && *channel == head.channel);
    if accept.is_empty() || taken {
        return Ok(());
    }
    let named: Vec<String> = accept
        .iter()
        .map(|(product, channel)| format!("{product}/{channel}"))
        .collect();
    Err(Error::new(
        Class::Audience,
        "scope",
        format!("the bundle belongs to {}", head.scope()),
    )
    .expected(named.join(", "))
    .remedy("use a bundle of these, or name its product and channel under `accept` in the configuration")
    .at(Step::X6))
}

/// X6: is it for this site, and can this airlock take it?
pub(super) fn check_audience(head: &Head, site: &SiteId) -> Result<()> {
    if !head.audience.includes(site) {
        let count = match &head.audience {
            Audience::Any(_) => 0,
            Audience::Sites(sites) => sites.len(),
        };
        return Err(Error::new(
            Class::Audience,
            "site",
            format!("the bundle is for {count} sites and this one is not among them"),
        )
        .expected(format!("the site id {site}"))
        .remedy("ask the vendor for this site's bundle")
        .at(Step::X6));
    }
    if head.minimum_appliance > Version::current() {
        return Err(Error::new(
            Class::Audience,
            "appliance-version",
            format!("the bundle wants airlock {} or newer", head.minimum_appliance),
        )
        .expected(format!("at most {}", Version::current()))
        .remedy("update airlock on this appliance first")
        .at(Step::X6));
    }
    Ok(())
}

/// X7: is it newer than everything imported from this scope?
pub(super) fn check_sequence(head: &Head, digest: Hash, mark: Option<Mark>, root: &RootDocument) -> Result<Sequence> {
    let counter = head.counter();
    let named = root.epoch(&head.product, &head.channel);
    let refuse = |class, code, found: String, expected: String, remedy: &str| {
        Err(Error::new(class, code, found)
            .expected(expected)
            .remedy(remedy)
            .at(Step::X7))
    };
    // The first import counts from number 0 of the epoch that the root names.
    let (epoch, sequence) = mark.map_or((named, 0), |mark| (mark.counter.epoch, mark.counter.sequence));
    if let Some(mark) = mark
        && mark.counter == counter
    {
        if mark.head == digest {
            return Ok(Sequence::Already);
        }
        return refuse(
            Class::Equivocation,
            "same-number",
            format!(
                "release {counter} of {} was imported before with other content ({})",
                head.scope(),
                mark.head
            ),
            "one content for one number".into(),
            "keep both media and ask the vendor: two different releases were signed under one number",
        );
    }
    if counter.epoch < epoch || counter.epoch < named || (counter.epoch == epoch && counter.sequence <= sequence) {
        return refuse(
            Class::Rollback,
            "older",
            format!("the bundle holds release {counter} of {}", head.scope()),
            format!("a number above {sequence} in epoch {}", epoch.max(named)),
            "use the newest bundle; an earlier release that was imported here is brought back with `airlock release activate`",
        );
    }
    if counter.epoch > named {
        return refuse(
            Class::Rollback,
            "epoch",
            format!("the bundle holds release {counter} of {}", head.scope()),
            format!("epoch {named}, which the vendor's root names"),
            "ask the vendor for a bundle under a root that names the new epoch",
        );
    }
    let base = if counter.epoch == epoch { sequence } else { 0 };
    if counter.sequence.saturating_sub(base) > limits::SEQUENCE_JUMP {
        return refuse(
            Class::Rollback,
            "fast-forward",
            format!("the number jumps from {base} to {}", counter.sequence),
            format!("a step of at most {}", limits::SEQUENCE_JUMP),
            "ask the vendor: such a jump would lock out every later release",
        );
    }
    Ok(Sequence::New)
}

/// X8: has it expired? `now` is the effective present, `clock` what the machine says.
pub(super) fn check_time(
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
    let latest = latest_issue(clock, effective_now(Timestamp::EPOCH, floor)).max(now);
    if head.issued_at > latest {
        return Err(Error::new(
            Class::Clock,
            "issued-ahead",
            format!("the bundle says it was issued at {}, and it is {now}", head.issued_at),
        )
        .expected(format!("a time up to {latest}"))
        .remedy("correct the clock, or ask the vendor whether the date is right and confirm it with --date YYYY-MM-DDTHH:MM:SSZ")
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
    use crate::bundle::{Builder, Totals};
    use crate::crypto::{EpochRule, Roles};
    use crate::domain::Counter;

    const SITE: &str = "0123456789abcdef0123456789abcdef";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn year(year: u32) -> Timestamp {
        time(&format!("{year}-06-01T00:00:00Z"))
    }

    /// Of product `crm`, channel `stable`, issued in the middle of 2026 and good until 2028.
    fn head(epoch: u64, sequence: u64) -> Head {
        Head {
            audience: Audience::ANY,
            builder: Builder {
                name: "test".into(),
                version: "1".into(),
            },
            channel: "stable".parse().unwrap(),
            chunk_bytes: 1 << 20,
            documents: Vec::new(),
            domain: Hash([1; 32]),
            epoch,
            expires: year(2028),
            home_hosts: Vec::new(),
            index: Vec::new(),
            issued_at: year(2026),
            minimum_appliance: Version::new(0, 1, 0),
            payload_offset: 0,
            product: "crm".parse().unwrap(),
            reader: Version::new(0, 1, 0),
            requires: Vec::new(),
            root_version: 1,
            sequence,
            totals: Totals {
                blobs: 0,
                chunks: 0,
                content_bytes: 0,
                early_blobs: 0,
                needs: 0,
                stored_bytes: 0,
            },
            version: "1".into(),
            volumes: Vec::new(),
        }
    }

    /// Good from 2025 to 2036; names an epoch for `crm` on `stable` alone.
    fn root(epoch: u64) -> RootDocument {
        RootDocument {
            epochs: vec![EpochRule {
                channel: "stable".parse().unwrap(),
                epoch,
                product: "crm".parse().unwrap(),
            }],
            expires: year(2036),
            issued_at: year(2025),
            keys: Vec::new(),
            products: Vec::new(),
            reader: Version::new(0, 1, 0),
            roles: Roles {
                ack: Vec::new(),
                licence: Vec::new(),
                release: Vec::new(),
                root: Vec::new(),
                withdrawal: Vec::new(),
            },
            time_reset: false,
            vendor: "Test".into(),
            version: 1,
        }
    }

    fn mark(epoch: u64, sequence: u64) -> Mark {
        Mark {
            counter: Counter { epoch, sequence },
            head: Hash([9; 32]),
        }
    }

    /// What becomes of a number: `new`, `already`, or class and code.
    fn judge(head: &Head, same_content: bool, mark: Option<Mark>, named: u64) -> String {
        let digest = Hash([if same_content { 9 } else { 8 }; 32]);
        match check_sequence(head, digest, mark, &root(named)) {
            Ok(Sequence::New) => "new".into(),
            Ok(Sequence::Already) => "already".into(),
            Err(error) => {
                assert_eq!(error.step(), Some(Step::X7));
                format!("{} {}", error.class(), error.code())
            }
        }
    }

    #[test]
    fn numbers_follow_the_table() {
        const JUMP: u64 = limits::SEQUENCE_JUMP;
        const MAX: u64 = limits::JSON_INTEGER_MAX;
        let older = "E-ROLLBACK older";
        let far = "E-ROLLBACK fast-forward";
        // Mark, epoch that the root names, number of the bundle, whether it is the marked one, result.
        let table = [
            (Some((0, 5)), 0, (0, 6), false, "new"),
            (Some((0, 5)), 0, (0, 5 + JUMP), false, "new"),
            (Some((0, 5)), 0, (0, 6 + JUMP), false, far),
            (Some((0, 5)), 0, (0, MAX), false, far),
            (Some((0, 5)), 0, (0, 5), true, "already"),
            (Some((0, 5)), 0, (0, 5), false, "E-EQUIVOCATION same-number"),
            (Some((0, 5)), 0, (0, 4), false, older),
            (Some((0, 5)), 0, (0, 4), true, older),
            (Some((0, 5)), 0, (0, 0), false, older),
            (Some((0, MAX)), 0, (0, MAX), true, "already"),
            // Another epoch counts only when the root names it, and then from its beginning.
            (Some((0, 5)), 0, (1, 1), false, "E-ROLLBACK epoch"),
            (Some((0, 5)), 0, (1, 6), false, "E-ROLLBACK epoch"),
            (Some((0, MAX)), 1, (1, 1), false, "new"),
            (Some((0, 5)), 1, (1, JUMP), false, "new"),
            (Some((0, 5)), 1, (1, JUMP + 1), false, far),
            (Some((0, 5)), 1, (2, 1), false, "E-ROLLBACK epoch"),
            (Some((0, 5)), 3, (3, 1), false, "new"),
            // The old epoch is over once the root names a new one; what was imported stays what it is.
            (Some((0, 5)), 1, (0, 6), false, older),
            (Some((0, 5)), 1, (0, 5), true, "already"),
            (Some((1, 5)), 1, (0, 900), false, older),
            (Some((1, 5)), 0, (1, 6), false, "E-ROLLBACK epoch"),
            (Some((1, 5)), 0, (0, 6), false, older),
            // A first import begins at the epoch that the root names, and the largest step holds for it too.
            (None, 0, (0, 1), false, "new"),
            (None, 0, (0, JUMP), false, "new"),
            (None, 0, (0, JUMP + 1), false, far),
            (None, 0, (0, 0), false, older),
            (None, 0, (1, 1), false, "E-ROLLBACK epoch"),
            (None, 2, (2, 1), false, "new"),
            (None, 2, (0, 1), false, older),
        ];
        for (held, named, (epoch, sequence), same, expected) in table {
            let held = held.map(|(epoch, sequence)| mark(epoch, sequence));
            let head = head(epoch, sequence);
            assert_eq!(
                judge(&head, same, held, named),
                expected,
                "{held:?} {named} {epoch}/{sequence}"
            );
        }
    }

    #[test]
    fn an_epoch_is_named_for_one_scope() {
        let mut other = head(1, 1);
        other.channel = "edge".parse().unwrap();
        assert_eq!(judge(&other, false, None, 1), "E-ROLLBACK epoch");
        other.epoch = 0;
        assert_eq!(judge(&other, false, None, 1), "new");
    }

    proptest! {
        // The seed of a failure is printed; no folder shall appear for it in the repository.
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What is accepted is above the mark, in the epoch that the root names, and not far ahead; so marks never fall, and no
        /// chain of accepted numbers can lock later ones out in one step.
        #[test]
        fn what_is_new_moves_the_mark_forward(
            held in proptest::option::of((0..4_u64, prop_oneof![0..5_u64, any::<u64>()])),
            named in 0..4_u64,
            epoch in 0..4_u64,
            near in 0..5_u64,
            step in prop_oneof![0..5_u64, 0..3 * limits::SEQUENCE_JUMP, any::<u64>()],
            same in any::<bool>(),
        ) {
            let base = held.map_or(0, |(_, sequence)| sequence).saturating_sub(near);
            let sequence = base.saturating_add(step);
            let held = held.map(|(epoch, sequence)| mark(epoch, sequence));
            let counter = Counter { epoch, sequence };
            let verdict = judge(&head(epoch, sequence), same, held, named);
            let start = match held {
                Some(held) if held.counter.epoch == epoch => held.counter.sequence,
                _ => 0,
            };
            // Number 0 of an epoch that begins is above everything before; without a mark, 0 is where counting starts.
            let above = held.map_or(sequence > 0, |held| counter > held.counter);
            let good = above && epoch == named && sequence - start <= limits::SEQUENCE_JUMP;
            prop_assert_eq!(verdict == "new", good, "{:?} {} {} {}", held, named, counter, verdict);
            let again = held.is_some_and(|held| held.counter == counter);
            prop_assert_eq!(verdict == "already", again && same);
            prop_assert_eq!(verdict.starts_with("E-EQUIVOCATION"), again && !same);
        }

        #[test]
        fn the_present_is_never_before_the_floor(clock in 0..253_402_300_799_i64, floor in 0..253_402_300_799_i64) {
            let (clock, floor) = (Timestamp::from_unix(clock).unwrap(), Timestamp::from_unix(floor).unwrap());
            let now = effective_now(clock, floor);
            let built = time(BUILT);
            prop_assert!(now >= clock && now >= floor && now >= built);
            prop_assert!([clock, floor, built].contains(&now));
        }

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

    #[test]
    fn a_bundle_is_for_its_sites_channels_and_versions() {
        let refusal = |result: Result<()>| {
            let error = result.unwrap_err();
            assert_eq!((error.class(), error.step()), (Class::Audience, Some(Step::X6)));
            error.code()
        };
        let site: SiteId = SITE.parse().unwrap();
        let mut head = head(0, 1);
        check_audience(&head, &site).unwrap();
        head.audience = Audience::Sites(vec![site.clone()]);
        check_audience(&head, &site).unwrap();
        for other in [vec![], vec![SITE.replace('0', "1").parse().unwrap()]] {
            head.audience = Audience::Sites(other);
            assert_eq!(refusal(check_audience(&head, &site)), "site");
        }
        head.audience = Audience::ANY;
        head.minimum_appliance = Version::current();
        check_audience(&head, &site).unwrap();
        head.minimum_appliance = Version::new(u32::MAX, 0, 0);
        assert_eq!(refusal(check_audience(&head, &site)), "appliance-version");
        let accept = |product: &str, channel: &str| vec![(product.parse().unwrap(), channel.parse().unwrap())];
        check_scope(&head, &[]).unwrap();
        check_scope(&head, &accept("crm", "stable")).unwrap();
        assert!(check_scope(&head, &accept("crm", "edge")).unwrap_err().class() == Class::Audience);
        assert!(check_scope(&head, &accept("erp", "stable")).unwrap_err().class() == Class::Audience);
    }
}
