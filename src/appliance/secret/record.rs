//! A value that is kept here, back from its file: only where that says whose it is, as its row does.

use std::path::Path;

use super::files;
use super::recipients::Secret;
use crate::crypto::SecretRecord;
use crate::db::site::kept_secrets::KeptSecret;
use crate::domain::{Result, SecretName, Uuid};

/// Opens the file of a row with the one of these keys that opens it.
///
/// # Errors
///
/// `E-STATE secret-file` when it is gone, damaged, sealed to another key, or another one's; `planted`, `E-IO`.
pub(super) fn open(state: &Path, row: &KeptSecret, keys: &[Secret]) -> Result<SecretRecord> {
    let file = files::read(state, &row.file)?;
    let mut reason = None;
    for key in keys {
        match SecretRecord::open(&file, key) {
            Ok(record) => return compared(row, record),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    let reason = reason.map_or_else(|| "there is no key".to_owned(), |error| error.found().to_owned());
    Err(files::unusable(format!(
        "{} cannot be read: {reason}",
        whose(&row.name, row.target)
    )))
}

fn compared(row: &KeptSecret, record: SecretRecord) -> Result<SecretRecord> {
    if record.scope == row.scope && record.name == row.name && record.target == row.target {
        return Ok(record);
    }
    Err(files::unusable(format!(
        "the file of {} holds {} of {}",
        whose(&row.name, row.target),
        whose(&record.name, record.target),
        record.scope
    )))
}

fn whose(name: &SecretName, target: Option<Uuid>) -> String {
    match target {
        Some(target) => format!("the secret {name} of the target {target}"),
        None => format!("the secret {name}"),
    }
}
