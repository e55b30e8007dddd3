//! A value that is kept here, back from its file: only where that says whose it is, as its row does.

use std::path::Path;

use super::files;
use super::recipients::{self, Secret};
use crate::crypto::SecretRecord;
use crate::db::Db;
use crate::db::site::kept_secrets::{self, KeptSecret};
use crate::domain::{Error, Result, Scope, SecretName, SecretValue, Uuid};

/// Values of before that a record holds.
const EARLIER: usize = 8;

/// What a place had before another value.
pub(super) struct Before {
    /// The newest first.
    pub(super) values: Vec<SecretValue>,
    /// Something was there that cannot be read any more.
    pub(super) is_lost: bool,
}

/// Reads what a place has, for the record of the value that takes its place. What cannot be read is given up with that: a person decided
/// so, and nobody could ever find it in a text.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`; those of the database.
pub(super) fn before(
    state: &Path,
    db: &Db,
    scope: &Scope,
    (name, target): (&SecretName, Option<Uuid>),
    value: &SecretValue,
) -> Result<Before> {
    let mut before = Before {
        values: Vec::new(),
        is_lost: false,
    };
    let rows = db.read(kept_secrets::list)?.into_iter();
    for row in rows.filter(|row| row.scope == *scope && row.name == *name && row.target == target) {
        match readable(state, &row)? {
            Some(record) => before
                .values
                .extend(std::iter::once(record.value).chain(record.earlier)),
            None => before.is_lost = true,
        }
    }
    before.values.retain(|earlier| earlier.as_str() != value.as_str());
    before.values.truncate(EARLIER);
    Ok(before)
}

/// Opens the file of a row; nothing where it can never be read: it is gone, damaged, another one's, or its key is lost.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub(super) fn readable(state: &Path, row: &KeptSecret) -> Result<Option<SecretRecord>> {
    let Ok(keys) = recipients::all(state) else {
        return Ok(None);
    };
    match open(state, row, &keys) {
        Err(error) if error.is(SecretRecord::DAMAGED) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Returns, for each value that counts and can never be read, why.
///
/// # Errors
///
/// `E-STATE recipient-key` where no key is left that opens anything; `E-IO`.
pub(in crate::appliance) fn unreadable(state: &Path, rows: &[KeptSecret]) -> Result<Vec<Error>> {
    let mut counted = rows.iter().filter(|row| row.counts()).peekable();
    if counted.peek().is_none() {
        return Ok(Vec::new());
    }
    let keys = recipients::all(state)?;
    Ok(counted.filter_map(|row| open(state, row, &keys).err()).collect())
}

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
