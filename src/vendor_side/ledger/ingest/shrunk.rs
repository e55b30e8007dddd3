//! Finds ranges that end before what another package of the same instance told: a log or stream that was cut or turned back (V10, V11).
//!
//! Packages are cumulative, so a later one reaches at least as far as those before it. Only one that had no room ends earlier: then another
//! follows, and the run reaches as far. Every package may have 1 MiB, of which receipts and rows have at least half, so one that stores much
//! less was not cut short. One that is larger is not judged by this: it looks like the first of a run.

use crate::crypto::canonical;
use crate::db::Transaction;
use crate::db::ledger::{self, Numbered};
use crate::domain::{Result, limits};
use crate::package::Head;

use super::facts::ranges;

/// Below so many stored bytes no package was cut short, whatever its next line would have taken.
const SURELY_WHOLE: u64 = limits::PACKAGE_BYTES_MIN / 4;

/// A range that does not reach as far as one that was told before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shrunk {
    pub(super) kind: Numbered,
    /// Number of the package that ends too early, and where.
    pub(super) later: (u64, u64),
    /// Number of a package before it, and where that ends.
    pub(super) earlier: (u64, u64),
}

/// Compares where the ranges of a package end with all packages of its instance (row id) that are known, from whichever side they come.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn shrunk(transaction: &Transaction<'_>, instance: u64, head: &Head) -> Result<Vec<Shrunk>> {
    let mut found: Vec<Shrunk> = Vec::new();
    for bytes in ledger::package_heads(transaction, instance)? {
        let known: Head = canonical::from_slice(&bytes, "a head of the ledger")?;
        let (earlier, later) = if known.number < head.number {
            (&known, head)
        } else {
            (head, &known)
        };
        if !is_surely_whole(later) {
            continue;
        }
        for ((kind, _, told), (_, _, last)) in ranges(earlier).into_iter().zip(ranges(later)) {
            if last < told && !found.iter().any(|other| other.kind as u8 == kind as u8) {
                found.push(Shrunk {
                    kind,
                    later: (later.number, last),
                    earlier: (earlier.number, told),
                });
            }
        }
    }
    Ok(found)
}

fn is_surely_whole(head: &Head) -> bool {
    let lines = head.parts.iter().map(|part| part.lines).fold(0, u64::saturating_add);
    head.totals.stored_bytes < SURELY_WHOLE && lines < limits::AUDIT_ROWS
}
