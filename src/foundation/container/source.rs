//! Bytes from outside with their position, and errors in the words of the format.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};

use super::chunk_ranges::ChunkRanges;
use super::entry::{BLOCK, END_BYTES, compare_header, padding};
use super::kind::Kind;
use super::volumes::VolumeTable;
use crate::domain::{Class, Error, Result};
use crate::stream::read_exact_or_end;

/// Where a file's bytes come from, read once from front to back.
pub trait Input: Read + Send {
    /// Passes over bytes: a file seeks, a pipe reads and forgets.
    ///
    /// # Errors
    ///
    /// Those of the source; `UnexpectedEof` when it ends before.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

/// A file in memory.
impl<T: AsRef<[u8]> + Send> Input for io::Cursor<T> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let end = self.get_ref().as_ref().len() as u64;
        match self.position().checked_add(count).filter(|after| *after <= end) {
            Some(after) => {
                self.set_position(after);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Input with its position, and errors in the words of the format.
pub(crate) struct Source {
    input: Box<dyn Input>,
    kind: &'static Kind,
    position: u64,
    set: Option<Set>,
    /// The only chunks that there are, in a repair file.
    repair: Option<ChunkRanges>,
    /// What a next try need not do again.
    kept: Option<&'static str>,
}

/// What people call a file that holds some chunks.
const REPAIR_FILE: &str = "repair file";

/// A set of volumes, one of which is read.
struct Set {
    table: VolumeTable,
    /// The number of the one that is read; 0 where none is left.
    volume: usize,
    /// Those at hand behind it, ascending; each stands where its payload begins.
    next: VecDeque<(usize, Box<dyn Input>)>,
}

/// What people call the place of a chunk: the file, or the volume that holds it.
#[derive(Debug, Clone)]
pub(super) struct Nouns {
    noun: &'static str,
    table: Option<VolumeTable>,
}

impl Nouns {
    pub(super) fn of(&self, chunk: u64) -> String {
        match &self.table {
            Some(table) => table.noun(self.noun, table.volume_of(chunk)),
            None => self.noun.to_owned(),
        }
    }
}

impl Source {
    /// Starts at the beginning of an input.
    pub(crate) fn new(input: Box<dyn Input>, kind: &'static Kind) -> Self {
        Self {
            input,
            kind,
            position: 0,
            set: None,
            repair: None,
            kept: None,
        }
    }

    /// Says what whoever reads it from here on keeps for a next try, in words.
    pub(super) fn is_kept(&mut self, kept: Option<&'static str>) {
        self.kept = kept;
    }

    /// Says that it is one volume of a set.
    pub(crate) fn is_of_set(&mut self, table: VolumeTable, volume: usize) {
        self.set = Some(Set {
            table,
            volume,
            next: VecDeque::new(),
        });
    }

    /// Says that it holds these chunks alone.
    pub(crate) fn is_repair(&mut self, chunks: ChunkRanges) {
        self.repair = Some(chunks);
    }

    /// Returns the chunks that a repair file holds; nothing for a file or a volume that holds all of its own.
    pub(crate) fn repair(&self) -> Option<&ChunkRanges> {
        self.repair.as_ref()
    }

    /// Adds another volume of the set; both stand where their payloads begin. What is read is the lower one first.
    pub(crate) fn join(&mut self, other: Self) {
        let (Some(set), Some(added)) = (&mut self.set, other.set) else {
            return;
        };
        let (mut volume, mut input) = (added.volume, other.input);
        if set.volume == 0 {
            (set.volume, self.input) = (volume, input);
            return;
        }
        if volume < set.volume {
            std::mem::swap(&mut set.volume, &mut volume);
            std::mem::swap(&mut self.input, &mut input);
        }
        let place = set.next.partition_point(|(next, _)| *next < volume);
        set.next.insert(place, (volume, input));
    }

    /// Adds another volume of the set that stands where its payload begins.
    pub(crate) fn add(&mut self, volume: usize, input: Box<dyn Input>) {
        let table = self.set.as_ref().map(|set| set.table.clone());
        let mut other = Self::new(input, self.kind);
        other.set = table.map(|table| Set {
            table,
            volume,
            next: VecDeque::new(),
        });
        self.join(other);
    }

    /// Takes a volume behind the one that is read out of the set: it is not at hand any more.
    pub(crate) fn take(&mut self, volume: usize) -> Option<Self> {
        let set = self.set.as_mut()?;
        let input = if set.volume == volume {
            // What is left of the set is read from its next one on; of the last, nothing is.
            if let Some((next, input)) = set.next.pop_front() {
                set.volume = next;
                std::mem::replace(&mut self.input, input)
            } else {
                set.volume = 0;
                std::mem::replace(&mut self.input, Box::new(io::Cursor::new(Vec::new())))
            }
        } else {
            let place = set.next.iter().position(|(next, _)| *next == volume)?;
            set.next.remove(place)?.1
        };
        let mut taken = Self::new(input, self.kind);
        taken.is_of_set(set.table.clone(), volume);
        Some(taken)
    }

    /// Returns the numbers of the volumes at hand that are not passed yet; nothing for a single file.
    pub(crate) fn volumes_at_hand(&self) -> Vec<usize> {
        let set = self.set.iter();
        let all = set.flat_map(|set| {
            [set.volume]
                .into_iter()
                .chain(set.next.iter().map(|(volume, _)| *volume))
        });
        all.filter(|volume| *volume > 0).collect()
    }

    /// Whether a chunk is at hand: its volume, which is not passed yet, or it itself in a repair file.
    pub(crate) fn holds(&self, chunk: u64) -> bool {
        let is_in_repair = self.repair.as_ref().is_none_or(|repair| repair.contains(chunk));
        is_in_repair
            && self.set.as_ref().is_none_or(|set| {
                let volume = set.table.volume_of(chunk);
                set.volume == volume || set.next.iter().any(|(next, _)| *next == volume)
            })
    }

    /// Whether a chunk lies in another volume than the one that is read.
    pub(super) fn begins_volume(&self, chunk: u64) -> bool {
        self.set
            .as_ref()
            .is_some_and(|set| set.table.volume_of(chunk) != set.volume)
    }

    /// Stands before a chunk: where it lies in the next volume, the one before is read to its end first.
    ///
    /// # Errors
    ///
    /// `E-INCOMPLETE volumes` when the volume is not at hand, `repair` when a repair file does not hold it; those of [`Self::end`].
    pub(super) fn begin_chunk(&mut self, chunk: u64) -> Result<()> {
        if let Some(repair) = self.repair.as_ref().filter(|repair| !repair.contains(chunk)) {
            return Err(self.not_in(repair, chunk));
        }
        let Some(set) = &self.set else { return Ok(()) };
        let wanted = set.table.volume_of(chunk);
        while let Some(set) = &self.set
            && set.volume < wanted
        {
            if set.volume > 0 {
                self.end()?;
            }
            let Some(set) = &mut self.set else { break };
            match set.next.pop_front() {
                Some((volume, input)) => (set.volume, self.input) = (volume, input),
                None => return Err(self.missing(wanted)),
            }
        }
        match &self.set {
            Some(set) if set.volume != wanted => Err(self.missing(wanted)),
            _ => Ok(()),
        }
    }

    /// Returns what people call the places of chunks.
    pub(super) fn nouns(&self) -> Nouns {
        Nouns {
            noun: self.own_noun(),
            table: self.set.as_ref().map(|set| set.table.clone()),
        }
    }

    /// Returns what people call what is read now.
    pub(super) fn noun(&self) -> String {
        match &self.set {
            Some(set) => set.table.noun(self.kind.noun, set.volume),
            None => self.own_noun().to_owned(),
        }
    }

    fn own_noun(&self) -> &'static str {
        match self.repair {
            Some(_) => REPAIR_FILE,
            None => self.kind.noun,
        }
    }

    fn not_in(&self, repair: &ChunkRanges, chunk: u64) -> Error {
        let noun = self.kind.noun;
        Error::new(
            Class::Incomplete,
            "repair",
            format!("this is a {REPAIR_FILE} with the chunks {repair} of a {noun}, and chunk {chunk} is read"),
        )
        .expected(format!("a whole {noun}"))
        .remedy(format!(
            "name the {noun} itself; this file goes to `airlock import FILE` at the site that it mends"
        ))
    }

    fn missing(&self, volume: usize) -> Error {
        let count = self.set.as_ref().map_or(1, |set| set.table.count());
        Error::new(
            Class::Incomplete,
            "volumes",
            format!("volume {volume} of {count} is missing"),
        )
        .expected(format!("the file of volume {volume}, beside those at hand"))
        .remedy(format!(
            "give volume {volume} too, by itself or in a folder with the others{}",
            self.kept()
        ))
    }

    /// Returns the kind of file that is read.
    pub(crate) fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// Returns how many bytes were read or passed over.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Fills the buffer.
    ///
    /// # Errors
    ///
    /// `E-FORMAT truncated` before entry 05, `E-INCOMPLETE truncated` from there on; `E-INCOMPLETE stall`; `E-IO`.
    pub(crate) fn fill(&mut self, buffer: &mut [u8], cut: Class) -> Result<()> {
        let count = read_exact_or_end(&mut self.input, buffer).map_err(|error| self.failed(error))?;
        self.position = self.position.saturating_add(count as u64);
        if count == buffer.len() {
            Ok(())
        } else {
            Err(self.truncated(cut))
        }
    }

    /// Passes over bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`].
    pub(crate) fn skip(&mut self, count: u64, cut: Class) -> Result<()> {
        match self.input.skip(count) {
            Ok(()) => {
                self.position = self.position.saturating_add(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.truncated(cut)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Whether the source has ended.
    ///
    /// # Errors
    ///
    /// `E-INCOMPLETE stall`; `E-IO`.
    pub(crate) fn at_end(&mut self) -> Result<bool> {
        let count = read_exact_or_end(&mut self.input, &mut [0]).map_err(|error| self.failed(error))?;
        Ok(count == 0)
    }

    /// Reads `size` bytes of content and its padding, which must be zero.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT padding`.
    pub(crate) fn content(&mut self, size: u64, cut: Class) -> Result<Vec<u8>> {
        // Callers compare the size with a cap before they ask.
        let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        self.fill(&mut content, cut)?;
        self.padding(size, cut)?;
        Ok(content)
    }

    /// Reads the padding after content of a size.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT padding`.
    pub(crate) fn padding(&mut self, size: u64, cut: Class) -> Result<()> {
        let mut pad = [0; BLOCK];
        let pad = pad
            .get_mut(..usize::try_from(padding(size)).unwrap_or(0))
            .unwrap_or_default();
        self.zeros(pad, "padding", cut)
    }

    /// Fills the buffer with what must be zero.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT` with `what` as its code.
    pub(super) fn zeros(&mut self, buffer: &mut [u8], what: &'static str, cut: Class) -> Result<()> {
        self.fill(buffer, cut)?;
        if buffer.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(
            Error::new(Class::Format, what, format!("the {what} holds other bytes than zero"))
                .expected("zero bytes")
                .remedy(format!("copy the {} again: something changed it", self.noun())),
        )
    }

    /// Reads a header and compares it with the one that must stand here.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT header`.
    pub(crate) fn header(&mut self, name: &str, size: u64) -> Result<()> {
        let mut header = [0; BLOCK];
        self.fill(&mut header, Class::Incomplete)?;
        compare_header(self.kind, &self.noun(), &header, name, size)
    }

    /// Reads the two zero blocks, and the end of the file right behind them.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT end` and `trailing-data`.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.zeros(&mut [0; END_BYTES], "end", Class::Incomplete)?;
        if self.at_end()? {
            return Ok(());
        }
        let noun = self.noun();
        Err(Error::new(
            Class::Format,
            "trailing-data",
            format!("something follows the end of the {noun}"),
        )
        .expected("end of file after the two zero blocks")
        .remedy(format!("copy the {noun} again; if it stays so, do not use this medium")))
    }

    fn truncated(&self, class: Class) -> Error {
        let noun = self.noun();
        if class == Class::Format {
            // Not even the entries before the signed head are whole: there was nothing to verify.
            return Error::new(
                class,
                "truncated",
                format!("the file ends after {} bytes and is no {noun}", self.position),
            )
            .expected(format!("a whole {noun}"))
            .remedy(format!(
                "check that it is the right file, or copy the {noun} again; nothing of it was kept"
            ));
        }
        // Over several volumes that is a number of no file.
        let found = match self.set {
            Some(_) => format!("the {noun} ends too early"),
            None => format!("the {noun} ends after {} bytes", self.position),
        };
        Error::new(class, "truncated", found)
            .expected(format!("the whole {noun}"))
            .remedy(format!("copy it again, and try again{}", self.kept()))
    }

    /// Says what a next try need not do again, where anything came at all.
    fn kept(&self) -> String {
        match self.kept {
            Some(kept) if self.position > 0 => format!("; {kept}"),
            _ => String::new(),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::TimedOut {
            return Error::new(
                Class::Incomplete,
                "stall",
                format!("the source fell silent after {} bytes", self.position),
            )
            // A pipe says here what it waited for.
            .expected(error.to_string())
            .remedy(format!("start the feed again, and try again{}", self.kept()))
            .with_source(error);
        }
        Error::new(
            Class::Io,
            "read",
            format!("the source cannot be read after {} bytes: {error}", self.position),
        )
        .remedy(format!(
            "put the medium back or use another copy, and try again{}",
            self.kept()
        ))
        .with_source(error)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source at {}", self.position)
    }
}
