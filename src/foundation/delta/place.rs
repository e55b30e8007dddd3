//! What the numbers of a script are told against, for reader and writer alike.

use super::grammar::BASES;
use super::head::HEAD;

/// The state behind an operation. At the start of a script all of it is 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    current: usize,
    ends: [u64; BASES],
    time: i64,
}

impl Place {
    /// The base that copies and heads are of.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// Where the last copy or head of the current base ended, moved on by the literals since: replaced bytes move both sides alike.
    pub(super) fn end(&self) -> u64 {
        self.ends.get(self.current).copied().unwrap_or_default()
    }

    /// By how much the times of heads differ.
    pub(super) fn time(&self) -> i64 {
        self.time
    }

    /// Another base is the current one; nothing if there is none of this number.
    pub(super) fn base(&mut self, number: u64) -> Option<()> {
        let number = usize::try_from(number).ok().filter(|number| *number < BASES)?;
        self.current = number;
        Some(())
    }

    /// So many literal bytes.
    pub(super) fn literal(&mut self, bytes: u64) -> Option<()> {
        self.end_at(self.end().checked_add(bytes)?)
    }

    /// So many bytes of the current base from there.
    pub(super) fn copy(&mut self, offset: u64, bytes: u64) -> Option<()> {
        self.end_at(offset.checked_add(bytes)?)
    }

    /// A head there, with this difference of times.
    pub(super) fn head(&mut self, offset: u64, time: i64) -> Option<()> {
        self.time = time;
        self.copy(offset, HEAD as u64)
    }

    fn end_at(&mut self, end: u64) -> Option<()> {
        *self.ends.get_mut(self.current)? = end;
        Some(())
    }
}
