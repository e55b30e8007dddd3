//! The phase itself: layer by layer, in payload order, before the bundle is laid out for good; the next one is looked at meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, Scope};
use std::time::Instant;

use super::bases::Candidates;
use super::cache::{Cache, Entry, Known};
use super::candidate::by_size;
use super::earlier::{Content, Earlier};
use super::keeper::{Keeper, Place as WrittenAt, Written};
use super::make::{Made, Maker};
use super::options::{EncodeOptions, Encodings};
use super::relatives::Relatives;
use super::report::{BlobReport, EncodeReport, Outcome, Reason};
use super::shelf::{Shelf, Stretch};
use super::survey::{Ahead, Survey, Surveyor};
use crate::bundle::{BlobSource, BundleLayout, Travels};
use crate::collect::Sources;
use crate::domain::{Class, Digest, Error, Result};
use crate::encoding::{Base, BaseWork, Encoding};
use crate::named_bases::NamedBase;
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

/// Layers among which the next one is looked for that is surveyed meanwhile.
const SOON: usize = 64;

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
    let carried = layout.carried().collect();
    let mut candidates = Candidates::new((held.layers, held.aged), &carried, earlier, workspace.folder());
    let related = match options.encodings {
        Encodings::Auto => held.relatives.before(&layers),
        Encodings::None | Encodings::Recipes => BTreeMap::new(),
    };
    if let Some(cache) = &mut cache {
        cache.offer(candidates.digests(), &related);
    }
    if let Some(content) = candidates.content() {
        held.layers.keys().for_each(|digest| content.touch(digest));
    }
    let mut run = Run {
        options,
        keeper: Keeper::new(cache, workspace.folder().to_owned()),
        candidates,
        bases: related.values().flatten().copied().collect(),
        related,
        total,
        done: 0,
        sources: &sources,
        forms: BTreeMap::new(),
        copies: None,
        copied: BTreeMap::new(),
        progress,
    };
    let mut report = thread::scope(|scope| run.all(&layers, scope))?;
    let work = run.base_work(&layers);
    if !work.is_easy() {
        drop(run);
        let options = EncodeOptions {
            encodings: Encodings::Recipes,
            ..options.clone()
        };
        let (layout, sources, mut report) = encode(workspace, &options, (layout, sources), held, progress)?;
        report.too_laborious = Some(work.inflated);
        return Ok((layout, sources, report));
    }
    if is_looked_at && options.encodings == Encodings::Auto {
        let needed = |digest: &Digest| layout.needs().binary_search_by_key(digest, |need| need.digest).is_ok();
        let lacking = run.candidates.lacking().iter().filter(|(digest, _)| !needed(digest));
        report.lacking = lacking.copied().collect();
    }
    report.bases = run.candidates.report();
    if let Some(cache) = &run.keeper.cache {
        cache.prune()?;
    }
    if let Some(content) = run.candidates.content() {
        content.prune()?;
    }
    let (forms, shelf, copies, copied) = (run.forms, run.keeper.shelf, run.copies, run.copied);
    let encoded = EncodedSources {
        sources,
        forms,
        shelf,
        copies,
        copied,
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

/// Layers that those of a bundle may be copied from: what all its sites hold, and others of it.
pub(crate) struct Held<'a> {
    /// Which, with their sizes.
    pub(crate) layers: &'a BTreeMap<Digest, u64>,
    /// After how many newer releases their sites let some of them go.
    pub(crate) aged: &'a BTreeMap<Digest, u64>,
    /// What a person named, which has some of them.
    pub(crate) named: &'a [NamedBase],
    /// Layers of the bundle that have much in common.
    pub(crate) relatives: &'a Relatives,
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
        let named = if is_delta { self.named } else { &[] };
        let content = if is_delta && options.cache {
            Some(Content::new(workspace.folder(), options.content_bytes)?)
        } else {
            None
        };
        Ok(Earlier::new(named, workspace.chain(), workspace.folder(), content))
    }
}

struct Run<'a> {
    options: &'a EncodeOptions,
    keeper: Keeper,
    candidates: Candidates<'a>,
    /// What each layer may be copied from in the bundle itself, and all of that.
    related: BTreeMap<Digest, Vec<Digest>>,
    bases: BTreeSet<Digest>,
    total: u64,
    done: u64,
    sources: &'a Sources,
    forms: BTreeMap<Digest, Form>,
    copies: Option<Shelf>,
    copied: BTreeMap<Digest, u64>,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Run<'a> {
    fn all<'scope>(&mut self, layers: &[(Digest, u64)], scope: &'scope Scope<'scope, 'a>) -> Result<EncodeReport> {
        let mut report = EncodeReport::default();
        let mut ahead: Option<Ahead<'a>> = None;
        for (number, (digest, size)) in layers.iter().enumerate() {
            let (digest, size) = (*digest, *size);
            if let Some(reason) = self.passes(size) {
                report.passed(reason, size);
            } else if let Some(known) = self.known(digest, size)? {
                report.tried(known);
                self.remember(digest, size)?;
                self.carry(digest, size);
            } else {
                let started = Instant::now();
                let survey = match ahead.take_if(|ahead| ahead.digest == digest) {
                    Some(ahead) => ahead.wait(&mut || (self.progress)(self.done, self.total))?,
                    None => self.survey(digest, size)?,
                };
                if ahead.is_none() {
                    let behind = layers.get(number.saturating_add(1)..).unwrap_or_default();
                    ahead = self.next(behind)?.map(|next| next.ahead(scope));
                }
                let made = self.make(digest, size, survey)?;
                let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                report.tried(self.keep(digest, size, made, milliseconds)?);
                self.remember(digest, size)?;
                self.carry(digest, size);
            }
            self.done = self.done.saturating_add(size);
        }
        Ok(report)
    }

    /// What opening all bases will take.
    fn base_work(&self, layers: &[(Digest, u64)]) -> BaseWork {
        let (mut bases, mut made) = (BTreeMap::new(), 0_u64);
        for (digest, size) in layers {
            if let Some(form) = self.forms.get(digest).filter(|form| !form.bases.is_empty()) {
                made = made.saturating_add(form.encoding.plain_size(*size));
                bases.extend(form.bases.iter().map(|base| (base.digest, base.inflated.unwrap_or(0))));
            }
        }
        let inflated = bases.into_values().fold(0, u64::saturating_add);
        BaseWork { inflated, made }
    }

    /// Says how a layer travels that later ones may be copied from.
    fn carry(&mut self, digest: Digest, size: u64) {
        if self.bases.contains(&digest) {
            let encoding = self.forms.get(&digest).map(|form| form.encoding);
            self.candidates.carry(digest, size, encoding);
        }
    }

    /// Why a layer of this size is not even looked at.
    fn passes(&self, size: u64) -> Option<Reason> {
        match self.options.encodings {
            Encodings::None => Some(Reason::Disabled),
            _ => by_size(size).err(),
        }
    }

    /// What an earlier run made of a layer.
    fn known(&mut self, digest: Digest, size: u64) -> Result<Option<BlobReport>> {
        let known = match &mut self.keeper.cache {
            Some(cache) => cache.find(&digest, size)?,
            None => None,
        };
        let (outcome, milliseconds) = match known {
            None => return Ok(None),
            Some(Known::AsItIs(reason)) => (Outcome::AsItIs(reason), 0),
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
                self.use_form(digest, (travel, travel_size), (encoding, bases), Place::Cache(path));
                (outcome, milliseconds)
            }
        };
        Ok(Some(BlobReport {
            digest,
            size,
            outcome,
            milliseconds,
        }))
    }

    /// The next layer that has to be looked at and is near, among those that come soon.
    fn next(&self, behind: &[(Digest, u64)]) -> Result<Option<Surveyor<'a>>> {
        for (digest, size) in behind.iter().take(SOON) {
            let is_known = match &self.keeper.cache {
                Some(cache) => cache.has(digest)?,
                None => false,
            };
            if self.passes(*size).is_none() && !is_known && self.sources.is_near(digest) {
                return Ok(Some(self.surveyor(*digest, *size)));
            }
        }
        Ok(None)
    }

    fn surveyor(&self, digest: Digest, size: u64) -> Surveyor<'a> {
        Surveyor {
            digest,
            size,
            sources: self.sources,
            is_compared: !self.candidates.is_empty() || self.related.contains_key(&digest),
        }
    }

    /// Looks at a layer; a copy is made of one that is far away.
    fn survey(&mut self, digest: Digest, size: u64) -> Result<Survey<'a>> {
        let is_far = !self.sources.is_near(&digest);
        if is_far && self.copies.is_none() {
            self.copies = Some(self.keeper.new_shelf()?);
        }
        let copies = self.copies.as_ref().filter(|_| is_far);
        let surveyor = self.surveyor(digest, size);
        let (progress, done, total) = (&mut *self.progress, self.done, self.total);
        surveyor.survey(copies, &mut || progress(done, total))
    }

    /// Makes the travel form of a layer; of one that is far away and travels as it is, a copy is kept.
    fn make(&mut self, digest: Digest, size: u64, survey: Survey<'a>) -> Result<Made> {
        let is_far = !self.sources.is_near(&digest);
        let (done, total) = (self.done, self.total);
        let progress = &mut *self.progress;
        let (sources, copied, copies) = (self.sources, &self.copied, self.copies.as_ref());
        let reread = |digest: &Digest, size: u64| match (copied.get(digest), copies) {
            (Some(start), Some(copies)) => Ok(Box::new(copies.open(*start, size)) as Box<dyn Read + Send>),
            _ => sources.open(digest, size),
        };
        let maker = Maker {
            digest,
            size,
            level: self.options.level,
            sources: self.sources,
            keeper: &mut self.keeper,
            is_far,
            candidates: &mut self.candidates,
            related: self.related.get(&digest).map_or(&[][..], Vec::as_slice),
            reread: &reread,
            told: &mut |layer| progress(done.saturating_add(layer), total),
        };
        let made = maker.make(survey)?;
        match (&made, &mut self.copies) {
            (Made::CopiedAsItIs(_), Some(copies)) => {
                self.copied.insert(digest, copies.keep(size));
            }
            (Made::Form(_), Some(copies)) if is_far => {
                let copy = copies.written(size);
                // Else the next one takes its place.
                if self.bases.contains(&digest) {
                    self.copied.insert(digest, copies.keep(size));
                }
                self.keep_content(digest, size, || Ok(copy))?;
            }
            _ => {}
        }
        Ok(made)
    }

    /// Keeps what was made of a layer.
    fn keep(&mut self, digest: Digest, size: u64, made: Made, milliseconds: u64) -> Result<BlobReport> {
        let mut entry = Entry::of(digest, size, milliseconds);
        let outcome = match made {
            Made::Form(made) => {
                let Written { form, place } = &made.written;
                entry.form(form, made.encoding, made.pieces, &made.bases);
                let file = match place {
                    WrittenAt::File(file) => Some(file),
                    WrittenAt::Shelf(_) => None,
                };
                let path = match &mut self.keeper.cache {
                    Some(cache) => cache.keep(&entry, file)?,
                    None => None,
                };
                let place = path.map_or_else(|| Place::Shelf(self.keeper.hold(&made.written)), Place::Cache);
                let outcome = Outcome::Encoded {
                    travel_size: form.size,
                    encoding: made.encoding,
                    pieces: made.pieces,
                    bases: digests(&made.bases),
                };
                self.use_form(digest, (form.digest, form.size), (made.encoding, made.bases), place);
                outcome
            }
            Made::AsItIs(reason) | Made::CopiedAsItIs(reason) => {
                entry.reason = Some(reason.word().to_owned());
                if let Some(cache) = &mut self.keeper.cache {
                    cache.keep(&entry, None)?;
                }
                Outcome::AsItIs(reason)
            }
        };
        Ok(BlobReport {
            digest,
            size,
            outcome,
            milliseconds,
        })
    }

    fn use_form(
        &mut self,
        blob: Digest,
        (digest, size): (Digest, u64),
        (encoding, bases): (Encoding, Vec<Base>),
        place: Place,
    ) {
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
        if let (Some(start), Some(copies)) = (self.copied.get(&digest), &self.copies) {
            let copy = copies.open(*start, size);
            return self.keep_content(digest, size, || Ok(copy));
        }
        if !self.sources.is_near(&digest) {
            if let Some(content) = self.candidates.content() {
                content.touch(&digest);
            }
            return Ok(());
        }
        let sources = self.sources;
        self.keep_content(digest, size, || sources.open(&digest, size))
    }

    /// Keeps a layer for later bundles to copy from, unless it is kept already.
    fn keep_content<R: Read>(&mut self, digest: Digest, size: u64, open: impl FnOnce() -> Result<R>) -> Result<()> {
        let Some(content) = self.candidates.content() else {
            return Ok(());
        };
        content.touch(&digest);
        if content.has(&digest, size) {
            return Ok(());
        }
        content.keep(&digest, open()?)
    }
}

fn digests(bases: &[Base]) -> Vec<Digest> {
    bases.iter().map(|base| base.digest).collect()
}
