//! The index: names, blobs and chunks as canonical JSON lines in a fixed order (SPEC section 6).

use serde::{Deserialize, Serialize};

use super::head::Head;
use crate::container::{Chunk, PageReader, PageWriter, Payload, PayloadBlob, check_chunks};
use crate::crypto::canonical::{self, integer};
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag, limits, oci};

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
    #[serde(with = "integer")]
    size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobLine {
    digest: Digest,
    kind: BlobKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(with = "integer")]
    size: u64,
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
}

impl PayloadBlob for Blob {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn travel_size(&self) -> u64 {
        self.size
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
    pub(super) chunks: Vec<Chunk>,
}

impl Index {
    /// Returns the carried blobs in payload order.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
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
                size: *size,
            });
        }
        for Blob {
            digest,
            size,
            media_type,
        } in &self.blobs
        {
            let media_type = media_type.map(ToOwned::to_owned);
            pages.push(&BlobLine {
                digest: *digest,
                kind: BlobKind::Kind,
                media_type,
                size: *size,
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
                self.index.needs.push(Need {
                    digest: line.digest,
                    size: line.size,
                });
            }
            Stage::Blob => {
                let line: BlobLine = canonical::from_sorted_slice(line, WHAT)?;
                let media_type = line.media_type.as_deref().map(known_media_type).transpose()?;
                self.content_bytes = self.content_bytes.saturating_add(line.size);
                self.index.blobs.push(Blob {
                    digest: line.digest,
                    size: line.size,
                    media_type,
                });
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
        check_chunks(&index.chunks, index.payload(self.head).cut())?;
        Ok(index)
    }
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
