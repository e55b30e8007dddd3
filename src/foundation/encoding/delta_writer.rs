//! Makes the travel form of a blob of which bases have a part: its source is read once, and only what none of them has is compressed.

use std::io::{Read, Write};
use std::path::Path;

use super::line::Gzip;
use super::plain_cut::{GROUP, PREFIX, RECORD};
use super::travel_writer::{Compared, Job, Level, MOST_TENTHS, RECIPE_LEVEL, Record, TravelForm, Written, compress};
use crate::delta::Stretch;
use crate::delta::find::{BasePlain, Known, Matcher};
use crate::domain::{Digest, Error, Result, limits};

/// Bytes of plain that are compared at once.
const PART: usize = 256 << 10;

/// What a blob is made of that travels as a delta.
#[derive(Debug, Clone, Copy)]
pub enum Made<'a> {
    /// It is its own plain.
    Plain(Digest, u64),
    /// A gzip file of so many bytes, and the recipe that makes it of its plain.
    Gzip(u64, Gzip, &'a [u8]),
}

/// Plains of bases, and what is known of them.
#[derive(Clone, Copy)]
pub struct Bases<'a> {
    /// In the order in which the blob's line mentions them.
    pub plains: &'a [&'a dyn BasePlain],
    /// Made of these.
    pub known: &'a Known,
}

impl std::fmt::Debug for Bases<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bases")
            .field("plains", &self.plains.len())
            .finish_non_exhaustive()
    }
}

/// Writes the travel form of a blob to `out`; nothing as soon as it is of no use.
///
/// `progress` is told the plain bytes done so far.
///
/// # Errors
///
/// `E-INTEGRITY source` when the source does not hold what its digest and size say; `E-IO` and `E-SPACE` of both ends and of the bases.
pub fn write_delta_travel(
    made: Made<'_>,
    bases: Bases<'_>,
    source: &mut (dyn Read + Send),
    level: Level,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<TravelForm>> {
    let (size, digest, plain) = match made {
        Made::Plain(digest, size) => (size, digest, size),
        Made::Gzip(size, gzip, _) => (size, gzip.plain_digest, gzip.plain_size),
    };
    let most = size.saturating_mul(MOST_TENTHS) / 10;
    let mut written = Written::new(out);
    if let Made::Gzip(_, _, recipe) = made {
        written.record(&told(recipe)?)?;
    }
    let mut source = Compared::new(digest, plain, source);
    let mut matcher = Matcher::new(bases.plains, bases.known, plain);
    let (mut left, mut part) = (plain, Vec::new());
    while left > 0 {
        let mut group = Group::new(bases.plains, level);
        let mut of_group = left.min(GROUP);
        left = left.saturating_sub(of_group);
        while of_group > 0 {
            let now = usize::try_from(of_group).map_or(PART, |left| left.min(PART));
            part.resize(now, 0);
            source.read(&mut part)?;
            matcher.feed(&part, &mut group.literals).map_err(unreadable)?;
            of_group = of_group.saturating_sub(now as u64);
            group.records(&mut matcher, RECORD)?;
            progress(plain.saturating_sub(left).saturating_sub(of_group));
        }
        group.records(&mut matcher, 1)?;
        let script = matcher.group().script(&group.ranges);
        if script.len() as u64 > limits::RECIPE_BYTES {
            return Ok(None);
        }
        written.record(&told(&script)?)?;
        for record in &group.made {
            written.record(record)?;
        }
        if written.size > most {
            return Ok(None);
        }
    }
    Ok(Some(written.finish()))
}

/// A recipe or script as a record.
fn told(bytes: &[u8]) -> Result<Record> {
    let job = Job {
        bytes: bytes.to_vec().into(),
        plain: 0,
    };
    let record = compress(job, RECIPE_LEVEL, &mut Vec::new())?;
    Ok(Record { plain: 0, ..record })
}

fn unreadable(error: std::io::Error) -> Error {
    Error::io("read", Path::new("the base of a layer"), error)
}

/// The literal bytes of a group, compressed.
struct Group<'a> {
    bases: &'a [&'a dyn BasePlain],
    level: Level,
    /// Those that are no record yet.
    literals: Vec<u8>,
    /// Those before them, as far as they may stand in front of a record.
    before: Vec<u8>,
    made: Vec<Record>,
    ranges: Vec<Vec<Stretch>>,
}

impl<'a> Group<'a> {
    fn new(bases: &'a [&'a dyn BasePlain], level: Level) -> Self {
        Self {
            bases,
            level,
            literals: Vec::new(),
            before: Vec::new(),
            made: Vec::new(),
            ranges: Vec::new(),
        }
    }

    /// Makes records of the literals, as long as there are so many.
    fn records(&mut self, matcher: &mut Matcher<'_>, least: u64) -> Result<()> {
        while self.literals.len() as u64 >= least {
            let end = usize::try_from(RECORD).map_or(self.literals.len(), |record| record.min(self.literals.len()));
            let rest = self.literals.split_off(end);
            let record = std::mem::replace(&mut self.literals, rest);
            self.record(&record, matcher.prefix())?;
        }
        Ok(())
    }

    /// Compresses a record behind the literals before it, or behind what bases have in its place: whatever makes it smaller.
    fn record(&mut self, record: &[u8], ranges: Vec<Stretch>) -> Result<()> {
        let plain = self.compressed(&self.before, record)?;
        let beside = if ranges.is_empty() {
            None
        } else {
            Some(self.compressed(&self.beside(&ranges)?, record)?)
        };
        let (made, ranges) = match beside {
            Some(beside) if beside.body.len() < plain.body.len() => (beside, ranges),
            _ => (plain, Vec::new()),
        };
        self.made.push(made);
        self.ranges.push(ranges);
        self.before.extend_from_slice(record);
        let kept = self.before.len().saturating_sub(PREFIX);
        self.before.drain(..kept);
        Ok(())
    }

    fn compressed(&self, prefix: &[u8], record: &[u8]) -> Result<Record> {
        let job = Job {
            bytes: [prefix, record].concat().into(),
            plain: prefix.len(),
        };
        compress(job, self.level.number(), &mut Vec::new())
    }

    fn beside(&self, ranges: &[Stretch]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for range in ranges {
            let start = bytes.len();
            bytes.resize(start.saturating_add(usize::try_from(range.length).unwrap_or(0)), 0);
            let Some(base) = self.bases.get(range.base) else {
                continue;
            };
            base.read(range.offset, bytes.get_mut(start..).unwrap_or_default())
                .map_err(unreadable)?;
        }
        Ok(bytes)
    }
}
