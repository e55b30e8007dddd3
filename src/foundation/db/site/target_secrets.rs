//! What proves that an agent is who it says: keyed hashes of secrets, never the secrets. They belong to the owner of the target
//! ([`owners`](super::owners)), as the generation of its tokens does, and nobody else's are ever written or read.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::owner::Owner;
use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Hash, Result, Timestamp, Uuid};

/// The secret of a target, as far as it is known here.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// The target.
    pub target: Uuid,
    /// HMAC-SHA-256 of the secret under a key of this appliance.
    pub mac: Hash,
    /// For a secret that the hub issued: hash of the verifier that let it in. It counts for as long as the release has that one.
    pub verifier: Option<Hash>,
    /// When it was issued, or first used.
    pub issued_at: Timestamp,
}

/// Returns the secrets of all targets.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<SecretRow>> {
    let mut select = connection
        .prepare_cached("SELECT target, mac, verifier, issued_at FROM target_secret")
        .sql("read the targets' secrets")?;
    let rows = select
        .query_map([], |row| {
            Ok(SecretRow {
                target: row.get(0)?,
                mac: row.get(1)?,
                verifier: row.get(2)?,
                issued_at: row.get(3)?,
            })
        })
        .sql("read the targets' secrets")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the targets' secrets")
}

/// Puts a secret that was issued here in the place of any other, and returns the generation of tokens; `revoke` starts a new one.
///
/// # Errors
///
/// `E-STATE no-target` when the target is not that owner's any more; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set(
    transaction: &Transaction<'_>,
    owner: &Owner,
    target: &Uuid,
    mac: Hash,
    revoke: bool,
    at: Timestamp,
) -> Result<u64> {
    let generation: Option<u64> = transaction
        .query_row(
            "UPDATE owner SET generation = generation + ? WHERE id = ? AND domain = ? AND product = ? RETURNING generation",
            params![i64::from(revoke), target, owner.domain, owner.product],
            |row| row.get(0),
        )
        .optional()
        .sql("record the generation of tokens")?;
    let generation = generation.ok_or_else(|| {
        Error::new(
            Class::State,
            "no-target",
            format!("the target {target} does not belong to {owner} any more"),
        )
    })?;
    transaction
        .execute(
            "INSERT INTO target_secret (target, mac, verifier, issued_at) VALUES (?, ?, NULL, ?)
             ON CONFLICT DO UPDATE SET mac = excluded.mac, verifier = NULL, issued_at = excluded.issued_at",
            params![target, mac, at],
        )
        .sql("record the target's secret")?;
    Ok(generation)
}

/// Keeps the hash of a secret that a verifier of the hub's let in, unless one was issued here meanwhile, or the target is not that
/// owner's any more; says whether it did.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn adopt(
    transaction: &Transaction<'_>,
    owner: &Owner,
    target: &Uuid,
    mac: Hash,
    verifier: Hash,
    at: Timestamp,
) -> Result<bool> {
    let changed = transaction
        .execute(
            "INSERT INTO target_secret (target, mac, verifier, issued_at)
             SELECT id, ?2, ?3, ?4 FROM owner WHERE id = ?1 AND domain = ?5 AND product = ?6
             ON CONFLICT DO UPDATE SET mac = excluded.mac, verifier = excluded.verifier, issued_at = excluded.issued_at
             WHERE target_secret.verifier IS NOT NULL",
            params![target, mac, verifier, at, owner.domain, owner.product],
        )
        .sql("record the target's secret")?;
    Ok(changed > 0)
}

impl std::fmt::Debug for SecretRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretRow")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
