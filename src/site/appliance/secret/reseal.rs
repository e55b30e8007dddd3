//! Another recipient key: what is kept here is sealed to it, in the act that makes it.

use std::path::{Path, PathBuf};

use super::{files, recipients, record};
use crate::crypto::RecipientKey;
use crate::db::site::kept_secrets::{self, KeptSecret};
use crate::db::{Db, Transaction};
use crate::domain::{Error, Result};

/// Files that hold what others held, for another key, and that count once that is recorded.
pub(in crate::appliance) struct Resealed {
    state: PathBuf,
    /// Rows as they were, each with its new file.
    rows: Vec<(KeptSecret, String)>,
    /// What could not be read, and is to be entered again.
    pub(in crate::appliance) unreadable: Vec<KeptSecret>,
}

/// Seals everything to another key; only for who holds the lock of the state folder. Nothing counts before [`Resealed::record`].
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`; those of the database.
pub(in crate::appliance) fn reseal(state: &Path, db: &Db, to: &RecipientKey) -> Result<Resealed> {
    let mut resealed = Resealed {
        state: state.to_owned(),
        rows: Vec::new(),
        unreadable: Vec::new(),
    };
    let kept = db.read(kept_secrets::list)?;
    if kept.is_empty() {
        return Ok(resealed);
    }
    files::tidy(state, db)?;
    // Where no key is left nothing opens, and the new key is what helps.
    let keys = recipients::all(state).unwrap_or_default();
    for row in kept {
        let Ok(record) = record::open(state, &row, &keys) else {
            resealed.unreadable.push(row);
            continue;
        };
        match record.seal(to).and_then(|bytes| files::put(state, &bytes)) {
            Ok(file) => resealed.rows.push((row, file)),
            Err(error) => return Err(resealed.drop_new(error)),
        }
    }
    Ok(resealed)
}

impl Resealed {
    /// Lets the new files count, in the transaction that lets the new key.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::appliance) fn record(&self, transaction: &Transaction<'_>) -> Result<()> {
        for (row, file) in &self.rows {
            let renamed = KeptSecret {
                file: file.clone(),
                ..row.clone()
            };
            kept_secrets::put(transaction, &renamed)?;
        }
        Ok(())
    }

    /// Removes the files that the old key opens; what cannot be removed now the next act removes.
    pub(in crate::appliance) fn drop_old(&self) {
        let old: Vec<String> = self.rows.iter().map(|(row, _)| row.file.clone()).collect();
        files::remove(&self.state, &old).ok();
    }

    /// Removes what was sealed in vain, and returns the error that made it so.
    pub(in crate::appliance) fn drop_new(&self, error: Error) -> Error {
        let new: Vec<String> = self.rows.iter().map(|(_, file)| file.clone()).collect();
        match files::remove(&self.state, &new) {
            Ok(()) => error,
            Err(left) => error.and_then(&left),
        }
    }
}
