//! The second copy of the marks: a small file beside the database; the higher of the two counts (threat model 2.7).
//!
//! A database restored from yesterday would let yesterday's bundles in again. The file is written after every import; that it is
//! missing is damage, never "no mark".

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::MARKS;
use crate::crypto::canonical::{self, integer};
use crate::db::site::release::Mark;
use crate::domain::{Class, Counter, Error, Hash, Name, Result, Scope};
use crate::stream::{open_plain, read_bounded, write_atomically};

/// Room for thousands of scopes.
const BYTES: u64 = 4 << 20;

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    marks: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    channel: Name,
    domain: Hash,
    #[serde(with = "integer")]
    epoch: u64,
    head: Hash,
    product: Name,
    #[serde(with = "integer")]
    sequence: u64,
}

impl Entry {
    fn is_of(&self, scope: &Scope) -> bool {
        self.domain == scope.domain && self.product == scope.product && self.channel == scope.channel
    }
}

/// Makes the file of a new appliance.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`.
pub(super) fn create(state: &Path) -> Result<()> {
    write(state, &Marks::default())
}

/// Returns every mark of the file.
///
/// # Errors
///
/// As [`highest`].
pub(super) fn all(state: &Path) -> Result<Vec<(Scope, Mark)>> {
    let entries = read(state)?.marks.into_iter();
    Ok(entries
        .map(|entry| {
            let scope = Scope {
                domain: entry.domain,
                product: entry.product,
                channel: entry.channel,
            };
            let counter = Counter {
                epoch: entry.epoch,
                sequence: entry.sequence,
            };
            (
                scope,
                Mark {
                    counter,
                    head: entry.head,
                },
            )
        })
        .collect())
}

/// Returns the higher of the database's mark and the file's.
///
/// # Errors
///
/// `E-STATE marks-file` when the file is missing or damaged.
pub(super) fn highest(state: &Path, scope: &Scope, in_database: Option<Mark>) -> Result<Option<Mark>> {
    let in_file = read(state)?
        .marks
        .into_iter()
        .find(|entry| entry.is_of(scope))
        .map(|entry| Mark {
            counter: Counter {
                epoch: entry.epoch,
                sequence: entry.sequence,
            },
            head: entry.head,
        });
    Ok([in_database, in_file]
        .into_iter()
        .flatten()
        .max_by_key(|mark| mark.counter))
}

/// Says whether the file holds.
///
/// # Errors
///
/// As [`highest`].
pub(super) fn check(state: &Path) -> Result<()> {
    read(state).map(|_| ())
}

/// Moves the file's mark of a scope forward.
///
/// # Errors
///
/// `E-STATE`, `E-IO` and `E-SPACE`.
pub(super) fn raise(state: &Path, scope: &Scope, mark: Mark) -> Result<()> {
    let mut marks = read(state)?;
    let held = marks.marks.iter().find(|entry| entry.is_of(scope));
    let held = held.map(|entry| (entry.epoch, entry.sequence));
    if held > Some((mark.counter.epoch, mark.counter.sequence)) {
        // An earlier release that was healed lowers nothing.
        return Ok(());
    }
    marks.marks.retain(|entry| !entry.is_of(scope));
    marks.marks.push(Entry {
        channel: scope.channel.clone(),
        domain: scope.domain,
        epoch: mark.counter.epoch,
        head: mark.head,
        product: scope.product.clone(),
        sequence: mark.counter.sequence,
    });
    write(state, &marks)
}

fn read(state: &Path) -> Result<Marks> {
    let path = state.join(MARKS);
    let damaged = |what: String| {
        Error::new(Class::State, "marks-file", format!("{} {what}", path.display()))
            .expected("the highest numbers that were imported")
            .remedy(
                "end airlock serve, then put a whole copy of the state folder in its place; without the marks an older release could come back",
            )
    };
    let file = open_plain(&path)?.ok_or_else(|| damaged("is missing".into()))?;
    let bytes = read_bounded(file, BYTES, "the marks file")?;
    canonical::from_slice(&bytes, "the marks file")
        .map_err(|error| damaged(format!("is damaged: {error}")).with_source(error))
}

fn write(state: &Path, marks: &Marks) -> Result<()> {
    write_atomically(&state.join(MARKS), &canonical::to_vec(marks), 0o600)
}
