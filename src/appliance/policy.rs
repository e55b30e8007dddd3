//! Whether a verified head may come in: audience, number, time (X6 to X8). Pure decisions.

use crate::bundle::Head;
use crate::crypto::RootDocument;
use crate::db::release::Mark;
use crate::domain::{Audience, Class, Error, Hash, Name, Result, SiteId, Step, Timestamp, Version, limits};

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
