//! Reads an index: grammar, order and totals as lines come (SPEC section 6, M-141 to M-147).

use std::collections::BTreeSet;

use super::bases::{Earlier, Place, no_base};
use super::feature::Feature;
use super::head::Head;
use super::index::{Absent, Blob, Index, Need};
use super::index_lines::{AbsentLine, BlobLine, NeedLine, RawTag, known_media_type};
use crate::container::{Chunk, PageReader, check_chunks};
use crate::crypto::canonical;
use crate::domain::{Class, Digest, Error, Result, limits};
use crate::encoding::{Encoding, EncodingLine, Mentioned, check_plain_size};

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
    /// What blobs may be copied from; empty where no feature says that any are.
    earlier: Earlier,
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
            earlier: Earlier::default(),
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
                    let most = line.size.saturating_mul(limits::PLAIN_FOR_A_BYTE);
                    check_plain_size(&line.digest, plain, limits::PLAIN_BYTES.min(most))?;
                }
                self.index.needs.push(Need {
                    digest: line.digest,
                    size: line.size,
                    plain_size: line.plain_size,
                });
            }
            Stage::Blob => {
                let line: BlobLine = canonical::from_sorted_slice(line, WHAT)?;
                let media_type = line.media_type.as_deref().map(known_media_type).transpose()?;
                self.content_bytes = self.content_bytes.saturating_add(line.size);
                let mut blob = Blob::as_it_is(line.digest, line.size, media_type);
                if let Some((travel_size, encoding, bases)) = self.encoding(&line)? {
                    blob.travel_size = travel_size;
                    blob.encoding = u32::try_from(self.index.encodings.len()).ok();
                    self.index.encodings.push(encoding);
                    self.index.bases.push(&bases);
                }
                let number = self.index.blobs.len();
                if self.head.has(Feature::Delta) && number as u64 >= self.head.totals.early_blobs {
                    self.earlier.blob(&blob, number);
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
    fn encoding(&mut self, line: &BlobLine) -> Result<Option<(u64, Encoding, Vec<Place>)>> {
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
        let delta = delta.then_some(Feature::Delta);
        let mut needed = [Some(Feature::Encoding), delta, producer.map(Feature::Gzip)]
            .into_iter()
            .flatten();
        if !needed.all(|feature| self.head.has(feature)) {
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
        let bases = match stated.bases() {
            Some(bases) => self.bases(&line.digest, bases)?,
            None => Vec::new(),
        };
        Ok(Some((travel_size, encoding, bases)))
    }

    /// Finds the bases that a line mentions, and bounds their plains.
    fn bases(&self, blob: &Digest, bases: &[Digest]) -> Result<Vec<Place>> {
        let mentioned = self.index.bases.count();
        let places = self.earlier.places(bases, mentioned, &self.index.needs)?;
        let plains = places.iter().filter_map(|place| self.index.base(*place));
        let bytes = plains.map(|base| base.plain_size()).fold(0, u64::saturating_add);
        if bytes > limits::BASE_PLAIN_BYTES {
            return Err(Error::new(
                Class::Limit,
                "plain-size",
                format!("the plains of the bases of {blob} have {bytes} bytes"),
            )
            .expected(format!("at most {}", limits::BASE_PLAIN_BYTES))
            .remedy("ask the vendor for a bundle made with --encodings none"));
        }
        Ok(places)
    }

    /// Ends the reading: totals, what bases take, and chunks against the cut rule.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`; `E-LIMIT base-work`.
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
        let bases: BTreeSet<u32> = index.bases.needs().collect();
        let is_idle = |(number, need): &(u32, &Need)| need.plain_size.is_some() && !bases.contains(number);
        if let Some((_, need)) = (0..).zip(&index.needs).find(is_idle) {
            let found = format!(
                "the needed blob {} states a plain size and is nobody's base",
                need.digest
            );
            return Err(no_base(&found));
        }
        index.base_work().check()?;
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

fn wrong(code: &'static str, found: &str) -> Error {
    Error::new(Class::Format, code, found)
}
