//! The document of a release that is sealed to this site, among those that are sealed to others.

use super::recipients::Secret;
use crate::crypto::SealedSecrets;
use crate::domain::{Counter, Result, Scope, SiteId};

/// Returns what a release sealed for this site; nothing where no document opens with one of the keys.
///
/// A document that opens and is of another release, or of another site, counts for nothing: its bundle was refused at X13.
///
/// # Errors
///
/// Those of reading; `E-CONTENT secrets` when one that opens is wrong.
pub(super) fn of_site(
    documents: impl Iterator<Item = Result<Vec<u8>>>,
    keys: &[Secret],
    (scope, counter, site): (&Scope, Counter, &SiteId),
) -> Result<Option<SealedSecrets>> {
    for document in documents {
        let document = document?;
        for key in keys {
            let opened = SealedSecrets::open(&document, key)?;
            let own = opened.filter(|own| own.scope == *scope && own.counter == counter && own.site == *site);
            if own.is_some() {
                return Ok(own);
            }
        }
    }
    Ok(None)
}
