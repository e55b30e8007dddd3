//! `status.db` follows what `airlock.db` says was acknowledged (M-108): whenever it is opened to be written, and in every fold.

use crate::db::site::acknowledgements::{self, Freed};
use crate::db::{Db, Transaction, status};
use crate::domain::Result;

/// Returns what vendors have. That it cannot be read keeps nobody from reporting: it is asked again.
pub(super) fn freed(security: &Db) -> Vec<Freed> {
    security.read(acknowledgements::freed).unwrap_or_else(|error| {
        tracing::warn!(%error, "what vendors acknowledged could not be read");
        Vec::new()
    })
}

/// Writes it down for the streams that are here.
pub(super) fn write(transaction: &Transaction<'_>, freed: &[Freed]) -> Result<()> {
    for freed in freed {
        if status::stream_of(transaction, &freed.domain)?.is_some() {
            status::put_acknowledged(transaction, &freed.domain, freed.records, freed.covered_at)?;
        }
    }
    Ok(())
}
