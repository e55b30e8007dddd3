//! What is written down when the store sets a damaged blob aside, whoever met the damage: a server, an import.

use serde_json::json;

use crate::db::Db;
use crate::db::site::audit;
use crate::domain::Timestamp;
use crate::store::SetAside;

/// Writes the audit row. That it cannot be written is only logged: the blob is out of the way all the same.
pub(super) fn record(db: &Db, aside: &SetAside, now: Timestamp) {
    let SetAside {
        digest,
        evidence,
        found,
    } = aside;
    let detail = json!({"digest": digest, "evidence": evidence, "found": found});
    if let Err(error) = db.write(|transaction| audit::append(transaction, now, "set-aside", &detail)) {
        tracing::error!(%error, %digest, "no audit row could be written");
    }
    tracing::error!(%digest, found, evidence, "damaged content was set aside");
}
