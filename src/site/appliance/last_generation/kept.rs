//! `generation.json`: a JSON document with one row a line, the hash of all of that in its last line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::appliance::folder::GENERATION;
use crate::db::Db;
use crate::db::site::release::ReleaseId;
use crate::db::site::served_rows::{self, GENERATION_DAMAGED};
use crate::domain::{Class, Error, Hash, Result, Timestamp};
use crate::stream::{Expected, LockFile, look, open_plain, sync_folder, write_atomically_of};

/// Longest line: a signed head is the longest value of a row.
const LINE_BYTES: u64 = 256 << 20;
const VERSION: u64 = 1;
const FIRST_ENDS: &str = ",\"rows\":[\n";
const LAST_BEGINS: &[u8] = b"],\"sha256\":";

/// What the first line says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    made_at: Timestamp,
    schema: Hash,
    version: u64,
}

/// Writes down what is served from now on: rows of these releases, and what this site decided, of one moment. The file before stays until
/// the new one is whole.
///
/// # Errors
///
/// `E-STATE planted`; those of the database; `E-IO` and `E-SPACE`.
pub(in crate::appliance) fn keep(state: &Path, db: &Db, releases: &[ReleaseId], now: Timestamp) -> Result<()> {
    let _held = hold(state)?;
    let path = state.join(GENERATION);
    write_atomically_of(&path, 0o600, |file| {
        let failed = |error| Error::io("write", &path, error);
        let (mut out, mut hash) = (BufWriter::new(file), Sha256::new());
        let mut write = |bytes: &[u8]| {
            hash.update(bytes);
            out.write_all(bytes).map_err(failed)
        };
        let said = Said {
            made_at: now,
            schema: served_rows::schema_hash(),
            version: VERSION,
        };
        let said = serde_json::to_string(&said)
            .map_err(|error| Error::new(Class::Internal, "json", error.to_string()).with_source(error))?;
        let members = said.strip_suffix('}').unwrap_or(&said);
        write(members.as_bytes())?;
        write(FIRST_ENDS.as_bytes())?;
        let mut is_first = true;
        db.read(|connection| {
            served_rows::each(connection, releases, &mut |line| {
                if !std::mem::take(&mut is_first) {
                    write(b",")?;
                }
                write(line.as_bytes())?;
                write(b"\n")
            })
        })?;
        let sum = Hash(hash.finalize().into());
        out.write_all(LAST_BEGINS)
            .and_then(|()| writeln!(out, "\"{sum}\"}}"))
            .and_then(|()| out.flush())
            .map_err(failed)?;
        // All of it is in the file by now.
        Ok([])
    })
}

/// Whether a generation is kept.
///
/// # Errors
///
/// `E-STATE planted`; `E-IO`.
pub(in crate::appliance) fn is_there(state: &Path) -> Result<bool> {
    look(&state.join(GENERATION), Expected::File).map(|found| found.is_some())
}

/// Held while what is kept is written, or while it must not be there.
#[derive(Debug)]
#[must_use = "what was removed may be written again once this is gone"]
pub(in crate::appliance) struct Held {
    _folder: LockFile,
}

/// Waits until nobody else writes or removes what is kept.
fn hold(state: &Path) -> Result<Held> {
    let folder = File::open(state).map_err(|error| Error::io("open", state, error))?;
    let folder = LockFile::new(folder);
    folder.lock().map_err(|error| Error::io("lock", state, error.into()))?;
    Ok(Held { _folder: folder })
}

/// Removes what is kept, before a right that it grants is taken away. No server writes it again before what is returned is gone, and that is
/// held until the right is.
///
/// # Errors
///
/// `E-IO`.
pub(in crate::appliance) fn forget(state: &Path) -> Result<Held> {
    let held = hold(state)?;
    let path = state.join(GENERATION);
    match fs::remove_file(&path) {
        Ok(()) => sync_folder(state)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("remove", &path, error)),
    }
    Ok(held)
}

/// Reads what is kept, and returns when it was written down; nothing where nothing is.
///
/// # Errors
///
/// `E-STATE` [`GENERATION_DAMAGED`], `planted`; `E-IO`.
pub(in crate::appliance) fn check(state: &Path) -> Result<Option<Timestamp>> {
    let Some(file) = open(state)? else { return Ok(None) };
    read(&file, &mut |_| Ok(())).map(Some)
}

/// Opens the file; nothing where there is none.
///
/// # Errors
///
/// `E-STATE planted`; `E-IO`.
pub(super) fn open(state: &Path) -> Result<Option<File>> {
    open_plain(&state.join(GENERATION))
}

/// Calls `row` with every row, and returns when they were written down. What was called before an error counts for nothing.
///
/// # Errors
///
/// `E-STATE` [`GENERATION_DAMAGED`]; `E-IO`; those of `row`.
pub(super) fn read(file: &File, row: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Timestamp> {
    let mut reader = BufReader::new(file);
    let mut hash = Sha256::new();
    let first = line_of(&mut reader)?;
    hash.update(&first);
    let said = first
        .strip_suffix(FIRST_ENDS.as_bytes())
        .ok_or_else(|| damaged("does not begin as one"))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a line of our own writing, which nobody signed"
    )]
    let said = serde_json::from_slice::<Said>(&[said, b"}"].concat());
    let said = said.map_err(|error| damaged("does not begin as one").with_source(error))?;
    if said.version != VERSION || said.schema != served_rows::schema_hash() {
        return Err(damaged("was written by another version of airlock"));
    }
    loop {
        let line = line_of(&mut reader)?;
        if let Some(sum) = line.strip_prefix(LAST_BEGINS) {
            let expected = format!("\"{}\"}}\n", Hash(hash.finalize().into()));
            if sum != expected.as_bytes() || !line_of(&mut reader)?.is_empty() {
                return Err(damaged("does not have the hash that it states"));
            }
            return Ok(said.made_at);
        }
        hash.update(&line);
        let text = line.strip_suffix(b"\n").ok_or_else(|| damaged("was cut off"))?;
        row(text.strip_prefix(b",").unwrap_or(text))?;
    }
}

fn line_of(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(LINE_BYTES).read_until(b'\n', &mut line).map_err(|error| {
        Error::new(Class::Io, "io", format!("cannot read {GENERATION}: {error}")).with_source(error)
    })?;
    Ok(line)
}

fn damaged(what: &str) -> Error {
    Error::new(
        Class::State,
        GENERATION_DAMAGED,
        format!("{GENERATION}, the last generation that was served, {what}"),
    )
    .remedy("start airlock serve again once airlock.db is whole: it writes it anew")
}
