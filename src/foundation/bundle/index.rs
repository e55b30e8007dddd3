//! The index: names, blobs and chunks as canonical JSON lines in a fixed order (SPEC section 6).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::feature::Feature;
use super::head::Head;
use crate::container::{Chunk, PageReader, PageWriter, Payload, PayloadBlob, check_chunks};
use crate::crypto::canonical::{self, integer, optional_integer};
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag, limits, oci};
use crate::encoding::{Encoding, EncodingLine, Mentioned, check_plain_size};

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

/// A `tag` line as it stands: its names are judged together with the content (X13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTag {
    pub(super) digest: Digest,
    kind: TagKind,
    pub(super) media_type: String,
    pub(super) repository: String,
    #[serde(with = "integer")]
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AbsentLine {
    digest: Digest,
    kind: AbsentKind,
    platform: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NeedLine {
    digest: Digest,
    kind: NeedKind,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_integer")]
    plain_size: Option<u64>,
    #[serde(with = "integer")]
    size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobLine {
    digest: Digest,
    /// Judged by M-141, whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<Value>,
    kind: BlobKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(with = "integer")]
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_integer")]
    travel_size: Option<u64>,
}

macro_rules! kinds {
    ($($type:ident $word:literal),*) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        enum $type {
            #[serde(rename = $word)]
            Kind,
        }
    )*};
}
kinds!(TagKind "tag", AbsentKind "absent", NeedKind "need", BlobKind "blob");

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

    /// Says of a blob that it travels encoded.
    pub(super) fn encode(&mut self, number: usize, travel_size: u64, encoding: Encoding) {
        let place = u32::try_from(self.encodings.len()).ok();
        if let (Some(blob), Some(place)) = (self.blobs.get_mut(number), place) {
            (blob.travel_size, blob.encoding) = (travel_size, Some(place));
            self.encodings.push(encoding);
        }
    }

    /// Returns the features that its lines need, ascending.
    pub(super) fn features(&self) -> BTreeSet<Feature> {
        let encoded = (!self.encodings.is_empty()).then_some(Feature::Encoding);
        let producers = self.encodings.iter().filter_map(|encoding| encoding.producer());
        encoded.into_iter().chain(producers.map(Feature::Gzip)).collect()
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
            _ => pages.push(line.to_vec()),
        });
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
        for Need { digest, size } in &self.needs {
            pages.push(&NeedLine {
                digest: *digest,
                kind: NeedKind::Kind,
                plain_size: None,
                size: *size,
            });
        }
        for blob in &self.blobs {
            let encoding = self.encoding(blob);
            pages.push(&BlobLine {
                digest: blob.digest,
                encoding: encoding.map(Encoding::to_value),
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

/// Reads an index page by page, in bounded memory, checking grammar, order and totals as lines come.
#[derive(Debug)]
pub(super) struct IndexReader<'a> {
    head: &'a Head,
    index: Index,
    stage: Stage,
    pages: PageReader,
    content_bytes: u64,
    stored_bytes: u64,
    /// Bytes of the plains of encoded blobs.
    plain_bytes: u64,
}

/// The kinds of lines in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Tag,
    Absent,
    Need,
    Blob,
    Chunk,
}

impl<'a> IndexReader<'a> {
    /// Starts reading the index of a head.
    pub(super) fn new(head: &'a Head) -> Self {
        Self {
            head,
            index: Index::default(),
            stage: Stage::Tag,
            pages: PageReader::of_index(),
            content_bytes: 0,
            stored_bytes: 0,
            plain_bytes: 0,
        }
    }

    /// Takes the next page, whose hash was compared before.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(super) fn page(&mut self, bytes: &[u8]) -> Result<()> {
        for line in self.pages.lines(bytes)? {
            self.line(line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<()> {
        const WHAT: &str = "an index line";
        let stage = stage_of(line)?;
        if stage < self.stage {
            return Err(wrong("index-order", "the lines of the index are out of order"));
        }
        self.stage = stage;
        match stage {
            Stage::Tag => {
                let tag: RawTag = canonical::from_sorted_slice(line, WHAT)?;
                let key = |tag: &RawTag| (tag.repository.clone(), tag.tag.clone(), tag.digest);
                if self.index.tags.last().is_some_and(|last| key(last) >= key(&tag)) {
                    return Err(wrong("index-order", "tag lines are repeated or out of order"));
                }
                self.index.tags.push(tag);
            }
            Stage::Absent => {
                let line: AbsentLine = canonical::from_sorted_slice(line, WHAT)?;
                if self.index.absent.last().is_some_and(|last| last.digest >= line.digest) {
                    return Err(wrong("index-order", "absent lines are repeated or out of order"));
                }
                self.index.absent.push(Absent {
                    digest: line.digest,
                    platform: line.platform,
                });
            }
            Stage::Need => {
                let line: NeedLine = canonical::from_sorted_slice(line, WHAT)?;
                if self.index.needs.last().is_some_and(|last| last.digest >= line.digest) {
                    return Err(wrong("index-order", "need lines are repeated or out of order"));
                }
                if let Some(plain) = line.plain_size {
                    check_plain_size(&line.digest, plain, limits::PLAIN_BYTES)?;
                    // Only a base has one, and no base is known to this reader.
                    return Err(wrong("base", "a needed blob states a plain size and is nobody's base"));
                }
                self.index.needs.push(Need {
                    digest: line.digest,
                    size: line.size,
                });
            }
            Stage::Blob => {
                let line: BlobLine = canonical::from_sorted_slice(line, WHAT)?;
                let media_type = line.media_type.as_deref().map(known_media_type).transpose()?;
                self.content_bytes = self.content_bytes.saturating_add(line.size);
                let mut blob = Blob::as_it_is(line.digest, line.size, media_type);
                if let Some((travel_size, encoding)) = self.encoding(&line)? {
                    blob.travel_size = travel_size;
                    blob.encoding = u32::try_from(self.index.encodings.len()).ok();
                    self.index.encodings.push(encoding);
                }
                self.index.blobs.push(blob);
            }
            Stage::Chunk => {
                let chunk = Chunk::parse(line)?;
                self.stored_bytes = self.stored_bytes.saturating_add(u64::from(chunk.size));
                self.index.chunks.push(chunk);
            }
        }
        self.index.check_lines()?;
        let totals = &self.head.totals;
        if self.index.blobs.len() as u64 > totals.blobs || self.index.chunks.len() as u64 > totals.chunks {
            return Err(wrong("totals", "the index has more lines than the head states"));
        }
        Ok(())
    }

    /// Judges what a blob line says of its encoding, in the order of the rules (M-141 to M-145).
    fn encoding(&mut self, line: &BlobLine) -> Result<Option<(u64, Encoding)>> {
        let (stated, travel_size) = match (&line.encoding, line.travel_size) {
            (None, None) => return Ok(None),
            (Some(stated), Some(travel_size)) => (EncodingLine::parse(stated)?, travel_size),
            _ => {
                return Err(wrong(
                    "encoding",
                    "a blob line states its encoding without its travel size, or the other way round",
                ));
            }
        };
        if line.media_type.is_some() || (self.index.blobs.len() as u64) < self.head.totals.early_blobs {
            return Err(wrong("encoding", "a manifest, config or document is encoded"));
        }
        if travel_size == 0 || travel_size >= line.size {
            return Err(wrong(
                "travel-size",
                "the travel form of a blob has no bytes, or not fewer than the blob",
            ));
        }
        let Mentioned { delta, producer } = stated.mentioned();
        let mut needed = std::iter::once(Feature::Encoding).chain(producer.map(Feature::Gzip));
        if delta || !needed.all(|feature| self.head.has(feature)) {
            return Err(unsaid_encoding());
        }
        let encoding = stated.encoding();
        let plain = encoding.plain_size(line.size);
        encoding.check_plain_size(&line.digest, line.size)?;
        self.plain_bytes = self.plain_bytes.saturating_add(plain);
        if self.plain_bytes > limits::PLAIN_BYTES_IN_ALL {
            return Err(Error::new(
                Class::Limit,
                "plain-size",
                "the plains of all encoded blobs have more than 16 TiB",
            )
            .remedy("ask the vendor for a bundle made with --encodings none"));
        }
        Ok(Some((travel_size, encoding)))
    }

    /// Ends the reading: totals, and chunks against the cut rule.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`.
    pub(super) fn finish(self) -> Result<Index> {
        let totals = &self.head.totals;
        let index = self.index;
        let agrees = index.blobs.len() as u64 == totals.blobs
            && index.chunks.len() as u64 == totals.chunks
            && index.needs.len() as u64 == totals.needs
            && self.content_bytes == totals.content_bytes
            && self.stored_bytes == totals.stored_bytes;
        if !agrees {
            return Err(wrong("totals", "the totals of the head are not those of the index"));
        }
        check_chunks(&index.chunks, index.payload(self.head))?;
        // No more than it uses, and no less: that was judged line by line.
        let needed = index.features();
        let idle = |feature: &Feature| self.head.has(*feature) && !needed.contains(feature);
        if let Some(idle) = Feature::of_index().find(idle) {
            return Err(Error::new(
                Class::Format,
                "requires",
                format!(
                    "the bundle requires readers that know {}, and nothing in it is so",
                    idle.name()
                ),
            )
            .expected("exactly the features that its index uses"));
        }
        Ok(index)
    }
}

/// A line uses what the head does not require.
fn unsaid_encoding() -> Error {
    Error::new(
        Class::Format,
        "requires",
        "a blob is encoded, and the bundle does not require readers that know how",
    )
    .expected("exactly the features that its index uses in requires")
    .remedy("have the vendor make the release again with `airlock bundle create`")
}

fn stage_of(line: &[u8]) -> Result<Stage> {
    // Inside a JSON string the quotes would be escaped, so this text can only be the member itself.
    const MEMBER: &[u8] = b"\"kind\":\"";
    let word = line
        .windows(MEMBER.len())
        .position(|window| window == MEMBER)
        .and_then(|at| line.get(at.saturating_add(MEMBER.len())..))
        .and_then(|rest| rest.split(|byte| *byte == b'"').next());
    match word {
        Some(b"tag") => Ok(Stage::Tag),
        Some(b"absent") => Ok(Stage::Absent),
        Some(b"need") => Ok(Stage::Need),
        Some(b"blob") => Ok(Stage::Blob),
        Some(b"chunk") => Ok(Stage::Chunk),
        _ => Err(wrong("grammar", "an index line is of no known kind")),
    }
}

pub(super) fn known_media_type(text: &str) -> Result<&'static str> {
    [
        oci::OCI_MANIFEST,
        oci::OCI_INDEX,
        oci::DOCKER_MANIFEST,
        oci::DOCKER_INDEX,
    ]
    .into_iter()
    .find(|known| *known == text)
    .ok_or_else(|| {
        Error::new(
            Class::Format,
            "media-type",
            format!("a blob line states the media type {text:?}"),
        )
        .expected("one of a manifest or index, or none")
    })
}

fn wrong(code: &'static str, found: &str) -> Error {
    Error::new(Class::Format, code, found)
}
