//! Where the bytes of layers of earlier releases are: in bundles and state folders that are named, and in `cache/content/` of the workspace.
//!
//! ```text
//! cache/content/<hex>   a layer that a bundle of this workspace was made of, safe to delete at any time
//! ```
//!
//! Nothing in the folder is believed: a layer is used after its hash was compared.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use super::cache::{TOUCHED, digest_of_file};
use crate::bundle::{Blob, TakenBlobs};
use crate::crypto::Chain;
use crate::domain::{Digest, Error, Result};
use crate::encoding::OpenedBase;
use crate::named_bases::{NamedBase, Place};
use crate::stream::{create_own_folder, open_plain, unnamed_file};

/// Layers of earlier releases.
#[derive(Debug)]
pub(super) struct Earlier<'a> {
    named: &'a [NamedBase],
    chain: &'a Chain,
    work: &'a Path,
    /// Layers of the bundles whose bytes can be had: what they are copied from is at hand too.
    whole: BTreeSet<Digest>,
    /// What the bundles carry, once somebody asked for it.
    taken: Option<TakenBlobs>,
    content: Option<Content>,
}

impl<'a> Earlier<'a> {
    /// Of what is named, and what `content` keeps. Nothing is read yet.
    pub(super) fn new(named: &'a [NamedBase], chain: &'a Chain, work: &'a Path, content: Option<Content>) -> Self {
        let mut earlier = Self {
            named,
            chain,
            work,
            whole: BTreeSet::new(),
            taken: None,
            content,
        };
        for bundle in earlier.bundles() {
            for (digest, bases) in &bundle.copied {
                if bases.iter().all(|base| earlier.has(&base.digest, base.size)) {
                    earlier.whole.insert(*digest);
                }
            }
        }
        earlier
    }

    /// The bundles that are named, in the order in which they build on one another.
    fn bundles(&self) -> Vec<&'a NamedBase> {
        let bundles = self.named.iter().filter(|named| matches!(named.place, Place::Bundle));
        let mut bundles: Vec<&NamedBase> = bundles.collect();
        bundles.sort_by_key(|bundle| bundle.rank);
        bundles
    }

    /// Whether a layer seems to be at hand: nothing is read for that.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> bool {
        let is_there = |named: &NamedBase| match &named.place {
            Place::Bundle => named.layers.get(digest) == Some(&size) && self.whole.contains(digest),
            Place::State(store) => named.layers.contains_key(digest) && store.is_sized(digest, size),
            Place::Release => false,
        };
        let kept = |content: &Content| content.has(digest, size);
        self.named.iter().any(is_there) || self.content.as_ref().is_some_and(kept)
    }

    /// Opens a layer, if it is at hand. The first time, the layers of the bundles are taken out of them.
    ///
    /// # Errors
    ///
    /// Those of reading the bundles; `E-IO`, `E-SPACE` of the work folder.
    pub(super) fn open(&mut self, digest: &Digest, size: u64, alive: &mut dyn FnMut()) -> Result<Option<OpenedBase>> {
        let taken = match self.taken.take() {
            Some(taken) => taken,
            None => self.take(alive)?,
        };
        if let Some(found) = self.taken.insert(taken).get(digest, size) {
            return Ok(Some(found.clone()));
        }
        self.open_beside(digest, size)
    }

    /// Opens a layer that a state folder or the workspace has.
    fn open_beside(&self, digest: &Digest, size: u64) -> Result<Option<OpenedBase>> {
        for named in self.named {
            if let Place::State(store) = &named.place
                && named.layers.contains_key(digest)
                && store.examine(digest, size)?.is_whole()
                && let Some(file) = store.open_found(digest, size)?
            {
                return Ok(Some((Arc::new(file), 0)));
            }
        }
        let file = self.content.as_ref().and_then(|content| content.open(digest, size));
        Ok(file.map(|file| (Arc::new(file), 0)))
    }

    /// Takes the layers out of the bundles, what they are copied from first.
    fn take(&self, alive: &mut dyn FnMut()) -> Result<TakenBlobs> {
        let mut taken = TakenBlobs::default();
        for bundle in self.bundles() {
            let bases = bundle.copied.iter().flat_map(|(_, bases)| bases);
            for base in bases.filter(|base| !base.carried) {
                alive();
                if taken.get(&base.digest, base.size).is_none()
                    && let Some(found) = self.open_beside(&base.digest, base.size)?
                {
                    taken.insert(base.digest, base.size, found);
                }
            }
            let is_layer = |blob: &Blob| bundle.layers.contains_key(&blob.digest);
            let opened = bundle.open(self.chain)?;
            taken
                .take(opened, &is_layer, self.work, &mut |_| alive())
                .map_err(|error| bundle.told(error))?;
        }
        Ok(taken)
    }

    pub(super) fn content(&mut self) -> Option<&mut Content> {
        self.content.as_mut()
    }
}

/// Layers of bundles that were made here.
#[derive(Debug)]
pub(super) struct Content {
    folder: PathBuf,
    bytes: u64,
    /// What this run needs or makes: the last to go.
    used: HashSet<String>,
}

impl Content {
    /// Opens the folder in a workspace; what is kept may take so many bytes.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub(super) fn new(workspace: &Path, bytes: u64) -> Result<Self> {
        let folder = workspace.join("cache");
        create_own_folder(&folder)?;
        let folder = folder.join("content");
        create_own_folder(&folder)?;
        Ok(Self {
            folder,
            bytes,
            used: HashSet::new(),
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.0.to_hex())
    }

    /// Opens a layer; what does not hold what its name says is as good as nothing.
    fn open(&self, digest: &Digest, size: u64) -> Option<File> {
        let file = open_plain(&self.path(digest)).ok().flatten()?;
        rustix::fs::futimens(&file, &TOUCHED).ok();
        let found = digest_of_file(&file, size).ok().flatten()?;
        (found == *digest).then_some(file)
    }

    /// Says that a layer is of use to this run.
    pub(super) fn touch(&mut self, digest: &Digest) {
        self.used.insert(digest.0.to_hex());
        if let Ok(Some(file)) = open_plain(&self.path(digest)) {
            rustix::fs::futimens(&file, &TOUCHED).ok();
        }
    }

    /// Whether a layer is here, by its name and size alone.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> bool {
        let found = fs::symlink_metadata(self.path(digest));
        found.is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Keeps a layer whose bytes were compared.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`; those of the reader.
    pub(super) fn keep(&mut self, digest: &Digest, mut layer: impl Read) -> Result<()> {
        let mut file = unnamed_file(&self.folder)?;
        let path = self.path(digest);
        io::copy(&mut layer, &mut file).map_err(|error| Error::io("write", &path, error))?;
        let unnamed = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let link = || rustix::fs::linkat(CWD, &unnamed, CWD, &path, AtFlags::SYMLINK_FOLLOW);
        let linked = match link() {
            Err(Errno::EXIST) => {
                fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
                link()
            }
            done => done,
        };
        linked.map_err(|errno| Error::io("name", &path, errno.into()))?;
        self.used.insert(digest.0.to_hex());
        Ok(())
    }

    /// Takes out what was used longest ago, until what is left is within its bound or used by this run.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn prune(&self) -> Result<()> {
        super::cache::prune(&self.folder, self.bytes, &|name| self.used.contains(name))
    }
}
