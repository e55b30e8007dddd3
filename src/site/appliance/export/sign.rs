//! The number is used, then the key signs (E6, E7).

use serde_json::json;

use super::choose::unknown;
use super::outbox::ExportLock;
use super::prologue;
use crate::appliance::state::Appliance;
use crate::crypto::{BELOW_THRESHOLD, KeyId, SiteKeys};
use crate::db::site::audit;
use crate::db::site::packages::{self, PackageRow, State};
use crate::db::site::stream_log::Told;
use crate::domain::{Class, Error, Hash, Result, counted};
use crate::media::UncachedFile;
use crate::package::{OpenedPackage, StatusKeys};

/// Who has to agree before a package leaves (M-99). That may be more than the state asks for ([`Appliance::ask_approvals`]), and a draft needs
/// no fewer than was said where it was made; never less.
#[derive(Debug, Default)]
pub struct ApprovalRule {
    /// How many distinct keys, and of which; nothing where nobody has to.
    pub approvers: Option<(usize, SiteKeys)>,
}

impl Appliance {
    /// Signs a draft, whose file is read whole before: its number is used from then on. Of one that was signed the signature is written where
    /// an earlier try did not come to it; the bytes are the same.
    ///
    /// # Errors
    ///
    /// `E-POLICY digest-mismatch` when no package of the present instance has this head digest; `E-POLICY approvals`; those of
    /// [`Appliance::read_back`], with nothing signed; `E-BUSY export`; `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn sign_package(&self, head: Hash, rule: &ApprovalRule) -> Result<PackageRow> {
        let lock = self.lock_export()?;
        let instance = self.instance()?;
        let found = self.db.read(|connection| packages::find(connection, head))?;
        let Some(mut row) = found.filter(|row| row.instance == instance) else {
            return Err(unknown(&format!(
                "no package that was made here has the head digest {head}"
            )));
        };
        self.read_back(&row, &mut |_| Ok(()))?;
        let approved = self.check_approved(&row, rule)?;
        if row.state == State::Draft {
            self.use_number(&row, &approved)?;
            row.state = State::Signed;
        }
        self.write_signature(&lock, &row)?;
        Ok(row)
    }

    /// Uses the number of a draft (E6).
    fn use_number(&self, row: &PackageRow, approved: &[KeyId]) -> Result<()> {
        self.db.write(|transaction| {
            packages::advance(transaction, row.head, State::Signed)?;
            let told = Told {
                domain: row.domain,
                detail: json!({"head": row.head, "number": row.number}),
            };
            // Here also who agreed: approvals may be taken out of a file, and rows may not out of a log.
            let detail = json!({"approvals": approved, "domain": row.domain, "head": row.head, "number": row.number});
            audit::append(transaction, self.clock.now(), "status-sign", &detail, &[told]).map(|_| ())
        })
    }

    /// Checks that those have agreed to a package who have to now, also to one that was signed under an easier rule; returns who did.
    ///
    /// # Errors
    ///
    /// `E-POLICY approvals`; those of its file.
    pub(super) fn check_approved(&self, row: &PackageRow, rule: &ApprovalRule) -> Result<Vec<KeyId>> {
        // Whatever is asked for: a file that does not open is neither signed nor told of.
        let package = prologue::open(self, row)?;
        let asked = self.approvals_asked()?;
        let is_draft = row.state == State::Draft;
        let needed = if is_draft { asked.max(row.approvals) } else { asked };
        let Some((wanted, keys)) = &rule.approvers else {
            // What was signed with as many was judged then.
            return if needed == 0 || (!is_draft && row.approvals >= needed) {
                Ok(Vec::new())
            } else {
                Err(unsaid_approvers(row, needed))
            };
        };
        let needed = usize::try_from(needed).unwrap_or(usize::MAX).max(*wanted);
        keys.check(&package.approval(), needed, package.approvals())
            .map_err(|error| {
                if is_draft {
                    return error.remedy("approve the draft with `airlock approve DIGEST --key FILE`");
                }
                error.remedy(
                    "make a draft with `airlock status preview`, which covers what that package held, and approve that",
                )
            })?;
        Ok(keys.approved(&package.approval(), package.approvals()))
    }

    /// Writes the signature, where it is not there (E7).
    fn write_signature(&self, lock: &ExportLock, row: &PackageRow) -> Result<()> {
        match self.check_signature(row) {
            Err(error) if error.is(BELOW_THRESHOLD) => {}
            checked => return checked,
        }
        let mut package = prologue::open(self, row)?;
        package.sign(&self.status_key()?);
        prologue::replace(self, lock, row, &package)?;
        self.check_signature(row)
    }

    /// Checks that the key in force signed the head of a package in the outbox (V1 to V4).
    pub(super) fn check_signature(&self, row: &PackageRow) -> Result<()> {
        let file = UncachedFile::open(&self.package_path(row.head))?;
        let keys = StatusKeys::new(self.status_key()?.public(), []);
        OpenedPackage::open(Box::new(file))?.verify(keys).map(|_| ())
    }
}

/// A package that so many people have to approve, where nobody says who: most often the configuration was not named.
pub fn unsaid_approvers(row: &PackageRow, needed: u64) -> Error {
    Error::new(
        Class::Policy,
        "approvals",
        format!(
            "package {} leaves with {}, and whose count is not said here",
            row.number,
            counted(needed, "approval")
        ),
    )
    .expected("the configuration of this site, whose `keys` under [export] name the file of those who approve")
    .remedy("name the configuration of this site with --config FILE")
}
