//! The phase itself: layer by layer, in payload order, before the bundle is laid out for good.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::bases::Candidates;
use super::cache::{Cache, Entry, Known};
use super::candidate::by_size;
use super::earlier::{Content, Earlier};
use super::keeper::Keeper;
use super::make::{Made, Maker};
use super::options::{EncodeOptions, Encodings};
use super::report::{BlobReport, EncodeReport, Outcome, Reason};
use super::shelf::{Shelf, Stretch};
use crate::bundle::{BlobSource, BundleLayout, Travels};
use crate::collect::Sources;
use crate::domain::{Class, Digest, Error, Result};
use crate::earlier_bundles::EarlierBundle;
use crate::encoding::{Base, Encoding};
use crate::stream::open_plain;
use crate::workspace::Workspace;

/// Where the bytes of a bundle come from: its sources, and the travel forms that were made of some of them.
#[derive(Debug)]
pub(crate) struct EncodedSources {
    sources: Sources,
    forms: BTreeMap<Digest, Form>,
    shelf: Option<Shelf>,
    /// Copies of layers that are far away and travel as they are: none is fetched twice.
    copies: Option<Shelf>,
    copied: BTreeMap<Digest, u64>,
}

/// A travel form, and where it is.
#[derive(Debug)]
struct Form {
    digest: Digest,
    size: u64,
    encoding: Encoding,
    bases: Vec<Base>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In the cache, opened when its turn comes: there may be more than files that a process can hold open.
    Cache(PathBuf),
    Shelf(u64),
}

impl BlobSource for EncodedSources {
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        if let (Some(start), Some(copies)) = (self.copied.get(digest), &self.copies) {
            return Ok(Box::new(copies.open(*start, size)));
        }
        self.sources.open(digest, size)
    }

    fn open_travel(&self, digest: &Digest) -> Result<(Box<dyn Read + Send>, Digest)> {
        let (Some(form), shelf) = (self.forms.get(digest), &self.shelf) else {
            return self.sources.open_travel(digest);
        };
        let stretch = match (&form.place, shelf) {
            (Place::Cache(path), _) => {
                let file = open_plain(path)?.ok_or_else(|| taken_out(path))?;
                Stretch::new(Arc::new(file), 0, form.size)
            }
            (Place::Shelf(start), Some(shelf)) => shelf.open(*start, form.size),
            (Place::Shelf(_), None) => return self.sources.open_travel(digest),
        };
        Ok((Box::new(stretch), form.digest))
    }
}

/// Another run made room, or somebody deleted it.
fn taken_out(path: &Path) -> Error {
    Error::new(
        Class::Io,
        "cache",
        format!("{} was taken out of the cache while it was used", path.display()),
    )
}

/// Encodes the layers of a bundle that become smaller by it, and lays it out anew.
///
/// # Errors
///
/// `E-INTEGRITY source` when a source does not hold what its descriptor says; `E-IO` and `E-SPACE` of sources, cache and work folder.
pub(crate) fn encode(
    workspace: &Workspace,
    options: &EncodeOptions,
    (layout, sources): (BundleLayout, Sources),
    held: &Held<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(BundleLayout, EncodedSources, EncodeReport)> {
    let layers: Vec<(Digest, u64)> = layout.late_blobs().collect();
    let mut cache = match options.encodings {
        Encodings::None => None,
        _ if options.cache => Some(Cache::open(workspace.folder(), options)?),
        _ => None,
    };
    let total = layers.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
    let is_looked_at = layers.iter().any(|(_, size)| by_size(*size).is_ok());
    let earlier = held.earlier(workspace, options, is_looked_at)?;
    let mut candidates = Candidates::new(held.layers, earlier, workspace.folder());
    if let Some(cache) = &mut cache {
        cache.offer(candidates.digests());
    }
    if let Some(content) = candidates.content() {
        held.layers.keys().for_each(|digest| content.touch(digest));
    }
    let mut run = Run {
        options,
        keeper: Keeper::new(cache, workspace.folder().to_owned()),
        candidates,
        total,
        done: 0,
        sources,
        forms: BTreeMap::new(),
        copies: None,
        copied: BTreeMap::new(),
        progress,
    };
    let mut report = EncodeReport::default();
    for (digest, size) in layers {
        if let Some(reason) = run.passes(size) {
            report.passed(reason, size);
        } else {
            report.tried(run.layer(digest, size)?);
            run.remember(digest, size)?;
        }
        run.done = run.done.saturating_add(size);
    }
    if let Some(cache) = &run.keeper.cache {
        cache.prune()?;
    }
    if let Some(content) = run.candidates.content() {
        content.prune()?;
    }
    let encoded = EncodedSources {
        sources: run.sources,
        forms: run.forms,
        shelf: run.keeper.shelf,
        copies: run.copies,
        copied: run.copied,
    };
    let travels = |form: &Form| Travels {
        size: form.size,
        encoding: form.encoding,
        bases: form.bases.clone(),
    };
    let forms: BTreeMap<Digest, Travels> = encoded
        .forms
        .iter()
        .map(|(digest, form)| (*digest, travels(form)))
        .collect();
    let layout = if forms.is_empty() {
        layout
    } else {
        layout.encoded(&forms)?
    };
    Ok((layout, encoded, report))
}

/// Layers that all sites of a bundle hold.
pub(crate) struct Held<'a> {
    /// Which, with their sizes.
    pub(crate) layers: &'a BTreeMap<Digest, u64>,
    /// Bundles that have some of them.
    pub(crate) bundles: &'a [EarlierBundle],
}

impl Held<'_> {
    /// Where the bytes are of layers that may be copied from.
    fn earlier<'a>(
        &'a self,
        workspace: &'a Workspace,
        options: &EncodeOptions,
        is_looked_at: bool,
    ) -> Result<Earlier<'a>> {
        let is_delta = is_looked_at && options.encodings == Encodings::Auto;
        let bundles = if is_delta { self.bundles } else { &[] };
        let content = if is_delta && options.cache {
            Some(Content::new(workspace.folder(), options.content_bytes)?)
        } else {
            None
        };
        Ok(Earlier::new(bundles, workspace.chain(), workspace.folder(), content))
    }
}

struct Run<'a> {
    options: &'a EncodeOptions,
    keeper: Keeper,
    candidates: Candidates<'a>,
    total: u64,
    done: u64,
    sources: Sources,
    forms: BTreeMap<Digest, Form>,
    copies: Option<Shelf>,
    copied: BTreeMap<Digest, u64>,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Run<'_> {
    /// Why a layer of this size is not even looked at.
    fn passes(&self, size: u64) -> Option<Reason> {
        match self.options.encodings {
            Encodings::None => Some(Reason::Disabled),
            _ => by_size(size).err(),
        }
    }

    fn layer(&mut self, digest: Digest, size: u64) -> Result<BlobReport> {
        let report = |outcome, milliseconds| BlobReport {
            digest,
            size,
            outcome,
            milliseconds,
        };
        let known = match &mut self.keeper.cache {
            Some(cache) => cache.find(&digest, size)?,
            None => None,
        };
        match known {
            Some(Known::AsItIs(reason)) => return Ok(report(Outcome::AsItIs(reason), 0)),
            Some(Known::Form {
                path,
                digest: travel,
                size: travel_size,
                encoding,
                pieces,
                bases,
                milliseconds,
            }) => {
                let outcome = Outcome::Encoded {
                    travel_size,
                    encoding,
                    pieces,
                    bases: digests(&bases),
                };
                self.use_form(digest, (travel, travel_size), (encoding, bases), Some(path));
                return Ok(report(outcome, milliseconds));
            }
            None => {}
        }
        let started = Instant::now();
        let made = self.make(digest, size)?;
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut entry = Entry::of(digest, size, milliseconds);
        match made {
            Made::Form(made) => {
                let (form, file) = &made.written;
                entry.form(form, made.encoding, made.pieces, &made.bases);
                let path = match &mut self.keeper.cache {
                    Some(cache) => cache.keep(&entry, file.as_ref())?,
                    None => None,
                };
                let outcome = Outcome::Encoded {
                    travel_size: form.size,
                    encoding: made.encoding,
                    pieces: made.pieces,
                    bases: digests(&made.bases),
                };
                self.use_form(digest, (form.digest, form.size), (made.encoding, made.bases), path);
                Ok(report(outcome, milliseconds))
            }
            Made::AsItIs(reason) | Made::CopiedAsItIs(reason) => {
                entry.reason = Some(reason.word().to_owned());
                if let Some(cache) = &mut self.keeper.cache {
                    cache.keep(&entry, None)?;
                }
                Ok(report(Outcome::AsItIs(reason), milliseconds))
            }
        }
    }

    fn use_form(
        &mut self,
        blob: Digest,
        (digest, size): (Digest, u64),
        (encoding, bases): (Encoding, Vec<Base>),
        path: Option<PathBuf>,
    ) {
        let place = match path {
            Some(path) => Place::Cache(path),
            None => Place::Shelf(self.keeper.shelf.as_mut().map_or(0, |shelf| shelf.keep(size))),
        };
        self.forms.insert(
            blob,
            Form {
                digest,
                size,
                encoding,
                bases,
                place,
            },
        );
    }

    /// Keeps a layer for later bundles to copy from, where reading it once more costs nobody anything.
    fn remember(&mut self, digest: Digest, size: u64) -> Result<()> {
        let Some(content) = self.candidates.content() else {
            return Ok(());
        };
        content.touch(&digest);
        if content.has(&digest, size) {
            return Ok(());
        }
        if let (Some(start), Some(copies)) = (self.copied.get(&digest), &self.copies) {
            return content.keep(&digest, copies.open(*start, size));
        }
        if self.sources.is_near(&digest) {
            return content.keep(&digest, self.sources.open(&digest, size)?);
        }
        Ok(())
    }

    /// Makes the travel form of a layer; of one that is far away and travels as it is, a copy is kept.
    fn make(&mut self, digest: Digest, size: u64) -> Result<Made> {
        let far = !self.sources.is_near(&digest);
        if far && self.copies.is_none() {
            self.copies = Some(self.keeper.new_shelf()?);
        }
        let (done, total) = (self.done, self.total);
        let progress = &mut *self.progress;
        let maker = Maker {
            digest,
            size,
            level: self.options.level,
            sources: &self.sources,
            keeper: &mut self.keeper,
            copies: self.copies.as_ref().filter(|_| far),
            candidates: &mut self.candidates,
            told: &mut |layer| progress(done.saturating_add(layer), total),
        };
        let made = maker.make()?;
        if let (Made::CopiedAsItIs(_), Some(copies)) = (&made, &mut self.copies) {
            self.copied.insert(digest, copies.keep(size));
        }
        Ok(made)
    }
}

fn digests(bases: &[Base]) -> Vec<Digest> {
    bases.iter().map(|base| base.digest).collect()
}
