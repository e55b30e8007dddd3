//! Makes a blob of its travel form: records in, original bytes out, its digest at the end (SPEC M-148 to M-151).

use super::line::Encoding;
use super::original::Original;
use super::plain_cut::{PlainCut, RecordSpan};
use super::record::{HEAD, RecordHead, wrong};
use super::window::{WINDOW, Window};
use crate::container::{Kind, decode_prefixed};
use crate::domain::{Digest, Hash, Result};
use crate::panics::{self, caught};
use crate::stream::BufferPool;

/// What the index says of an encoded blob, and how its bundle is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    /// Digest of the blob.
    pub(crate) digest: Digest,
    /// Its bytes.
    pub(crate) size: u64,
    /// Bytes of its travel form.
    pub(crate) travel_size: u64,
    /// How it travels.
    pub(crate) encoding: Encoding,
    /// Bytes of the pieces that it will be served in.
    pub(crate) chunk_bytes: u64,
}

/// Windows that are used again: one is under way at a time.
#[derive(Debug, Clone)]
pub(crate) struct Windows(BufferPool);

impl Default for Windows {
    fn default() -> Self {
        Self(BufferPool::new(WINDOW))
    }
}

/// Takes a blob as it is restored: where a stretch begins, and its bytes. Nothing of it is verified before the end.
pub(crate) type TakeOriginal<'a> = dyn FnMut(u64, &[u8]) -> Result<()> + 'a;

/// A blob that is being restored.
pub(crate) struct Restorer {
    kind: &'static Kind,
    /// Bytes of the travel form that did not come yet.
    left: u64,
    records: PlainCut,
    /// The record under way; nothing behind the last one.
    span: Option<RecordSpan>,
    head: Vec<u8>,
    /// What the head of the record under way says, once it is there.
    record: Option<RecordHead>,
    /// As much of its body as came, where it comes in parts.
    body: Vec<u8>,
    window: Window,
    original: Original,
}

impl Restorer {
    /// Starts at the first byte.
    pub(crate) fn new(kind: &'static Kind, statement: Statement, windows: &Windows) -> Self {
        let mut records = PlainCut::new(statement.encoding.plain_size(statement.size));
        Self {
            kind,
            left: statement.travel_size,
            span: records.next(),
            records,
            head: Vec::with_capacity(HEAD),
            record: None,
            body: Vec::new(),
            window: Window::new(&windows.0),
            original: Original::new(statement),
        }
    }

    /// Takes the next bytes of the travel form, whose chunk's stored hash was compared, and hands over what they make.
    ///
    /// # Errors
    ///
    /// `E-FORMAT travel` and `non-canonical-frame`; `E-LIMIT window`; `E-INTEGRITY frame`; those of `take`; `E-INTERNAL panic`.
    pub(crate) fn push(&mut self, bytes: &[u8], take: &mut TakeOriginal<'_>) -> Result<()> {
        caught("restorer", || {
            panics::point("restorer");
            self.try_push(bytes, take)
        })?
    }

    fn try_push(&mut self, mut bytes: &[u8], take: &mut TakeOriginal<'_>) -> Result<()> {
        while !bytes.is_empty() {
            let span = self.span.ok_or_else(|| wrong("more than its records"))?;
            let Some(record) = self.record else {
                self.left = self.left.saturating_sub(fill(&mut self.head, HEAD, &mut bytes));
                if let Ok(head) = <[u8; HEAD]>::try_from(self.head.as_slice()) {
                    self.head.clear();
                    self.record = Some(RecordHead::read(head, self.left, span.plain)?);
                }
                continue;
            };
            // A body that is at hand whole is not gathered.
            let whole = if self.body.is_empty() {
                bytes.split_at_checked(record.body)
            } else {
                None
            };
            if let Some((body, rest)) = whole {
                bytes = rest;
                self.left = self.left.saturating_sub(body.len() as u64);
                self.decode(span, record, body, take)?;
                continue;
            }
            self.left = self.left.saturating_sub(fill(&mut self.body, record.body, &mut bytes));
            if self.body.len() == record.body {
                let body = std::mem::take(&mut self.body);
                self.decode(span, record, &body, take)?;
                self.body = body;
                self.body.clear();
            }
        }
        Ok(())
    }

    fn decode(&mut self, span: RecordSpan, record: RecordHead, body: &[u8], take: &mut TakeOriginal<'_>) -> Result<()> {
        let kind = self.kind;
        let plain = self.window.record(span, |prefix, plain| {
            if record.raw {
                plain.copy_from_slice(body);
                Ok(())
            } else {
                decode_prefixed(kind, body, prefix, plain)
            }
        })?;
        let offset = self.original.take(plain);
        take(offset, plain)?;
        self.record = None;
        self.span = self.records.next();
        Ok(())
    }

    /// Ends the blob: its travel form is used up, and its digest is the one that was signed. Returns the states of its SHA-256 at the ends
    /// of its pieces but the last.
    ///
    /// # Errors
    ///
    /// `E-FORMAT travel`; `E-INTEGRITY content-digest`.
    pub(crate) fn finish(self) -> Result<Vec<Hash>> {
        if self.span.is_some() {
            return Err(wrong("fewer records than its plain has"));
        }
        self.original.finish(self.kind)
    }
}

/// Moves bytes over until `wanted` are gathered; returns how many.
fn fill(gathered: &mut Vec<u8>, wanted: usize, bytes: &mut &[u8]) -> u64 {
    let missing = wanted.saturating_sub(gathered.len());
    let (now, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
    gathered.reserve_exact(missing);
    gathered.extend_from_slice(now);
    *bytes = rest;
    now.len() as u64
}
