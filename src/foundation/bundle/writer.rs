//! Writes a bundle: payload first behind a reserved head, then the head, deterministic on any number of cores.

use std::io::{Cursor, Read, Write};

use sha2::{Digest as _, Sha256};

use super::content::{BlobSource, BundleContent};
use super::head::Head;
use super::index::Blob;
use super::inventory::inventory;
use super::kind::BUNDLE;
use super::layout::BundleLayout;
use super::volumes::{CutVolumes, VolumesOut};
use crate::container::{
    Chunk, ChunksOut, EMPTY_APPROVALS, Input, OneFile, VolumeTable, bytes_before_payload, digest_of, page_entries,
    read_back, signatures_bytes, volume_lines, write_payload,
};
use crate::crypto::{Signature, SigningKey};
use crate::domain::{ContentItem, Digest, Hash, Result};

/// A bundle whose payload is written and whose head waits for signatures.
#[derive(Debug)]
pub struct UnsignedBundle {
    head: Head,
    head_bytes: Vec<u8>,
    /// The volume that was opened, or the first.
    volume: usize,
    trust: Vec<u8>,
    pages: Vec<Vec<u8>>,
    /// Entry 04 as it stands.
    approvals: Vec<u8>,
    /// Chunks as written; nothing for a bundle that was only opened to be signed.
    chunks: Vec<Chunk>,
    /// What it consists of; nothing for such a one.
    inventory: Vec<ContentItem>,
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
        progress: impl FnMut(u64),
    ) -> Result<UnsignedBundle> {
        self.write(content, source, OneFile(out), progress, |_, _| ())
    }

    /// As [`Self::write_payload`], in the volumes that were laid out: `out` stands at [`Self::payload_offset`] of the first.
    ///
    /// # Errors
    ///
    /// As [`Self::write_payload`]; those of `out`.
    pub fn write_volumes(
        self,
        content: BundleContent,
        source: &dyn BlobSource,
        out: &mut dyn VolumesOut,
        progress: impl FnMut(u64),
    ) -> Result<UnsignedBundle> {
        let most = self.volume_bytes.unwrap_or(u64::MAX);
        let cut = CutVolumes::new(out, most, self.head.payload_offset);
        self.write(content, source, cut, progress, |head, cut| {
            head.state_volumes(cut.into_counts());
        })
    }

    fn write<Out: ChunksOut>(
        self,
        content: BundleContent,
        source: &dyn BlobSource,
        mut out: Out,
        mut progress: impl FnMut(u64),
        written: impl FnOnce(&mut Head, Out),
    ) -> Result<UnsignedBundle> {
        let Self {
            mut head,
            mut index,
            trust,
            packing,
            bases_only,
            ..
        } = self;
        let mut held = HeldBlobs { content, source };
        let chunks = write_payload(
            &BUNDLE,
            index.payload(&head),
            packing.level,
            &mut |blob: &Blob| held.open(blob),
            &mut out,
            &mut progress,
        )?;
        head.totals.stored_bytes = chunks
            .iter()
            .map(|chunk| u64::from(chunk.size))
            .fold(0, u64::saturating_add);
        index.chunks = chunks;
        written(&mut head, out);
        let pages = index.to_pages();
        head.index = page_entries(&pages);
        head.check()?;
        Ok(UnsignedBundle {
            head_bytes: head.to_bytes(),
            volume: 1,
            trust,
            pages,
            approvals: EMPTY_APPROVALS.to_vec(),
            inventory: inventory(&head, &index, &bases_only),
            chunks: index.chunks,
            head,
        })
    }
}

/// What is written: small documents are at hand, all else is opened when its turn comes.
struct HeldBlobs<'a> {
    content: BundleContent,
    source: &'a dyn BlobSource,
}

impl HeldBlobs<'_> {
    fn open(&mut self, blob: &Blob) -> Result<(Box<dyn Read + Send>, Digest)> {
        if blob.encoding.is_some() {
            return self.source.open_travel(&blob.digest);
        }
        // A digest stands once in the index, so nothing asks for the same manifest again.
        let held = self.content.manifests.remove(&blob.digest).or_else(|| {
            let (_, bytes) = self
                .content
                .documents
                .iter()
                .find(|(_, bytes)| digest_of(bytes) == blob.digest)?;
            Some(bytes.clone())
        });
        match held {
            Some(bytes) => Ok((Box::new(Cursor::new(bytes)), blob.digest)),
            None => Ok((self.source.open(&blob.digest, blob.size)?, blob.digest)),
        }
    }
}

impl UnsignedBundle {
    /// Takes apart a bundle that was written before, to sign it again.
    pub(super) fn from_parts(
        (head, volume): (Head, usize),
        head_bytes: Vec<u8>,
        trust: Vec<u8>,
        pages: Vec<Vec<u8>>,
        approvals: Vec<u8>,
    ) -> Self {
        Self {
            head,
            head_bytes,
            volume,
            trust,
            pages,
            approvals,
            chunks: Vec::new(),
            inventory: Vec::new(),
        }
    }

    /// Lets go what only signers look at, and the index pages, once the bytes before the payload of all volumes are made.
    pub fn forget_content(&mut self) {
        self.pages = Vec::new();
        self.inventory = Vec::new();
    }

    /// Returns what a written bundle consists of.
    pub fn inventory(&self) -> &[ContentItem] {
        &self.inventory
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
        Signature::make(key, BUNDLE.head_type, &self.head_bytes)
    }

    /// Returns how many volumes it has.
    pub fn volumes(&self) -> usize {
        self.head.volumes.len()
    }

    /// Returns every byte before the payload of the volume that was opened, or of the first, with the signatures given and the approvals that are there.
    ///
    /// # Errors
    ///
    /// `E-LIMIT reserve` when the signatures do not fit in front of the payload.
    pub fn prologue(&self, signatures: &[Signature]) -> Result<Vec<u8>> {
        self.prologue_of(self.volume, signatures)
    }

    /// As [`Self::prologue`], and lets go what only signers look at, and each index page once it is taken: a read-back compares with these bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::prologue`].
    pub fn last_prologue(&mut self, signatures: &[Signature]) -> Result<Vec<u8>> {
        self.inventory = Vec::new();
        let pages = std::mem::take(&mut self.pages);
        self.prologue_with(self.volume, signatures, pages)
    }

    /// As [`Self::prologue`], of any volume, counted from 1.
    ///
    /// # Errors
    ///
    /// As [`Self::prologue`].
    pub fn prologue_of(&self, volume: usize, signatures: &[Signature]) -> Result<Vec<u8>> {
        self.prologue_with(volume, signatures, &self.pages)
    }

    fn prologue_with(
        &self,
        volume: usize,
        signatures: &[Signature],
        pages: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Vec<u8>> {
        let format = volume_lines(&BUNDLE, &self.head.volumes, volume);
        let entries = [
            format.as_bytes(),
            &signatures_bytes(signatures),
            &self.trust,
            &self.head_bytes,
            &self.approvals,
        ];
        bytes_before_payload(entries, pages, self.head.payload_offset).map_err(|error| {
            error.remedy(
                "keep the signature in a file beside the bundle: `airlock bundle sign BUNDLE --key KEY --detached FILE`, then `airlock import BUNDLE --signatures FILE`",
            )
        })
    }

    /// Reads the bundle back: the bytes before the payload, every header, and the hash of every stored chunk.
    ///
    /// `progress` is told the bytes read so far.
    ///
    /// # Errors
    ///
    /// `E-IO read-back` when the medium gives other bytes than were written; `E-IO` when it cannot be read.
    pub fn read_back(&self, prologue: &[u8], input: Box<dyn Input>, progress: impl FnMut(u64)) -> Result<()> {
        self.read_back_of(self.volume, prologue, input, progress)
    }

    /// As [`Self::read_back`], of any volume, counted from 1.
    ///
    /// # Errors
    ///
    /// As [`Self::read_back`].
    pub fn read_back_of(
        &self,
        volume: usize,
        prologue: &[u8],
        input: Box<dyn Input>,
        mut progress: impl FnMut(u64),
    ) -> Result<()> {
        let (first, last) = VolumeTable::new(&self.head.volumes).chunks(volume);
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let chunks = self.chunks.get(place(first.saturating_sub(1))..place(last));
        read_back(
            &BUNDLE,
            prologue,
            (first..).zip(chunks.unwrap_or_default().iter().copied()),
            self.head.chunk_bytes,
            input,
            &mut progress,
        )
    }
}
