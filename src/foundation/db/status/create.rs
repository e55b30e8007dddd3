//! A new `status.db`, which says from its beginning whose status it is.

use std::path::Path;

use crate::db::{Db, Schema, SqlResult as _};
use crate::domain::{Result, SiteId};

/// Makes `status.db` with the site it belongs to.
///
/// # Errors
///
/// Those of [`Db::create`].
pub fn create(path: &Path, site: &SiteId) -> Result<Db> {
    let status = Db::create(path, &Schema::STATUS)?;
    status.write(|transaction| {
        transaction
            .execute("INSERT INTO meta (one, site) VALUES (1, ?)", [site])
            .sql("record the site")?;
        Ok(())
    })?;
    Ok(status)
}
