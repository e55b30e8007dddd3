//! Numbers of releases: the next free one, and those that no site would like.

use super::workspace::Workspace;
use crate::db::ledger;
use crate::db::ledger::questions::releases;
use crate::domain::{Class, Counter, Error, Name, Result, Scope, limits};

/// Where a product has no release yet.
const FIRST_CHANNEL: &str = "stable";

/// Returns the first number of a product and channel that is free behind everything that was signed, as far as this workspace knows.
///
/// # Errors
///
/// Those of the ledger.
pub fn next_number(workspace: &Workspace, product: &Name, channel: &Name) -> Result<Counter> {
    let scope = Scope {
        domain: workspace.chain().domain(),
        product: product.clone(),
        channel: channel.clone(),
    };
    let (newest, used) = workspace.ledger()?.read(|connection| {
        let newest = ledger::newest_release(connection, &scope)?;
        Ok((newest, ledger::restored_number(connection, &scope)?))
    })?;
    let epoch = workspace.chain().newest().epoch(product, channel);
    let next = next_free(newest.as_ref(), epoch);
    Ok(match used.filter(|used| next <= *used) {
        Some(used) => Counter {
            sequence: used.sequence.saturating_add(1),
            ..used
        },
        None => next,
    })
}

/// Returns what a release is of where nobody says it: the only product of the workspace, and the only channel in which that was released.
///
/// # Errors
///
/// `E-USAGE product` and `channel` where there are several.
pub fn usual_scope(workspace: &Workspace, product: Option<&Name>, channel: Option<&Name>) -> Result<(Name, Name)> {
    let products = &workspace.chain().newest().products;
    let product = match (product, products.as_slice()) {
        (Some(product), _) | (None, [product]) => product.clone(),
        (None, several) => return Err(choose("product", "the trust root names", several)),
    };
    if let Some(channel) = channel {
        return Ok((product, channel.clone()));
    }
    let mut channels: Vec<Name> = workspace
        .ledger()?
        .read(releases)?
        .into_iter()
        .filter(|release| release.product == product)
        .map(|release| release.channel)
        .collect();
    channels.sort();
    channels.dedup();
    match channels.as_slice() {
        [] => Ok((
            product,
            FIRST_CHANNEL
                .parse()
                .map_err(|_| choose("channel", "no name is", &[]))?,
        )),
        [channel] => Ok((product, channel.clone())),
        several => Err(choose("channel", &format!("{product} was released in"), several)),
    }
}

fn choose(what: &'static str, whose: &str, several: &[Name]) -> Error {
    let names: Vec<String> = several.iter().map(ToString::to_string).collect();
    Error::new(
        Class::Usage,
        what,
        format!("no {what} is said, and {whose} {}", names.join(", ")),
    )
    .expected(format!("one {what}"))
    .remedy(format!("say which one with --{what} NAME"))
}

/// What is to be said of a number that leaves none behind it, or that a site would not take after the one before.
pub(super) fn dated(sequence: u64, base: u64) -> Option<String> {
    if sequence.saturating_sub(base) <= limits::SEQUENCE_JUMP {
        return None;
    }
    let like = if looks_like_a_date(sequence) {
        " looks like a date, and"
    } else {
        ""
    };
    Some(format!(
        "the number {sequence}{like} is more than {} above {base}: a site refuses such a step (E-ROLLBACK); count releases with small numbers, which --next does, and write dates into version",
        limits::SEQUENCE_JUMP
    ))
}

/// `YYYYMMDD` with up to four more digits, or seconds since 1970.
fn looks_like_a_date(sequence: u64) -> bool {
    let digits = sequence.to_string();
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|text| text.parse::<u32>().ok());
    let is_day = (8..=14).contains(&digits.len())
        && part(0, 4).is_some_and(|year| (1990..2100).contains(&year))
        && part(4, 6).is_some_and(|month| (1..=12).contains(&month))
        && part(6, 8).is_some_and(|day| (1..=31).contains(&day));
    is_day || (1_000_000_000..4_102_444_800).contains(&sequence)
}

/// Returns the first number that is free behind the newest one.
fn next_free(newest: Option<&ledger::SignedRelease>, epoch: u64) -> Counter {
    match newest {
        Some(newest) if newest.counter.epoch >= epoch => Counter {
            sequence: newest.counter.sequence.saturating_add(1),
            ..newest.counter
        },
        _ => Counter { epoch, sequence: 1 },
    }
}

/// A number that no site would import which has the newest release. Making a known release again is something else.
pub(super) fn lower_number(newest: &ledger::SignedRelease, counter: Counter, scope: &Scope) -> Error {
    let next = next_free(Some(newest), counter.epoch);
    Error::new(
        Class::Rollback,
        "lower-number",
        format!(
            "release {} of {scope} was signed already: a site that has it will refuse the lower number {counter}",
            newest.counter
        ),
    )
    .expected(format!("a number from {next} on"))
    .remedy(format!(
        "raise sequence to {}, the next free number; or say that you mean the lower one with --sequence {}",
        next.sequence, counter.sequence
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_no_numbers() {
        for (sequence, base, says) in [
            (20_261_130, 0, Some("looks like a date")),
            (2_026_113_001, 0, Some("looks like a date")),
            (1_764_460_800, 7, Some("looks like a date")),
            (5_000_000, 7, Some("a site refuses such a step")),
            (1_000_007, 7, None),
            (20_261_130, 20_261_129, None),
            (8, 7, None),
        ] {
            let said = dated(sequence, base);
            assert_eq!(said.is_some(), says.is_some(), "{sequence}");
            assert!(
                said.unwrap_or_default().contains(says.unwrap_or_default()),
                "{sequence}"
            );
        }
        assert!(!looks_like_a_date(20_261_345));
    }
}
