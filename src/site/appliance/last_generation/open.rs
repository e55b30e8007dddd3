//! Makes a database of what is kept, to be served from in place of the one that cannot be used.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::io::Errno;

use super::kept;
use crate::appliance::folder::GENERATION_DATABASE;
use crate::appliance::release_rows::Rows;
use crate::bundle::Head;
use crate::db::site::release::{self, ReleaseRow};
use crate::db::site::{rows, served_rows};
use crate::db::{Db, Schema, side_file};
use crate::domain::{Class, Error, Result, Timestamp};
use crate::store::Store;
use crate::stream::LockFile;

/// The last generation as a database.
#[derive(Debug)]
pub(in crate::appliance) struct Opened {
    pub(in crate::appliance) db: Db,
    /// When it was written down.
    pub(in crate::appliance) made_at: Timestamp,
    /// Held by the one server that uses it.
    pub(in crate::appliance) lock: LockFile,
}

/// Makes a database of the rows that are kept, without names of content; nothing where none are kept.
///
/// # Errors
///
/// `E-STATE generation-damaged`, `planted`; `E-BUSY` where another server uses it; `E-IO` and `E-SPACE`.
pub(in crate::appliance) fn open(state: &Path) -> Result<Option<Opened>> {
    let Some(file) = kept::open(state)? else {
        return Ok(None);
    };
    let lock = LockFile::new(file);
    match lock.try_lock() {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(Error::new(
                Class::Busy,
                "generation",
                "another server of this state folder answers from the last generation already",
            )
            .remedy("use that one"));
        }
        Err(error) => return Err(Error::io("lock", state, error.into())),
    }
    let path = state.join(GENERATION_DATABASE);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let name = side_file(&path, suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io("remove", &name, error)),
            _ => {}
        }
    }
    let db = Db::create(&path, &Schema::SITE)?;
    let made_at = db.write(|transaction| kept::read(&lock, &mut |row| served_rows::insert(transaction, row)))?;
    Ok(Some(Opened { db, made_at, lock }))
}

/// Gives the content of every release its names, as the signed index says. A release of which that cannot be read counts as damaged, and
/// the others are served.
///
/// # Errors
///
/// Those of the database.
pub(in crate::appliance) fn name(db: &Db, store: &Store) -> Result<()> {
    for release in db.read(release::list)? {
        let named = rows_of(db, store, &release);
        db.write(|transaction| match &named {
            Ok(named) => rows::restore(transaction, release.id, &named.expected()),
            Err(error) => {
                tracing::error!(%error, release = %release.counter, scope = %release.scope, "a release of the last generation cannot be served");
                served_rows::forget_head(transaction, release.id)
            }
        })?;
    }
    Ok(())
}

fn rows_of(db: &Db, store: &Store, release: &ReleaseRow) -> Result<Rows> {
    let signed = db.read(|connection| release::signed(connection, release.id))?;
    Rows::of_kept(&Head::parse(&signed.head)?, store)
}
