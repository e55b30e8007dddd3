//! From a file to its recipe.

use std::io::{self, Read};

use crate::domain::Digest;
use crate::inflate::{self, Inflater, Member, Source};
use crate::producer::{Operation, Producer};
use crate::recipe::{BLOCKS, Fault, Rebuild, Writer, judge};

use super::survey::{Part, Stream, Survey};
use super::trial::Begin;

/// Bytes of the largest recipe.
pub const RECIPE: usize = 1 << 20;
/// Plain bytes after which a piece ends at the next border.
const PIECE: u64 = 1 << 20;
/// Plain on which every producer is tried, and on which those are of which several fitted: whether the one that is left makes all of the file is
/// seen where the file is rebuilt.
const TRIALS: [u64; 2] = [1 << 20, 8 << 20];
/// Borders that may be moved before a file is given up.
const MOVES: usize = 16;

/// A recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The recipe.
    pub recipe: Vec<u8>,
    /// The producer.
    pub producer: Producer,
    /// Plain bytes.
    pub plain: u64,
    /// Their digest.
    pub plain_digest: Digest,
    /// Pieces and framed operations.
    pub pieces: u64,
}

/// Why there is no recipe.
#[derive(Debug)]
pub enum Why {
    /// The file could not be read.
    Io(io::Error),
    /// It is no whole gzip file.
    NoGzip,
    /// No producer of the table begins like this.
    UnknownProducer,
    /// The producer that fitted makes something else further on.
    Differs,
    /// The recipe would be too large.
    TooLarge,
    /// Rebuilding takes more than half of the work that a reader allows.
    Work,
}

impl From<inflate::Fault> for Why {
    fn from(fault: inflate::Fault) -> Self {
        match fault {
            inflate::Fault::Io(error) => Self::Io(error),
            inflate::Fault::Cut | inflate::Fault::Damaged => Self::NoGzip,
        }
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A gzip file that was looked at: what it is made of, and who may have made it.
#[derive(Debug)]
pub struct Search {
    survey: Survey,
    fitting: Vec<(Producer, u64)>,
}

impl Search {
    /// Looks at a gzip file, which `open` opens at its begin as often as it is asked.
    ///
    /// # Errors
    ///
    /// [`Why`] there is no recipe.
    pub fn of<R: Read>(open: &mut dyn FnMut() -> io::Result<R>) -> Result<Self, Why> {
        let survey = Survey::read(open()?)?.ok_or(Why::TooLarge)?;
        let largest = survey.largest().ok_or(Why::UnknownProducer)?;
        let mut fitting = candidates(largest, survey.extra_flags);
        for plain in TRIALS {
            let begin = Begin::read(largest, plain, open()?, open()?)?;
            fitting.retain(|(producer, block)| begin.fits(*producer, *block));
            if largest.plain <= plain || fitting.len() < 2 {
                break;
            }
        }
        if fitting.is_empty() {
            return Err(Why::UnknownProducer);
        }
        Ok(Self { survey, fitting })
    }

    /// Makes the recipe that is likely right. Nobody has rebuilt the file by it yet.
    ///
    /// # Errors
    ///
    /// [`Why`] there is none.
    pub fn likely<R: Read>(&self, open: &mut dyn FnMut() -> io::Result<R>) -> Result<Found, Why> {
        let (producer, block) = *self.fitting.first().ok_or(Why::UnknownProducer)?;
        write(&self.survey, producer, block, &pieces(&self.survey, producer), open()?)
    }

    /// Finds a recipe by rebuilding the file, as often as that takes.
    ///
    /// # Errors
    ///
    /// [`Why`] there is none.
    pub fn thorough<R: Read>(&self, open: &mut dyn FnMut() -> io::Result<R>) -> Result<Found, Why> {
        let mut why = Why::UnknownProducer;
        for (producer, block) in self.fitting.iter().take(2) {
            match make(&self.survey, *producer, *block, open) {
                Err(Why::Differs) => why = Why::Differs,
                made => return made,
            }
        }
        Err(why)
    }
}

/// Producers that may have made a stream, with the plain bytes of a block, the likeliest first.
fn candidates(stream: &Stream, extra_flags: u8) -> Vec<(Producer, u64)> {
    let family = match stream.first_symbols {
        16_384 => "go-",
        16_383 => {
            if stream.first_empty.is_some() {
                "pigz-"
            } else {
                "zlib-"
            }
        }
        _ if stream.first_empty.is_some() => "pgzip-",
        _ => "klauspost-",
    };
    let level = match extra_flags {
        2 => "-9",
        4 => "-1",
        _ => "-6",
    };
    let mut all = Vec::new();
    for producer in Producer::ALL {
        let mut blocks = vec![0];
        if producer.operation() == Operation::Framed {
            blocks = [stream.first_empty.unwrap_or(0), 131_072, 262_144, 1_048_576].into();
            blocks.retain(|block| BLOCKS.contains(block));
            blocks.dedup();
        }
        for block in blocks {
            let id = producer.as_str();
            let rank = u8::from(!id.starts_with(family)) * 2 + u8::from(!id.ends_with(level));
            all.push((rank, producer, block));
        }
    }
    all.sort_by_key(|(rank, _, _)| *rank);
    all.into_iter().map(|(_, producer, block)| (producer, block)).collect()
}

/// Makes the recipe for one producer and rebuilds the file by it; a border that does not do is moved on.
fn make<R: Read>(
    survey: &Survey,
    producer: Producer,
    block: u64,
    open: &mut dyn FnMut() -> io::Result<R>,
) -> Result<Found, Why> {
    let mut pieces = pieces(survey, producer);
    for _ in 0..MOVES {
        let found = write(survey, producer, block, &pieces, open()?)?;
        let Some(at) = differs(&found, survey, open)? else {
            return Ok(found);
        };
        if !moved(survey, &mut pieces, at) {
            break;
        }
    }
    Err(Why::Differs)
}

/// Where the pieces of each stream end.
fn pieces(survey: &Survey, producer: Producer) -> Vec<Vec<(u64, u64)>> {
    let streams = survey.parts.iter().filter_map(|part| match part {
        Part::Stream(stream) => Some(cut(stream, producer.begins_anywhere())),
        Part::Raw(_) => None,
    });
    streams.collect()
}

/// Where the pieces of a stream end: at the first border a mebibyte after their start.
fn cut(stream: &Stream, anywhere: bool) -> Vec<(u64, u64)> {
    let mut ends = Vec::new();
    let mut from = 0;
    for (plain, bits) in &stream.borders {
        if anywhere && plain - from >= PIECE && *plain < stream.plain {
            ends.push((*plain, *bits));
            from = *plain;
        }
    }
    ends.push((stream.plain, stream.bits));
    ends
}

/// Moves the last border before a place of the file to the next one of its stream; false if there is none.
fn moved(survey: &Survey, pieces: &mut [Vec<(u64, u64)>], at: u64) -> bool {
    let streams = survey.parts.iter().filter_map(|part| match part {
        Part::Stream(stream) => Some(stream),
        Part::Raw(_) => None,
    });
    for (stream, ends) in streams.zip(pieces) {
        if at < stream.from || at >= stream.from + stream.bits / 8 {
            continue;
        }
        let bits = (at - stream.from) * 8 + 7;
        let Some(place) = ends
            .iter()
            .rposition(|(plain, end)| *end <= bits && *plain < stream.plain)
        else {
            return false;
        };
        let next = stream
            .borders
            .iter()
            .find(|(plain, _)| *plain > ends[place].0 && *plain < ends[place + 1].0);
        if let Some(next) = next {
            ends[place] = *next;
        } else {
            ends.remove(place);
        }
        return true;
    }
    false
}

fn write<R: Read>(
    survey: &Survey,
    producer: Producer,
    block: u64,
    pieces: &[Vec<(u64, u64)>],
    reader: R,
) -> Result<Found, Why> {
    let mut source = Source::new(reader);
    let mut writer = Writer::default();
    let mut count = 0;
    let mut streams = pieces.iter();
    for part in &survey.parts {
        match part {
            Part::Raw(range) => {
                let size = range.end - range.start;
                if writer.size() as u64 + size > RECIPE as u64 {
                    return Err(Why::TooLarge);
                }
                writer.raw(&source.bytes(size)?);
            }
            Part::Stream(stream) => {
                source.pass(stream.bits / 8)?;
                let ends = streams.next().map_or(&[][..], Vec::as_slice);
                if producer.operation() == Operation::Framed {
                    writer.framed(block, stream.plain, stream.bits / 8);
                    count += 1;
                    continue;
                }
                let mut before = (0, 0);
                let list: Vec<_> = ends
                    .iter()
                    .map(|end| {
                        let piece = (end.0 - before.0, end.1 - before.1);
                        before = *end;
                        piece
                    })
                    .collect();
                count += list.len() as u64;
                writer.stream(&list);
            }
        }
    }
    let recipe = writer.finish();
    if recipe.len() > RECIPE {
        return Err(Why::TooLarge);
    }
    Ok(Found {
        recipe,
        producer,
        plain: survey.plain,
        plain_digest: survey.digest,
        pieces: count,
    })
}

/// Rebuilds the file; the place from which on it is another one, if it is.
fn differs<R: Read>(
    found: &Found,
    survey: &Survey,
    open: &mut dyn FnMut() -> io::Result<R>,
) -> Result<Option<u64>, Why> {
    let judged = judge(found.recipe.clone(), found.producer, found.plain, survey.size);
    let Ok(judged) = judged else { return Ok(Some(0)) };
    let mut rebuild = Rebuild::new(judged);
    let mut wanted = Source::new(open()?);
    let mut right = 0;
    let rebuilt = {
        let mut compare = |bytes: &[u8]| {
            for byte in bytes {
                if wanted.at_end()? || wanted.byte()? != *byte {
                    return Err(Ends::Differs);
                }
                right += 1;
            }
            Ok(())
        };
        inflated(open()?, survey.plain, &mut |part| rebuild.feed(part, &mut compare))
            .and_then(|()| rebuild.finish(&mut compare))
    };
    match rebuilt {
        Ok(()) if !rebuild.is_easy() => Err(Why::Work),
        Ok(()) if right == survey.size => Ok(None),
        Ok(()) | Err(Ends::Differs) => Ok(Some(right)),
        Err(Ends::Why(why)) => Err(why),
    }
}

/// How rebuilding ends.
enum Ends {
    Differs,
    Why(Why),
}

impl From<Fault> for Ends {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Work => Self::Why(Why::Work),
            Fault::Differs | Fault::Recipe(_) => Self::Differs,
        }
    }
}

impl From<inflate::Fault> for Ends {
    fn from(fault: inflate::Fault) -> Self {
        Self::Why(fault.into())
    }
}

/// Inflates the members of a file, until there are so many bytes of plain.
///
/// # Errors
///
/// Those of the reader and of what is no gzip file, and what `take` fails with.
pub fn inflated<R: Read, E: From<inflate::Fault>>(
    reader: R,
    plain: u64,
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut source, mut inflater) = (Source::new(reader), Inflater::new());
    let mut left = plain;
    while left > 0 {
        Member::read(&mut source)?;
        inflater.start();
        loop {
            let block = inflater.block(&mut source, take)?;
            left = left.saturating_sub(block.plain);
            if block.last {
                break;
            }
        }
        Member::trailer(&mut source)?;
    }
    Ok(())
}
