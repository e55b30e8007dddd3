//! Makes the travel form of a blob: its source is read once, its records are compressed over all cores, the same bytes on any number of them.

use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::line::Gzip;
use super::plain_cut::{PREFIX, PlainCut};
use super::record::RecordHead;
use super::window::WINDOW;
use crate::container::encode_prefixed;
use crate::domain::{Class, Code, Digest, Error, Hash, Result};
use crate::stream::{PooledVec, VecPool, ordered_map, read_exact_or_end, worker_count};

/// Of ten parts of a blob its travel form may have so many: less gain is not worth a restoring.
pub(super) const MOST_TENTHS: u64 = 9;

/// How hard zstd tries with a recipe or script.
pub(super) const RECIPE_LEVEL: i32 = 19;

/// How hard zstd tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Level 9.
    Quick,
    /// Level 12: further ones give nothing for their time, up to the last.
    #[default]
    Normal,
    /// Level 19.
    Small,
}

/// A travel form that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TravelForm {
    /// Its bytes.
    pub size: u64,
    /// Their digest.
    pub digest: Digest,
}

/// A record on its way: what a worker compresses.
pub(super) struct Job {
    /// The prefix, and the plain behind it.
    pub(super) bytes: PooledVec,
    /// Where the plain begins.
    pub(super) plain: usize,
}

impl Level {
    /// Returns zstd's number of it.
    pub const fn number(self) -> i32 {
        match self {
            Self::Quick => 9,
            Self::Normal => 12,
            Self::Small => 19,
        }
    }

    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Normal => "normal",
            Self::Small => "small",
        }
    }
}

/// Writes the travel form of form `plain` of a blob to `out`; nothing as soon as it has too many bytes to be of use.
///
/// `progress` is told the plain bytes done so far.
///
/// # Errors
///
/// `E-INTEGRITY source` when the source does not hold what its digest and size say; `E-IO` and `E-SPACE` of both ends.
pub fn write_travel(
    digest: Digest,
    size: u64,
    source: &mut (dyn Read + Send),
    level: Level,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<TravelForm>> {
    let plain = Plain::new(digest, size, source);
    write(plain, size, None, level, out, progress)
}

/// As [`write_travel`], of form `gzip`: of a gzip file of `size` bytes that the recipe makes of the plain in `source`.
///
/// # Errors
///
/// As [`write_travel`].
pub fn write_gzip_travel(
    size: u64,
    (gzip, recipe): (Gzip, &[u8]),
    source: &mut (dyn Read + Send),
    level: Level,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<TravelForm>> {
    let plain = Plain::new(gzip.plain_digest, gzip.plain_size, source);
    write(plain, size, Some(recipe), level, out, progress)
}

fn write(
    mut plain: Plain<'_>,
    size: u64,
    recipe: Option<&[u8]>,
    level: Level,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<TravelForm>> {
    let most = size.saturating_mul(MOST_TENTHS) / 10;
    let mut written = Written::new(out);
    if let Some(recipe) = recipe {
        let job = Job {
            bytes: recipe.to_vec().into(),
            plain: 0,
        };
        let record = compress(job, RECIPE_LEVEL, &mut Vec::new())?;
        written.record(&Record { plain: 0, ..record })?;
    }
    let mut failed = false;
    let outcome = ordered_map(
        worker_count(),
        worker_count().saturating_add(1),
        || {
            if failed {
                return None;
            }
            let job = plain.next()?;
            failed = job.is_err();
            Some(job)
        },
        || {
            let mut buffer = Vec::new();
            move |job: Result<Job>| compress(job?, level.number(), &mut buffer)
        },
        |record: Result<Record>| {
            let record = record?;
            written.record(&record)?;
            progress(written.plain);
            if written.size > most { Err(no_gain()) } else { Ok(()) }
        },
    );
    match outcome {
        Err(error) if error.is(NO_GAIN) => Ok(None),
        done => done.map(|()| Some(written.finish())),
    }
}

/// The plain, read and compared, record by record.
struct Plain<'a> {
    source: Compared<'a>,
    records: PlainCut,
    /// The plain before the next record, of its group.
    before: PooledVec,
    /// What records are given away in: a fresh 12 MiB for each would cost more than compressing some of them.
    jobs: VecPool,
}

impl<'a> Plain<'a> {
    fn new(digest: Digest, size: u64, source: &'a mut (dyn Read + Send)) -> Self {
        Self {
            source: Compared::new(digest, size, source),
            records: PlainCut::new(size),
            before: PooledVec::default(),
            jobs: VecPool::default(),
        }
    }

    fn next(&mut self) -> Option<Result<Job>> {
        let span = self.records.next()?;
        if span.first {
            self.before.clear();
        }
        let plain = self.before.len();
        let mut bytes = std::mem::take(&mut self.before);
        bytes.resize(plain.saturating_add(usize::try_from(span.plain).unwrap_or(0)), 0);
        if let Err(error) = self.source.read(bytes.get_mut(plain..).unwrap_or_default()) {
            return Some(Err(error));
        }
        let kept = bytes.len().saturating_sub(PREFIX);
        self.before = self.jobs.take(WINDOW);
        self.before.extend_from_slice(bytes.get(kept..).unwrap_or_default());
        Some(Ok(Job { bytes, plain }))
    }
}

/// A source that is compared with its digest at its end.
pub(super) struct Compared<'a> {
    digest: Digest,
    size: u64,
    source: &'a mut (dyn Read + Send),
    read: u64,
    hash: Sha256,
}

impl<'a> Compared<'a> {
    pub(super) fn new(digest: Digest, size: u64, source: &'a mut (dyn Read + Send)) -> Self {
        Self {
            digest,
            size,
            source,
            read: 0,
            hash: Sha256::new(),
        }
    }

    /// Reads the next bytes; with the last of them it was compared.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source`, `E-IO`.
    pub(super) fn read(&mut self, record: &mut [u8]) -> Result<()> {
        let (digest, size) = (self.digest, self.size);
        let wrong = |what: &str| {
            Error::new(Class::Integrity, "source", format!("the source of {digest} {what}"))
                .expected(format!("{size} bytes with that digest"))
                .remedy("check the source; it changed or is damaged")
        };
        let unreadable = |error: std::io::Error| {
            Error::new(
                Class::Io,
                "source",
                format!("cannot read {digest} from its source: {error}"),
            )
            .with_source(error)
        };
        let read = read_exact_or_end(self.source, record).map_err(unreadable)?;
        if read != record.len() {
            return Err(wrong("ends too early"));
        }
        self.hash.update(&*record);
        self.read = self.read.saturating_add(read as u64);
        if self.read < size {
            return Ok(());
        }
        if read_exact_or_end(self.source, &mut [0]).map_err(unreadable)? > 0 {
            return Err(wrong("is longer than stated"));
        }
        let hash = std::mem::take(&mut self.hash);
        if Digest(Hash(hash.finalize().into())) == digest {
            Ok(())
        } else {
            Err(wrong("holds other content"))
        }
    }
}

/// A record as it is written.
pub(super) struct Record {
    pub(super) raw: bool,
    pub(super) body: Vec<u8>,
    pub(super) plain: u64,
}

/// Compresses what stands behind a prefix, or leaves it as it is.
pub(super) fn compress(job: Job, level: i32, buffer: &mut Vec<u8>) -> Result<Record> {
    let Job { bytes, plain } = job;
    let (prefix, body) = bytes.split_at_checked(plain).unwrap_or((&[], &bytes));
    let plain_size = body.len() as u64;
    buffer.resize(body.len(), 0);
    if let Some(length) = encode_prefixed(level, prefix, body, buffer)? {
        return Ok(Record {
            raw: false,
            body: buffer.get(..length).unwrap_or_default().to_vec(),
            plain: plain_size,
        });
    }
    Ok(Record {
        raw: true,
        body: body.to_vec(),
        plain: plain_size,
    })
}

/// The travel form as far as it is written.
pub(super) struct Written<'a> {
    out: &'a mut dyn Write,
    pub(super) size: u64,
    plain: u64,
    hash: Sha256,
}

impl<'a> Written<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            size: 0,
            plain: 0,
            hash: Sha256::new(),
        }
    }

    pub(super) fn record(&mut self, record: &Record) -> Result<()> {
        let head = RecordHead::bytes(record.raw, record.body.len());
        for bytes in [&head[..], &record.body] {
            self.hash.update(bytes);
            self.size = self.size.saturating_add(bytes.len() as u64);
            self.out
                .write_all(bytes)
                .map_err(|error| Error::io("write", Path::new("a travel form"), error))?;
        }
        self.plain = self.plain.saturating_add(record.plain);
        Ok(())
    }

    pub(super) fn finish(self) -> TravelForm {
        TravelForm {
            size: self.size,
            digest: Digest(Hash(self.hash.finalize().into())),
        }
    }
}

/// Code of what ends the writing of a form that is of no use; told to nobody.
const NO_GAIN: Code = Code::new("no-gain");

fn no_gain() -> Error {
    Error::new(Class::Other, NO_GAIN, "the travel form is of no use")
}
