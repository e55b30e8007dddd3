//! What vendors found in packages of this site, and what it found itself in what they acknowledge.

use super::Finding;
use crate::appliance::acknowledgement::{Standing, standing};
use crate::crypto::Chain;
use crate::db::Reader;
use crate::domain::{Class, Error, Hash, Result};

/// Finds each alarm that stands. `chains` are those of the vendors that are pinned and whose pins are whole.
///
/// # Errors
///
/// Those of the database.
pub(super) fn look(site: &Reader, chains: &[Chain]) -> Result<Vec<Finding>> {
    let name = |domain: Hash| {
        let of_it = chains.iter().find(|chain| chain.domain() == domain);
        of_it.map(|chain| chain.newest().vendor.clone())
    };
    let standing = site.read(|connection| standing(connection, name))?;
    let each = standing.iter().flat_map(Standing::each);
    let mut found: Vec<Finding> = each.map(|(word, by, means)| finding(word, by, &means)).collect();
    if found.is_empty() {
        found.push(Finding::good("alarms", "no alarm stands, of a vendor or of this site"));
    }
    Ok(found)
}

fn finding(word: &'static str, by: Option<&str>, means: &str) -> Finding {
    let what = by.map_or_else(|| means.to_owned(), |vendor| format!("{vendor} found: {means}"));
    Finding {
        // It stands in what the alarm means.
        remedy: None,
        ..Finding::look("alarms", &Error::new(Class::State, word, what))
    }
}
