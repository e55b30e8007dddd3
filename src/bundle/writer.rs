//! Writes a bundle: payload first behind a reserved head, then the head, deterministic on any number of cores.
//!
//! Every source byte is read once and every bundle byte written once. A blob's digest is checked while it is read; one that is
//! wrong ends the writing.

use std::io::{Read, Write};

use sha2::{Digest as _, Sha256};

use super::content::{BlobSource, BundleContent};
use super::cut::ChunkPlan;
use super::entry::{END_BYTES, FILL, PROLOGUE, chunk_name, entry_bytes, header, padding, page_name};
use super::frame::Encoder;
use super::head::{Head, PageEntry, format_lines};
use super::index::{Chunk, Index};
use super::layout::BundleLayout;
use super::prologue::{EMPTY_APPROVALS, signatures_bytes};
use crate::crypto::{PayloadType, Signature, SigningKey};
use crate::domain::{Class, Codec, Digest, Error, Hash, Result};
use crate::stream::{BufferPool, PooledBuffer, ordered_map, read_exact_or_end, worker_count};

/// A bundle whose payload is written and whose head waits for signatures.
#[derive(Debug)]
pub struct UnsignedBundle {
    head: Head,
    head_bytes: Vec<u8>,
    trust: Vec<u8>,
    pages: Vec<Vec<u8>>,
    /// Chunks as written; nothing for a bundle that was only opened to be signed.
    chunks: Vec<Chunk>,
}

/// A chunk on its way to the medium.
struct Packed {
    chunk: Chunk,
    bytes: PooledBuffer,
    plain: u64,
}

impl BundleLayout {
    /// Returns where the first chunk's header stands: the payload is written from there.
    pub fn payload_offset(&self) -> u64 {
        self.head.payload_offset
    }

    /// Writes every chunk and the end blocks to `out`, which stands at [`Self::payload_offset`] of the bundle.
    ///
    /// `progress` is told the plain bytes done so far. Manifests are let go as they are written.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source` when a source does not hold what its descriptor says; `E-IO` and `E-SPACE` of both ends.
    pub fn write_payload(
        self,
        content: BundleContent,
        source: &dyn BlobSource,
        out: &mut dyn Write,
        mut progress: impl FnMut(u64),
    ) -> Result<UnsignedBundle> {
        let Self {
            mut head,
            mut index,
            trust,
            packing,
        } = self;
        let workers = worker_count();
        let pool = BufferPool::new(usize::try_from(packing.chunk_bytes).unwrap_or(usize::MAX));
        let mut chunks = Vec::with_capacity(usize::try_from(head.totals.chunks).unwrap_or(0));
        let mut done: u64 = 0;
        let mut reader = SourceReader {
            index: &index,
            content,
            source,
            open: None,
            pool: pool.clone(),
        };
        let mut cut = index.cut(&head);
        let mut failed = false;
        ordered_map(
            workers,
            workers.saturating_add(3),
            || {
                if failed {
                    return None;
                }
                let job = reader.read(cut.next()?);
                failed = job.is_err();
                Some(job)
            },
            || {
                let mut encoder = Encoder::new(packing.level);
                let pool = pool.clone();
                move |job: Result<PooledBuffer>| {
                    let encoder = encoder
                        .as_mut()
                        .map_err(|error| Error::new(error.class(), error.code(), error.to_string()))?;
                    Ok(pack(encoder, &pool, job?))
                }
            },
            |packed: Result<Packed>| {
                let packed = packed?;
                chunks.push(packed.chunk);
                let size = packed.bytes.len() as u64;
                let number = chunks.len() as u64;
                let zeros = [0_u8; super::entry::BLOCK];
                let pad = zeros
                    .get(..usize::try_from(padding(size)).unwrap_or(0))
                    .unwrap_or_default();
                out.write_all(&header(&chunk_name(number), size))
                    .and_then(|()| out.write_all(&packed.bytes))
                    .and_then(|()| out.write_all(pad))
                    .map_err(write_error)?;
                done = done.saturating_add(packed.plain);
                progress(done);
                Ok(())
            },
        )?;
        check_empty_blobs(&index)?;
        out.write_all(&[0; END_BYTES]).map_err(write_error)?;
        head.totals.stored_bytes = chunks
            .iter()
            .map(|chunk| u64::from(chunk.size))
            .fold(0, u64::saturating_add);
        index.chunks = chunks;
        let pages = index.to_pages();
        head.index = pages
            .iter()
            .map(|page| PageEntry {
                sha256: Hash(Sha256::digest(page).into()),
                size: page.len() as u64,
            })
            .collect();
        head.check()?;
        Ok(UnsignedBundle {
            head_bytes: head.to_bytes(),
            head,
            trust,
            pages,
            chunks: index.chunks,
        })
    }
}

fn pack(encoder: &mut Encoder, pool: &BufferPool, plain: PooledBuffer) -> Packed {
    let mut stored = pool.take(0);
    let plain_bytes = plain.len() as u64;
    let (codec, bytes) = match encoder.encode(&plain, stored.spare()) {
        Some(length) => {
            stored.set_len(length);
            (Codec::Zstd, stored)
        }
        None => (Codec::None, plain),
    };
    let chunk = Chunk {
        codec,
        sha256: Hash(Sha256::digest(&*bytes).into()),
        size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    };
    Packed {
        chunk,
        bytes,
        plain: plain_bytes,
    }
}

/// Reads blobs in payload order and hashes them.
struct SourceReader<'a> {
    index: &'a Index,
    content: BundleContent,
    source: &'a dyn BlobSource,
    open: Option<Open>,
    pool: BufferPool,
}

struct Open {
    reader: Box<dyn Read + Send>,
    hasher: Sha256,
}

impl SourceReader<'_> {
    /// Fills a chunk with the blobs that the plan puts into it.
    fn read(&mut self, plan: ChunkPlan) -> Result<PooledBuffer> {
        let mut buffer = self.pool.take(usize::try_from(plan.plain).unwrap_or(usize::MAX));
        let mut rest = buffer.bytes_mut();
        let mut blob = plan.blob;
        let mut offset = plan.offset;
        while !rest.is_empty() {
            let Some(entry) = self.index.blobs.get(blob).copied() else {
                return Err(Error::new(Class::Internal, "cut", "a chunk lies behind the last blob"));
            };
            let wanted = usize::try_from(entry.size.saturating_sub(offset))
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (piece, after) = rest.split_at_mut(wanted);
            self.piece(entry.digest, entry.size, offset, piece)?;
            rest = after;
            offset = 0;
            blob = blob.saturating_add(1);
        }
        Ok(buffer)
    }

    fn piece(&mut self, digest: Digest, size: u64, offset: u64, piece: &mut [u8]) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        let wrong = |what: &str| {
            Error::new(Class::Integrity, "source", format!("the source of {digest} {what}"))
                .expected(format!("{size} bytes with that digest"))
                .remedy("check the source; it changed or is damaged")
        };
        if offset == 0 {
            self.open = Some(Open {
                reader: self.start(&digest, size)?,
                hasher: Sha256::new(),
            });
        }
        let open = self.open.as_mut().ok_or_else(|| wrong("was not opened"))?;
        let read = read_exact_or_end(&mut open.reader, piece).map_err(|error| {
            Error::new(
                Class::Io,
                "source",
                format!("cannot read {digest} from its source: {error}"),
            )
            .with_source(error)
        })?;
        if read != piece.len() {
            return Err(wrong("ends too early"));
        }
        open.hasher.update(&*piece);
        if offset.saturating_add(piece.len() as u64) == size {
            let Some(mut open) = self.open.take() else {
                return Err(wrong("was not opened"));
            };
            let more = read_exact_or_end(&mut open.reader, &mut [0]).map_err(|error| {
                Error::new(
                    Class::Io,
                    "source",
                    format!("cannot read {digest} from its source: {error}"),
                )
                .with_source(error)
            })?;
            if more > 0 {
                return Err(wrong("is longer than stated"));
            }
            if Digest(Hash(open.hasher.finalize().into())) != digest {
                return Err(wrong("holds other content"));
            }
        }
        Ok(())
    }

    fn start(&mut self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        // A digest stands once in the index, so nothing asks for the same manifest again.
        let held = self.content.manifests.remove(digest).or_else(|| {
            let (_, bytes) = self
                .content
                .documents
                .iter()
                .find(|(_, bytes)| super::layout::digest_of(bytes) == *digest)?;
            Some(bytes.clone())
        });
        match held {
            Some(bytes) => Ok(Box::new(std::io::Cursor::new(bytes))),
            None => self.source.open(digest, size),
        }
    }
}

/// A zero-length blob is in no chunk, so nothing was read for it: its digest must be that of nothing.
fn check_empty_blobs(index: &Index) -> Result<()> {
    let empty = super::layout::digest_of(b"");
    match index.blobs.iter().find(|blob| blob.size == 0 && blob.digest != empty) {
        Some(blob) => Err(Error::new(
            Class::Integrity,
            "source",
            format!("{} is stated to have no bytes", blob.digest),
        )),
        None => Ok(()),
    }
}

impl UnsignedBundle {
    /// Takes apart a bundle that was written before, to sign it again.
    pub(super) fn from_parts(head: Head, head_bytes: Vec<u8>, trust: Vec<u8>, pages: Vec<Vec<u8>>) -> Self {
        Self {
            head,
            head_bytes,
            trust,
            pages,
            chunks: Vec::new(),
        }
    }

    /// Returns the chunks as written.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Chunk> + Send + '_ {
        self.chunks.iter().copied()
    }

    /// Lets the index pages go once the bytes before the payload are made: a read-back compares with those.
    pub fn forget_pages(&mut self) {
        self.pages = Vec::new();
    }

    /// Returns the head: what signers must look at.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the head's bytes: exactly what is signed.
    pub fn head_bytes(&self) -> &[u8] {
        &self.head_bytes
    }

    /// Returns the head digest, the bundle's identity.
    pub fn head_digest(&self) -> Hash {
        Hash(Sha256::digest(&self.head_bytes).into())
    }

    /// Signs the head.
    pub fn sign(&self, key: &SigningKey) -> Signature {
        Signature::make(key, PayloadType::BundleHead, &self.head_bytes)
    }

    /// Returns every byte before the payload, with the signatures given.
    ///
    /// # Errors
    ///
    /// `E-LIMIT reserve` when the signatures do not fit in front of the payload.
    pub fn prologue(&self, signatures: &[Signature]) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.head.payload_offset).unwrap_or(0));
        let contents = [
            format_lines(self.head.totals.chunks).into_bytes(),
            signatures_bytes(signatures),
            self.trust.clone(),
            self.head_bytes.clone(),
            EMPTY_APPROVALS.to_vec(),
        ];
        for (name, content) in PROLOGUE.iter().zip(&contents) {
            push_entry(&mut bytes, name, content);
        }
        for (number, page) in (1..).zip(&self.pages) {
            push_entry(&mut bytes, &page_name(number), page);
        }
        let fill = self
            .head
            .payload_offset
            .checked_sub((bytes.len() as u64).saturating_add(entry_bytes(0)))
            .ok_or_else(|| {
                Error::new(
                    Class::Limit,
                    "reserve",
                    "the signatures do not fit in front of the payload",
                )
                .remedy("keep detached signature files beside the bundle, or create it with a larger --reserve")
            })?;
        bytes.extend_from_slice(&header(FILL, fill));
        bytes.resize(usize::try_from(self.head.payload_offset).unwrap_or(usize::MAX), 0);
        Ok(bytes)
    }
}

fn push_entry(bytes: &mut Vec<u8>, name: &str, content: &[u8]) {
    bytes.extend_from_slice(&header(name, content.len() as u64));
    bytes.extend_from_slice(content);
    let padded = bytes.len().next_multiple_of(super::entry::BLOCK);
    bytes.resize(padded, 0);
}

fn write_error(error: std::io::Error) -> Error {
    Error::io("write", std::path::Path::new("the bundle"), error)
}
