//! What proves that an agent is who it says: keyed hashes of secrets, never the secrets, and the generation of its tokens.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, Timestamp, Uuid};

/// The secret of a target, as far as it is known here.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// The target.
    pub target: Uuid,
    /// Tokens of an earlier generation are dead.
    pub generation: u64,
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
        .prepare_cached("SELECT target, generation, mac, verifier, issued_at FROM target_secret")
        .sql("read the targets' secrets")?;
    let rows = select
        .query_map([], |row| {
            Ok(SecretRow {
                target: row.get(0)?,
                generation: row.get(1)?,
                mac: row.get(2)?,
                verifier: row.get(3)?,
                issued_at: row.get(4)?,
            })
        })
        .sql("read the targets' secrets")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the targets' secrets")
}

/// Puts a secret that was issued here in the place of any other, and returns the generation of tokens; `revoke` starts a new one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set(transaction: &Transaction<'_>, target: &Uuid, mac: Hash, revoke: bool, at: Timestamp) -> Result<u64> {
    transaction
        .query_row(
            "INSERT INTO target_secret (target, generation, mac, verifier, issued_at) VALUES (?1, ?3, ?2, NULL, ?4)
             ON CONFLICT DO UPDATE SET generation = generation + ?3, mac = excluded.mac, verifier = NULL,
               issued_at = excluded.issued_at RETURNING generation",
            params![target, mac, i64::from(revoke), at],
            |row| row.get(0),
        )
        .sql("record the target's secret")
}

/// Keeps the hash of a secret that a verifier of the hub's let in, unless one was issued here meanwhile; says whether it did.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn adopt(transaction: &Transaction<'_>, target: &Uuid, mac: Hash, verifier: Hash, at: Timestamp) -> Result<bool> {
    let changed = transaction
        .execute(
            "INSERT INTO target_secret (target, generation, mac, verifier, issued_at) VALUES (?1, 0, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET mac = excluded.mac, verifier = excluded.verifier, issued_at = excluded.issued_at
             WHERE target_secret.verifier IS NOT NULL",
            params![target, mac, verifier, at],
        )
        .sql("record the target's secret")?;
    Ok(changed > 0)
}

impl std::fmt::Debug for SecretRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretRow")
            .field("target", &self.target)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
