//! X10: what a bundle needs is here, whole, in releases of its own vendor.
//!
//! # Threats and defences
//!
//! - *A release that goes live over a base that is not there*: every byte of it is hashed before anything of the bundle is stored, and
//!   that it stands there is looked at once more before the release is published.
//! - *A vendor who asks whether another one's content is here*: only releases of the bundle's own trust domain count. What nobody has and
//!   what others alone have is one answer, to the person at the site as in the receipt.
//! - *Damage that is met here and stays unknown*, so that the next status package calls it held: what has other bytes is set aside, as by
//!   whoever else meets it.

use std::collections::BTreeSet;

use super::event::Event;
use crate::appliance::damage::{carrier, import_again};
use crate::appliance::state::Appliance;
use crate::bundle::Need;
use crate::db::site::release;
use crate::domain::{Class, Digest, Error, Hash, Result, counted};
use crate::store::Condition;
use crate::stream::{ordered_map, worker_count};

/// Needed content that cannot be used, and why.
struct Unmet {
    need: Need,
    why: Why,
}

enum Why {
    /// No release of this vendor that is here has it.
    NeverHere,
    /// One has it, of another size: no bundle brings what the need speaks of.
    OtherSize(u64),
    /// One has it, and the store does not.
    Lost(Condition),
}

/// Checks that everything needed is here and whole; `bases` says what of it content is copied from. In a dry run what is damaged stays where
/// it is.
pub(super) fn check(
    appliance: &Appliance,
    domain: Hash,
    (needs, bases): (&[Need], &BTreeSet<Digest>),
    dry_run: bool,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    // A bundle that needs nothing starts no threads here.
    if needs.is_empty() {
        return Ok(());
    }
    let (held, mut unmet) = in_releases(appliance, domain, needs)?;
    unmet.extend(look_at_all(appliance, &held, events)?);
    if unmet.is_empty() {
        return Ok(());
    }
    if !dry_run {
        for Unmet { need, why } in &unmet {
            if matches!(why, Why::Lost(Condition::Damaged(_))) {
                appliance.store.check(&need.digest, need.size)?;
            }
        }
    }
    unmet.sort_unstable_by_key(|unmet| unmet.need.digest);
    let is_damaged_base =
        |unmet: &Unmet| bases.contains(&unmet.need.digest) && matches!(unmet.why, Why::Lost(Condition::Damaged(_)));
    if unmet.iter().all(is_damaged_base) {
        return Err(damaged_bases(appliance, domain, &unmet)?);
    }
    Err(refusal(appliance, domain, &unmet)?)
}

/// Looks by the files alone whether everything needed is still there: what was whole a moment ago may have been taken since.
pub(super) fn check_still_there(appliance: &Appliance, domain: Hash, needs: &[Need]) -> Result<()> {
    let (held, mut unmet) = in_releases(appliance, domain, needs)?;
    for need in held {
        if appliance.store.size_of(&need.digest)? != Some(need.size) {
            let why = Why::Lost(Condition::Missing);
            unmet.push(Unmet { need, why });
        }
    }
    if unmet.is_empty() {
        return Ok(());
    }
    Err(refusal(appliance, domain, &unmet)?)
}

/// Parts needs by whether a release of the vendor has them.
fn in_releases(appliance: &Appliance, domain: Hash, needs: &[Need]) -> Result<(Vec<Need>, Vec<Unmet>)> {
    let (mut held, mut unmet) = (Vec::new(), Vec::new());
    appliance.db.read(|connection| {
        for need in needs {
            let why = match release::retained_blob(connection, domain, &need.digest)? {
                Some(size) if size == need.size => {
                    held.push(*need);
                    continue;
                }
                Some(size) => Why::OtherSize(size),
                None => Why::NeverHere,
            };
            unmet.push(Unmet { need: *need, why });
        }
        Ok(())
    })?;
    Ok((held, unmet))
}

/// Hashes content over all cores; returns what is not whole.
fn look_at_all(appliance: &Appliance, held: &[Need], events: &mut dyn FnMut(Event<'_>)) -> Result<Vec<Unmet>> {
    let total = held.iter().map(|need| need.size).fold(0, u64::saturating_add);
    let (mut waiting, mut done, mut unmet) = (held.iter().copied(), 0_u64, Vec::new());
    let look = |need: Need| Ok::<_, Error>((need, appliance.store.examine(&need.digest, need.size)?));
    let workers = worker_count();
    ordered_map(
        workers,
        workers.saturating_mul(4),
        || waiting.next(),
        || look,
        |looked: Result<(Need, Condition)>| {
            let (need, condition) = looked?;
            done = done.saturating_add(need.size);
            events(Event::Checked { done, total });
            if !condition.is_whole() {
                let why = Why::Lost(condition);
                unmet.push(Unmet { need, why });
            }
            Ok(())
        },
    )?;
    Ok(unmet)
}

/// Says what is missing, a line each, and which bundles bring it.
fn refusal(appliance: &Appliance, domain: Hash, unmet: &[Unmet]) -> Result<Error> {
    let mut lines = Vec::with_capacity(unmet.len());
    let (mut again, mut is_base_missing) = (BTreeSet::new(), false);
    let is_wrong = unmet.iter().any(|unmet| matches!(unmet.why, Why::OtherSize(_)));
    for Unmet { need, why } in unmet {
        let Need { digest, size, .. } = need;
        lines.push(match why {
            Why::NeverHere => {
                is_base_missing = true;
                format!("{digest} ({size} bytes): no release of this vendor that is here has it")
            }
            Why::OtherSize(here) => {
                format!("{digest} ({size} bytes): releases of this vendor that are here have it with {here} bytes")
            }
            Why::Lost(condition) => {
                let brought = carrier_of(appliance, domain, digest, &mut again)?;
                format!("{digest} ({size} bytes){brought}: {condition}")
            }
        });
    }
    let error = Error::listing(
        Class::Dependency,
        "needs",
        format!(
            "the bundle builds on {} that this appliance does not hold:",
            counted(unmet.len(), "blob")
        ),
        &lines,
    )
    .expected("what earlier bundles of this vendor brought, whole");
    if is_wrong {
        return Ok(error.remedy("ask the vendor for a full one, and tell them that this one was built wrong"));
    }
    if again.is_empty() {
        return Ok(error.remedy("import the base bundle first, where it was never imported here; where it was let go, ask the vendor for a full one"));
    }
    let base = is_base_missing.then(|| "import the base bundle first, where it was never imported here".to_owned());
    let again = again.into_iter().map(|(_, text)| text);
    let acts = base.into_iter().chain(again).collect::<Vec<_>>().join("; ");
    Ok(error.remedy(format!("{acts}; or ask the vendor for a full one")))
}

/// Says which bases are damaged, a line each, and which bundles bring them.
fn damaged_bases(appliance: &Appliance, domain: Hash, unmet: &[Unmet]) -> Result<Error> {
    let (mut lines, mut again) = (Vec::with_capacity(unmet.len()), BTreeSet::new());
    for Unmet { need, why } in unmet {
        let brought = carrier_of(appliance, domain, &need.digest, &mut again)?;
        if let Why::Lost(condition) = why {
            lines.push(format!("{} ({} bytes){brought}: {condition}", need.digest, need.size));
        }
    }
    let error = Error::listing(
        Class::State,
        "base-damaged",
        format!(
            "content of the bundle is copied from {} that this appliance holds damaged:",
            counted(unmet.len(), "blob")
        ),
        &lines,
    )
    .expected("what earlier bundles of this vendor brought, whole");
    let acts: Vec<String> = again.into_iter().map(|(_, text)| text).collect();
    let acts = acts.join("; ");
    Ok(error.remedy(format!("{acts}; or ask the vendor for a full one")))
}

/// Says which release brought content that is lost, and notes what brings it again.
fn carrier_of(
    appliance: &Appliance,
    domain: Hash,
    digest: &Digest,
    again: &mut BTreeSet<(i64, String)>,
) -> Result<String> {
    let carrier = appliance.db.read(|connection| carrier(connection, domain, digest))?;
    Ok(match carrier {
        Some(release) => {
            again.insert((release.imported_at.unix(), import_again(&release)));
            format!(" of release {} ({})", release.counter, release.version)
        }
        None => String::new(),
    })
}
