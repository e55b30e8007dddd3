//! What each head that was signed consists of, for whom it is, what it fixes, and which revisions it tells to run.
//!
//! A number says that something was signed; these rows say what. They are the vendor's side of every comparison with what a site
//! reports, so they are written before the first signature, and learned from the bundle where another workspace signed.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Recorded;
use crate::db::SqlResult as _;
use crate::domain::{Audience, ContentItem, Digest, FixId, Hash, Result, Uuid};

/// What is known of a head.
#[derive(Debug, Clone)]
pub struct SignedContents<'a> {
    /// Head digest.
    pub head: Hash,
    /// The head itself: entry 03.
    pub bytes: &'a [u8],
    /// For whom.
    pub audience: &'a Audience,
    /// Everything that the release consists of, each digest once.
    pub items: &'a [ContentItem],
    /// The hash over their digests (SPEC M-95).
    pub content: Hash,
    /// What it fixes.
    pub fixes: &'a [FixId],
    /// Deployments, each with the revision that it shall run.
    pub revisions: &'a [(Uuid, Uuid)],
}

/// Records what a head consists of. What is known already stays; ids of what it fixes are added, also later.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_contents(transaction: &Transaction<'_>, contents: &SignedContents<'_>) -> Result<Recorded> {
    let what = "record what was signed";
    let known: Option<i64> = transaction
        .query_row("SELECT id FROM signed_head WHERE head = ?", [contents.head], |row| {
            row.get(0)
        })
        .optional()
        .sql(what)?;
    if let Some(id) = known {
        add_fixes(transaction, id, contents.fixes)?;
        return Ok(Recorded::Already);
    }
    transaction
        .execute(
            "INSERT INTO signed_head (head, bytes, content, blobs) VALUES (?, ?, ?, ?)",
            params![
                contents.head,
                contents.bytes,
                contents.content,
                contents.items.len() as u64
            ],
        )
        .sql(what)?;
    let id = transaction.last_insert_rowid();
    let mut blobs = transaction
        .prepare("INSERT INTO signed_blob (head, digest, size, leaf) VALUES (?, ?, ?, ?)")
        .sql(what)?;
    for item in contents.items {
        blobs
            .execute(params![id, item.digest, item.size, item.leaf])
            .sql(what)?;
    }
    let mut needs = transaction
        .prepare("INSERT INTO signed_need (head, digest) VALUES (?, ?)")
        .sql(what)?;
    for item in contents.items.iter().filter(|item| item.needed) {
        needs.execute(params![id, item.digest]).sql(what)?;
    }
    let mut audience = transaction
        .prepare("INSERT INTO signed_audience (head, site) VALUES (?, ?)")
        .sql(what)?;
    match contents.audience {
        Audience::Any(_) => {
            audience.execute(params![id, ""]).sql(what)?;
        }
        Audience::Sites(sites) => {
            for site in sites {
                audience.execute(params![id, site]).sql(what)?;
            }
        }
    }
    let mut revisions = transaction
        .prepare("INSERT OR IGNORE INTO signed_revision (revision, deployment, head) VALUES (?, ?, ?)")
        .sql(what)?;
    for (deployment, revision) in contents.revisions {
        revisions.execute(params![revision, deployment, id]).sql(what)?;
    }
    add_fixes(transaction, id, contents.fixes)?;
    Ok(Recorded::New)
}

fn add_fixes(transaction: &Transaction<'_>, head: i64, fixes: &[FixId]) -> Result<()> {
    let what = "record what a release fixes";
    let mut insert = transaction
        .prepare("INSERT OR IGNORE INTO signed_fix (id, head) VALUES (?, ?)")
        .sql(what)?;
    for fix in fixes {
        insert.execute(params![fix, head]).sql(what)?;
    }
    Ok(())
}

/// Returns what the bundle of a head left out, with its size; nothing for a head that is not known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn needs_of(connection: &Connection, head: Hash) -> Result<Option<BTreeMap<Digest, u64>>> {
    let what = "read what was left out";
    if contents_of(connection, head)?.is_none() {
        return Ok(None);
    }
    let mut select = connection
        .prepare(
            "SELECT b.digest, b.size FROM signed_head h JOIN signed_need n ON n.head = h.id
             JOIN signed_blob b ON b.head = n.head AND b.digest = n.digest WHERE h.head = ?",
        )
        .sql(what)?;
    let rows = select
        .query_map([head], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().map(Some).sql(what)
}

/// Returns how many pieces of content a head consists of and the hash over them; nothing for a head that is not known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn contents_of(connection: &Connection, head: Hash) -> Result<Option<(u64, Hash)>> {
    connection
        .query_row("SELECT blobs, content FROM signed_head WHERE head = ?", [head], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .sql("read what was signed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    #[test]
    fn what_was_signed_is_kept_once_and_fixes_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let items: Vec<ContentItem> = (0..300_u16)
            .map(|n| {
                let mut hash = [0; 32];
                hash[..2].copy_from_slice(&n.to_be_bytes());
                ContentItem {
                    digest: Digest(Hash(hash)),
                    size: u64::from(n),
                    leaf: n > 7,
                    needed: n > 297,
                }
            })
            .collect();
        let site = "0123456789abcdef0123456789abcdef";
        let audience = Audience::Sites(vec![site.parse().unwrap()]);
        let (deployment, revision) = (Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16]));
        let mut contents = SignedContents {
            head: Hash([7; 32]),
            bytes: b"{}",
            audience: &audience,
            items: &items,
            content: Hash([8; 32]),
            fixes: &["CVE-2026-1".parse().unwrap()],
            revisions: &[(deployment, revision)],
        };
        assert_eq!(db.read(|c| contents_of(c, contents.head)).unwrap(), None);
        assert_eq!(db.write(|tx| record_contents(tx, &contents)).unwrap(), Recorded::New);
        let later = ["ACME-12".parse().unwrap(), "CVE-2026-1".parse().unwrap()];
        contents.fixes = &later;
        assert_eq!(
            db.write(|tx| record_contents(tx, &contents)).unwrap(),
            Recorded::Already
        );
        let known = db.read(|c| contents_of(c, contents.head)).unwrap();
        assert_eq!(known, Some((300, contents.content)));
        let count = |sql: &'static str| {
            db.read(|c| c.query_row(sql, [], |row| row.get::<_, u64>(0)).sql("count"))
                .unwrap()
        };
        assert_eq!(count("SELECT count(*) FROM signed_blob WHERE leaf = 1"), 292);
        assert_eq!(count("SELECT sum(size) FROM signed_blob"), 299 * 300 / 2);
        let needs = db.read(|c| needs_of(c, contents.head)).unwrap().unwrap();
        assert_eq!(needs.into_values().collect::<Vec<_>>(), [298, 299]);
        assert_eq!(db.read(|c| needs_of(c, Hash([6; 32]))).unwrap(), None);
        assert_eq!(count("SELECT count(*) FROM signed_fix"), 2);
        assert_eq!(count("SELECT count(*) FROM signed_revision"), 1);
        let for_whom = db
            .read(|c| {
                c.query_row("SELECT site FROM signed_audience", [], |row| row.get::<_, String>(0))
                    .sql("read")
            })
            .unwrap();
        assert_eq!(for_whom, site);
        // Another head for everybody.
        let any = SignedContents {
            head: Hash([9; 32]),
            audience: &Audience::ANY,
            fixes: &[],
            ..contents
        };
        assert_eq!(db.write(|tx| record_contents(tx, &any)).unwrap(), Recorded::New);
        assert_eq!(count("SELECT count(*) FROM signed_audience WHERE site = ''"), 1);
    }
}
