//! A summary of what was signed last, with its audit row.

use serde_json::json;

use super::content::Content;
use crate::appliance::export::ExportLock;
use crate::appliance::state::Appliance;
use crate::db::site::audit;
use crate::db::site::packages::{self, PackageRow};
use crate::db::site::stream_log::Told;
use crate::domain::{Class, Error, Hash, Result, Timestamp};
use crate::package::SignedSummary;

impl Appliance {
    /// Makes the summary of a vendor's newest signed package.
    ///
    /// # Errors
    ///
    /// `E-STATE not-signed` when none is; `package-missing` and those of the file's own when it is gone or damaged; `E-LIMIT summary-size`.
    pub fn summarize(&self, domain: Hash, now: Timestamp, _lock: &ExportLock) -> Result<(PackageRow, SignedSummary)> {
        let instance = self.instance()?;
        let row = self
            .db
            .read(|connection| packages::newest_signed(connection, domain, &instance))?
            .ok_or_else(|| {
                Error::new(
                    Class::State,
                    "not-signed",
                    "no package of this stream was signed yet, and a summary is made of a signed one only",
                )
                .remedy("seal one with `airlock status export DIR`; it need not leave")
            })?;
        let mut content = Content::default();
        let preview = self.read_back(&row, &mut |line| content.take(line))?;
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
        Ok((row, signed))
    }
}
