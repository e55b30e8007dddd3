//! The phase itself: layer by layer, in payload order, before the bundle is laid out for good.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::cache::{Cache, Entry, Known};
use super::candidate::by_size;
use super::keeper::Keeper;
use super::make::{Made, Maker};
use super::options::{EncodeOptions, Encodings};
use super::report::{BlobReport, EncodeReport, Outcome, Reason};
use super::shelf::{Shelf, Stretch};
use crate::bundle::{BlobSource, BundleLayout};
use crate::collect::Sources;
use crate::domain::{Class, Digest, Error, Result};
use crate::encoding::Encoding;
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
    layout: BundleLayout,
    sources: Sources,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(BundleLayout, EncodedSources, EncodeReport)> {
    let layers: Vec<(Digest, u64)> = layout.late_blobs().collect();
    let cache = match options.encodings {
        Encodings::None => None,
        _ if options.cache => Some(Cache::open(workspace.folder(), options)?),
        _ => None,
    };
    let mut run = Run {
        options,
        keeper: Keeper::new(cache, workspace.folder().to_owned()),
        total: layers.iter().map(|(_, size)| *size).fold(0, u64::saturating_add),
        done: 0,
        sources,
        forms: BTreeMap::new(),
        copies: None,
        copied: BTreeMap::new(),
        progress,
    };
    let mut report = EncodeReport::default();
    for (digest, size) in layers {
        match run.passes(size) {
            Some(reason) => report.passed(reason, size),
            None => report.tried(run.layer(digest, size)?),
        }
        run.done = run.done.saturating_add(size);
    }
    if let Some(cache) = &run.keeper.cache {
        cache.prune()?;
    }
    let encoded = EncodedSources {
        sources: run.sources,
        forms: run.forms,
        shelf: run.keeper.shelf,
        copies: run.copies,
        copied: run.copied,
    };
    let forms: BTreeMap<Digest, (u64, Encoding)> = encoded
        .forms
        .iter()
        .map(|(digest, form)| (*digest, (form.size, form.encoding)))
        .collect();
    let layout = if forms.is_empty() {
        layout
    } else {
        layout.encoded(&forms)?
    };
    Ok((layout, encoded, report))
}

struct Run<'a> {
    options: &'a EncodeOptions,
    keeper: Keeper,
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
                milliseconds,
            }) => {
                self.use_form(digest, travel, travel_size, encoding, Some(path));
                let outcome = Outcome::Encoded {
                    travel_size,
                    encoding,
                    pieces,
                };
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
                entry.form(form, made.encoding, made.pieces);
                let path = match &mut self.keeper.cache {
                    Some(cache) => cache.keep(&entry, file.as_ref())?,
                    None => None,
                };
                self.use_form(digest, form.digest, form.size, made.encoding, path);
                let outcome = Outcome::Encoded {
                    travel_size: form.size,
                    encoding: made.encoding,
                    pieces: made.pieces,
                };
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

    fn use_form(&mut self, blob: Digest, digest: Digest, size: u64, encoding: Encoding, path: Option<PathBuf>) {
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
                place,
            },
        );
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
            told: &mut |layer| progress(done.saturating_add(layer), total),
        };
        let made = maker.make()?;
        if let (Made::CopiedAsItIs(_), Some(copies)) = (&made, &mut self.copies) {
            self.copied.insert(digest, copies.keep(size));
        }
        Ok(made)
    }
}
