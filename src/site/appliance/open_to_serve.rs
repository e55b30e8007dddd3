//! The last generation in place of a security database that cannot be used: opened to be served, and nothing else.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::folder::{self, DATABASE};
use super::place::Place;
use super::shared_hosts::SharedHosts;
use super::state::Appliance;
use super::unreadable::Unreadable;
use super::{last_generation, set_aside, suspect};
use crate::db::site::appliance;
use crate::db::site::release::ReleaseId;
use crate::db::{self, Reader, Schema};
use crate::domain::{Class, Clock, Code, Error, Result, Timestamp};
use crate::store::Store;

/// Codes of what makes the security database one that nothing can be served from.
const UNREADABLE: [Code; 5] = [
    db::DAMAGED,
    db::SCHEMA_TOO_NEW,
    db::OTHER_DATABASE,
    db::OTHER_SCHEMA,
    folder::DATABASE_MISSING,
];

impl Appliance {
    /// As [`Self::open`], for who serves: where a server found the database damaged before, all of it is read first, and where it cannot be
    /// used, what opens is the last generation that was served ([`last_generation`]).
    ///
    /// # Errors
    ///
    /// As [`Self::open`] and [`Self::open_last_generation`].
    pub fn open_to_serve(folder: &Path, clock: &Arc<dyn Clock>) -> Result<Self> {
        let opened = Self::open(folder, clock.clone()).and_then(|appliance| {
            suspect::settle(&appliance.folder)?;
            // One without a table answers nothing that asks for it.
            appliance.db.read(|connection| Schema::SITE.check_tables(connection))?;
            last_generation::tidy(&appliance.folder)?;
            Ok(appliance)
        });
        match opened {
            Err(why) if Self::is_unreadable(&why) => Self::open_last_generation(folder, clock.clone(), why),
            opened => opened,
        }
    }

    /// Whether an error says that nothing can be served from the security database.
    pub fn is_unreadable(error: &Error) -> bool {
        error.class() == Class::State && UNREADABLE.iter().any(|code| error.is(*code))
    }

    /// Opens the last generation that was served, in place of a security database that cannot be used. It is for serving only, and whoever
    /// asks for more is told why ([`Self::unreadable`]).
    ///
    /// # Errors
    ///
    /// `why` where none is kept, or none of it can be used; `E-BUSY` where another server answers from it.
    pub fn open_last_generation(folder: &Path, clock: Arc<dyn Clock>, why: Error) -> Result<Self> {
        match Self::last_generation(folder, clock, &why) {
            Ok(Some(appliance)) => Ok(appliance),
            Ok(None) => Err(why),
            Err(error) if error.class() == Class::Busy => Err(error),
            Err(error) => Err(why.and_then(&error)),
        }
    }

    fn last_generation(folder: &Path, clock: Arc<dyn Clock>, why: &Error) -> Result<Option<Self>> {
        let folder = folder::check_names(folder)?;
        if folder::is_restoring(&folder)? {
            return Ok(None);
        }
        folder::complete(&folder)?;
        let written_at = folder::database_written_at(&folder);
        let Some(last) = last_generation::open(&folder)? else {
            return Ok(None);
        };
        let lost_content = Store::complete(&folder)?;
        let place = Arc::new(Place::of(&folder)?);
        let db = Arc::new(last.db);
        let store = {
            let (db, clock) = (db.clone(), clock.clone());
            Store::open(&folder, move |aside| set_aside::record(&db, aside, clock.now()))?
        };
        let nameless = last_generation::name(&db, &store, why.advice())?;
        let identity = db.read(appliance::get)?;
        Ok(Some(Self {
            folder,
            place,
            db,
            store,
            clock,
            shared_hosts: SharedHosts::default(),
            identity,
            keys: Mutex::default(),
            begun: None,
            lost_content,
            unreadable: Some(Unreadable {
                why: why.again(),
                made_at: last.made_at,
                nameless,
                looked_at: Mutex::new(written_at),
                _lock: last.lock,
            }),
        }))
    }

    /// Returns why the security database cannot be used, where what was opened is the last generation that was served from it.
    pub fn unreadable(&self) -> Option<&Error> {
        self.unreadable.as_ref().map(|unreadable| &unreadable.why)
    }

    /// Returns when that generation was written down.
    pub fn last_served_at(&self) -> Option<Timestamp> {
        self.unreadable.as_ref().map(|unreadable| unreadable.made_at)
    }

    /// Says why a release of the last generation cannot be served; nothing where it can.
    pub(super) fn check_named(&self, release: ReleaseId) -> Result<(), Arc<Error>> {
        let nameless = self.unreadable.as_ref().map(|unreadable| &unreadable.nameless);
        match nameless.and_then(|nameless| nameless.get(&release)) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Returns what is wrong with releases of the last generation.
    pub(super) fn nameless(&self) -> Vec<&Error> {
        let unreadable = self.unreadable.iter();
        unreadable
            .flat_map(|unreadable| unreadable.nameless.values().map(|error| &**error))
            .collect()
    }

    /// While the last generation is served: looks whether a database that can be used stands in the place of the other. Then nothing is
    /// answered until the server is started again: what is decided from now on stands there, and does not reach it.
    ///
    /// # Errors
    ///
    /// `E-STATE state-replaced`.
    pub(super) fn look_for_whole_database(&self) -> Result<()> {
        let Some(Unreadable { looked_at, .. }) = &self.unreadable else {
            return Ok(());
        };
        let now = folder::database_written_at(&self.folder);
        let before = std::mem::replace(&mut *looked_at.lock().unwrap_or_else(PoisonError::into_inner), now);
        let path = self.folder.join(DATABASE);
        if before == now || is_whole(&path).is_err() {
            return self.place.check();
        }
        self.place.lose(&path, "can be used again, and is not what is served")
    }
}

/// Says whether a server could answer from a database: every page of it can be read, and every table is there.
fn is_whole(path: &Path) -> Result<()> {
    let reader = Reader::open(path, &Schema::SITE)?;
    reader.read(|connection| Schema::SITE.check_tables(connection))?;
    reader.quick_check()
}
