//! Whether an acknowledgement may be applied: by what this site signed itself, in the order of M-108.

use super::alarms::Found;
use crate::crypto::Acknowledgement;
use crate::db::Connection;
use crate::db::site::acknowledgements::{self, AcknowledgementRow, Reached};
use crate::db::site::packages::{self, PackageRow, State};
use crate::db::site::{instances, stream_log};
use crate::domain::limits::ACKNOWLEDGEMENT_JUMP;
use crate::domain::{Class, Error, InstanceId, Result, SiteId};
use crate::package::Head;

/// What is to be done with an acknowledgement.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It frees what the row says.
    Apply(AcknowledgementRow),
    /// These very bytes were applied before.
    Already,
    /// It frees nothing, and may mean that something is wrong here.
    Refuse(Error, Option<Found>),
}

/// Judges one that its vendor's role signed, for this site, in the present instance.
///
/// # Errors
///
/// Those of the database.
pub(super) fn judge(
    connection: &Connection,
    present: &InstanceId,
    made: &Acknowledgement,
    envelope: &[u8],
) -> Result<Verdict> {
    let newest = acknowledgements::newest(connection, made.domain)?;
    if let Some(newest) = newest.as_ref().filter(|newest| made.number <= newest.reached.number) {
        let same = acknowledgements::find(connection, made.domain, made.number)?;
        return Ok(match same {
            Some(same) if same.envelope == envelope => Verdict::Already,
            _ => Verdict::Refuse(older(made, newest.reached.number), None),
        });
    }
    let named = match signed_here(connection, present, made)? {
        Ok(named) => named,
        Err((error, found)) => return Ok(Verdict::Refuse(error, found)),
    };
    let reached = newest.as_ref().map(|newest| newest.reached).unwrap_or_default();
    let reached = match within(made, reached, &named)? {
        Ok(reached) => reached,
        Err(error) => return Ok(Verdict::Refuse(error, None)),
    };
    let seal = stream_log::seal(connection, made.domain, made.audit.number)?;
    if seal != Some(made.audit.hash) {
        return Ok(Verdict::Refuse(other_seal(made), None));
    }
    let before = newest.and_then(|newest| newest.package);
    Ok(Verdict::Apply(AcknowledgementRow {
        envelope: envelope.to_vec(),
        reached,
        package: made.packages.last().map(|package| package.head).or(before),
    }))
}

/// Says that it is for somebody else.
pub(super) fn other(made: &Acknowledgement, site: &SiteId) -> Error {
    policy(
        "ack-other",
        format!(
            "the acknowledgement is for the site {} of the trust domain {}",
            made.site, made.domain
        ),
    )
    .expected(format!(
        "one for this site, {site}, in the trust domain of whose key signed it"
    ))
    .remedy("carry it where it belongs, and ask the vendor for the one of this site")
}

fn older(made: &Acknowledgement, newest: u64) -> Error {
    policy(
        "ack-older",
        format!(
            "acknowledgement {} comes after {newest}, which was applied before",
            made.number
        ),
    )
    .expected(format!("a number above {newest}"))
    .remedy("use the vendor's newest one; what an older one frees is free already")
}

type Refused = (Error, Option<Found>);

/// The packages that it names, as this site signed them in its present instance.
fn signed_here(
    connection: &Connection,
    present: &InstanceId,
    made: &Acknowledgement,
) -> Result<Result<Vec<PackageRow>, Refused>> {
    if made.instance != *present {
        let is_known = instances::is_known(connection, &made.instance)?;
        return Ok(Err(other_instance(made, is_known)));
    }
    let mut named = Vec::new();
    for package in &made.packages {
        let known = packages::find(connection, package.head)?.filter(|known| {
            (known.domain, known.number) == (made.domain, package.number)
                && known.instance == *present
                && known.state != State::Draft
        });
        let Some(known) = known else {
            let found = format!(
                "the acknowledgement names package {} with the head {}, which this instance did not sign",
                package.number, package.head
            );
            let error = never_exported(found).remedy(
                "this state folder was turned back to an earlier time: say so with `airlock recover --as restored`",
            );
            return Ok(Err((error, Some(Found::StateOlder))));
        };
        named.push(known);
    }
    Ok(Ok(named))
}

fn other_instance(made: &Acknowledgement, is_known: bool) -> Refused {
    let found = |what: &str| {
        never_exported(format!(
            "the acknowledgement is for the instance {}, {what}",
            made.instance
        ))
    };
    if is_known {
        let error = found("which is over here").remedy(
            "nothing is to be done: what that instance sent is told again; the vendor answers the next package of this one",
        );
        return (error, None);
    }
    let error = found("which is not known here").remedy(
        "another copy of this site reports to the vendor: find out which of them is in use and stop the other one; where both go on, say so \
         here with `airlock recover --as cloned`",
    );
    (error, Some(Found::OtherInstance))
}

/// Whether its own number is one that its vendor can have come to, and each other one lies within what the packages cover without a hole, or
/// is known already.
fn within(made: &Acknowledgement, known: Reached, named: &[PackageRow]) -> Result<Result<Reached>> {
    let most = known.number.saturating_add(ACKNOWLEDGEMENT_JUMP);
    if made.number > most {
        // Taken once, it would let none that the vendor makes be applied any more.
        return Ok(Err(policy(
            "ack-beyond",
            format!(
                "the acknowledgement has number {}, and the last one here {}",
                made.number, known.number
            ),
        )
        .expected(format!("a number up to {most}"))
        .remedy(KEEP)));
    }
    let heads = named.iter().map(|package| Head::parse(&package.bytes));
    let heads = heads.collect::<Result<Vec<_>>>()?;
    let covered = |known: u64, range: &dyn Fn(&Head) -> (u64, u64)| {
        heads.iter().map(range).fold(known, |covered, (first, last)| {
            if first <= covered.saturating_add(1) {
                covered.max(last)
            } else {
                covered
            }
        })
    };
    let led = Reached {
        number: made.number,
        records: covered(known.records, &|head| (head.records.first, head.records.last)),
        receipts: covered(known.receipts, &|head| (head.receipts.first, head.receipts.last)),
        audit: covered(known.audit, &|head| (head.audit.first, head.audit.last)),
    };
    for (what, number, led) in [
        ("records", made.records, led.records),
        ("receipts", made.receipts, led.receipts),
        ("rows of the log", made.audit.number, led.audit),
    ] {
        if number > led {
            return Ok(Err(policy(
                "ack-beyond",
                format!("{what} up to {number} are acknowledged, and the packages that are named lead to {led}"),
            )
            .expected("no number above what these packages cover without a hole")
            .remedy(KEEP)));
        }
    }
    Ok(Ok(Reached {
        number: made.number,
        records: made.records.max(known.records),
        receipts: made.receipts.max(known.receipts),
        audit: made.audit.number.max(known.audit),
    }))
}

fn other_seal(made: &Acknowledgement) -> Error {
    policy(
        "ack-audit",
        format!("row {} of the log of this stream has another seal here", made.audit.number),
    )
    .expected(format!("the seal {}", made.audit.hash))
    .remedy("look whether the log holds: `airlock audit verify`; then ask the vendor what it was given, and keep the acknowledgement as evidence")
}

const KEEP: &str =
    "keep it as evidence and ask the vendor: its ledger, or the key that acknowledges, is not what it should be";

fn never_exported(found: String) -> Error {
    policy("never-exported", found).expected("an acknowledgement of packages that the present instance signed")
}

fn policy(code: &'static str, found: String) -> Error {
    Error::new(Class::Policy, code, found)
}
