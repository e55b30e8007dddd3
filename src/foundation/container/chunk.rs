//! A stored chunk, and the index line that states it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::cut::{ChunkSpan, Payload, PayloadBlob};
use crate::crypto::canonical::{self, integer};
use crate::domain::{Class, Codec, Error, Hash, Result, limits};

/// A stored chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// How its bytes are stored.
    pub(crate) codec: Codec,
    /// Hash of the stored bytes.
    pub(crate) sha256: Hash,
    /// How many they are.
    pub(crate) size: u32,
}

/// The line of a chunk in the index.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChunkLine {
    codec: Codec,
    kind: ChunkKind,
    sha256: Hash,
    #[serde(with = "integer")]
    size: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum ChunkKind {
    #[serde(rename = "chunk")]
    Kind,
}

impl Chunk {
    /// Describes stored bytes, which are at most 16 MiB.
    pub(super) fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self {
            codec,
            sha256: Hash(Sha256::digest(bytes).into()),
            size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Returns the line that states it.
    pub(crate) fn line(self) -> ChunkLine {
        ChunkLine {
            codec: self.codec,
            kind: ChunkKind::Kind,
            sha256: self.sha256,
            size: u64::from(self.size),
        }
    }

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`; `E-LIMIT chunk-size`.
    pub(crate) fn parse(line: &[u8]) -> Result<Self> {
        let line: ChunkLine = canonical::from_sorted_slice(line, "an index line")?;
        let size = u32::try_from(line.size)
            .ok()
            .filter(|size| u64::from(*size) <= limits::CHUNK_BYTES_MAX)
            .ok_or_else(|| {
                Error::new(
                    Class::Limit,
                    "chunk-size",
                    format!("a chunk has {} stored bytes", line.size),
                )
            })?;
        Ok(Self {
            codec: line.codec,
            sha256: line.sha256,
            size,
        })
    }
}

/// Compares the chunks that an index states with those that the cut rule gives.
///
/// # Errors
///
/// `E-FORMAT cut`, `chunk-size` and `chunk-codec`.
pub(crate) fn check_chunks<B: PayloadBlob>(chunks: &[Chunk], payload: Payload<'_, B>) -> Result<()> {
    let mut chunks = chunks.iter();
    for span in payload.cut() {
        let chunk = chunks.next();
        check_chunk(chunk, span)?;
        if payload.is_encoded_piece(span) && chunk.is_some_and(|chunk| chunk.codec != Codec::None) {
            return Err(wrong(
                "chunk-codec",
                "a piece of an encoded blob is compressed once more",
            ));
        }
    }
    match chunks.next() {
        Some(_) => Err(wrong("cut", "the index lists more chunks than its blobs make")),
        None => Ok(()),
    }
}

fn check_chunk(chunk: Option<&Chunk>, span: ChunkSpan) -> Result<()> {
    let Some(chunk) = chunk else {
        return Err(wrong("cut", "the index lists fewer chunks than its blobs make"));
    };
    // A zstd chunk is smaller than its plain bytes, else the writer had to store it as it is.
    let size = u64::from(chunk.size);
    let fits = match chunk.codec {
        Codec::None => size == span.plain,
        Codec::Zstd => size > 0 && size < span.plain,
    };
    if fits {
        Ok(())
    } else {
        Err(wrong(
            "chunk-size",
            "the stored size of a chunk does not fit its plain size and codec",
        ))
    }
}

/// Returns the codec's word for messages.
pub(super) fn codec_word(codec: Codec) -> &'static str {
    match codec {
        Codec::None => "stored",
        Codec::Zstd => "zstd",
    }
}

fn wrong(code: &'static str, found: &str) -> Error {
    Error::new(Class::Format, code, found)
}
