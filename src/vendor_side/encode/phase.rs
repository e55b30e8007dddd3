//! The phase itself: layer by layer, in payload order, before the bundle is laid out for good.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::cache::{Cache, Entry, Known};
use super::candidate::{MAGIC, by_magic, by_size};
use super::options::{EncodeOptions, Encodings};
use super::report::{BlobReport, EncodeReport, Outcome, Reason};
use super::shelf::{Shelf, Stretch, unnamed};
use crate::bundle::{BlobSource, BundleLayout, restores};
use crate::collect::Sources;
use crate::domain::{Class, Digest, Error, Result};
use crate::encoding::{Encoding, TravelForm, write_travel};
use crate::stream::{open_plain, read_exact_or_end};
use crate::workspace::Workspace;

/// Where the bytes of a bundle come from: its sources, and the travel forms that were made of some of them.
#[derive(Debug)]
pub(crate) struct EncodedSources {
    sources: Sources,
    forms: BTreeMap<Digest, Form>,
    shelf: Option<Shelf>,
}

/// A travel form, and where it is.
#[derive(Debug)]
struct Form {
    digest: Digest,
    size: u64,
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
    let mut run = Run {
        options,
        cache: match options.encodings {
            Encodings::None => None,
            _ if options.cache => Some(Cache::open(workspace.folder(), options)?),
            _ => None,
        },
        work: workspace.folder().to_owned(),
        total: layers.iter().map(|(_, size)| *size).fold(0, u64::saturating_add),
        done: 0,
        encoded: EncodedSources {
            sources,
            forms: BTreeMap::new(),
            shelf: None,
        },
        progress,
    };
    let mut report = EncodeReport::default();
    for (digest, size) in layers {
        report.blobs.push(run.layer(digest, size)?);
        run.done = run.done.saturating_add(size);
    }
    if let Some(cache) = &run.cache {
        cache.prune()?;
    }
    let encoded = run.encoded;
    let forms: BTreeMap<Digest, (u64, Encoding)> = encoded
        .forms
        .iter()
        .map(|(digest, form)| (*digest, (form.size, Encoding::Plain)))
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
    cache: Option<Cache>,
    /// Where files without a name are made.
    work: PathBuf,
    total: u64,
    done: u64,
    encoded: EncodedSources,
    progress: &'a mut dyn FnMut(u64, u64),
}

/// What was made of a layer.
enum Made {
    Form(TravelForm, Option<File>),
    AsItIs(Reason),
}

impl Run<'_> {
    fn layer(&mut self, digest: Digest, size: u64) -> Result<BlobReport> {
        let report = |outcome, milliseconds| BlobReport {
            digest,
            size,
            outcome,
            milliseconds,
        };
        if self.options.encodings == Encodings::None {
            return Ok(report(Outcome::AsItIs(Reason::Disabled), 0));
        }
        if let Err(reason) = by_size(size) {
            return Ok(report(Outcome::AsItIs(reason), 0));
        }
        let known = match &mut self.cache {
            Some(cache) => cache.find(&digest, size)?,
            None => None,
        };
        match known {
            Some(Known::AsItIs(reason)) => return Ok(report(Outcome::AsItIs(reason), 0)),
            Some(Known::Form {
                path,
                digest: travel,
                size: travel_size,
                milliseconds,
            }) => {
                self.use_form(digest, travel, travel_size, Some(path));
                return Ok(report(Outcome::Plain { travel_size }, milliseconds));
            }
            None => {}
        }
        let started = Instant::now();
        let made = self.make(digest, size)?;
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut entry = Entry {
            digest,
            milliseconds,
            reason: None,
            size,
            travel: None,
            travel_size: None,
        };
        match made {
            Made::Form(form, file) => {
                (entry.travel, entry.travel_size) = (Some(form.digest), Some(form.size));
                let path = match &mut self.cache {
                    Some(cache) => cache.keep(&entry, file.as_ref())?,
                    None => None,
                };
                self.use_form(digest, form.digest, form.size, path);
                let travel_size = form.size;
                Ok(report(Outcome::Plain { travel_size }, milliseconds))
            }
            Made::AsItIs(reason) => {
                entry.reason = Some(reason.word().to_owned());
                if let Some(cache) = &mut self.cache {
                    cache.keep(&entry, None)?;
                }
                Ok(report(Outcome::AsItIs(reason), milliseconds))
            }
        }
    }

    fn use_form(&mut self, blob: Digest, digest: Digest, size: u64, path: Option<PathBuf>) {
        let place = match path {
            Some(path) => Place::Cache(path),
            None => Place::Shelf(self.encoded.shelf.as_mut().map_or(0, |shelf| shelf.keep(size))),
        };
        self.encoded.forms.insert(blob, Form { digest, size, place });
    }

    /// Reads a layer and makes its travel form, in a file of its own where there is a cache to keep it.
    fn make(&mut self, digest: Digest, size: u64) -> Result<Made> {
        let unreadable = |error: std::io::Error| Error::io("read", Path::new("a layer"), error);
        let mut source = self.encoded.sources.open(&digest, size)?;
        let mut first = [0; MAGIC];
        let count = read_exact_or_end(&mut source, &mut first).map_err(unreadable)?;
        let first = first.get(..count).unwrap_or_default();
        if let Err(reason) = by_magic(first) {
            return Ok(Made::AsItIs(reason));
        }
        let mut source = Cursor::new(first.to_vec()).chain(source);
        let (done, total) = (self.done, self.total);
        let progress = &mut self.progress;
        let mut told = |plain: u64| progress(done.saturating_add(plain), total);
        let (form, file, mut written) = if let Some(cache) = &self.cache {
            let mut file = unnamed(cache.folder())?;
            let form = write_travel(digest, size, &mut source, self.options.level, &mut file, &mut told)?;
            let Some(form) = form else {
                return Ok(Made::AsItIs(Reason::NoGain));
            };
            let clone = file.try_clone().map_err(unreadable)?;
            (form, Some(file), Stretch::new(Arc::new(clone), 0, form.size))
        } else {
            let shelf = match self.encoded.shelf.take() {
                Some(shelf) => shelf,
                None => Shelf::new(&self.work)?,
            };
            let shelf = self.encoded.shelf.insert(shelf);
            let form = write_travel(
                digest,
                size,
                &mut source,
                self.options.level,
                &mut shelf.writer()?,
                &mut told,
            )?;
            let Some(form) = form else {
                return Ok(Made::AsItIs(Reason::NoGain));
            };
            (form, None, shelf.written(form.size))
        };
        if restores(digest, size, form.size, Encoding::Plain, &mut written)? {
            Ok(Made::Form(form, file))
        } else {
            Ok(Made::AsItIs(Reason::RebuildDiffers))
        }
    }
}
