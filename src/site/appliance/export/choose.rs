//! Which package an export is about: what was begun and not brought out comes first.

use super::draft::DraftRequest;
use super::facts::{numbers, own_head};
use super::prologue;
use crate::appliance::state::Appliance;
use crate::db::site::acknowledgements;
use crate::db::site::packages::{self, PackageRow, State};
use crate::domain::{Class, Error, Hash, Result};
use crate::package::Head;

/// Digits of a head digest that say which package is meant.
const DIGITS: usize = 8;

/// Which package is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The oldest that was signed, did not get out, and is not covered by a later one; else the draft; else a new one.
    Next,
    /// The one of this head digest, or of the first 8 digits or more of it.
    Digest(String),
    /// One that was signed before, by its number in the present instance.
    Again(u64),
}

impl Appliance {
    /// Finds the package that is wanted; makes a draft where there is none and nobody has to approve it.
    ///
    /// # Errors
    ///
    /// `E-POLICY digest-mismatch` when no draft and nothing signed has the digest; `E-POLICY approvals` when there is no draft that people
    /// could have approved; `E-POLICY profile` when what was signed shows more than may leave now; `E-USAGE again` for a number that was
    /// not used; `E-BUSY draft` when the draft shows more; those of [`Appliance::make_draft`].
    pub fn choose_package(
        &self,
        wanted: &Wanted,
        request: &DraftRequest<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PackageRow> {
        let mut rows = self.packages(request.domain)?;
        match wanted {
            Wanted::Again(number) => {
                let found = rows
                    .iter()
                    .position(|row| row.number == *number && row.state != State::Draft);
                let found = found.map(|at| rows.swap_remove(at)).ok_or_else(|| {
                    let used = rows.iter().filter(|row| row.state != State::Draft);
                    let numbers: Vec<String> = used.map(|row| row.number.to_string()).collect();
                    Error::new(Class::Usage, "again", format!("no package {number} was signed here"))
                        .expected(match numbers.join(", ") {
                            none if none.is_empty() => {
                                "nothing: none was signed in this life of the state folder".to_owned()
                            }
                            numbers => format!("one of {numbers}"),
                        })
                        .remedy("`airlock status list` says what was made here, and how far each package is")
                })?;
                check_may_leave(&found, request)?;
                Ok(found)
            }
            Wanted::Digest(digits) => {
                let is_meant =
                    |row: &&PackageRow| digits.len() >= DIGITS && row.head.to_hex().starts_with(digits.as_str());
                let meant: Vec<&PackageRow> = rows.iter().filter(is_meant).collect();
                if let [row] = meant[..] {
                    check_may_leave(row, request)?;
                    return Ok(row.clone());
                }
                let error = unknown(&format!("no package of this vendor here has the head digest {digits}"));
                Err(match rows.iter().find(|row| row.state == State::Draft) {
                    Some(draft) => error.expected(format!("{}, that of the draft", draft.head)),
                    None => error,
                })
            }
            Wanted::Next => {
                let draft = self.draft(request.domain)?;
                if let Some(pending) = self.pending(request.domain, &rows, draft.is_some())?
                    && shows_no_more(&pending, request)?
                    && self.has_approvals(&pending, request.room.approvals)?
                {
                    return Ok(pending);
                }
                if let Some(draft) = draft {
                    if shows_no_more(&draft, request)? {
                        return Ok(draft);
                    }
                    return Err(too_wide_draft());
                }
                if request.room.approvals > 0 {
                    return Err(Error::new(
                        Class::Policy,
                        "approvals",
                        "there is no draft that people could have approved",
                    )
                    .expected(format!("a draft with {} approvals", request.room.approvals))
                    .remedy("make one with `airlock status preview`, and approve it"));
                }
                Ok(self.make_draft(request, progress)?.row)
            }
        }
    }

    /// Finds the oldest package that was signed, did not get out, is not acknowledged all the same, and is not covered by a later one: that is
    /// what one does which got out, or the draft, unless a range of it was cut.
    fn pending(&self, domain: Hash, rows: &[PackageRow], has_draft: bool) -> Result<Option<PackageRow>> {
        let reached = self
            .db
            .read(|connection| acknowledgements::reached(connection, domain))?;
        let reached = numbers(&reached);
        let exported = rows.iter().filter(|row| row.state == State::Exported);
        let newest = exported.map(|row| row.number).max().unwrap_or(0);
        for row in rows.iter().filter(|row| row.state == State::Signed) {
            let is_covered =
                (!row.cut && (has_draft || row.number < newest)) || own_head(&row.bytes)?.lasts().are_within(&reached);
            // If the file is gone, it is gone.
            if !is_covered && self.open_package(row.head)?.is_some() {
                return Ok(Some(row.clone()));
            }
        }
        Ok(None)
    }

    /// Whether a package that was signed has as many approvals as are asked for now; whose they are is looked at before it leaves.
    fn has_approvals(&self, row: &PackageRow, wanted: u64) -> Result<bool> {
        Ok(wanted == 0 || prologue::open(self, row)?.approvals().len() as u64 >= wanted)
    }

    /// Returns what a package states, with the name that its file has wherever it goes.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` when its row is damaged.
    pub fn package_head(&self, row: &PackageRow) -> Result<Head> {
        own_head(&row.bytes)
    }

    /// Returns the packages of a stream that the present life of the state folder made, by number.
    fn packages(&self, domain: Hash) -> Result<Vec<PackageRow>> {
        let instance = self.instance()?;
        let mut rows = self.db.read(|connection| packages::list(connection, domain))?;
        rows.retain(|row| row.instance == instance);
        Ok(rows)
    }
}

/// Checks that a package that somebody named shows no more than may leave now, whatever that was when it was made.
fn check_may_leave(row: &PackageRow, request: &DraftRequest<'_>) -> Result<()> {
    if shows_no_more(row, request)? {
        return Ok(());
    }
    if row.state == State::Draft {
        return Err(too_wide_draft());
    }
    let found = format!("package {} shows more than may leave now", row.number);
    Err(Error::new(Class::Policy, "profile", found).remedy(
        "make another one with `airlock status preview`: it covers what that one held and is not acknowledged, and shows what may leave",
    ))
}

fn too_wide_draft() -> Error {
    let found = "the draft that is there shows more than may leave now";
    Error::new(Class::Busy, "draft", found)
        .remedy("`airlock status preview --discard` makes another one in its place; approvals of the draft end with it")
}

/// A head digest that is none of a package here.
pub(super) fn unknown(found: &str) -> Error {
    Error::new(Class::Policy, "digest-mismatch", found.to_owned())
        .remedy("look at what would leave with `airlock status preview`, which names the digest")
}

/// Whether a package shows nothing beyond what was asked for.
fn shows_no_more(row: &PackageRow, request: &DraftRequest<'_>) -> Result<bool> {
    Ok(own_head(&row.bytes)?
        .shows
        .iter()
        .all(|switch| request.shows.has(switch)))
}
