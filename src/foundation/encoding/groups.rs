//! The groups of a plain that has bases: of each a script, then the literal bytes that no base has (SPEC M-148, M-150, M-158, M-159).

use super::base::{Base, BasePlains};
use super::gathered::{Gathered, RecordBuffers};
use super::plain_cut::{GROUP, PlainCut, RecordSpan};
use crate::delta::{self, Applier, Fault, Stretch, judge};
use crate::domain::{Class, Error, Result};
use crate::stream::PooledBuffer;

/// What a blob is copied from.
#[derive(Debug)]
pub(crate) struct Copying {
    /// Its bases, in the order in which scripts number them.
    pub(crate) bases: Vec<Base>,
    /// Their plains; nothing where they are not at hand: then scripts and records are judged, and nothing is made.
    pub(crate) plains: Option<BasePlains>,
}

/// The groups of a plain under way.
pub(super) struct Groups {
    sizes: Vec<u64>,
    plains: Option<BasePlains>,
    /// Plain of groups that did not begin.
    left: u64,
    applier: Option<Applier>,
    /// Records of the group under way.
    literals: PlainCut,
    /// What stands in front of a record, where its script lists ranges.
    ranges: Gathered,
    /// Plain on its way: scripts make it in parts of any size.
    gathered: Vec<u8>,
}

/// Bytes of plain that are handed on at once.
const GATHERED: usize = 256 << 10;

/// Takes plain as it is made.
pub(super) type TakePlain<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// What ends a script.
enum Ends {
    Fault(Fault),
    Error(Error),
}

impl From<Fault> for Ends {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Groups {
    /// Before the first group of a plain of so many bytes.
    pub(super) fn new(plain: u64, copying: Copying, buffers: &RecordBuffers) -> Self {
        Self {
            sizes: copying.bases.iter().map(Base::plain_size).collect(),
            plains: copying.plains,
            left: plain,
            applier: None,
            literals: PlainCut::new(0),
            ranges: buffers.empty(),
            gathered: Vec::new(),
        }
    }

    /// Whether the plain is made, and not only what travels of it judged.
    pub(super) fn makes(&self) -> bool {
        self.plains.is_some()
    }

    /// Returns the next record of literal bytes of the group under way.
    pub(super) fn literal(&mut self) -> Option<RecordSpan> {
        self.literals.next()
    }

    /// Whether another group follows, which begins with its script.
    pub(super) fn goes_on(&self) -> bool {
        self.left > 0
    }

    /// Begins the next group: its script is judged whole, and what stands before its first literal is made.
    ///
    /// # Errors
    ///
    /// `E-FORMAT script`, `E-LIMIT ranges`, `E-INTEGRITY script-head`; those of reading bases and of `take`.
    pub(super) fn script(&mut self, script: Vec<u8>, take: &mut TakePlain<'_>) -> Result<()> {
        let plain = self.left.min(GROUP);
        self.left = self.left.saturating_sub(plain);
        let judged = judge(script, plain, &self.sizes).map_err(told)?;
        self.literals = PlainCut::new(judged.literals());
        self.applier = Some(Applier::new(judged));
        self.apply(&[], take)
    }

    /// Gathers what the script puts in front of the next record; nothing where that is the plain before it. Asked once for each record.
    ///
    /// # Errors
    ///
    /// Those of reading bases.
    pub(super) fn prefix(&mut self) -> Result<Option<PooledBuffer>> {
        let ranges: Vec<Stretch> = self.applier.as_mut().map(Applier::prefix).unwrap_or_default();
        let Some(plains) = self.plains.as_ref().filter(|_| !ranges.is_empty()) else {
            return Ok(None);
        };
        for Stretch { base, offset, length } in ranges {
            // The sum was judged: no prefix is longer than a record.
            let room = self.ranges.room(usize::try_from(length).unwrap_or(0));
            plains.read(base, offset, room)?;
        }
        Ok(self.ranges.take())
    }

    /// Takes literal bytes, and makes what they allow.
    ///
    /// # Errors
    ///
    /// As for [`Self::script`].
    pub(super) fn apply(&mut self, literals: &[u8], take: &mut TakePlain<'_>) -> Result<()> {
        let (Some(applier), Some(plains), gathered) = (&mut self.applier, &self.plains, &mut self.gathered) else {
            return Ok(());
        };
        let read = |base, offset, buffer: &mut [u8]| plains.read(base, offset, buffer).map_err(Ends::Error);
        let applied = applier.apply(literals, read, |bytes: &[u8]| {
            if gathered.len().saturating_add(bytes.len()) > GATHERED {
                take(gathered).map_err(Ends::Error)?;
                gathered.clear();
            }
            if bytes.len() >= GATHERED {
                return take(bytes).map_err(Ends::Error);
            }
            gathered.extend_from_slice(bytes);
            Ok(())
        });
        applied.map_err(|ends| match ends {
            Ends::Error(error) => error,
            Ends::Fault(fault) => told(fault),
        })?;
        take(gathered)?;
        gathered.clear();
        Ok(())
    }
}

/// What a fault of a script is to whoever reads a bundle.
fn told(fault: Fault) -> Error {
    const BUILT_WRONG: &str =
        "ask the vendor for a bundle made with --encodings none, and tell them that this one was built wrong";
    match fault {
        Fault::Script(found) => {
            Error::new(Class::Format, "script", format!("the script of a layer has {found}")).remedy(BUILT_WRONG)
        }
        Fault::Ranges(found) => Error::new(Class::Limit, "ranges", format!("the script of a layer has {found}"))
            .expected(format!("at most {} of {} bytes", delta::RANGES, delta::RANGE_BYTES))
            .remedy("ask the vendor for a bundle made with --encodings none"),
        Fault::Head => Error::new(
            Class::Integrity,
            "script-head",
            "the script of a layer takes a part of a base for the head of a tar member, and it is none",
        )
        .remedy(BUILT_WRONG),
    }
}
