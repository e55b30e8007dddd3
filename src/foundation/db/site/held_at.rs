//! What a site holds of one vendor, asked of its state folder by who was given that to copy from.

use std::collections::BTreeMap;
use std::path::Path;

use super::release::retained_blobs;
use crate::db::{Reader, Schema};
use crate::domain::{Class, Digest, Error, Hash, Result};

/// Returns digest and size of everything that releases of a trust domain hold, by the database of a state folder.
///
/// # Errors
///
/// `E-USAGE base` for a folder without that database, and for a site that has no release of this vendor; those of the database.
pub fn held_at(state: &Path, domain: Hash) -> Result<BTreeMap<Digest, u64>> {
    let database = state.join(Schema::SITE.name);
    if !database.is_file() {
        let found = format!("the base {} is no state folder of a site", state.display());
        return Err(Error::new(Class::Usage, "base", found)
            .expected(format!("{} in it, or a bundle", Schema::SITE.name))
            .remedy("name the state folder of a site, or a bundle that was imported there: --base FILE"));
    }
    let held = Reader::open(&database, &Schema::SITE)?.read(|connection| retained_blobs(connection, domain))?;
    if !held.is_empty() {
        return Ok(held);
    }
    let found = format!(
        "the base {} is the state folder of a site without any release of this vendor",
        state.display()
    );
    Err(Error::new(Class::Usage, "base", found)
        .expected("a site that has imported an earlier release")
        .remedy("leave it out, or name a site that has imported one of this vendor's releases"))
}
