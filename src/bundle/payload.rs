//! Reads the payload: every chunk compared, decoded and cut into blobs, over all cores, in order (X11 to X13).
//!
//! One thread reads, workers compare stored hashes and decode, one thread hashes blobs that span chunks, and the caller's thread
//! hands verified content to a [`Sink`] in payload order. Memory is a few chunks, whatever the bundle holds.

use std::sync::Arc;
use std::thread;

use sha2::{Digest as _, Sha256};

use super::blob_hasher::BlobHasher;
use super::entry::{END_BYTES, chunk_name};
use super::frame::{Decoder, codec_word};
use super::graph::{Graph, GraphBuilder};
use super::index::{Blob, Chunk, Index};
use super::layout::ChunkPlan;
use super::reader::{Source, VerifiedBundle, expect_zero};
use crate::domain::{Class, Codec, Digest, Error, Hash, Result, Step, limits};
use crate::stream::{BufferPool, PooledBuffer, ordered_map, worker_count};

/// Takes content as it is verified. Small blobs arrive verified; a blob larger than a chunk arrives in pieces and is verified only
/// when [`Sink::end`] is called.
///
/// The first three methods are about what an earlier try left behind; by default there was none.
pub trait Sink {
    /// How many chunks need not be read again.
    fn chunks_done(&self) -> u64 {
        0
    }

    /// Returns a manifest, index or release document of the chunks that are done.
    ///
    /// # Errors
    ///
    /// When it is not there any more.
    fn load(&mut self, blob: &Blob) -> Result<Vec<u8>> {
        Err(no_earlier_try(blob))
    }

    /// Hands the first `length` bytes of the large blob in which the earlier try ended to `take`, from the start.
    ///
    /// # Errors
    ///
    /// When they are not there any more.
    fn prefix(&mut self, blob: &Blob, _length: u64, _take: &mut dyn FnMut(&[u8])) -> Result<()> {
        Err(no_earlier_try(blob))
    }

    /// A blob that lies in one chunk: its digest was compared.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()>;

    /// A blob larger than a chunk begins, or goes on where the last try ended.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn begin(&mut self, blob: &Blob) -> Result<()>;

    /// The next piece of the blob that began: not verified yet.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete and its digest was compared. `pieces` are the hashes of its chunks.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn end(&mut self, blob: &Blob, pieces: &[Hash]) -> Result<()>;

    /// Every blob and piece of the first `chunks` chunks was handed over: the place to go on from after a stop.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn chunk_done(&mut self, chunks: u64, bytes_read: u64) -> Result<()>;

    /// The bytes of the bundle that an earlier try had read and that were passed over now.
    fn resumed(&mut self, _bytes: u64) {}

    /// The reference graph is good. Called once, before any layer that was not handed over in an earlier try.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn graph(&mut self, graph: Graph) -> Result<()>;
}

struct Job {
    number: u64,
    plan: ChunkPlan,
    chunk: Chunk,
    stored: PooledBuffer,
    bytes_read: u64,
}

struct Decoded {
    number: u64,
    plan: ChunkPlan,
    plain: Arc<PooledBuffer>,
    /// Hash of the plain bytes, for a piece of a large blob.
    piece: Option<Hash>,
    bytes_read: u64,
}

impl VerifiedBundle {
    /// Reads the rest of the bundle to its end.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; `E-CONTENT` and `E-LIMIT` at X13;
    /// `E-FORMAT` at X12; and those of the sink.
    pub fn read_payload(self, sink: &mut dyn Sink) -> Result<()> {
        let Self {
            mut source,
            head,
            index,
            ..
        } = self;
        let graph = GraphBuilder::new(&index, &head).map_err(|e| e.at(Step::X13))?;
        let early = usize::try_from(head.totals.early_blobs).unwrap_or(usize::MAX);
        let workers = worker_count();
        let pool = BufferPool::new(usize::try_from(head.chunk_bytes).unwrap_or(usize::MAX));
        let done = sink.chunks_done().min(index.chunks.len() as u64);
        let mut plans = (1_u64..).zip(index.cut(&head)).zip(index.chunks.iter().copied());
        let mut skipped = 0_u64;
        for ((_, _), chunk) in plans.by_ref().take(usize::try_from(done).unwrap_or(usize::MAX)) {
            skipped = skipped.saturating_add(super::entry::entry_bytes(u64::from(chunk.size)));
        }
        source
            .skip(skipped, Class::Incomplete)
            .map_err(|error| error.at(Step::X11))?;
        sink.resumed(skipped);
        thread::scope(|scope| {
            let mut collector = Collector {
                index: &index,
                early,
                graph: Some(graph),
                blob: 0,
                large: None,
                hasher: BlobHasher::start(scope),
                sink,
            };
            collector.catch_up(&head, done).map_err(|error| error.at(Step::X11))?;
            let mut failed = false;
            let reading = &mut source;
            ordered_map(
                workers,
                workers.saturating_add(3),
                || {
                    if failed {
                        return None;
                    }
                    let ((number, plan), chunk) = plans.next()?;
                    let job = read_chunk(reading, &pool, number, plan, chunk);
                    failed = job.is_err();
                    Some(job)
                },
                || {
                    let mut decoder = None;
                    let (index, pool) = (&index, pool.clone());
                    move |job: Result<Job>| decode(index, &pool, &mut decoder, job?)
                },
                |decoded: Result<Decoded>| collector.chunk(decoded?),
            )
            .map_err(|error| error.at(Step::X11))?;
            collector.finish()
        })?;
        read_end(&mut source).map_err(|error| error.at(Step::X12))
    }
}

fn read_chunk(source: &mut Source, pool: &BufferPool, number: u64, plan: ChunkPlan, chunk: Chunk) -> Result<Job> {
    source.header(&chunk_name(number), u64::from(chunk.size))?;
    // The index reader made sure that no stored size is above its plain size, and that is at most chunk_bytes.
    let mut stored = pool.take(usize::try_from(chunk.size).unwrap_or(usize::MAX));
    source.fill(stored.bytes_mut(), Class::Incomplete)?;
    source.padding(u64::from(chunk.size), Class::Incomplete)?;
    Ok(Job {
        number,
        plan,
        chunk,
        stored,
        bytes_read: source.position(),
    })
}

fn decode(index: &Index, pool: &BufferPool, decoder: &mut Option<Decoder>, job: Job) -> Result<Decoded> {
    let Job {
        number,
        plan,
        chunk,
        stored,
        bytes_read,
    } = job;
    let stored_hash = Hash(Sha256::digest(&*stored).into());
    if stored_hash != chunk.sha256 {
        return Err(Error::new(
            Class::Integrity,
            "stored-hash",
            format!(
                "chunk {number} ({}) is not the one that was signed",
                codec_word(chunk.codec)
            ),
        )
        .expected(chunk.sha256.to_string())
        .remedy("copy the bundle again: the medium or the copy is damaged"));
    }
    let plain = match chunk.codec {
        Codec::None => stored,
        Codec::Zstd => {
            let mut plain = pool.take(usize::try_from(plan.plain).unwrap_or(usize::MAX));
            let decoder = match decoder {
                Some(decoder) => decoder,
                none => none.insert(Decoder::new()?),
            };
            decoder.decode(&stored, plain.bytes_mut())?;
            plain
        }
    };
    let piece = if is_piece(index, plan) {
        Some(match chunk.codec {
            Codec::None => stored_hash,
            Codec::Zstd => Hash(Sha256::digest(&*plain).into()),
        })
    } else {
        for (blob, bytes) in blobs_in(index, plan, &plain) {
            check_digest(&blob, Digest(Hash(Sha256::digest(bytes).into())))?;
        }
        None
    };
    Ok(Decoded {
        number,
        plan,
        plain: Arc::new(plain),
        piece,
        bytes_read,
    })
}

/// Whether a chunk holds one piece of a blob that is larger than a chunk.
fn is_piece(index: &Index, plan: ChunkPlan) -> bool {
    index.blobs.get(plan.blob).is_some_and(|blob| blob.size > plan.plain)
}

/// Returns the whole blobs that a chunk holds.
fn blobs_in<'a>(index: &'a Index, plan: ChunkPlan, plain: &'a [u8]) -> impl Iterator<Item = (Blob, &'a [u8])> {
    let mut rest = plain;
    index
        .blobs
        .get(plan.blob..)
        .unwrap_or_default()
        .iter()
        .map_while(move |blob| {
            if rest.is_empty() {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(usize::try_from(blob.size).ok()?)?;
            rest = after;
            Some((*blob, bytes))
        })
}

fn check_digest(blob: &Blob, found: Digest) -> Result<()> {
    if found == blob.digest {
        Ok(())
    } else {
        Err(Error::new(
            Class::Integrity,
            "content-digest",
            format!("content signed as {} is {found}", blob.digest),
        )
        .remedy("tell the vendor: the bundle was built wrong, although its signature is good"))
    }
}

/// Cuts decoded chunks into blobs and hands them over.
struct Collector<'a, 'b, 'scope> {
    index: &'a Index,
    early: usize,
    /// Until the early blobs are in.
    graph: Option<GraphBuilder<'a>>,
    /// The next blob that begins.
    blob: usize,
    large: Option<Large>,
    hasher: BlobHasher<'scope>,
    sink: &'b mut dyn Sink,
}

/// A blob larger than a chunk, on its way.
struct Large {
    blob: Blob,
    seen: u64,
    pieces: Vec<Hash>,
    /// A large manifest or desired state, for the graph.
    document: Option<Vec<u8>>,
}

impl Collector<'_, '_, '_> {
    /// Puts back the state in which an earlier try ended.
    fn catch_up(&mut self, head: &super::head::Head, done: u64) -> Result<()> {
        for plan in self.index.cut(head).take(usize::try_from(done).unwrap_or(usize::MAX)) {
            while self.blob < plan.blob {
                self.recall()?;
            }
            let Some(blob) = self.index.blobs.get(plan.blob).copied() else {
                break;
            };
            if blob.size <= head.chunk_bytes {
                let end = plan.plain;
                let mut held: u64 = 0;
                while held < end {
                    held = held.saturating_add(self.index.blobs.get(self.blob).map_or(end, |blob| blob.size));
                    self.recall()?;
                }
            } else if plan.offset.saturating_add(plan.plain) == blob.size {
                self.large = None;
                self.recall()?;
            } else {
                self.large = Some(Large {
                    blob,
                    seen: plan.offset.saturating_add(plan.plain),
                    pieces: Vec::new(),
                    document: None,
                });
            }
        }
        let Some(mut large) = self.large.take() else {
            return Ok(());
        };
        // The earlier try ended inside a large blob: its prefix is hashed again, in the pieces it arrived in.
        self.hasher.begin();
        let keep = self.reads(&large.blob);
        let mut document = Vec::new();
        let mut piece = Sha256::new();
        let mut in_piece: u64 = 0;
        let mut pieces = Vec::new();
        self.sink.prefix(&large.blob, large.seen, &mut |mut bytes| {
            self.hasher.update_slice(bytes);
            if keep {
                document.extend_from_slice(bytes);
            }
            while !bytes.is_empty() {
                let room = usize::try_from(head.chunk_bytes.saturating_sub(in_piece)).unwrap_or(usize::MAX);
                let (now, later) = bytes.split_at(room.min(bytes.len()));
                piece.update(now);
                in_piece = in_piece.saturating_add(now.len() as u64);
                if in_piece == head.chunk_bytes {
                    pieces.push(Hash(std::mem::take(&mut piece).finalize().into()));
                    in_piece = 0;
                }
                bytes = later;
            }
        })?;
        large.pieces = pieces;
        large.document = keep.then_some(document);
        self.sink.begin(&large.blob)?;
        self.large = Some(large);
        Ok(())
    }

    /// Passes over a blob that an earlier try has stored; manifests are read again for the graph.
    fn recall(&mut self) -> Result<()> {
        let Some(blob) = self.index.blobs.get(self.blob).copied() else {
            return Ok(());
        };
        self.end_early_part()?;
        if let Some(graph) = &mut self.graph
            && graph.reads(&blob)
        {
            check_document_size(&blob)?;
            let bytes = self.sink.load(&blob)?;
            check_digest(&blob, super::plan::digest_of(&bytes))?;
            graph
                .add(self.blob, &blob, &bytes)
                .map_err(|error| error.at(Step::X13))?;
        }
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    fn chunk(&mut self, decoded: Decoded) -> Result<()> {
        let Decoded {
            number,
            plan,
            plain,
            piece,
            bytes_read,
        } = decoded;
        self.empty_blobs(plan.blob)?;
        match piece {
            Some(hash) => self.piece(plan, &plain, hash)?,
            None => {
                for (blob, bytes) in blobs_in(self.index, plan, &plain) {
                    self.whole(&blob, bytes)?;
                }
            }
        }
        drop(plain);
        self.sink.chunk_done(number, bytes_read)
    }

    /// Hands over blobs without bytes, which lie in no chunk, up to a blob.
    fn empty_blobs(&mut self, until: usize) -> Result<()> {
        while self.blob < until {
            let Some(blob) = self.index.blobs.get(self.blob).copied() else {
                break;
            };
            check_digest(&blob, super::plan::digest_of(b""))?;
            self.whole(&blob, b"")?;
        }
        self.end_early_part()
    }

    fn whole(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.end_early_part()?;
        if self.reads(blob) {
            check_document_size(blob)?;
            self.document(blob, bytes)?;
        }
        self.sink.blob(blob, bytes)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    /// Whether the graph needs the bytes of a blob. A manifest that comes too late is read, to be refused.
    fn reads(&self, blob: &Blob) -> bool {
        blob.media_type.is_some() || self.graph.as_ref().is_some_and(|graph| graph.reads(blob))
    }

    fn document(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        match &mut self.graph {
            Some(graph) => graph.add(self.blob, blob, bytes),
            None => Err(Error::new(
                Class::Content,
                "early",
                "a manifest stands behind the early blobs",
            )),
        }
        .map_err(|error| error.at(Step::X13))
    }

    fn piece(&mut self, plan: ChunkPlan, plain: &Arc<PooledBuffer>, hash: Hash) -> Result<()> {
        if plan.offset == 0 {
            let Some(blob) = self.index.blobs.get(plan.blob).copied() else {
                return Ok(());
            };
            check_document_size(&blob)?;
            self.hasher.begin();
            self.sink.begin(&blob)?;
            let document = self.reads(&blob).then(Vec::new);
            self.large = Some(Large {
                blob,
                seen: 0,
                pieces: Vec::new(),
                document,
            });
        }
        let Some(mut large) = self.large.take() else {
            return Err(Error::new(
                Class::Internal,
                "pieces",
                "a piece came before its blob began",
            ));
        };
        self.hasher.update(Arc::clone(plain));
        self.sink.piece(plain)?;
        large.pieces.push(hash);
        large.seen = large.seen.saturating_add(plan.plain);
        if let Some(document) = &mut large.document {
            document.extend_from_slice(plain);
        }
        if large.seen < large.blob.size {
            self.large = Some(large);
            return Ok(());
        }
        check_digest(&large.blob, self.hasher.finish()?)?;
        if let Some(document) = &large.document {
            self.document(&large.blob, document)?;
        }
        self.sink.end(&large.blob, &large.pieces)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    /// Once the early blobs are in, the whole graph is judged, before gigabytes of layers are read.
    fn end_early_part(&mut self) -> Result<()> {
        if self.blob < self.early {
            return Ok(());
        }
        match self.graph.take() {
            Some(graph) => {
                let graph = graph.finish().map_err(|error| error.at(Step::X13))?;
                self.sink.graph(graph)
            }
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.empty_blobs(self.index.blobs.len())
            .map_err(|error| error.at(Step::X11))
    }
}

fn no_earlier_try(blob: &Blob) -> Error {
    Error::new(
        Class::Internal,
        "resume",
        format!("{} was asked for although no earlier try was named", blob.digest),
    )
}

fn check_document_size(blob: &Blob) -> Result<()> {
    if blob.media_type.is_some() && blob.size > limits::MANIFEST_BYTES {
        return Err(Error::new(
            Class::Limit,
            "manifest-size",
            format!("the manifest {} has {} bytes", blob.digest, blob.size),
        )
        .expected(format!("at most {}", limits::MANIFEST_BYTES))
        .at(Step::X13));
    }
    Ok(())
}

fn read_end(source: &mut Source) -> Result<()> {
    let mut end = [0; END_BYTES];
    source.fill(&mut end, Class::Incomplete)?;
    expect_zero(&end, "end")?;
    if source.at_end()? {
        Ok(())
    } else {
        Err(Error::new(
            Class::Format,
            "trailing-data",
            "something follows the end of the bundle",
        )
        .expected("end of file after the two zero blocks")
        .remedy("copy the bundle again; if it stays so, do not use this medium"))
    }
}
