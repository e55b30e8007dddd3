//! Makes a blob of its travel form: records in, original bytes out, its digest at the end (SPEC M-148 to M-151).

use super::gathered::{Gathered, RecordBuffers};
use super::groups::{Copying, Groups};
use super::line::{Encoding, Gzip};
use super::original::Original;
use super::plain_cut::{PlainCut, RecordSpan};
use super::rebuilding::{Rebuilding, other_blob};
use super::record::{HEAD, RecordHead, Told, wrong};
use super::window::{WINDOW, Window};
use crate::container::{Kind, check_digest, check_prefixed, decode_prefixed};
use crate::domain::{Digest, Hash, Result};
use crate::panics::{self, caught};
use crate::recipe::PieceBuffers;
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

/// Windows and records that are used again: one blob is under way at a time.
#[derive(Debug, Clone)]
pub(crate) struct Buffers {
    windows: BufferPool,
    records: RecordBuffers,
    pieces: PieceBuffers,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            windows: BufferPool::new(WINDOW),
            records: RecordBuffers::default(),
            pieces: PieceBuffers::default(),
        }
    }
}

/// A blob that was restored.
pub(crate) struct Restored {
    /// The states of its SHA-256 at the ends of its pieces but the last.
    pub(crate) midstates: Vec<Hash>,
    /// Whether that took no more than half of the work that it may: what a writer asks for.
    pub(crate) easy: bool,
}

/// Takes a blob as it is restored: where a stretch begins, and its bytes. Nothing of it is verified before the end.
pub(crate) type TakeOriginal<'a> = dyn FnMut(u64, &[u8]) -> Result<()> + 'a;

/// A blob that is being restored.
pub(crate) struct Restorer {
    kind: &'static Kind,
    statement: Statement,
    /// Bytes of the travel form that did not come yet.
    left: u64,
    plains: Plains,
    /// What the record under way holds.
    next: Next,
    /// Bytes of plain that were made.
    plain: u64,
    /// What makes a gzip file of the plain, once its recipe is there.
    rebuilding: Option<Rebuilding>,
    head: Vec<u8>,
    /// What the head of the record under way says, once it is there.
    record: Option<RecordHead>,
    /// As much of its body as came, where it comes in parts.
    body: Gathered,
    window: Window,
    pieces: PieceBuffers,
    original: Original,
}

/// Where the plain comes from.
enum Plains {
    /// Its records alone.
    Records(PlainCut),
    /// Bases too.
    Groups(Box<Groups>),
}

/// What a record holds.
#[derive(Clone, Copy)]
enum Next {
    Recipe(Gzip),
    Script,
    Literal(RecordSpan),
    /// There is none.
    Nothing,
}

impl Plains {
    /// What follows a recipe, script or record.
    fn next(&mut self) -> Next {
        let span = match self {
            Self::Records(records) => records.next(),
            Self::Groups(groups) => groups.literal(),
        };
        match (span, self) {
            (Some(span), _) => Next::Literal(span),
            (None, Self::Groups(groups)) if groups.goes_on() => Next::Script,
            (None, _) => Next::Nothing,
        }
    }

    /// Whether the plain is made.
    fn makes(&self) -> bool {
        match self {
            Self::Records(_) => true,
            Self::Groups(groups) => groups.makes(),
        }
    }
}

impl Restorer {
    /// Starts at the first byte. A blob with bases is copied from what `copying` says.
    pub(crate) fn new(kind: &'static Kind, statement: Statement, copying: Option<Copying>, buffers: &Buffers) -> Self {
        let plain = statement.encoding.plain_size(statement.size);
        let mut plains = match copying {
            None => Plains::Records(PlainCut::new(plain)),
            Some(copying) => Plains::Groups(Box::new(Groups::new(plain, copying, &buffers.records))),
        };
        Self {
            kind,
            statement,
            left: statement.travel_size,
            next: match statement.encoding {
                Encoding::Plain => plains.next(),
                Encoding::Gzip(gzip) => Next::Recipe(gzip),
            },
            plains,
            plain: 0,
            rebuilding: None,
            head: Vec::with_capacity(HEAD),
            record: None,
            body: buffers.records.empty(),
            window: Window::new(&buffers.windows),
            pieces: buffers.pieces.clone(),
            original: Original::new(statement),
        }
    }

    /// Takes the next bytes of the travel form, whose chunk's stored hash was compared, and hands over what they make.
    ///
    /// # Errors
    ///
    /// `E-FORMAT travel`, `recipe`, `script` and `non-canonical-frame`; `E-LIMIT window`, `recipe-size`, `script-size`, `ranges` and
    /// `rebuild-work`; `E-INTEGRITY frame`, `script-head` and `rebuild`; those of reading bases and of `take`; `E-INTERNAL panic`.
    pub(crate) fn push(&mut self, bytes: &[u8], take: &mut TakeOriginal<'_>) -> Result<()> {
        caught("restorer", || {
            panics::point("restorer");
            self.try_push(bytes, take)
        })?
    }

    fn try_push(&mut self, mut bytes: &[u8], take: &mut TakeOriginal<'_>) -> Result<()> {
        while !bytes.is_empty() {
            if matches!(self.next, Next::Nothing) {
                return Err(wrong("more than its records"));
            }
            let Some(record) = self.record else {
                self.left = self.left.saturating_sub(fill(&mut self.head, HEAD, &mut bytes));
                if let Ok(head) = <[u8; HEAD]>::try_from(self.head.as_slice()) {
                    self.head.clear();
                    self.record = Some(match self.next {
                        Next::Literal(span) => RecordHead::read(head, self.left, span.plain)?,
                        Next::Recipe(_) | Next::Script | Next::Nothing => RecordHead::read_unsized(head, self.left)?,
                    });
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
                self.decode(record, body, take)?;
                continue;
            }
            let came = self.body.fill(record.body, &mut bytes);
            self.left = self.left.saturating_sub(came as u64);
            if self.body.len() == record.body
                && let Some(body) = self.body.take()
            {
                self.decode(record, &body, take)?;
            }
        }
        Ok(())
    }

    fn decode(&mut self, record: RecordHead, body: &[u8], take: &mut TakeOriginal<'_>) -> Result<()> {
        let Statement { digest, size, .. } = self.statement;
        match self.next {
            Next::Nothing => {}
            Next::Recipe(gzip) => {
                let recipe = record.told(self.kind, Told::Recipe, body)?;
                self.rebuilding = Some(Rebuilding::new(digest, size, gzip, recipe, &self.pieces)?);
            }
            Next::Script => {
                let script = record.told(self.kind, Told::Script, body)?;
                let Self {
                    plains,
                    plain,
                    rebuilding,
                    original,
                    ..
                } = self;
                if let Plains::Groups(groups) = plains {
                    groups.script(script, &mut |bytes| made(bytes, plain, rebuilding, original, take))?;
                }
            }
            Next::Literal(span) => self.literal(span, record, body, take)?,
        }
        self.record = None;
        self.next = self.plains.next();
        Ok(())
    }

    fn literal(
        &mut self,
        span: RecordSpan,
        record: RecordHead,
        body: &[u8],
        take: &mut TakeOriginal<'_>,
    ) -> Result<()> {
        let Self {
            kind,
            plains,
            plain,
            rebuilding,
            window,
            original,
            ..
        } = self;
        if !plains.makes() {
            // What it stands on is not at hand.
            return if record.raw {
                Ok(())
            } else {
                check_prefixed(kind, body, span.plain)
            };
        }
        let own = match plains {
            Plains::Records(_) => None,
            Plains::Groups(groups) => groups.prefix()?,
        };
        let literals = window.record(span, |before, plain| {
            if record.raw {
                plain.copy_from_slice(body);
                Ok(())
            } else {
                decode_prefixed(kind, body, own.as_deref().unwrap_or(before), plain)
            }
        })?;
        let mut made = |bytes: &[u8]| made(bytes, plain, rebuilding, original, take);
        match plains {
            Plains::Records(_) => made(literals),
            Plains::Groups(groups) => groups.apply(literals, &mut made),
        }
    }

    /// Returns how many bytes of plain were made.
    pub(crate) fn plain_done(&self) -> u64 {
        self.plain
    }

    /// Ends the blob: its travel form is used up, its plain and its digest are those that were signed. What is left of it is handed over.
    /// Nothing is returned of a blob whose bases are not at hand.
    ///
    /// # Errors
    ///
    /// `E-FORMAT travel`; `E-INTEGRITY plain-digest` and `content-digest`; those of [`Self::push`].
    pub(crate) fn finish(mut self, take: &mut TakeOriginal<'_>) -> Result<Option<Restored>> {
        if !matches!(self.next, Next::Nothing) {
            return Err(wrong("fewer records than its plain has"));
        }
        if !self.plains.makes() {
            return Ok(None);
        }
        let mut easy = true;
        if let Some(rebuilding) = self.rebuilding.take() {
            let original = &mut self.original;
            easy = caught("restorer", || {
                rebuilding.finish(&mut |bytes| take(original.take(bytes), bytes))
            })??;
        }
        let Statement { digest, encoding, .. } = self.statement;
        let (found, midstates) = self.original.finish();
        match encoding {
            Encoding::Gzip(gzip) if found != digest => Err(other_blob(digest, found, gzip)),
            _ => check_digest(self.kind, digest, found).map(|()| Some(Restored { midstates, easy })),
        }
    }
}

/// Takes plain as it is made: a gzip file is made of it, or it is the blob.
fn made(
    bytes: &[u8],
    plain: &mut u64,
    rebuilding: &mut Option<Rebuilding>,
    original: &mut Original,
    take: &mut TakeOriginal<'_>,
) -> Result<()> {
    *plain = plain.saturating_add(bytes.len() as u64);
    let mut take = |bytes: &[u8]| take(original.take(bytes), bytes);
    match rebuilding {
        Some(rebuilding) => rebuilding.plain(bytes, &mut take),
        None => take(bytes),
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
