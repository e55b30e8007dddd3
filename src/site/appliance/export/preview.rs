//! What a package says, read back from its file: every number that people are shown comes from the bytes that would leave (M-98).

use std::collections::BTreeMap;

use super::facts::{numbers, own_head};
use crate::appliance::state::Appliance;
use crate::db::site::acknowledgements;
use crate::db::site::packages::{self, PackageRow, State};
use crate::domain::{Class, Error, Hash, Result};
use crate::media::UncachedFile;
use crate::package::{GapReason, Head, Line, Numbers, OpenedPackage};

/// What was read back from a package of this site's own.
#[derive(Debug)]
pub struct Preview {
    /// Its head.
    pub head: Head,
    /// The head digest.
    pub head_digest: Hash,
    /// Bytes of the file.
    pub size: u64,
    /// Key ids of the approvals that it carries.
    pub approvals: Vec<Hash>,
    /// How many lines there are of each kind.
    pub lines: BTreeMap<&'static str, u64>,
    /// How many gaps there are for each reason.
    pub gaps: BTreeMap<GapReason, u64>,
    /// Numbers of earlier packages, signed and not acknowledged, of which something comes again.
    pub repeats: Vec<u64>,
    /// A range ended early: another package follows.
    pub is_cut: bool,
}

/// What to do where a package that was signed is gone or damaged: there is no other copy here.
const NEXT: &str =
    "make the next package with `airlock status preview`: it covers what this one held and is not acknowledged";

/// Takes each line as it is read back.
pub type ShowLine<'a> = dyn FnMut(&Line) -> Result<()> + 'a;

impl Appliance {
    /// Reads a package of this site's own back from its file, whole; `each` is given every line.
    ///
    /// # Errors
    ///
    /// `E-STATE package-missing` when its file is gone, `E-USAGE again` when it was acknowledged and let go; those of the steps V1, V4 and V6 to V10 when it holds something else than was
    /// written; those of `each`.
    pub fn read_back(&self, row: &PackageRow, each: &mut ShowLine<'_>) -> Result<Preview> {
        if self.open_package(row.head)?.is_none() {
            return Err(if self.is_acknowledged(row)? {
                let_go(row)
            } else {
                gone(row)
            });
        }
        let mut is_callers = false;
        let mut read = || {
            // What was just written is still in memory, and says nothing of the disk.
            let file = UncachedFile::open(&self.package_path(row.head))?;
            let package = OpenedPackage::open(Box::new(file))?.own_draft()?;
            let head_digest = package.head_digest();
            if head_digest != row.head {
                return Err(Error::new(
                    Class::Integrity,
                    "head",
                    format!("the file of package {} holds another one, {head_digest}", row.number),
                )
                .expected(row.head.to_hex()));
            }
            let approvals = package
                .approvals()?
                .into_iter()
                .map(|approval| approval.keyid)
                .collect();
            let package = package.read_index()?;
            let size = package.total_bytes();
            let (mut lines, mut gaps) = (BTreeMap::new(), BTreeMap::new());
            let head = package.read_lines(&mut |line, _| {
                count(&mut lines, line.kind());
                if let Line::Gap(gap) = line {
                    count(&mut gaps, gap.reason);
                }
                each(line).inspect_err(|_| is_callers = true)
            })?;
            Ok((head, head_digest, size, approvals, lines, gaps))
        };
        let (head, head_digest, size, approvals, lines, gaps) =
            read().map_err(|error| if is_callers { error } else { told(error, row) })?;
        Ok(Preview {
            repeats: self.repeats(row, &head.firsts())?,
            is_cut: row.cut,
            head,
            head_digest,
            size,
            approvals,
            lines,
            gaps,
        })
    }

    /// Whether the vendor has all that a package covers.
    pub(super) fn is_acknowledged(&self, row: &PackageRow) -> Result<bool> {
        let reached = self
            .db
            .read(|connection| acknowledgements::reached(connection, row.domain))?;
        Ok(row.state != State::Draft && own_head(&row.bytes)?.lasts().are_within(&numbers(&reached)))
    }

    /// Numbers of the packages of the same instance that a package which begins at these numbers repeats.
    fn repeats(&self, row: &PackageRow, firsts: &Numbers) -> Result<Vec<u64>> {
        let mut repeated = Vec::new();
        for other in self.db.read(|connection| packages::list(connection, row.domain))? {
            if other.state == State::Draft || other.instance != row.instance || other.number >= row.number {
                continue;
            }
            let lasts = own_head(&other.bytes)?.lasts();
            if lasts.audit >= firsts.audit || lasts.receipts >= firsts.receipts || lasts.records >= firsts.records {
                repeated.push(other.number);
            }
        }
        Ok(repeated)
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

/// A package that the vendor has: its file went when room was needed.
fn let_go(row: &PackageRow) -> Error {
    Error::new(
        Class::Usage,
        "again",
        format!("package {} was acknowledged, and its file was let go", row.number),
    )
    .expected("a package whose file is in the outbox")
    .remedy("nothing is to be done: the vendor has what it held; `airlock status list` says which packages can leave once more")
}

fn gone(row: &PackageRow) -> Error {
    Error::new(
        Class::State,
        "package-missing",
        format!("the file of package {} is not in the outbox any more", row.number),
    )
    .remedy(NEXT)
}

/// A draft that is damaged is made again.
fn told(error: Error, row: &PackageRow) -> Error {
    match row.state {
        State::Draft => error.remedy("`airlock status preview --discard` makes another one in its place"),
        State::Signed | State::Exported => error.remedy(NEXT),
    }
}
