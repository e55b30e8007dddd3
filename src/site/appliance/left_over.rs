//! What is left of damaged content, by the states of its hash that the database keeps.

use super::state::Appliance;
use crate::db::site::{damage, names};
use crate::domain::{Digest, Result};
use crate::store::LeftOver;

impl Appliance {
    /// Looks what is left of a large blob that was set aside; nothing where all of it has to come again. Reads all that is left.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn left_over(&self, digest: &Digest) -> Result<Option<LeftOver>> {
        let (size, pieces) = self.db.read(|connection| {
            let holders = damage::holders(connection, digest)?;
            Ok((
                holders.first().map(|(_, size)| *size),
                names::pieces(connection, digest)?,
            ))
        })?;
        match size.zip(pieces) {
            Some((size, pieces)) => self.store.left_over(digest, size, pieces),
            None => Ok(None),
        }
    }
}
