//! The bytes around a place in a base, held while the plain is compared with them.

use std::io;

use super::BasePlain;
use super::known::Place;

/// Bytes that are read where the one asked for follows what is held.
const AHEAD: u64 = 64 << 10;
/// Bytes that are read anywhere else: most such places turn out to be of no use.
const AROUND: u64 = 4 << 10;
/// Of those, bytes in front of the place.
const BEFORE: u64 = 1 << 10;

/// Bases, and a part of one of them.
pub(super) struct View<'a> {
    bases: &'a [&'a dyn BasePlain],
    at: Place,
    held: Vec<u8>,
}

impl<'a> View<'a> {
    pub(super) fn new(bases: &'a [&'a dyn BasePlain]) -> Self {
        let at = Place { base: 0, offset: 0 };
        let held = Vec::new();
        Self { bases, at, held }
    }

    /// How many of these bytes stand in a base from a place on.
    pub(super) fn forward(&mut self, mut place: Place, mut bytes: &[u8]) -> io::Result<usize> {
        let mut equal = 0_usize;
        while !bytes.is_empty() {
            let (_, behind) = self.around(place, bytes.len())?;
            let now = behind.len().min(bytes.len());
            let (of_base, of_plain) = (behind.get(..now), bytes.get(..now));
            let same = if of_base == of_plain {
                now
            } else {
                common(behind, bytes)
            };
            equal = equal.saturating_add(same);
            if same < now || now == 0 {
                break;
            }
            place.offset = place.offset.saturating_add(same as u64);
            bytes = bytes.get(same..).unwrap_or_default();
        }
        Ok(equal)
    }

    /// How many of the last of these bytes stand in a base in front of a place.
    pub(super) fn backward(&mut self, mut place: Place, mut bytes: &[u8]) -> io::Result<usize> {
        let mut equal = 0_usize;
        while !bytes.is_empty() && place.offset > 0 {
            let (before, _) = self.around(place, 0)?;
            let now = before.len().min(bytes.len());
            let pairs = before.iter().rev().zip(bytes.iter().rev());
            let same = pairs.take_while(|(one, other)| one == other).count();
            equal = equal.saturating_add(same);
            if same < now || now == 0 {
                break;
            }
            place.offset = place.offset.saturating_sub(same as u64);
            bytes = bytes.get(..bytes.len().saturating_sub(same)).unwrap_or_default();
        }
        Ok(equal)
    }

    /// Fills a buffer with what stands at a place; nothing if the base ends before.
    pub(super) fn read(&self, place: Place, buffer: &mut [u8]) -> io::Result<bool> {
        let Some(base) = self.bases.get(place.base) else {
            return Ok(false);
        };
        let end = place.offset.saturating_add(buffer.len() as u64);
        if end > base.size() {
            return Ok(false);
        }
        base.read(place.offset, buffer)?;
        Ok(true)
    }

    /// What is held of a base in front of a place and behind it. Nothing of both only where there is nothing.
    fn around(&mut self, place: Place, wanted: usize) -> io::Result<(&[u8], &[u8])> {
        let Some(base) = self.bases.get(place.base) else {
            return Ok((&[], &[]));
        };
        let end = self.at.offset.saturating_add(self.held.len() as u64);
        let follows = self.at.base == place.base && end <= place.offset && place.offset <= end.saturating_add(AHEAD);
        let inside = self.at.base == place.base && self.at.offset <= place.offset && place.offset <= end;
        // The bytes behind the place, or as many as the base has; for who looks back, those in front of it.
        let enough = if wanted == 0 {
            inside && self.at.offset < place.offset
        } else {
            let last = place.offset.saturating_add(1).min(base.size());
            inside && last <= end
        };
        if !enough {
            let from = place.offset.min(base.size()).saturating_sub(BEFORE);
            let most = if follows { AHEAD } else { AROUND };
            let now = base.size().saturating_sub(from).min(most);
            self.held.clear();
            self.held.resize(usize::try_from(now).unwrap_or(0), 0);
            let read = base.read(from, &mut self.held);
            self.at = Place { offset: from, ..place };
            if let Err(error) = read {
                self.held.clear();
                return Err(error);
            }
        }
        let split = place.offset.saturating_sub(self.at.offset);
        let split = usize::try_from(split).unwrap_or(usize::MAX);
        Ok(self.held.split_at_checked(split).unwrap_or((&[], &[])))
    }
}

/// How many first bytes are the same.
pub(super) fn common(one: &[u8], other: &[u8]) -> usize {
    let words = one.chunks_exact(8).zip(other.chunks_exact(8));
    let same = words.take_while(|(one, other)| one == other).count().saturating_mul(8);
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same.saturating_add(rest.take_while(|(one, other)| one == other).count())
}
