//! Judges a script whole, before the first byte of its group is made.

use super::grammar::{LITERAL_RECORD, Operation, Ranges, Stretch};

/// Ranges in front of a record.
pub const RANGES: u64 = 16_384;
/// Bytes of all ranges in front of a record.
pub const RANGE_BYTES: u64 = 4 << 20;

/// What is wrong with a script, or with what it is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The script breaks the grammar, or does not fit its group or its bases: what was found.
    Script(&'static str),
    /// More stands in front of a record than may: what was found.
    Ranges(&'static str),
    /// What a script takes for the head of a tar member is none.
    Head,
}

/// A script that was found right.
#[derive(Debug, Clone)]
pub struct Judged {
    pub(super) script: Vec<u8>,
    pub(super) behind: Ranges,
    literals: u64,
}

impl Judged {
    /// Literal bytes of the group; they lie in records of [`LITERAL_RECORD`], the last one the rest.
    pub fn literals(&self) -> u64 {
        self.literals
    }

    /// What stands in front of each record of literals, one record after the other.
    pub fn ranges(&self) -> impl Iterator<Item = Vec<Stretch>> + '_ {
        let mut ranges = Ranges::of(&self.script);
        std::iter::from_fn(move || ranges.as_mut()?.record(&self.script))
    }
}

/// Judges a script for a group of so many plain bytes, and bases whose plains have so many.
///
/// # Errors
///
/// [`Fault::Script`] and [`Fault::Ranges`].
pub fn judge(script: Vec<u8>, plain: u64, bases: &[u64]) -> Result<Judged, Fault> {
    let mut ranges = Ranges::of(&script).ok_or(Fault::Script(NO_NUMBER))?;
    let literals = ranges.literals();
    if literals > plain {
        return Err(Fault::Script("more literal bytes than its group has plain ones"));
    }
    while ranges.records() > 0 {
        let count = ranges.count(&script).ok_or(Fault::Script(NO_NUMBER))?;
        if count > RANGES {
            return Err(Fault::Ranges("more than 16384 ranges in front of a record"));
        }
        let mut bytes = 0_u64;
        for _ in 0..count {
            let stretch = ranges.range(&script).ok_or(Fault::Script("bytes that are no range"))?;
            inside(&stretch, bases)?;
            bytes = bytes
                .checked_add(stretch.length)
                .filter(|bytes| *bytes <= RANGE_BYTES)
                .ok_or(Fault::Ranges("more than 4194304 bytes in front of a record"))?;
        }
    }
    let (mut made, mut used) = (0_u64, 0_u64);
    let mut operations = ranges.operations();
    while let Some(operation) = operations.next(&script) {
        let length = match operation? {
            Operation::Literal(length) => {
                used = used.checked_add(length).ok_or(Fault::Script(OTHER_LITERALS))?;
                length
            }
            Operation::Copy(from) | Operation::Head { from, .. } => {
                inside(&from, bases)?;
                from.length
            }
        };
        made = made
            .checked_add(length)
            .filter(|made| *made <= plain)
            .ok_or(Fault::Script(OTHER_PLAIN))?;
    }
    if used != literals {
        return Err(Fault::Script(OTHER_LITERALS));
    }
    if made != plain {
        return Err(Fault::Script(OTHER_PLAIN));
    }
    Ok(Judged {
        script,
        behind: ranges,
        literals,
    })
}

const NO_NUMBER: &str = "bytes that are no number";
const OTHER_LITERALS: &str = "operations that take other literal bytes than it says there are";
const OTHER_PLAIN: &str = "operations that make another number of bytes than its group has";

fn inside(stretch: &Stretch, bases: &[u64]) -> Result<(), Fault> {
    let size = bases
        .get(stretch.base)
        .ok_or(Fault::Script("a base that its line does not name"))?;
    match stretch.end() {
        Some(end) if end <= *size => Ok(()),
        _ => Err(Fault::Script("bytes behind the end of a base")),
    }
}

const _: () = assert!(
    RANGE_BYTES == LITERAL_RECORD,
    "a prefix is as long as what it stands in front of, at most"
);
