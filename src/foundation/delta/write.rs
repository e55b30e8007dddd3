//! Writes a script.

use super::grammar::{KIND_BASE, KIND_COPY, KIND_HEAD, KIND_LITERAL, Stretch};
use super::place::Place;
use crate::leb128;

/// A script under way. Numbers beyond 2^52 are no places in a plain, and nobody may hand them in.
#[derive(Debug, Default)]
pub struct Writer {
    place: Place,
    operations: Vec<u8>,
    literals: u64,
    /// What the next call may add to.
    open: Option<Open>,
}

#[derive(Debug)]
enum Open {
    Literal(u64),
    Copy(Stretch),
}

impl Writer {
    /// Goes on with literal bytes.
    pub fn literal(&mut self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.literals = self.literals.saturating_add(bytes);
        if let Some(Open::Literal(before)) = &mut self.open {
            *before = before.saturating_add(bytes);
            return;
        }
        self.close();
        self.open = Some(Open::Literal(bytes));
    }

    /// Goes on with bytes of a base.
    pub fn copy(&mut self, from: Stretch) {
        if from.length == 0 {
            return;
        }
        if let Some(Open::Copy(before)) = &mut self.open
            && before.base == from.base
            && before.end() == Some(from.offset)
        {
            before.length = before.length.saturating_add(from.length);
            return;
        }
        self.close();
        self.open = Some(Open::Copy(from));
    }

    /// Goes on with the head that stands at an offset of a base, with so many seconds and bytes more.
    pub fn head(&mut self, base: usize, offset: u64, time: i64, size: i64) {
        self.close();
        let more = time.saturating_sub(self.place.time());
        self.operation(KIND_HEAD, base, leb128::zigzag(size), offset);
        leb128::write_signed(more, &mut self.operations);
        self.place.head(offset, time);
    }

    /// Literal bytes so far.
    pub fn literals(&self) -> u64 {
        self.literals
    }

    /// Bytes of the operations so far.
    pub fn bytes(&self) -> usize {
        self.operations.len()
    }

    /// The script, with what stands in front of each record of its literals.
    pub fn finish(mut self, ranges: &[Vec<Stretch>]) -> Vec<u8> {
        self.close();
        let mut script = Vec::new();
        leb128::write(self.literals, &mut script);
        let mut end = 0_u64;
        for record in ranges {
            leb128::write(record.len() as u64, &mut script);
            for stretch in record {
                leb128::write(stretch.base as u64, &mut script);
                leb128::write_signed(distance(end, stretch.offset), &mut script);
                leb128::write(stretch.length, &mut script);
                end = stretch.offset.saturating_add(stretch.length);
            }
        }
        script.extend_from_slice(&self.operations);
        script
    }

    fn close(&mut self) {
        match self.open.take() {
            None => {}
            Some(Open::Literal(bytes)) => {
                leb128::write(bytes << 2 | KIND_LITERAL, &mut self.operations);
                self.place.literal(bytes);
            }
            Some(Open::Copy(from)) => {
                self.operation(KIND_COPY, from.base, from.length, from.offset);
                self.place.copy(from.offset, from.length);
            }
        }
    }

    /// The word of an operation and where it reads, behind a change of the current base where one is needed.
    fn operation(&mut self, kind: u64, base: usize, n: u64, offset: u64) {
        if base != self.place.current() {
            leb128::write((base as u64) << 2 | KIND_BASE, &mut self.operations);
            self.place.base(base as u64);
        }
        leb128::write(n << 2 | kind, &mut self.operations);
        leb128::write_signed(distance(self.place.end(), offset), &mut self.operations);
    }
}

fn distance(from: u64, to: u64) -> i64 {
    to.cast_signed().wrapping_sub(from.cast_signed())
}
