//! The index page: one line for each part, then one for each chunk.

use serde::{Deserialize, Serialize};

use super::head::Head;
use super::part::PartEntry;
use crate::container::{Chunk, PageReader, PageWriter, Payload, check_chunks};
use crate::crypto::canonical::{self, integer};
use crate::domain::{Class, Digest, Error, Result, limits};

/// The line of a part.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobLine {
    digest: Digest,
    kind: BlobKind,
    #[serde(with = "integer")]
    size: u64,
}

#[derive(Serialize, Deserialize)]
enum BlobKind {
    #[serde(rename = "blob")]
    Kind,
}

/// Returns the payload that parts make.
pub(super) fn payload(parts: &[PartEntry]) -> Payload<'_, PartEntry> {
    Payload {
        blobs: parts,
        early: parts.len(),
        chunk_bytes: limits::PART_BYTES as u64,
        copies: false,
    }
}

/// Returns the index page of parts and chunks; nothing where there are none.
pub(super) fn page(parts: &[PartEntry], chunks: &[Chunk]) -> Option<Vec<u8>> {
    let mut page = Vec::new();
    // 256 lines of each kind are far from filling the page.
    let mut take = |line: &[u8], _| page.extend_from_slice(line);
    let mut pages = PageWriter::new(&mut take);
    for part in parts {
        pages.push(&BlobLine {
            digest: part.digest,
            kind: BlobKind::Kind,
            size: part.size,
        });
    }
    for chunk in chunks {
        pages.push(&chunk.line());
    }
    (!page.is_empty()).then_some(page)
}

/// Reads the index page of a head, whose hash was compared before; none where the head states none.
///
/// # Errors
///
/// `E-FORMAT` and `E-LIMIT`.
pub(super) fn read(head: &Head, page: Option<&[u8]>) -> Result<Vec<Chunk>> {
    let mut parts = head.parts.iter();
    let mut chunks = Vec::new();
    let mut reader = PageReader::of_index();
    let lines = page.map(|page| reader.lines(page)).transpose()?;
    for line in lines.into_iter().flatten() {
        if let Some(part) = parts.next() {
            let blob: BlobLine = canonical::from_sorted_slice(line, "an index line")?;
            if (blob.digest, blob.size) != (part.digest, part.size) {
                return Err(wrong("parts", "the index does not list the parts of the head"));
            }
        } else {
            if chunks.len() as u64 == head.totals.chunks {
                return Err(wrong("totals", "the index has more lines than the head states"));
            }
            chunks.push(Chunk::parse(line)?);
        }
    }
    let stored = chunks
        .iter()
        .map(|chunk| u64::from(chunk.size))
        .fold(0, u64::saturating_add);
    if parts.next().is_some() || chunks.len() as u64 != head.totals.chunks || stored != head.totals.stored_bytes {
        return Err(wrong("totals", "the totals of the head are not those of the index"));
    }
    check_chunks(&chunks, payload(&head.parts))?;
    Ok(chunks)
}

fn wrong(code: &'static str, found: &str) -> Error {
    Error::new(Class::Format, code, found)
}
