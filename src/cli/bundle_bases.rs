//! What blobs of a bundle are copied from, for who judges it without a site: bundles of earlier releases, and state folders (SPEC M-171).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Ui;
use super::file_kind::Door;
use crate::bundle::{Blob, Graph, Index, Sink, TakenBlobs};
use crate::crypto::Chain;
use crate::domain::{Digest, Hash, Result};
use crate::encoding::{Base, BasePlains};
use crate::media;
use crate::store::Store;

/// Blobs that others are copied from, each whole.
#[derive(Debug, Default)]
pub(super) struct BaseFiles(TakenBlobs);

impl BaseFiles {
    /// Gathers what an index needs to be copied from, as far as the bundles and state folders named have it.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying the bundles; `E-IO`, `E-SPACE` of the folder for temporary files.
    pub(super) fn gather(index: &Index, sources: &[PathBuf], chain: &Chain, ui: &mut Ui) -> Result<Self> {
        let bases = index.needed_bases();
        let needs = index.needs().iter().filter(|need| bases.contains(&need.digest));
        let mut wanted: BTreeMap<Digest, u64> = needs.map(|need| (need.digest, need.size)).collect();
        let mut found = Self::default();
        for source in sources {
            if wanted.is_empty() {
                break;
            }
            if source.join("blobs/sha256").is_dir() {
                found.of_state(source, &wanted)?;
            } else {
                found.of_bundle(source, &wanted, chain, ui)?;
            }
            wanted.retain(|digest, _| found.0.get(digest).is_none());
        }
        Ok(found)
    }

    /// What a state folder has whole.
    fn of_state(&mut self, state: &Path, wanted: &BTreeMap<Digest, u64>) -> Result<()> {
        let store = Store::open(state, |_| ())?;
        for (digest, size) in wanted {
            if store.examine(digest, *size)?.is_whole()
                && let Some(file) = store.open_found(digest, *size)?
            {
                self.0.insert(*digest, (Arc::new(file), 0));
            }
        }
        Ok(())
    }

    /// What a bundle of the same vendor carries.
    fn of_bundle(&mut self, path: &Path, wanted: &BTreeMap<Digest, u64>, chain: &Chain, ui: &mut Ui) -> Result<()> {
        let source = media::open(path, None)?;
        let opened = source.into_bundle().map_err(|error| Door::BUNDLE.told(error, path))?;
        let bundle = opened.verify_as_made(chain)?.read_index(|_, _| Ok(()))?;
        let total = bundle.total_bytes();
        let is_wanted = |blob: &Blob| wanted.contains_key(&blob.digest);
        let mut progress = |done| ui.progress("read", done, total);
        self.0.take(bundle, &is_wanted, &std::env::temp_dir(), &mut progress)
    }
}

/// Makes every check, and keeps nothing but the count of what could not be made.
pub(super) struct Verifying<'a, F> {
    pub(super) bases: &'a BaseFiles,
    /// Blobs whose bases are not at hand, and their bytes.
    pub(super) unrestored: (u64, u64),
    pub(super) progress: F,
}

impl<F: FnMut(u64)> Sink for Verifying<'_, F> {
    fn blob(&mut self, _: &Blob, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        Ok(())
    }

    fn bases(&mut self, _: &Blob, bases: &[Base]) -> Result<Option<BasePlains>> {
        self.bases.0.bases(bases, &std::env::temp_dir())
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
