//! Judges the content of a bundle without a site: every blob is made, also one that is copied from others, where these are at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::env::temp_dir;
use std::sync::Arc;

use super::Ui;
use super::bundle_bases::{BaseBundle, NamedBases};
use crate::bundle::{Blob, Graph, Index, Sink, TakenBlobs, TakenFile, of_base};
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::encoding::{Base, BasePlains, Unpacked};

/// Makes every check, and keeps nothing but what others are copied from and the count of what could not be made.
pub(super) struct Verifying<F> {
    taken: TakenBlobs,
    /// Layers of the bundle that others of it are copied from, and where they are kept for that.
    carried: BTreeSet<Digest>,
    file: Option<TakenFile>,
    /// Bytes of the large layer under way, where it is one of them.
    written: Option<u64>,
    /// Blobs whose bases are not at hand, and their bytes.
    pub(super) unrestored: (u64, u64),
    progress: F,
}

/// Gathers what a bundle needs to be copied from, as far as what is named has it.
///
/// # Errors
///
/// Those of reading the bundles, told as theirs; `E-IO`, `E-SPACE` of the folder for temporary files.
pub(super) fn gather(index: &Index, bases: NamedBases<'_>, ui: &mut Ui) -> Result<TakenBlobs> {
    let needed = index.needed_bases();
    let needs = index.needs().iter().filter(|need| needed.contains(&need.digest));
    let mut wanted: BTreeMap<Digest, u64> = needs.map(|need| (need.digest, need.size)).collect();
    bases.widen(&mut wanted);
    let mut taken = TakenBlobs::default();
    for state in &bases.states {
        for (digest, size) in state.of(&wanted) {
            if state.store.examine(&digest, size)?.is_whole()
                && let Some(file) = state.store.open_found(&digest, size)?
            {
                taken.insert(digest, size, (Arc::new(file), 0));
            }
        }
        wanted.retain(|digest, size| taken.get(digest, *size).is_none());
    }
    for BaseBundle { path, bundle } in bases.bundles {
        if !bundle
            .index()
            .blobs()
            .iter()
            .any(|blob| wanted.contains_key(&blob.digest))
        {
            continue;
        }
        let total = bundle.total_bytes();
        let is_wanted = |blob: &Blob| wanted.contains_key(&blob.digest);
        let mut progress = |done| ui.progress("read base", done, total);
        taken
            .take(bundle, &is_wanted, &temp_dir(), &mut progress)
            .map_err(|error| of_base(no_room(error), &path))?;
        wanted.retain(|digest, size| taken.get(digest, *size).is_none());
    }
    Ok(taken)
}

/// What is copied from others needs room that nobody expects of a check.
pub(super) fn no_room(error: Error) -> Error {
    if error.class() != Class::Space {
        return error;
    }
    error.remedy(format!(
        "free space in {}, where layers stand while others are copied from them, or name another folder with TMPDIR",
        temp_dir().display()
    ))
}

impl<F> Verifying<F> {
    /// For a bundle of this index; `progress` is told the bytes of it that were read so far.
    pub(super) fn new(index: &Index, taken: TakenBlobs, progress: F) -> Self {
        Self {
            taken,
            carried: index.carried_bases(),
            file: None,
            written: None,
            unrestored: (0, 0),
            progress,
        }
    }

    /// Where layers of the bundle are kept.
    fn file(&mut self) -> Result<&mut TakenFile> {
        let file = match self.file.take() {
            Some(file) => file,
            None => TakenFile::new(&temp_dir())?,
        };
        Ok(self.file.insert(file))
    }

    fn keep(&mut self, blob: &Blob) -> Result<()> {
        let opened = self.file()?.keep(blob.size);
        self.taken.insert(blob.digest, blob.size, opened);
        Ok(())
    }
}

impl<F: FnMut(u64)> Sink for Verifying<F> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if !self.carried.contains(&blob.digest) {
            return Ok(());
        }
        self.file()?.write(0, bytes)?;
        self.keep(blob)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.written = self.carried.contains(&blob.digest).then_some(0);
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(written) = self.written {
            self.file()?.write(written, bytes)?;
            self.written = Some(written.saturating_add(bytes.len() as u64));
        }
        Ok(())
    }

    fn end(&mut self, blob: &Blob, _: Vec<Hash>) -> Result<()> {
        match self.written.take() {
            Some(_) => self.keep(blob),
            None => Ok(()),
        }
    }

    fn bases(&mut self, _: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        self.taken.bases(bases, &temp_dir(), unpacked)
    }

    fn unrestored(&mut self, blob: &Blob) -> Result<()> {
        let (count, bytes) = &mut self.unrestored;
        (*count, *bytes) = (count.saturating_add(1), bytes.saturating_add(blob.size));
        Ok(())
    }

    fn inside(&mut self, _: u64, _: u64, bytes_read: u64) {
        (self.progress)(bytes_read);
    }

    fn chunk_done(&mut self, _: u64, bytes_read: u64, _: Option<Hash>) -> Result<()> {
        (self.progress)(bytes_read);
        Ok(())
    }

    fn graph(&mut self, _: Graph) -> Result<()> {
        Ok(())
    }
}
