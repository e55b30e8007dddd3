//! Copies into another registry of the site, in the audit log.

use serde_json::Value;

use super::Appliance;
use crate::db::site::audit;
use crate::domain::Result;

impl Appliance {
    /// Writes down that content was copied into another registry, and what came of it. No vendor is told: it is the site's own business.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`, `E-STATE`.
    pub fn record_mirror(&self, detail: &Value) -> Result<()> {
        let now = self.clock.now();
        self.db
            .write(|transaction| audit::append(transaction, now, "mirror", detail, &[]).map(|_| ()))
    }
}
