//! What the database says of a release that is here, compared with its verified bundle and put right (design D23): pages, blobs, names.
//!
//! A row is told by what it means, never by the keys of other rows, so that damaged keys are found too.

use std::collections::HashSet;

use rusqlite::{Connection, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::publish::{BlobRow, NameRow, Names, Page, insert_home_hosts, insert_pages};
use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Digest, Hash, Result};

/// What the database shall say of a release.
#[derive(Debug)]
pub struct ReleaseRows<'a> {
    /// Index pages, in order.
    pub pages: &'a [Page],
    /// Hosts answered without a host in the name.
    pub home_hosts: &'a [String],
    /// Every blob, carried or needed, with its size.
    pub blobs: &'a [(Digest, u64)],
    /// Every name.
    pub names: &'a [NameRow],
}

/// Every row of a release, each as five columns of which the first says what it is.
const QUERIES: [&str; 7] = [
    "SELECT 'page', number, hex(sha256), size, NULL FROM release_page WHERE release = ?",
    "SELECT 'host', host, NULL, NULL, NULL FROM home_host WHERE release = ?",
    "SELECT 'blob', hex(b.digest), b.size, NULL, NULL FROM release_blob rb LEFT JOIN blob b ON b.id = rb.blob WHERE rb.release = ?",
    "SELECT 'repository', r.name, NULL, NULL, NULL FROM release_repository rr LEFT JOIN repository r ON r.id = rr.repository
     WHERE rr.release = ?",
    "SELECT 'content', r.name, hex(b.digest), c.media_type, NULL FROM content c LEFT JOIN repository r ON r.id = c.repository
     LEFT JOIN blob b ON b.id = c.blob WHERE c.release = ?",
    "SELECT 'tag', r.name, t.tag, hex(b.digest), NULL FROM tag t LEFT JOIN repository r ON r.id = t.repository
     LEFT JOIN blob b ON b.id = t.blob WHERE t.release = ?",
    "SELECT 'referrer', hex(f.subject), hex(b.digest), f.artifact_type, f.annotations FROM referrer f
     LEFT JOIN blob b ON b.id = f.blob WHERE f.release = ?",
];

/// Returns how many rows of a release are missing, or are there and say something else.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn count_wrong(connection: &Connection, id: ReleaseId, expected: &ReleaseRows<'_>) -> Result<u64> {
    let mut missing = expected.marks();
    let mut other = 0_u64;
    for query in QUERIES {
        let mut select = connection.prepare_cached(query).sql("read the rows of a release")?;
        let mut rows = select.query([id.0]).sql("read the rows of a release")?;
        while let Some(row) = rows.next().sql("read the rows of a release")? {
            if !missing.remove(&mark_of(row).sql("read the rows of a release")?) {
                other = other.saturating_add(1);
            }
        }
    }
    // One that says something else is missing as well: it counts once.
    Ok(other.max(missing.len() as u64))
}

/// Makes the rows of a release say what its bundle says, in a transaction of the caller.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql); `E-INTERNAL unknown-blob` for a name of a blob that is not among the blobs.
pub fn restore(transaction: &Transaction<'_>, id: ReleaseId, expected: &ReleaseRows<'_>) -> Result<()> {
    for table in [
        "referrer",
        "tag",
        "content",
        "release_repository",
        "release_blob",
        "home_host",
        "release_page",
    ] {
        transaction
            .execute(&format!("DELETE FROM {table} WHERE release = ?"), [id.0])
            .sql("remove damaged rows")?;
    }
    insert_pages(transaction, id, expected.pages)?;
    insert_home_hosts(transaction, id, expected.home_hosts)?;
    let mut names = Names::new(transaction, id);
    for (digest, size) in expected.blobs {
        transaction
            .prepare_cached("UPDATE blob SET size = ?1 WHERE digest = ?2 AND size <> ?1")
            .and_then(|mut update| update.execute(params![size, digest]))
            .sql("restore the size of a blob")?;
        let blob = BlobRow {
            digest: *digest,
            size: *size,
            pieces: None,
        };
        names.blob(&blob)?;
    }
    for name in expected.names {
        names.insert(name)?;
    }
    Ok(())
}

impl ReleaseRows<'_> {
    fn marks(&self) -> HashSet<Hash> {
        let hex = |digest: &Digest| digest.0.to_hex().to_uppercase();
        let mut marks = HashSet::new();
        let mut add = |parts: [Option<&str>; 5]| {
            marks.insert(mark(parts));
        };
        for (number, page) in (1_u64..).zip(self.pages) {
            let (number, hash, size) = (number.to_string(), hex(&Digest(page.sha256)), page.size.to_string());
            add([Some("page"), Some(&number), Some(&hash), Some(&size), None]);
        }
        for host in self.home_hosts {
            add([Some("host"), Some(host), None, None, None]);
        }
        for (digest, size) in self.blobs {
            add([Some("blob"), Some(&hex(digest)), Some(&size.to_string()), None, None]);
        }
        for name in self.names {
            match name {
                NameRow::Content {
                    repository,
                    digest,
                    media_type,
                } => {
                    let repository = repository.to_string();
                    add([Some("repository"), Some(&repository), None, None, None]);
                    let media_type = media_type.as_deref();
                    add([Some("content"), Some(&repository), Some(&hex(digest)), media_type, None]);
                }
                NameRow::Tag {
                    repository,
                    tag,
                    digest,
                } => {
                    let (repository, tag) = (repository.to_string(), tag.to_string());
                    add([Some("repository"), Some(&repository), None, None, None]);
                    add([Some("tag"), Some(&repository), Some(&tag), Some(&hex(digest)), None]);
                }
                NameRow::Referrer {
                    subject,
                    digest,
                    artifact_type,
                    annotations,
                } => add([
                    Some("referrer"),
                    Some(&hex(subject)),
                    Some(&hex(digest)),
                    artifact_type.as_deref(),
                    Some(annotations),
                ]),
            }
        }
        marks
    }
}

/// What tells a row apart, in 32 bytes whatever it says.
fn mark(parts: [Option<&str>; 5]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update([u8::from(part.is_some())]);
        hasher.update((part.map_or(0, str::len) as u64).to_be_bytes());
        hasher.update(part.unwrap_or_default());
    }
    Hash(hasher.finalize().into())
}

fn mark_of(row: &Row<'_>) -> rusqlite::Result<Hash> {
    use rusqlite::types::Value;
    let mut texts = [const { None }; 5];
    for (place, text) in texts.iter_mut().enumerate() {
        *text = match row.get(place)? {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) => Some(text),
            other => Some(format!("{other:?}")),
        };
    }
    Ok(mark(texts.each_ref().map(Option::as_deref)))
}
