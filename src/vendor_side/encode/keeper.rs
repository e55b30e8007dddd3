//! Where travel forms are written: a file of the cache each, or one after the other on a shelf that is gone with the run.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::shelf::{Shelf, Stretch};
use crate::bundle::{Verdict, restores};
use crate::domain::{Digest, Error, Result};
use crate::encoding::{Base, BasePlains, Encoding, TravelForm};
use crate::stream::unnamed_file;

/// Keeps travel forms.
pub(super) struct Keeper {
    pub(super) cache: Option<Cache>,
    pub(super) shelf: Option<Shelf>,
    /// Where files without a name are made.
    work: PathBuf,
}

/// A travel form that was written.
pub(super) struct Written {
    pub(super) form: TravelForm,
    pub(super) place: Place,
}

/// Where it stands.
pub(super) enum Place {
    /// In a file of its own.
    File(File),
    /// On the shelf, from there on.
    Shelf(u64),
}

/// Writes a travel form, or finds that it is of no use; is told how far it is.
pub(super) type WriteForm<'a> = dyn FnMut(&mut dyn Write) -> Result<Option<TravelForm>> + 'a;

impl Keeper {
    pub(super) fn new(cache: Option<Cache>, work: PathBuf) -> Self {
        Self {
            cache,
            shelf: None,
            work,
        }
    }

    /// Returns a shelf in the work folder.
    pub(super) fn new_shelf(&self) -> Result<Shelf> {
        Shelf::new(&self.work)
    }

    /// Writes a travel form where it will be kept.
    pub(super) fn write(&mut self, write: &mut WriteForm<'_>) -> Result<Option<Written>> {
        if let Some(cache) = &self.cache {
            let mut file = unnamed_file(cache.folder())?;
            let form = write(&mut file)?;
            let place = Place::File(file);
            return Ok(form.map(|form| Written { form, place }));
        }
        let shelf = match self.shelf.take() {
            Some(shelf) => shelf,
            None => self.new_shelf()?,
        };
        let shelf = self.shelf.insert(shelf);
        let form = write(&mut shelf.writer()?)?;
        let place = Place::Shelf(shelf.end());
        Ok(form.map(|form| Written { form, place }))
    }

    /// Keeps a form where it stands: the next one is written behind it. Returns where that is on the shelf.
    pub(super) fn hold(&mut self, written: &Written) -> u64 {
        match (&written.place, &mut self.shelf) {
            (Place::Shelf(start), Some(shelf)) => {
                shelf.keep_from(*start, written.form.size);
                *start
            }
            _ => 0,
        }
    }

    /// Has the reader's own code make the blob of a form that was written.
    pub(super) fn judge(
        &self,
        (digest, size): (Digest, u64),
        (encoding, copying): (Encoding, Option<(Vec<Base>, BasePlains)>),
        Written { form, place }: &Written,
        told: &mut dyn FnMut(u64),
    ) -> Result<Verdict> {
        let mut written = match (place, &self.shelf) {
            (Place::File(file), _) => {
                let clone = file
                    .try_clone()
                    .map_err(|error| Error::io("read", std::path::Path::new("a travel form"), error))?;
                Stretch::new(Arc::new(clone), 0, form.size)
            }
            (Place::Shelf(start), Some(shelf)) => shelf.open(*start, form.size),
            (Place::Shelf(_), None) => return Ok(Verdict::Another),
        };
        restores(digest, size, form.size, (encoding, copying), &mut written, told)
    }
}
