//! A plain as it comes, block by block: what a base has is copied, what none has is a literal.

use std::io;

use super::super::grammar::Stretch;
use super::super::head::{self, HEAD, retold};
use super::super::write::Writer;
use super::known::{Body, Known, Place};
use super::prefix::Prefix;
use super::run::{Part, Run, WORTH, is_packed};
use super::tar::{Kind, Member, Walk};
use super::view::View;
use super::{BLOCK, BasePlain};

/// Bytes of a long body in front of and behind the place where a literal stands, that stand in front of it.
const AROUND: u64 = 32 << 10;
/// The same for a short literal between others that were found.
const LEAST_AROUND: u64 = 1 << 10;
/// What stood between two copies stands in front of what stands there now, unless it is this much longer.
const LONGER: u64 = 4 << 10;
/// What is new is so large a part of a short body that all of what was there stands in front of it.
const MOST: u64 = 8;
/// Bytes of a script from which on only whole blocks are looked for: a script has a bound.
const SCRIPT: usize = 512 << 10;

/// A group that is complete: its script is written once it is known what stands in front of its records.
#[derive(Debug)]
pub struct Group(Writer);

/// Compares a plain with bases.
pub struct Matcher<'a> {
    known: &'a Known,
    view: View<'a>,
    plain_size: u64,
    at: u64,
    walk: Walk,
    is_tar: bool,
    /// Where the base goes on beside the plain.
    cursor: Option<Place>,
    /// Whether the last thing that was found is a copy which ends there.
    goes_on: bool,
    /// The old body of the member under way, and where its new one begins and how long it is.
    beside: Option<(Body, u64, u64)>,
    /// Blocks that no base has, and where a base goes on beside the first of them.
    run: Vec<u8>,
    run_beside: Option<Place>,
    /// Of the run, bytes at its end that a base has, and where: not yet so many that a copy of them is worth it.
    tail: usize,
    tail_at: Place,
    script: Writer,
    prefix: Prefix,
    /// Ranges of the records of the group under way that are complete.
    ranges: usize,
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
            known,
            view: View::new(bases),
            plain_size,
            at: 0,
            walk: Walk::default(),
            is_tar: false,
            cursor: None,
            goes_on: false,
            beside: None,
            run: Vec::new(),
            run_beside: None,
            tail: 0,
            tail_at: Place { base: 0, offset: 0 },
            script: Writer::default(),
            prefix: Prefix::new(0),
            ranges: 0,
        }
    }

    /// Takes the next bytes of the plain: whole blocks, but for its end. Those that no base has are added to `literals`. What is given at
    /// once is held at once, and looked at as one.
    ///
    /// # Errors
    ///
    /// Those of the bases.
    pub fn feed(&mut self, bytes: &[u8], literals: &mut Vec<u8>) -> io::Result<()> {
        for block in bytes.chunks(BLOCK) {
            let kind = self.walk.block(block);
            if let Kind::Head(member) = kind {
                self.end_run(None, literals)?;
                self.member(member);
            }
            if !self.block(block, kind, literals)? {
                if self.run.is_empty() {
                    self.run_beside = self.cursor;
                }
                self.run.extend_from_slice(block);
                self.tail = 0;
                self.cursor = self.cursor.map(|place| place.moved(block.len() as u64));
            }
            self.at = self.at.saturating_add(block.len() as u64);
        }
        self.end_run(None, literals)
    }

    /// Literal bytes of the group under way, so far.
    pub fn literals(&self) -> u64 {
        self.script.literals()
    }

    /// Returns what may stand in front of the literals that came since this was asked last: those of a record.
    pub fn prefix(&mut self) -> Vec<Stretch> {
        self.ranges = self.ranges.saturating_add(self.prefix.count());
        std::mem::replace(&mut self.prefix, Prefix::new(self.ranges)).ranges()
    }

    /// Ends the group under way; the next one begins.
    pub fn group(&mut self) -> Group {
        (self.goes_on, self.ranges) = (false, 0);
        self.prefix = Prefix::new(0);
        Group(std::mem::take(&mut self.script))
    }

    fn member(&mut self, member: Member) {
        self.is_tar = true;
        let begins = self.at.saturating_add(BLOCK as u64);
        self.beside = self.known.body(member.names).map(|body| (body, begins, member.size));
    }

    /// Copies a block if a base has it.
    fn block(&mut self, block: &[u8], kind: Kind, literals: &mut Vec<u8>) -> io::Result<bool> {
        if let Some(place) = self.cursor
            && self.is_at(place, block)?
        {
            return self.copy(place, block, literals);
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
            return self.copy(place, block, literals);
        }
        if let (Kind::Head(_), Some((body, ..))) = (kind, self.beside) {
            // The body may be the old one although the head is not.
            self.goes_on = false;
            self.cursor = Some(Place {
                offset: body.place.offset.saturating_sub(BLOCK as u64),
                ..body.place
            });
        }
        Ok(false)
    }

    /// Copies a block from a place, or keeps it with the run that it ends until there is more of it.
    fn copy(&mut self, place: Place, block: &[u8], literals: &mut Vec<u8>) -> io::Result<bool> {
        let bytes = block.len();
        self.cursor = Some(place.moved(bytes as u64));
        if self.run.is_empty() {
            self.script.copy(place.stretch(bytes as u64));
            self.goes_on = true;
            return Ok(true);
        }
        if self.tail == 0 || self.tail_at.moved(self.tail as u64) != place {
            (self.tail, self.tail_at) = (0, place);
        }
        self.tail = self.tail.saturating_add(bytes);
        if (self.tail as u64) < WORTH {
            self.run.extend_from_slice(block);
            return Ok(true);
        }
        let (tail, begins, cursor) = (self.tail as u64, self.tail_at, self.cursor);
        self.run
            .truncate(self.run.len().saturating_sub(self.tail.saturating_sub(bytes)));
        self.at = self.at.saturating_sub(tail.saturating_sub(bytes as u64));
        self.end_run(Some(begins), literals)?;
        self.at = self.at.saturating_add(tail.saturating_sub(bytes as u64));
        self.script.copy(begins.stretch(tail));
        (self.cursor, self.goes_on) = (cursor, true);
        Ok(true)
    }

    /// Tells the head at a place anew, if that makes this one.
    fn head(&mut self, place: Place, block: &[u8]) -> io::Result<bool> {
        let Ok(new) = <&[u8; HEAD]>::try_from(block) else {
            return Ok(false);
        };
        let mut old = [0; HEAD];
        if !self.view.read(place, &mut old)? {
            return Ok(false);
        }
        let (Some(before), Some(now)) = (head::read(&old), head::read(new)) else {
            return Ok(false);
        };
        let more = |now: u64, before: u64| now.cast_signed().wrapping_sub(before.cast_signed());
        let (time, size) = (more(now.time, before.time), more(now.size, before.size));
        if retold(&old, time, size).as_ref() != Some(new) {
            return Ok(false);
        }
        self.script.head(place.base, place.offset, time, size);
        self.cursor = Some(place.moved(HEAD as u64));
        self.goes_on = false;
        Ok(true)
    }

    /// Whether a base has a block at a place.
    fn is_at(&mut self, place: Place, block: &[u8]) -> io::Result<bool> {
        Ok(self.view.forward(place, block)? == block.len())
    }

    /// Looks at blocks that no base has byte by byte, up to what is copied behind them.
    fn end_run(&mut self, behind: Option<Place>, literals: &mut Vec<u8>) -> io::Result<()> {
        if self.run.is_empty() {
            return Ok(());
        }
        self.tail = 0;
        let mut bytes = std::mem::take(&mut self.run);
        let is_packed = is_packed(&bytes);
        let parts = if self.script.bytes() < SCRIPT {
            let run = Run {
                bytes: &bytes,
                before: self.run_beside,
                goes_on: self.goes_on,
                behind,
                is_packed,
            };
            run.parts(self.known, &mut self.view)?
        } else {
            vec![Part::Literal(bytes.len(), None)]
        };
        let mut at = self.at.saturating_sub(bytes.len() as u64);
        let is_beside = is_packed || self.whole_stands_beside(&parts);
        let (mut rest, mut cursor) = (bytes.as_slice(), self.run_beside);
        let mut parts = parts.into_iter().peekable();
        while let Some(part) = parts.next() {
            let length = match part {
                Part::Literal(length, seen) => {
                    let behind = match parts.peek() {
                        Some(Part::Copy(from)) => Some(Place::of(from)),
                        Some(Part::Literal(..)) => None,
                        None => behind,
                    };
                    if !is_beside {
                        self.stands_beside(at, length as u64, cursor, behind);
                    }
                    self.script.literal(length as u64);
                    literals.extend_from_slice(rest.get(..length).unwrap_or_default());
                    self.goes_on = false;
                    let straight = cursor.map(|place| place.moved(length as u64));
                    // What is found far away is seldom where the base goes on.
                    let is_near = |straight: &Place, seen: &Place| {
                        straight.base == seen.base && straight.offset.abs_diff(seen.offset) <= AROUND
                    };
                    cursor = match (straight, seen) {
                        (Some(straight), Some(seen)) if is_near(&straight, &seen) => Some(seen),
                        (straight, seen) => straight.or(seen),
                    };
                    length
                }
                Part::Copy(from) => {
                    self.script.copy(from);
                    self.goes_on = true;
                    cursor = Some(Place::of(&from).moved(from.length));
                    usize::try_from(from.length).unwrap_or(usize::MAX)
                }
            };
            rest = rest.get(length..).unwrap_or_default();
            at = at.saturating_add(length as u64);
        }
        self.cursor = cursor;
        bytes.clear();
        self.run = bytes;
        Ok(())
    }

    /// Whether the old body of the member under way is short, and this run has so much that is new that all of it stands in front of that.
    fn whole_stands_beside(&mut self, parts: &[Part]) -> bool {
        let whole = || self.known.whole().filter(|_| !self.is_tar);
        let Some(body) = self.beside.map(|(body, ..)| body).or_else(whole) else {
            return false;
        };
        let new = parts.iter().map(|part| match part {
            Part::Literal(length, _) => *length as u64,
            Part::Copy(_) => 0,
        });
        let new = new.fold(0, u64::saturating_add);
        let is_most = body.size <= AROUND * 2 && new.saturating_mul(MOST) >= body.size;
        if is_most {
            self.prefix.add(body.place.stretch(body.size));
        }
        is_most
    }

    /// A literal of so many bytes stands at a place of the plain, between what was found: what a base has there may stand in front of it.
    fn stands_beside(&mut self, at: u64, bytes: u64, before: Option<Place>, behind: Option<Place>) {
        let replaced = before.zip(behind).and_then(|(before, behind)| {
            let length = behind.offset.checked_sub(before.offset)?;
            let is_alike = length > 0 && length <= bytes.saturating_mul(4).saturating_add(LONGER);
            (before.base == behind.base && is_alike).then(|| before.stretch(length))
        });
        if let Some(replaced) = replaced {
            self.prefix.add(replaced);
            return;
        }
        let whole = || self.known.whole().map(|body| (body, 0, self.plain_size));
        let Some((body, begins, size)) = self.beside.or_else(|| if self.is_tar { None } else { whole() }) else {
            return;
        };
        let inside = before.filter(|place| place.base == body.place.base);
        let inside = inside.and_then(|place| place.offset.checked_sub(body.place.offset));
        let (from, to) = if let Some(inside) = inside.filter(|inside| *inside <= body.size) {
            let around = bytes.clamp(LEAST_AROUND, AROUND);
            (
                inside.saturating_sub(around),
                inside.saturating_add(bytes).saturating_add(around),
            )
        } else {
            // Where in the old body it would stand, if both grew evenly.
            let within = u128::from(at.saturating_sub(begins)).saturating_mul(u128::from(body.size));
            let within = within.checked_div(u128::from(size)).unwrap_or(0);
            let within = u64::try_from(within).unwrap_or(u64::MAX).min(body.size);
            (
                within.saturating_sub(AROUND),
                within.saturating_add(bytes).saturating_add(AROUND),
            )
        };
        let length = to.min(body.size).saturating_sub(from);
        self.prefix.add(body.place.moved(from).stretch(length));
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
