//! Finds the release that somebody names: by its head digest, its number or its label.

use crate::db::Connection;
use crate::db::ledger::questions::{SignedHeadRow, releases};
use crate::domain::{Class, Counter, Error, Result};

/// Digits of a head digest that name it.
const DIGITS: usize = 8;

/// Returns the release that a text names: a head digest or its beginning, its number (`EPOCH.SEQUENCE` in later epochs), a label, each with
/// `PRODUCT/CHANNEL:` before it where several products have such a one.
///
/// # Errors
///
/// `E-USAGE no-release` and `several-releases`.
pub(super) fn release_named(connection: &Connection, text: &str) -> Result<SignedHeadRow> {
    let is_named = |release: &SignedHeadRow, text: &str| {
        let Counter { epoch, sequence } = release.counter;
        let is_number = format!("{epoch}.{sequence}") == text || epoch == 0 && sequence.to_string() == text;
        let is_digest = text.len() >= DIGITS && release.head.to_hex().starts_with(text);
        is_digest || is_number || release.version == text
    };
    let all = releases(connection)?;
    let mut found = all.into_iter().filter(|release| {
        let scope = format!("{}/{}:", release.product, release.channel);
        is_named(release, text) || text.strip_prefix(&scope).is_some_and(|text| is_named(release, text))
    });
    match (found.next(), found.next()) {
        (Some(release), None) => Ok(release),
        (None, _) => Err(
            Error::new(Class::Usage, "no-release", format!("no release {text:?} was signed here"))
                .expected("a head digest, a number such as 0.7, or a label")
                .remedy("look at `airlock vendor ledger show`; one that was signed elsewhere is taken in with `airlock vendor ledger learn FILE`"),
        ),
        (Some(one), Some(other)) => Err(Error::new(
            Class::Usage,
            "several-releases",
            format!(
                "{text:?} names {}/{} {} and {}/{} {}, and perhaps others",
                one.product, one.channel, one.counter, other.product, other.channel, other.counter
            ),
        )
        .expected("one release")
        .remedy("name it by its head digest, which `airlock vendor ledger show` lists")),
    }
}
