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

/// A travel form that was written, and the file that it stands in where it has one of its own.
pub(super) type Written = (TravelForm, Option<File>);

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
            return Ok(write(&mut file)?.map(|form| (form, Some(file))));
        }
        let shelf = match self.shelf.take() {
            Some(shelf) => shelf,
            None => self.new_shelf()?,
        };
        let shelf = self.shelf.insert(shelf);
        let form = write(&mut shelf.writer()?)?;
        Ok(form.map(|form| (form, None)))
    }

    /// Has the reader's own code make the blob of a form that was written.
    pub(super) fn judge(
        &self,
        (digest, size): (Digest, u64),
        (encoding, copying): (Encoding, Option<(Vec<Base>, BasePlains)>),
        (form, file): &Written,
        told: &mut dyn FnMut(u64),
    ) -> Result<Verdict> {
        let mut written = match (file, &self.shelf) {
            (Some(file), _) => {
                let clone = file
                    .try_clone()
                    .map_err(|error| Error::io("read", std::path::Path::new("a travel form"), error))?;
                Stretch::new(Arc::new(clone), 0, form.size)
            }
            (None, Some(shelf)) => shelf.written(form.size),
            (None, None) => return Ok(Verdict::Another),
        };
        restores(digest, size, form.size, (encoding, copying), &mut written, told)
    }
}
