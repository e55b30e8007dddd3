//! What is written down of damage that the store meets, whoever met it: a server, an import, a list.

use serde_json::json;

use crate::db::Db;
use crate::db::site::stream_log::Told;
use crate::db::site::{audit, damage};
use crate::domain::{Digest, Result, Timestamp};
use crate::store::Damage;

/// Writes down what is damaged, and an audit row for what was not known. That it cannot be written is only logged: the blob is not used
/// all the same. What is known and left nothing behind is read and not written: asking for it a thousand times costs one row.
pub(super) fn record(db: &Db, met: &Damage, now: Timestamp) {
    let Damage {
        digest,
        found,
        evidence,
    } = met;
    if evidence.is_none() && is_nothing_new(db, digest).unwrap_or(false) {
        return;
    }
    let written = db.write(|transaction| {
        let fresh = damage::note(transaction, digest, found, now)?;
        match evidence {
            Some(evidence) => {
                let detail = json!({"digest": digest, "evidence": evidence, "found": found});
                let domains = damage::domains(transaction, digest)?.into_iter();
                let detail_told = json!({"digest": digest});
                let told: Vec<Told> = domains
                    .map(|domain| Told {
                        domain,
                        detail: detail_told.clone(),
                    })
                    .collect();
                audit::append(transaction, now, "set-aside", &detail, &told)?;
            }
            None if fresh => {
                let detail = json!({"digest": digest, "found": found});
                audit::append(transaction, now, "missing", &detail, &[])?;
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
        tracing::error!(%digest, found, "content is not usable");
    }
}

/// Whether that it is missing is known, or nobody's matter: a release that was let go while somebody asked for its content.
fn is_nothing_new(db: &Db, digest: &Digest) -> Result<bool> {
    db.read(|connection| Ok(damage::is_known(connection, digest)? || damage::holders(connection, digest)?.is_empty()))
}
