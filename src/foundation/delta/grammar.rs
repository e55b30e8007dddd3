//! What a script says, walked where it stands.

use super::judge::Fault;
use super::place::Place;
use crate::domain::limits;
use crate::leb128;

/// Bases of a blob.
pub const BASES: usize = limits::BASES;
/// Literal bytes of a record: those of a group are cut so often.
pub const LITERAL_RECORD: u64 = 4 << 20;

/// Bytes of a base's plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the base.
    pub base: usize,
    /// Where they begin.
    pub offset: u64,
    /// How many they are, at least one.
    pub length: u64,
}

impl Stretch {
    /// Where they end; nothing beyond what numbers hold.
    pub fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }
}

/// One operation: what the group's plain goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The next so many literal bytes.
    Literal(u64),
    /// These bytes of a base.
    Copy(Stretch),
    /// The head of a tar member that stands in a base, with another time and size.
    Head {
        /// Where it stands: [`HEAD`](super::HEAD) bytes.
        from: Stretch,
        /// Seconds more.
        time: i64,
        /// Bytes more.
        size: i64,
    },
}

/// The first part of a script: how many literal bytes there are, and what stands in front of each record of them while it is decoded.
#[derive(Debug, Clone)]
pub struct Ranges {
    literals: u64,
    records: u64,
    at: usize,
    end: u64,
}

impl Ranges {
    /// Begins to walk a script; nothing if it does not even say how many literals it has.
    pub fn of(script: &[u8]) -> Option<Self> {
        let mut rest = script;
        let literals = leb128::read(&mut rest)?;
        Some(Self {
            literals,
            records: literals.div_ceil(LITERAL_RECORD),
            at: script.len().checked_sub(rest.len())?,
            end: 0,
        })
    }

    /// Literal bytes of the group.
    pub fn literals(&self) -> u64 {
        self.literals
    }

    /// Records whose ranges were not walked yet.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The ranges of the next record; nothing behind the last one.
    pub(super) fn record(&mut self, script: &[u8]) -> Option<Vec<Stretch>> {
        let count = self.count(script)?;
        (0..count).map(|_| self.range(script)).collect()
    }

    /// How many ranges the next record has; nothing where bytes are none.
    pub(super) fn count(&mut self, script: &[u8]) -> Option<u64> {
        self.records = self.records.checked_sub(1)?;
        self.number(script)
    }

    /// The next range of the record.
    pub(super) fn range(&mut self, script: &[u8]) -> Option<Stretch> {
        let base = usize::try_from(self.number(script)?)
            .ok()
            .filter(|base| *base < BASES)?;
        let offset = self.end.checked_add_signed(leb128::signed(self.number(script)?))?;
        let length = self.number(script).filter(|length| *length > 0)?;
        self.end = offset.checked_add(length)?;
        Some(Stretch { base, offset, length })
    }

    /// The operations, which stand behind the ranges of all records.
    pub(super) fn operations(&self) -> Operations {
        Operations {
            at: self.at,
            place: Place::default(),
        }
    }

    fn number(&mut self, script: &[u8]) -> Option<u64> {
        number(script, &mut self.at)
    }
}

/// Where the walk through the operations of a script stands. It does not hold the script: whoever walks has it.
#[derive(Debug, Clone)]
pub(super) struct Operations {
    at: usize,
    place: Place,
}

impl Operations {
    /// The next operation; nothing behind the last one.
    pub(super) fn next(&mut self, script: &[u8]) -> Option<Result<Operation, Fault>> {
        while self.at < script.len() {
            match self.step(script) {
                Some(Step::Base) => {}
                Some(Step::Is(operation)) => return Some(Ok(operation)),
                None => {
                    self.at = script.len();
                    return Some(Err(Fault::Script("bytes that are no operation")));
                }
            }
        }
        None
    }

    fn step(&mut self, script: &[u8]) -> Option<Step> {
        let word = number(script, &mut self.at)?;
        let (kind, n) = (word & 3, word >> 2);
        if kind == KIND_BASE {
            self.place.base(n)?;
            return Some(Step::Base);
        }
        if kind == KIND_LITERAL {
            self.place.literal(n).filter(|()| n > 0)?;
            return Some(Step::Is(Operation::Literal(n)));
        }
        let moved = leb128::signed(number(script, &mut self.at)?);
        let mut from = Stretch {
            base: self.place.current(),
            offset: self.place.end().checked_add_signed(moved)?,
            length: n,
        };
        if kind == KIND_COPY {
            self.place.copy(from.offset, n).filter(|()| n > 0)?;
            return Some(Step::Is(Operation::Copy(from)));
        }
        let more = leb128::signed(number(script, &mut self.at)?);
        let time = self.place.time().checked_add(more)?;
        self.place.head(from.offset, time)?;
        from.length = super::HEAD as u64;
        let size = leb128::signed(n);
        Some(Step::Is(Operation::Head { from, time, size }))
    }
}

/// Kinds of operations.
pub(super) const KIND_LITERAL: u64 = 0;
pub(super) const KIND_COPY: u64 = 1;
pub(super) const KIND_HEAD: u64 = 2;
pub(super) const KIND_BASE: u64 = 3;

enum Step {
    Base,
    Is(Operation),
}

fn number(script: &[u8], at: &mut usize) -> Option<u64> {
    let mut rest = script.get(*at..)?;
    let value = leb128::read(&mut rest)?;
    *at = script.len().checked_sub(rest.len())?;
    Some(value)
}
