//! Makes the plain of a group: bases and literals by a judged script.

use super::grammar::{Operation, Operations, Ranges, Stretch};
use super::head::{HEAD, retold};
use super::judge::{Fault, Judged};

/// Bytes of a base that are read at once.
const READ: usize = 64 << 10;

/// A script under way.
#[derive(Debug)]
pub struct Applier {
    script: Vec<u8>,
    /// What stands in front of records that were not asked for yet.
    ranges: Option<Ranges>,
    operations: Operations,
    /// What is left of the operation under way.
    operation: Option<Operation>,
    read: Vec<u8>,
}

impl Applier {
    /// Starts at the group's first byte.
    pub fn new(judged: Judged) -> Self {
        Self {
            ranges: Ranges::of(&judged.script),
            operations: judged.behind.operations(),
            script: judged.script,
            operation: None,
            read: Vec::new(),
        }
    }

    /// Returns what stands in front of the next record of literals, from the first one on.
    pub fn prefix(&mut self) -> Vec<Stretch> {
        let Self { script, ranges, .. } = self;
        ranges
            .as_mut()
            .and_then(|ranges| ranges.record(script))
            .unwrap_or_default()
    }

    /// Makes as much of the plain as can be made with these literal bytes, which follow those of the call before, and hands it on in order.
    /// `read` fills a buffer with a base's plain from an offset on. Without literals left it goes on up to the next operation that needs
    /// some, so what has none is whole after one call.
    ///
    /// # Errors
    ///
    /// [`Fault::Head`], [`Fault::Script`] for literals that no operation takes; those of `read` and `take`.
    pub fn apply<E: From<Fault>>(
        &mut self,
        mut literals: &[u8],
        mut read: impl FnMut(usize, u64, &mut [u8]) -> Result<(), E>,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let operation = match self.operation.take() {
                Some(operation) => operation,
                None => match self.operations.next(&self.script) {
                    Some(operation) => operation?,
                    None if literals.is_empty() => return Ok(()),
                    None => return Err(Fault::Script("literal bytes that no operation takes").into()),
                },
            };
            match operation {
                Operation::Literal(length) => {
                    let now = usize::try_from(length).map_or(literals.len(), |length| length.min(literals.len()));
                    let (bytes, rest) = literals.split_at_checked(now).unwrap_or((literals, &[]));
                    if !bytes.is_empty() {
                        take(bytes)?;
                    }
                    literals = rest;
                    let left = length.saturating_sub(now as u64);
                    if left > 0 {
                        self.operation = Some(Operation::Literal(left));
                        return Ok(());
                    }
                }
                Operation::Copy(from) => self.copy(from, &mut read, &mut take)?,
                Operation::Head { from, time, size } => {
                    let mut block = [0; HEAD];
                    read(from.base, from.offset, &mut block)?;
                    take(&retold(&block, time, size).ok_or(Fault::Head)?)?;
                }
            }
        }
    }

    fn copy<E>(
        &mut self,
        from: Stretch,
        read: &mut impl FnMut(usize, u64, &mut [u8]) -> Result<(), E>,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut offset, mut left) = (from.offset, from.length);
        while left > 0 {
            let now = usize::try_from(left).map_or(READ, |left| left.min(READ));
            self.read.resize(now, 0);
            read(from.base, offset, &mut self.read)?;
            take(&self.read)?;
            offset = offset.saturating_add(now as u64);
            left = left.saturating_sub(now as u64);
        }
        Ok(())
    }
}
