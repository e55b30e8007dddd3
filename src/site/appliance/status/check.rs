//! Whether the status database is one, looked at by who shall not write it.

use super::damage;
use crate::appliance::Appliance;
use crate::db::{Reader, Schema};
use crate::domain::Result;

/// Says whether what agents reported can be read, as far as that shows without reading all of it; changes nothing. One that was never begun
/// is none to be read.
///
/// # Errors
///
/// `E-STATE` when it is damaged, which whoever writes it next sets aside; `E-IO`.
pub fn check(appliance: &Appliance) -> Result<()> {
    let path = appliance.status_database();
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    damage::check_wal(&path)?;
    let reader = Reader::open_to_look(&path, &Schema::STATUS)?;
    reader.read(|connection| Schema::STATUS.check_tables(connection))
}
