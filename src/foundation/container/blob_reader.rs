//! Reads blobs in payload order for a writer: each byte once, each blob compared with its size and digest.

use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::cut::{ChunkSpan, Payload, PayloadBlob};
use super::signed_digest::digest_of;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::{BufferPool, PooledBuffer, read_exact_or_end};

/// Opens what travels of a blob, and says which digest that has: the blob's own, or that of a travel form.
pub(crate) type OpenBlob<'a, B> = dyn FnMut(&B) -> Result<(Box<dyn Read + Send>, Digest)> + Send + 'a;

/// Fills chunks with the blobs that the cut rule puts into them.
pub(super) struct BlobReader<'a, 'o, B> {
    payload: Payload<'a, B>,
    open_blob: &'a mut OpenBlob<'o, B>,
    open: Option<Open>,
    pool: BufferPool,
}

struct Open {
    reader: Box<dyn Read + Send>,
    digest: Digest,
    hasher: Sha256,
}

impl<'a, 'o, B: PayloadBlob> BlobReader<'a, 'o, B> {
    /// Starts at the first blob.
    pub(super) fn new(payload: Payload<'a, B>, open_blob: &'a mut OpenBlob<'o, B>, pool: BufferPool) -> Self {
        Self {
            payload,
            open_blob,
            open: None,
            pool,
        }
    }

    /// Returns the plain bytes of the next chunk.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source` when a blob is not what its digest and size say; `E-IO` of its source.
    pub(super) fn read(&mut self, span: ChunkSpan) -> Result<PooledBuffer> {
        let mut buffer = self.pool.take(usize::try_from(span.plain).unwrap_or(usize::MAX));
        let mut rest = buffer.bytes_mut();
        let mut blob = span.blob;
        let mut offset = span.offset;
        while !rest.is_empty() {
            let Some(entry) = self.payload.blobs.get(blob).copied() else {
                return Err(Error::new(Class::Internal, "cut", "a chunk lies behind the last blob"));
            };
            let wanted = usize::try_from(entry.travel_size().saturating_sub(offset))
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (piece, after) = rest.split_at_mut(wanted);
            self.piece(&entry, offset, piece)?;
            rest = after;
            offset = 0;
            blob = blob.saturating_add(1);
        }
        Ok(buffer)
    }

    fn piece(&mut self, blob: &B, offset: u64, piece: &mut [u8]) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        let (digest, size) = (blob.digest(), blob.travel_size());
        let wrong = |what: &str| {
            Error::new(Class::Integrity, "source", format!("the source of {digest} {what}"))
                .expected(format!("{size} bytes with that digest"))
                .remedy(DAMAGED_SOURCE)
        };
        if offset == 0 {
            let (reader, digest) = (self.open_blob)(blob)?;
            self.open = Some(Open {
                reader,
                digest,
                hasher: Sha256::new(),
            });
        }
        let open = self.open.as_mut().ok_or_else(|| wrong("was not opened"))?;
        let read = read_exact_or_end(&mut open.reader, piece).map_err(|error| unreadable(digest, error))?;
        if read != piece.len() {
            return Err(wrong("ends too early"));
        }
        open.hasher.update(&*piece);
        if offset.saturating_add(piece.len() as u64) == size {
            let Some(mut open) = self.open.take() else {
                return Err(wrong("was not opened"));
            };
            let more = read_exact_or_end(&mut open.reader, &mut [0]).map_err(|error| unreadable(digest, error))?;
            if more > 0 {
                return Err(wrong("is longer than stated"));
            }
            if Digest(Hash(open.hasher.finalize().into())) != open.digest {
                return Err(wrong("holds other content"));
            }
        }
        Ok(())
    }
}

/// What to do about a source that gives something else than it said.
const DAMAGED_SOURCE: &str = "check the source; it changed or is damaged";

/// A zero-length blob is in no chunk, so nothing is read for it: its digest must be that of nothing.
///
/// # Errors
///
/// `E-INTEGRITY source`.
pub(super) fn check_empty_blobs<B: PayloadBlob>(blobs: &[B]) -> Result<()> {
    let empty = digest_of(b"");
    match blobs
        .iter()
        .find(|blob| blob.travel_size() == 0 && blob.digest() != empty)
    {
        Some(blob) => Err(Error::new(
            Class::Integrity,
            "source",
            format!("{} is stated to have no bytes", blob.digest()),
        )
        .remedy(DAMAGED_SOURCE)),
        None => Ok(()),
    }
}

fn unreadable(digest: Digest, error: std::io::Error) -> Error {
    Error::new(
        Class::Io,
        "source",
        format!("cannot read {digest} from its source: {error}"),
    )
    .with_source(error)
}
