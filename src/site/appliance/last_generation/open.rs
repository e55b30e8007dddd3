//! Makes a database of what is kept, to be served from in place of the one that cannot be used.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Seek as _};
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::kept;
use crate::appliance::folder::GENERATION_DATABASE;
use crate::appliance::keys::Keys;
use crate::appliance::release_rows::Rows;
use crate::appliance::reserve;
use crate::bundle::Head;
use crate::db::site::release::{self, ReleaseId, ReleaseRow};
use crate::db::site::{rows, served_rows};
use crate::db::{Db, Schema, side_file};
use crate::domain::{Class, Code, Error, Result, Timestamp};
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
    let (db, made_at) = make(state, &lock)?;
    // Of another appliance nothing is served: its agents' tokens were made with another key.
    Keys::open_own(state, &db)?;
    Ok(Some(Opened { db, made_at, lock }))
}

/// Makes the database. On a full disk the reserve makes room for it: so that what is live is served.
fn make(state: &Path, kept: &File) -> Result<(Db, Timestamp)> {
    let make = || -> Result<_> {
        tidy(state)?;
        let mut kept: &File = kept;
        kept.rewind().map_err(|error| Error::io("read", state, error))?;
        let db = Db::create(&state.join(GENERATION_DATABASE), &Schema::SITE)?;
        let made_at = db.write(|transaction| kept::read(kept, &mut |row| served_rows::insert(transaction, row)))?;
        Ok((db, made_at))
    };
    match make() {
        Err(error) if error.class() == Class::Space => {
            reserve::give_up(state)?;
            make()
        }
        made => made,
    }
}

/// Takes away what an earlier start made.
///
/// # Errors
///
/// `E-IO`.
pub(in crate::appliance) fn tidy(state: &Path) -> Result<()> {
    let path = state.join(GENERATION_DATABASE);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let name = side_file(&path, suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io("remove", &name, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Releases whose names cannot be known, and why: their content is not answered, and nobody is told that it does not exist.
pub(in crate::appliance) type Nameless = BTreeMap<ReleaseId, Arc<Error>>;

/// The names of a release that is served cannot be known.
pub(in crate::appliance) const NAMELESS: Code = Code::new("release-nameless");

/// Gives the content of every release its names, as the signed index says, and returns those of which that cannot be read; the others are
/// served. `mended_by` is what mends the state folder.
///
/// # Errors
///
/// Those of the database.
pub(in crate::appliance) fn name(db: &Db, store: &Store, mended_by: Option<&str>) -> Result<Nameless> {
    let mut nameless = Nameless::new();
    for release in db.read(release::list)? {
        match rows_of(db, store, &release) {
            Ok(named) => db.write(|transaction| rows::restore(transaction, release.id, &named.expected()))?,
            Err(cause) => {
                let found = format!(
                    "the names of release {} of {} cannot be known: {}",
                    release.counter,
                    release.scope,
                    cause.found()
                );
                let mut error = Error::new(Class::State, NAMELESS, found).with_source(cause);
                if let Some(remedy) = mended_by {
                    error = error.remedy(remedy);
                }
                tracing::error!(%error, "a release of the last generation cannot be served");
                nameless.insert(release.id, Arc::new(error));
            }
        }
    }
    Ok(nameless)
}

fn rows_of(db: &Db, store: &Store, release: &ReleaseRow) -> Result<Rows> {
    let signed = db.read(|connection| release::signed(connection, release.id))?;
    Rows::of_kept(&Head::parse(&signed.head)?, store)
}
