//! A plain as it comes, block by block: what a base has is copied, what none has is a literal.

use std::io;

use super::super::grammar::{LITERAL_RECORD, Stretch};
use super::super::head::{self, HEAD, retold};
use super::super::judge::RANGE_BYTES;
use super::super::write::Writer;
use super::known::{Body, Known, Place};
use super::tar::{Kind, Walk};
use super::{BLOCK, BasePlain};

/// Bytes of a base that are held at once.
const WINDOW: usize = 64 << 10;
/// Bytes of a long body in front of and behind the place where a literal stands, that stand in front of it.
const AROUND: u64 = 32 << 10;
/// Ranges in front of a record: more say little that the others did not.
const RANGES: usize = 1_024;

/// What a record's literals are compressed after.
#[derive(Debug, Default)]
struct Prefix {
    ranges: Vec<Stretch>,
    bytes: u64,
}

/// A group that is complete: its script is written once it is known what stands in front of its records.
#[derive(Debug)]
pub struct Group(Writer);

/// Compares a plain with bases.
pub struct Matcher<'a> {
    bases: &'a [&'a dyn BasePlain],
    known: &'a Known,
    plain_size: u64,
    at: u64,
    walk: Walk,
    is_tar: bool,
    /// Where the base goes on beside the plain.
    cursor: Option<Place>,
    /// The old body of the member under way, and where its new one begins and how long it is.
    beside: Option<(Body, u64, u64)>,
    script: Writer,
    prefix: Prefix,
    window: Vec<u8>,
    window_at: Option<Place>,
}

impl std::fmt::Debug for Matcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matcher").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<'a> Matcher<'a> {
    /// For a plain of so many bytes.
    pub fn new(bases: &'a [&'a dyn BasePlain], known: &'a Known, plain_size: u64) -> Self {
        Self {
            bases,
            known,
            plain_size,
            at: 0,
            walk: Walk::default(),
            is_tar: false,
            cursor: None,
            beside: None,
            script: Writer::default(),
            prefix: Prefix::default(),
            window: Vec::new(),
            window_at: None,
        }
    }

    /// Takes the next bytes of the plain: whole blocks, but for its end. Those that no base has are added to `literals`.
    ///
    /// # Errors
    ///
    /// Those of the bases.
    pub fn feed(&mut self, bytes: &[u8], literals: &mut Vec<u8>) -> io::Result<()> {
        for block in bytes.chunks(BLOCK) {
            let kind = self.walk.block(block);
            if !self.block(block, kind)? {
                self.script.literal(block.len() as u64);
                literals.extend_from_slice(block);
                self.stands_beside(block.len() as u64);
                if let Some(cursor) = &mut self.cursor {
                    cursor.offset = cursor.offset.saturating_add(block.len() as u64);
                }
            }
            self.at = self.at.saturating_add(block.len() as u64);
        }
        Ok(())
    }

    /// Literal bytes of the group under way, so far.
    pub fn literals(&self) -> u64 {
        self.script.literals()
    }

    /// Returns what may stand in front of the literals that came since this was asked last: those of a record.
    pub fn prefix(&mut self) -> Vec<Stretch> {
        std::mem::take(&mut self.prefix).ranges
    }

    /// Ends the group under way; the next one begins.
    pub fn group(&mut self) -> Group {
        Group(std::mem::take(&mut self.script))
    }

    /// Copies a block if a base has it.
    fn block(&mut self, block: &[u8], kind: Kind) -> io::Result<bool> {
        if let Kind::Head(member) = kind {
            self.is_tar = true;
            let begins = self.at.saturating_add(BLOCK as u64);
            self.beside = self.known.body(member.names).map(|body| (body, begins, member.size));
        }
        if let Some(place) = self.cursor
            && self.is_at(place, block)?
        {
            self.copy(place, block.len());
            return Ok(true);
        }
        if let Kind::Head(member) = kind
            && let Some(place) = self.known.head(member.rest)
            && self.head(place, block)?
        {
            return Ok(true);
        }
        if block.len() == BLOCK
            && block.iter().any(|byte| *byte != 0)
            && let Some(place) = self.known.block(block)
            && self.is_at(place, block)?
        {
            self.copy(place, block.len());
            return Ok(true);
        }
        if let (Kind::Head(_), Some((body, ..))) = (kind, self.beside) {
            // The body may be the old one although the head is not.
            self.cursor = Some(Place {
                offset: body.place.offset.saturating_sub(BLOCK as u64),
                ..body.place
            });
        }
        Ok(false)
    }

    fn copy(&mut self, place: Place, bytes: usize) {
        self.script.copy(Stretch {
            base: place.base,
            offset: place.offset,
            length: bytes as u64,
        });
        self.cursor = Some(Place {
            offset: place.offset.saturating_add(bytes as u64),
            ..place
        });
    }

    /// Tells the head at a place anew, if that makes this one.
    fn head(&mut self, place: Place, block: &[u8]) -> io::Result<bool> {
        let Ok(new) = <&[u8; HEAD]>::try_from(block) else {
            return Ok(false);
        };
        let mut old = [0; HEAD];
        let Some(base) = self.bases.get(place.base) else {
            return Ok(false);
        };
        base.read(place.offset, &mut old)?;
        let (Some(before), Some(now)) = (head::read(&old), head::read(new)) else {
            return Ok(false);
        };
        let more = |now: u64, before: u64| now.cast_signed().wrapping_sub(before.cast_signed());
        let (time, size) = (more(now.time, before.time), more(now.size, before.size));
        if retold(&old, time, size).as_ref() != Some(new) {
            return Ok(false);
        }
        self.script.head(place.base, place.offset, time, size);
        self.cursor = Some(Place {
            offset: place.offset.saturating_add(HEAD as u64),
            ..place
        });
        Ok(true)
    }

    /// Whether a base has a block at a place.
    fn is_at(&mut self, place: Place, block: &[u8]) -> io::Result<bool> {
        let Some(base) = self.bases.get(place.base) else {
            return Ok(false);
        };
        let end = place.offset.saturating_add(block.len() as u64);
        if end > base.size() {
            return Ok(false);
        }
        let held = self.window_at.filter(|at| {
            at.base == place.base
                && at.offset <= place.offset
                && end <= at.offset.saturating_add(self.window.len() as u64)
        });
        let start = if let Some(held) = held {
            held.offset
        } else {
            let left = base.size().saturating_sub(place.offset);
            self.window_at = None;
            self.window
                .resize(usize::try_from(left).map_or(WINDOW, |left| left.min(WINDOW)), 0);
            base.read(place.offset, &mut self.window)?;
            self.window_at = Some(place);
            place.offset
        };
        let from = usize::try_from(place.offset.saturating_sub(start)).unwrap_or(usize::MAX);
        let found = self.window.get(from..).and_then(|rest| rest.get(..block.len()));
        Ok(found == Some(block))
    }

    /// A literal came: what stands beside it in a base may stand in front of it.
    fn stands_beside(&mut self, bytes: u64) {
        let whole = || self.known.whole().map(|body| (body, 0, self.plain_size));
        let Some((body, begins, size)) = self.beside.or_else(|| if self.is_tar { None } else { whole() }) else {
            return;
        };
        // Where in the old body it would stand, if both grew evenly.
        let within = u128::from(self.at.saturating_sub(begins)).saturating_mul(u128::from(body.size));
        let within = within.checked_div(u128::from(size)).unwrap_or(0);
        let within = u64::try_from(within).unwrap_or(u64::MAX).min(body.size);
        let (from, to) = if body.size <= AROUND * 2 {
            (0, body.size)
        } else {
            let to = within.saturating_add(bytes).saturating_add(AROUND);
            (within.saturating_sub(AROUND), to.min(body.size))
        };
        let (from, to) = (
            body.place.offset.saturating_add(from),
            body.place.offset.saturating_add(to),
        );
        self.prefix.add(body.place.base, from, to);
    }
}

impl Prefix {
    /// Adds a stretch, less what the one before has of it, as far as there is room.
    fn add(&mut self, base: usize, mut from: u64, to: u64) {
        let room = RANGE_BYTES.min(LITERAL_RECORD).saturating_sub(self.bytes);
        if let Some(last) = self.ranges.last_mut().filter(|last| last.base == base) {
            let end = last.offset.saturating_add(last.length);
            if last.offset <= from && from <= end {
                let more = to.saturating_sub(end).min(room);
                last.length = last.length.saturating_add(more);
                self.bytes = self.bytes.saturating_add(more);
                return;
            }
            if self.ranges.iter().any(|range| {
                range.base == base && range.offset <= from && to <= range.offset.saturating_add(range.length)
            }) {
                return;
            }
        }
        let length = to.saturating_sub(from).min(room);
        if length == 0 || self.ranges.len() >= RANGES {
            return;
        }
        from = from.min(u64::MAX.saturating_sub(length));
        self.ranges.push(Stretch {
            base,
            offset: from,
            length,
        });
        self.bytes = self.bytes.saturating_add(length);
    }
}

impl Group {
    /// Literal bytes of the group.
    pub fn literals(&self) -> u64 {
        self.0.literals()
    }

    /// The script, with what stands in front of each record.
    pub fn script(self, ranges: &[Vec<Stretch>]) -> Vec<u8> {
        self.0.finish(ranges)
    }
}
