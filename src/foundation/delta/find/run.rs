//! A run of bytes that no base has block by block, looked at byte by byte.
//!
//! First where the base goes on beside it: up to some dozen other bytes, then the same as there. Then by anchors, wherever in the bases
//! they are. What is found is made as long as it is on both sides. Short copies are no copies in the end: they cost more in the script than as
//! literals behind the old bytes, but where the bytes are compressed already, of which nothing else makes less. They have told by then where
//! the base goes on.
//!
//! A run is looked at once from its first byte to its last; each anchor of it that leads nowhere costs a look at 4 KiB of a base, and the next
//! one that is asked for stands at least [`APART`] bytes behind.

use std::io;

use super::super::grammar::Stretch;
use super::anchors::WINDOW;
use super::known::{Known, Place};
use super::view::View;

/// Bytes that may be other ones before the base goes on as it was.
const GAP: usize = 64;
/// Bytes that a copy has at least that goes on beside the one before.
const LEAST_BESIDE: usize = 16;
/// Bytes that any other copy has at least.
const LEAST: usize = 48;
/// Bytes from an anchor that led nowhere to the next one.
const APART: usize = 16;

/// Bytes of a copy below which it is none between others: machine code that was compiled anew is the old one with a few other bytes everywhere,
/// and that says zstd in less, once the old code stands in front of it.
pub(super) const WORTH: u64 = 1024;

/// What a run goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// So many bytes that travel, and where a base goes on behind them, if the last of them stand in one.
    Literal(usize, Option<Place>),
    Copy(Stretch),
}

/// A run, and where it stands between what was found before and what comes behind.
pub(super) struct Run<'r> {
    pub(super) bytes: &'r [u8],
    /// Where a base goes on beside it.
    pub(super) before: Option<Place>,
    /// Whether what was found last ends there.
    pub(super) goes_on: bool,
    /// Where that begins which is copied next.
    pub(super) behind: Option<Place>,
    pub(super) is_packed: bool,
}

impl Run<'_> {
    /// What it is made of. Of bytes that are compressed already, nothing is found but what is copied.
    pub(super) fn parts(&self, known: &Known, view: &mut View<'_>) -> io::Result<Vec<Part>> {
        let mut parts = Vec::new();
        let (mut at, mut beside) = (0_usize, self.before);
        if let Some(place) = self.before.filter(|_| self.goes_on) {
            let length = view.forward(place, self.bytes)?;
            (at, beside) = take(&mut parts, 0, place, length);
        }
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let found = match beside {
                Some(place) => goes_on(rest, place, view)?,
                None => None,
            };
            let found = match found {
                Some(found) => Some(found),
                None => anchored(rest, known, view)?,
            };
            let Some((other, place, length)) = found else {
                break;
            };
            let (taken, next) = take(&mut parts, other, place, length);
            (at, beside) = (at.saturating_add(taken), next);
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        let (place, length) = match self.behind {
            Some(place) => {
                let length = view.backward(place, rest)?;
                let offset = place.offset.saturating_sub(length as u64);
                (Place { offset, ..place }, length)
            }
            None => (Place { base: 0, offset: 0 }, 0),
        };
        take(&mut parts, rest.len().saturating_sub(length), place, length);
        Ok(self.joined(&parts))
    }

    /// The same without the copies that are not worth it. Those that go on with what is copied before or behind cost nothing.
    fn joined(&self, parts: &[Part]) -> Vec<Part> {
        let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
        let last = parts.len().saturating_sub(1);
        let worth = if self.is_packed { 0 } else { WORTH };
        for (number, part) in parts.iter().enumerate() {
            let (length, behind) = match *part {
                Part::Literal(length, behind) => (length, behind),
                Part::Copy(from) => {
                    let is_free = (number == 0 && self.goes_on) || (number == last && self.behind.is_some());
                    if from.length >= worth || is_free {
                        joined.push(*part);
                        continue;
                    }
                    let behind = Place::of(&from).moved(from.length);
                    (usize::try_from(from.length).unwrap_or(usize::MAX), Some(behind))
                }
            };
            if let Some(Part::Literal(all, goes_on)) = joined.last_mut() {
                *all = all.saturating_add(length);
                *goes_on = behind.or(goes_on.map(|place| place.moved(length as u64)));
            } else {
                joined.push(Part::Literal(length, behind));
            }
        }
        joined
    }
}

/// Whether bytes are compressed already: nearly as even as noise, so that nobody finds anything in them but what is copied.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    let mut counts = [0_u64; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let pairs = counts
        .iter()
        .map(|count| count.saturating_mul(*count))
        .fold(0, u64::saturating_add);
    let all = bytes.len() as u64;
    // Of noise it is the first sum; text and machine code have several times as many.
    pairs <= all.saturating_add(all.saturating_mul(all).saturating_mul(5) / 1024)
}

/// Goes on with other bytes and a copy; returns how many that are, and where the base goes on.
fn take(parts: &mut Vec<Part>, other: usize, place: Place, length: usize) -> (usize, Option<Place>) {
    if other > 0 {
        parts.push(Part::Literal(other, None));
    }
    if length > 0 {
        parts.push(Part::Copy(place.stretch(length as u64)));
    }
    (other.saturating_add(length), Some(place.moved(length as u64)))
}

/// Where a base goes on beside these bytes after a few other ones: how many, where, and for how many bytes.
fn goes_on(bytes: &[u8], place: Place, view: &mut View<'_>) -> io::Result<Option<(usize, Place, usize)>> {
    let mut beside = [0; GAP + LEAST_BESIDE];
    let most = beside.len().min(bytes.len());
    let Some(beside) = beside.get_mut(..most) else {
        return Ok(None);
    };
    if most < LEAST_BESIDE || !view.read(place, beside)? {
        return Ok(None);
    }
    let pairs = bytes.windows(LEAST_BESIDE).zip(beside.windows(LEAST_BESIDE));
    let Some(other) = pairs.take(GAP).position(|(one, other)| one == other) else {
        return Ok(None);
    };
    let place = place.moved(other as u64);
    let length = view.forward(place, bytes.get(other..).unwrap_or_default())?;
    Ok(Some((other, place, length)))
}

/// The first stretch of these bytes that a base has and that is found by an anchor: how many other bytes stand in front of it, where it is
/// and how long.
fn anchored(bytes: &[u8], known: &Known, view: &mut View<'_>) -> io::Result<Option<(usize, Place, usize)>> {
    let (mut sum, mut at, mut next) = (known.sum(), 0_usize, WINDOW);
    while let Some(found) = sum.next(bytes, at) {
        at = found;
        let (before, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        let window = before.len().checked_sub(WINDOW).and_then(|from| before.get(from..));
        let Some(window) = window.filter(|_| at >= next) else {
            continue;
        };
        next = at.saturating_add(APART);
        let Some(place) = known.anchor(window) else { continue };
        let back = view.backward(place, before)?;
        if back < WINDOW {
            continue;
        }
        let length = back.saturating_add(view.forward(place, rest)?);
        if length >= LEAST {
            let offset = place.offset.saturating_sub(back as u64);
            return Ok(Some((
                before.len().saturating_sub(back),
                Place { offset, ..place },
                length,
            )));
        }
    }
    Ok(None)
}
