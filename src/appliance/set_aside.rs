//! What is written down of damage that the store meets, whoever met it: a server, an import, a list.

use serde_json::json;

use crate::db::Db;
use crate::db::site::{audit, damage};
use crate::domain::Timestamp;
use crate::store::Damage;

/// Writes down what is damaged, and an audit row for what was not known; says whether it could. That it cannot be written is only logged:
/// the blob is out of the way all the same.
pub(super) fn record(db: &Db, met: &Damage, now: Timestamp) -> bool {
    let Damage {
        digest,
        found,
        evidence,
    } = met;
    let written = db.write(|transaction| {
        let fresh = damage::note(transaction, digest, found, now)?;
        match evidence {
            Some(evidence) => {
                let detail = json!({"digest": digest, "evidence": evidence, "found": found});
                audit::append(transaction, now, "set-aside", &detail)?;
            }
            None if fresh => {
                audit::append(transaction, now, "missing", &json!({"digest": digest}))?;
            }
            None => {}
        }
        Ok(())
    });
    if let Err(error) = &written {
        tracing::error!(%error, %digest, "damage could not be written down");
    }
    if let Some(evidence) = evidence {
        tracing::error!(%digest, found, evidence, "damaged content was set aside");
    } else {
        tracing::error!(%digest, "content is missing");
    }
    written.is_ok()
}
