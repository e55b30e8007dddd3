//! The index: names, blobs and chunks as canonical JSON lines in a fixed order (SPEC section 6).

use std::collections::BTreeSet;
use std::ops::Range;

use super::bases::{Bases, Place, Span};
use super::feature::Feature;
use super::head::Head;
use super::index_lines::{AbsentKind, AbsentLine, BlobKind, BlobLine, NeedKind, NeedLine, RawTag, TagKind};
use crate::container::{Chunk, PageWriter, Payload, PayloadBlob};
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag, limits};
use crate::encoding::{Base, BaseWork, Encoding};

/// A name and what it stands for, its grammar checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagLine {
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// The repository, with its original host.
    pub repository: RepositoryName,
    /// Size of the manifest or index.
    pub size: u64,
    /// The tag; nothing for what is reachable by digest only.
    pub tag: Option<Tag>,
}

/// A carried blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The media type of manifests and indexes; nothing for everything else.
    pub media_type: Option<&'static str>,
    /// Bytes that it has in chunks: those of its travel form where it is encoded.
    pub travel_size: u64,
    /// The place of its encoding in the index's table; nothing for what travels as it is.
    pub(super) encoding: Option<u32>,
}

impl Blob {
    /// One that travels as it is.
    pub(super) fn as_it_is(digest: Digest, size: u64, media_type: Option<&'static str>) -> Self {
        Self {
            digest,
            size,
            media_type,
            travel_size: size,
            encoding: None,
        }
    }

    /// Whether something else travels, of which it is made.
    pub fn is_encoded(&self) -> bool {
        self.encoding.is_some()
    }
}

impl PayloadBlob for Blob {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn travel_size(&self) -> u64 {
        self.travel_size
    }

    fn is_encoded(&self) -> bool {
        self.encoding.is_some()
    }
}

/// Content that the site must already hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes of the plain that is compressed in it, where something is copied from that.
    pub plain_size: Option<u64>,
}

/// A child that was left out of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Its digest.
    pub digest: Digest,
    /// `os/arch` or `os/arch/variant`.
    pub platform: String,
}

/// The whole index.
#[derive(Debug, Clone, Default)]
pub struct Index {
    pub(super) tags: Vec<RawTag>,
    pub(super) absent: Vec<Absent>,
    pub(super) needs: Vec<Need>,
    pub(super) blobs: Vec<Blob>,
    /// Of those blobs that travel encoded.
    pub(super) encodings: Vec<Encoding>,
    pub(super) bases: Bases,
    pub(super) chunks: Vec<Chunk>,
}

impl Index {
    /// Returns the carried blobs in payload order.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    /// Returns how a blob travels; nothing for what travels as it is.
    pub fn encoding(&self, blob: &Blob) -> Option<Encoding> {
        let place = usize::try_from(blob.encoding?).ok()?;
        self.encodings.get(place).copied()
    }

    /// Returns what an encoded blob is copied from in part, in the order of its bases.
    pub fn bases(&self, blob: &Blob) -> Vec<Base> {
        let places = blob.encoding.map_or(&[][..], |encoding| self.bases.of(encoding));
        places.iter().filter_map(|place| self.base(*place)).collect()
    }

    /// Returns the base at a place.
    pub(super) fn base(&self, place: Place) -> Option<Base> {
        let at = |number: u32| usize::try_from(number).ok();
        match place {
            Place::Need(number) => self.needs.get(at(number)?).map(|need| Base {
                digest: need.digest,
                size: need.size,
                inflated: need.plain_size,
                carried: false,
            }),
            Place::Blob(number) => self.blobs.get(at(number)?).map(|blob| Base {
                digest: blob.digest,
                size: blob.size,
                inflated: match self.encoding(blob) {
                    Some(Encoding::Gzip(gzip)) => Some(gzip.plain_size),
                    Some(Encoding::Plain) | None => None,
                },
                carried: true,
            }),
        }
    }

    /// Returns the digests of needs that blobs are copied from.
    pub fn needed_bases(&self) -> BTreeSet<Digest> {
        let needs = self
            .bases
            .needs()
            .filter_map(|number| self.needs.get(usize::try_from(number).ok()?));
        needs.map(|need| need.digest).collect()
    }

    /// Returns for each mention of a base how long that is of use.
    pub(super) fn base_spans(&self) -> Vec<Span> {
        self.bases.spans()
    }

    /// Returns which of the spans are those of a blob's bases.
    pub(super) fn mentions_of(&self, blob: &Blob) -> Range<usize> {
        blob.encoding.map_or(0..0, |encoding| self.bases.mentions_of(encoding))
    }

    /// Returns the most bytes of inflated bases that are there at one time: each from the first blob that names it to the last (M-162).
    pub fn largest_scratch(&self) -> u64 {
        let spans = self.bases.spans();
        let (mut there, mut most) = (0_u64, 0);
        for blob in self.blobs.iter().filter(|blob| blob.is_encoded()) {
            let of_blob = spans.get(self.mentions_of(blob)).unwrap_or_default();
            let inflated = || {
                let inflated = |(base, span): (Base, &Span)| Some((base.inflated?, *span));
                self.bases(blob).into_iter().zip(of_blob).filter_map(inflated)
            };
            let begins = inflated().filter(|(_, span)| span.is_first);
            there = begins.fold(there, |there, (size, _)| there.saturating_add(size));
            most = most.max(there);
            let ends = inflated().filter(|(_, span)| Some(span.last) == blob.encoding);
            there = ends.fold(there, |there, (size, _)| there.saturating_sub(size));
        }
        most
    }

    /// Returns what opening its bases takes.
    pub(super) fn base_work(&self) -> BaseWork {
        let spans = self.bases.spans();
        let mut work = BaseWork::default();
        for blob in self.blobs.iter().filter(|blob| blob.is_encoded()) {
            let bases = self.bases(blob);
            if let (false, Some(encoding)) = (bases.is_empty(), self.encoding(blob)) {
                work.made = work.made.saturating_add(encoding.plain_size(blob.size));
            }
            let of_blob = spans.get(self.mentions_of(blob)).unwrap_or_default();
            for (base, _) in bases.iter().zip(of_blob).filter(|(_, span)| span.is_first) {
                work.inflated = work.inflated.saturating_add(base.inflated.unwrap_or(0));
            }
        }
        work
    }

    /// Returns the layers of the bundle that others of it are copied from.
    pub fn carried_bases(&self) -> BTreeSet<Digest> {
        let carried = self
            .bases
            .carried()
            .filter_map(|number| self.blobs.get(usize::try_from(number).ok()?));
        carried.map(|blob| blob.digest).collect()
    }

    /// Returns how often blobs mention a base.
    pub fn base_mentions(&self) -> usize {
        self.bases.count()
    }

    /// Says of a blob that it travels encoded, and what it is copied from.
    pub(super) fn encode(&mut self, number: usize, travel_size: u64, encoding: Encoding, bases: &[Place]) {
        let place = u32::try_from(self.encodings.len()).ok();
        if let (Some(blob), Some(place)) = (self.blobs.get_mut(number), place) {
            (blob.travel_size, blob.encoding) = (travel_size, Some(place));
            self.encodings.push(encoding);
            self.bases.push(bases);
        }
    }

    /// Returns the features that its lines need, ascending.
    pub(super) fn features(&self) -> BTreeSet<Feature> {
        let encoded = (!self.encodings.is_empty()).then_some(Feature::Encoding);
        let delta = (self.bases.count() > 0).then_some(Feature::Delta);
        let producers = self.encodings.iter().filter_map(|encoding| encoding.producer());
        let producers = producers.map(Feature::Gzip);
        encoded.into_iter().chain(delta).chain(producers).collect()
    }

    /// Returns what the site must already hold.
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Returns the children left out of carried indexes.
    pub fn absent(&self) -> &[Absent] {
        &self.absent
    }

    /// Checks the numbers of lines that the totals of the head do not state.
    ///
    /// # Errors
    ///
    /// `E-LIMIT lines`.
    pub(super) fn check_lines(&self) -> Result<()> {
        for (count, kind) in [(self.tags.len(), "tag"), (self.absent.len(), "absent")] {
            if count > limits::NAME_LINES {
                return Err(Error::new(
                    Class::Limit,
                    "lines",
                    format!("the index has {count} {kind} lines or more"),
                )
                .expected(format!("at most {}", limits::NAME_LINES))
                .remedy("have the vendor make several releases of it"));
            }
        }
        Ok(())
    }

    /// Returns every name as `(repository, tag, digest)`; texts from outside.
    pub fn names(&self) -> impl Iterator<Item = (&str, Option<&str>, Digest)> {
        self.tags
            .iter()
            .map(|tag| (tag.repository.as_str(), tag.tag.as_deref(), tag.digest))
    }

    /// Returns the payload that its blobs make.
    pub(super) fn payload(&self, head: &Head) -> Payload<'_, Blob> {
        Payload {
            blobs: &self.blobs,
            early: usize::try_from(head.totals.early_blobs).unwrap_or(usize::MAX),
            chunk_bytes: head.chunk_bytes,
            copies: !self.bases.is_empty(),
        }
    }

    /// Makes a tag line.
    pub(super) fn raw_tag(line: &TagLine) -> RawTag {
        RawTag {
            digest: line.digest,
            kind: TagKind::Kind,
            media_type: line.media_type.clone(),
            repository: line.repository.to_string(),
            size: line.size,
            tag: line.tag.as_ref().map(ToString::to_string),
        }
    }

    /// Writes the index as pages, each filled greedily.
    pub(super) fn to_pages(&self) -> Vec<Vec<u8>> {
        let mut pages: Vec<Vec<u8>> = Vec::new();
        self.lines(&mut |line, new_page| match pages.last_mut() {
            Some(page) if !new_page => page.extend_from_slice(line),
            _ => {
                // Of its full size at once: growing would hold and leave behind twice as much.
                let mut page = Vec::with_capacity(limits::PAGE_BYTES.max(line.len()));
                page.extend_from_slice(line);
                pages.push(page);
            }
        });
        if let Some(last) = pages.last_mut() {
            last.shrink_to_fit();
        }
        pages
    }

    /// Returns the sizes of these pages without keeping them.
    pub(super) fn page_sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = Vec::new();
        self.lines(&mut |line, new_page| match sizes.last_mut() {
            Some(size) if !new_page => *size = size.saturating_add(line.len() as u64),
            _ => sizes.push(line.len() as u64),
        });
        sizes
    }

    /// Hands over line by line, and whether a page begins with it.
    fn lines(&self, take: &mut dyn FnMut(&[u8], bool)) {
        let mut pages = PageWriter::new(take);
        for tag in &self.tags {
            pages.push(tag);
        }
        for Absent { digest, platform } in &self.absent {
            pages.push(&AbsentLine {
                digest: *digest,
                kind: AbsentKind::Kind,
                platform: platform.clone(),
            });
        }
        for need in &self.needs {
            pages.push(&NeedLine {
                digest: need.digest,
                kind: NeedKind::Kind,
                plain_size: need.plain_size,
                size: need.size,
            });
        }
        for blob in &self.blobs {
            let encoding = self.encoding(blob);
            pages.push(&BlobLine {
                digest: blob.digest,
                encoding: encoding.map(|encoding| {
                    let bases: Vec<Digest> = self.bases(blob).iter().map(|base| base.digest).collect();
                    encoding.to_value(&bases)
                }),
                kind: BlobKind::Kind,
                media_type: blob.media_type.map(ToOwned::to_owned),
                size: blob.size,
                travel_size: encoding.map(|_| blob.travel_size),
            });
        }
        for chunk in &self.chunks {
            pages.push(&chunk.line());
        }
    }
}
