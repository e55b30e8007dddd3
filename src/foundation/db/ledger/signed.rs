//! Which release numbers this workspace has signed with which bytes, and what they told targets to run.
//!
//! A number belongs to one head for good. The row is written before a signature leaves the workspace, so that two bundles with
//! one number can never come from it.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::Recorded;
use super::restored::put_known_again;
use crate::db::SqlResult as _;
use crate::domain::{Class, Counter, Error, Hash, Name, Result, Scope, Timestamp};

/// A number that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRelease {
    /// Number within the scope.
    pub counter: Counter,
    /// Head digest.
    pub head: Hash,
    /// The release's label.
    pub version: String,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// Records that a number is about to be signed for a head. The same head again is fine.
///
/// # Errors
///
/// `E-EQUIVOCATION number-used` when the number belongs to another head; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_release(
    transaction: &Transaction<'_>,
    scope: &Scope,
    counter: Counter,
    head: Hash,
    version: &str,
    at: Timestamp,
) -> Result<Recorded> {
    if let Some(known) = signed_release(transaction, scope, counter)? {
        if known.head != head {
            return Err(Error::new(
                Class::Equivocation,
                "number-used",
                format!(
                    "release {counter} of {scope} was already signed as {:?} with other content (head {})",
                    known.version, known.head
                ),
            )
            .expected("one content for one number")
            .remedy("raise the sequence number; where secrets are sealed to sites, the same release file never makes the same content twice"));
        }
        return Ok(Recorded::Already);
    }
    transaction
        .execute(
            "INSERT INTO signed_release (domain, product, channel, epoch, sequence, head, version, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence,
                head,
                version,
                at
            ],
        )
        .sql("record the release")?;
    put_known_again(transaction, scope, counter)?;
    Ok(Recorded::New)
}

/// Returns what was signed under a number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn signed_release(connection: &Connection, scope: &Scope, counter: Counter) -> Result<Option<SignedRelease>> {
    connection
        .query_row(
            "SELECT epoch, sequence, head, version, created_at FROM signed_release
             WHERE domain = ? AND product = ? AND channel = ? AND epoch = ? AND sequence = ?",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence
            ],
            read_release,
        )
        .optional()
        .sql("read the signed releases")
}

/// A head as it was numbered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedHead {
    /// Product.
    pub product: Name,
    /// Channel.
    pub channel: Name,
    /// Number within them.
    pub counter: Counter,
}

/// Returns what a head was numbered; nothing for one that was neither signed nor learned here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn numbered_of(connection: &Connection, head: Hash) -> Result<Option<NumberedHead>> {
    let read = |row: &Row<'_>| {
        Ok(NumberedHead {
            product: row.get(0)?,
            channel: row.get(1)?,
            counter: Counter {
                epoch: row.get(2)?,
                sequence: row.get(3)?,
            },
        })
    };
    connection
        .prepare_cached("SELECT product, channel, epoch, sequence FROM signed_release WHERE head = ?")
        .and_then(|mut select| select.query_row([head], read).optional())
        .sql("read the signed releases")
}

/// Returns the highest number that was signed in each scope.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn highest_numbers(connection: &Connection) -> Result<Vec<(Scope, Counter)>> {
    let mut select = connection
        .prepare_cached("SELECT domain, product, channel, epoch, sequence FROM signed_release ORDER BY 1, 2, 3, 4, 5")
        .sql("read the signed releases")?;
    let rows = select
        .query_map([], |row| {
            let scope = Scope {
                domain: row.get(0)?,
                product: row.get(1)?,
                channel: row.get(2)?,
            };
            let counter = Counter {
                epoch: row.get(3)?,
                sequence: row.get(4)?,
            };
            Ok((scope, counter))
        })
        .sql("read the signed releases")?;
    let mut highest: Vec<(Scope, Counter)> = Vec::new();
    for row in rows {
        let (scope, counter) = row.sql("read the signed releases")?;
        if highest.last().is_some_and(|(before, _)| *before == scope) {
            highest.pop();
        }
        highest.push((scope, counter));
    }
    Ok(highest)
}

/// Returns the highest number that was signed in a scope.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_release(connection: &Connection, scope: &Scope) -> Result<Option<SignedRelease>> {
    connection
        .query_row(
            "SELECT epoch, sequence, head, version, created_at FROM signed_release
             WHERE domain = ? AND product = ? AND channel = ? ORDER BY epoch DESC, sequence DESC LIMIT 1",
            params![scope.domain, scope.product, scope.channel],
            read_release,
        )
        .optional()
        .sql("read the signed releases")
}

/// Records what a release that was just recorded tells targets to run: a desired-state document of all sites together.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_fleet(transaction: &Transaction<'_>, scope: &Scope, counter: Counter, state: &[u8]) -> Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO signed_fleet (domain, product, channel, epoch, sequence, state)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence,
                state
            ],
        )
        .sql("record what targets run")?;
    Ok(())
}

/// Returns what the newest release before a number told targets to run; nothing when no release said anything.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn fleet_before(connection: &Connection, scope: &Scope, counter: Counter) -> Result<Option<Vec<u8>>> {
    connection
        .query_row(
            "SELECT state FROM signed_fleet
             WHERE domain = ?1 AND product = ?2 AND channel = ?3 AND (epoch < ?4 OR (epoch = ?4 AND sequence < ?5))
             ORDER BY epoch DESC, sequence DESC LIMIT 1",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence
            ],
            |row| row.get(0),
        )
        .optional()
        .sql("read what targets run")
}

/// Goes through what releases before a number told targets to run, the newest first, until `visit` returns false.
///
/// # Errors
///
/// Those of `visit` and of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn each_fleet_before(
    connection: &Connection,
    scope: &Scope,
    counter: Counter,
    mut visit: impl FnMut(&[u8]) -> Result<bool>,
) -> Result<()> {
    const WHAT: &str = "read what targets ran";
    let mut select = connection
        .prepare(
            "SELECT state FROM signed_fleet
             WHERE domain = ?1 AND product = ?2 AND channel = ?3 AND (epoch < ?4 OR (epoch = ?4 AND sequence < ?5))
             ORDER BY epoch DESC, sequence DESC",
        )
        .sql(WHAT)?;
    let (epoch, sequence) = (counter.epoch, counter.sequence);
    let mut rows = select
        .query(params![scope.domain, scope.product, scope.channel, epoch, sequence])
        .sql(WHAT)?;
    while let Some(row) = rows.next().sql(WHAT)? {
        let state: Vec<u8> = row.get(0).sql(WHAT)?;
        if !visit(&state)? {
            break;
        }
    }
    Ok(())
}

fn read_release(row: &Row<'_>) -> rusqlite::Result<SignedRelease> {
    Ok(SignedRelease {
        counter: Counter {
            epoch: row.get(0)?,
            sequence: row.get(1)?,
        },
        head: row.get(2)?,
        version: row.get(3)?,
        created_at: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    fn ledger() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        (folder, db)
    }

    #[test]
    fn a_number_belongs_to_one_head_for_good() {
        let (_folder, db) = ledger();
        let scope = Scope {
            domain: Hash([1; 32]),
            product: "acme".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let record = |epoch, sequence, head| {
            let counter = Counter { epoch, sequence };
            db.write(|tx| record_release(tx, &scope, counter, Hash([head; 32]), "v1", Timestamp::EPOCH))
        };
        assert_eq!(record(0, 7, 1).unwrap(), Recorded::New);
        assert_eq!(record(0, 7, 1).unwrap(), Recorded::Already);
        let error = record(0, 7, 2).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Equivocation, "number-used"));
        assert_eq!(record(1, 7, 2).unwrap(), Recorded::New);
        assert_eq!(record(0, 8, 2).unwrap(), Recorded::New);
        let newest = db.read(|c| newest_release(c, &scope)).unwrap().unwrap();
        assert_eq!(newest.counter, Counter { epoch: 1, sequence: 7 });

        for (epoch, sequence, state) in [(0, 7, b"a"), (0, 8, b"b"), (1, 7, b"c")] {
            let counter = Counter { epoch, sequence };
            db.write(|tx| record_fleet(tx, &scope, counter, state)).unwrap();
        }
        let before = |epoch, sequence| {
            let counter = Counter { epoch, sequence };
            db.read(|c| fleet_before(c, &scope, counter)).unwrap()
        };
        assert_eq!(before(0, 7), None);
        assert_eq!(before(0, 8).unwrap(), b"a");
        assert_eq!(before(1, 0).unwrap(), b"b");
        assert_eq!(before(2, 0).unwrap(), b"c");
    }

    #[test]
    fn a_newer_ledger_is_left_alone() {
        let (folder, db) = ledger();
        drop(db);
        let path = folder.path().join("ledger.db");
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = Db::open(&path, &Schema::LEDGER).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::State, "schema-too-new"));
    }
}
