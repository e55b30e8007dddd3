//! A summary of what was signed last, with its audit row.

use serde_json::json;

use super::content::Content;
use crate::appliance::export::{ApprovalRule, ExportLock};
use crate::appliance::state::Appliance;
use crate::db::site::audit;
use crate::db::site::packages::{self, PackageRow};
use crate::db::site::stream_log::Told;
use crate::domain::{Class, Error, Hash, Result, Timestamp};
use crate::package::SignedSummary;

impl Appliance {
    /// Returns the newest signed package of a vendor: what a summary is made of.
    ///
    /// # Errors
    ///
    /// `E-STATE not-signed` when there is none; `E-STATE instance`.
    pub fn newest_signed(&self, domain: Hash) -> Result<PackageRow> {
        let instance = self.instance()?;
        self.db
            .read(|connection| packages::newest_signed(connection, domain, &instance))?
            .ok_or_else(|| {
                Error::new(
                    Class::State,
                    "not-signed",
                    "no package of this stream was signed yet, and a summary is made of a signed one only",
                )
                .remedy("seal one with `airlock status export DIR`; it need not leave")
            })
    }

    /// Makes the summary of a signed package. It leaves with the approvals of that one, so those are asked for that are asked for now.
    ///
    /// # Errors
    ///
    /// `E-POLICY approvals` when the package was signed under an easier rule; `package-missing` and those of the file's own when it is gone or
    /// damaged; `E-LIMIT summary-size`.
    pub fn summarize(
        &self,
        row: &PackageRow,
        rule: &ApprovalRule,
        now: Timestamp,
        _lock: &ExportLock,
    ) -> Result<SignedSummary> {
        let mut content = Content::default();
        let preview = self.read_back(row, &mut |line| content.take(line))?;
        self.check_approved(row, rule)?;
        let domain = row.domain;
        let summary = self
            .db
            .read(|connection| content.summary(connection, &preview.head, row.head))?;
        let signed = SignedSummary::sign(summary, domain, self.site(), &self.status_key()?)?;
        let detail = json!({"head": row.head, "number": row.number});
        let whole = json!({"domain": domain, "head": row.head, "number": row.number});
        self.db.write(|transaction| {
            let told = Told { domain, detail };
            audit::append(transaction, now, "status-summary", &whole, &[told]).map(drop)
        })?;
        Ok(signed)
    }
}
