//! What each head that was signed consists of, for whom it is, what it fixes, and which revisions it tells to run.
//!
//! A number says that something was signed; these rows say what. They are the vendor's side of every comparison with what a site
//! reports, so they are written before the first signature, and learned from the bundle where another workspace signed.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Recorded;
use super::snapshot::look_again;
use crate::db::SqlResult as _;
use crate::domain::{Audience, ContentItem, Counter, Digest, FixId, Hash, Name, Result, Scope, SiteId, Uuid};

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
    /// What it belongs to.
    pub scope: &'a Scope,
    /// Its number there.
    pub counter: Counter,
    /// What it fixes.
    pub fixes: &'a [FixId],
    /// What it names: repository and digest.
    pub names: &'a [(&'a str, Digest)],
    /// Targets.
    pub targets: &'a [SignedTarget<'a>],
    /// Deployments, each with the revision that it shall run.
    pub deployments: &'a [SignedDeployment<'a>],
}

/// A target as a release states it.
#[derive(Debug, Clone, Copy)]
pub struct SignedTarget<'a> {
    /// Its UUID.
    pub target: Uuid,
    /// The only site that it stands at.
    pub site: Option<&'a SiteId>,
    /// For people.
    pub name: &'a str,
}

/// A deployment as a release states it.
#[derive(Debug, Clone, Copy)]
pub struct SignedDeployment<'a> {
    /// Its UUID.
    pub deployment: Uuid,
    /// The only site that its target stands at.
    pub site: Option<&'a SiteId>,
    /// Its target.
    pub target: Uuid,
    /// What it shall run.
    pub revision: Uuid,
    /// The application.
    pub application: &'a Name,
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
    for stated in contents.deployments {
        revisions
            .execute(params![stated.revision, stated.deployment, id])
            .sql(what)?;
    }
    let mut names = transaction
        .prepare("INSERT OR IGNORE INTO signed_name (head, digest, repository) VALUES (?, ?, ?)")
        .sql(what)?;
    for (repository, digest) in contents.names {
        names.execute(params![id, digest, repository]).sql(what)?;
    }
    state_fleet(transaction, contents)?;
    for stated in contents.deployments {
        look_again(transaction, stated.deployment)?;
    }
    add_fixes(transaction, id, contents.fixes)?;
    Ok(Recorded::New)
}

/// Keeps which targets and deployments the release states for which sites, where no later release of the scope does.
fn state_fleet(transaction: &Transaction<'_>, contents: &SignedContents<'_>) -> Result<()> {
    let what = "record what targets are called";
    let (scope, counter) = (contents.scope, contents.counter);
    let mut target = transaction
        .prepare(
            "INSERT INTO signed_target (target, site, product, channel, epoch, sequence, name) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence, name = excluded.name
             WHERE (excluded.epoch, excluded.sequence) >= (epoch, sequence)",
        )
        .sql(what)?;
    for stated in contents.targets {
        for site in stated_for(stated.site, contents.audience) {
            let values = params![
                stated.target,
                site,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence,
                stated.name
            ];
            target.execute(values).sql(what)?;
        }
    }
    let mut deployment = transaction
        .prepare(
            "INSERT INTO signed_deployment (deployment, site, product, channel, epoch, sequence, target, application)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence, target = excluded.target,
               application = excluded.application
             WHERE (excluded.epoch, excluded.sequence) >= (epoch, sequence)",
        )
        .sql(what)?;
    for stated in contents.deployments {
        for site in stated_for(stated.site, contents.audience) {
            let values = params![
                stated.deployment,
                site,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence,
                stated.target,
                stated.application
            ];
            deployment.execute(values).sql(what)?;
        }
    }
    Ok(())
}

/// The sites that a release states a target for: its own, as far as the release is for it, else all that the release is for.
fn stated_for<'a>(site: Option<&'a SiteId>, audience: &'a Audience) -> Vec<&'a str> {
    match (site, audience) {
        (Some(site), audience) if audience.includes(site) => vec![site.as_str()],
        (Some(_), _) => Vec::new(),
        (None, Audience::Any(_)) => vec![""],
        (None, Audience::Sites(sites)) => sites.iter().map(SiteId::as_str).collect(),
    }
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

/// Returns the layers of a head, with their sizes: those that its bundle carried and those that it needed; nothing for a head that is not
/// known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn layers_of(connection: &Connection, head: Hash) -> Result<Option<BTreeMap<Digest, u64>>> {
    let what = "read what was signed";
    if contents_of(connection, head)?.is_none() {
        return Ok(None);
    }
    let mut select = connection
        .prepare(
            "SELECT b.digest, b.size FROM signed_head h JOIN signed_blob b ON b.head = h.id WHERE h.head = ? AND b.leaf = 1",
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

/// Returns what a head fixes, as far as it was said, ascending; nothing for a head that is not known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn fixes_of(connection: &Connection, head: Hash) -> Result<Vec<FixId>> {
    let what = "read what a release fixes";
    let mut select = connection
        .prepare_cached(
            "SELECT f.id FROM signed_fix f JOIN signed_head h ON h.id = f.head WHERE h.head = ? ORDER BY f.id",
        )
        .sql(what)?;
    let rows = select.query_map([head], |row| row.get(0)).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns entry 03 of a release that was signed or learned.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn head_bytes(connection: &Connection, head: Hash) -> Result<Option<Vec<u8>>> {
    connection
        .query_row("SELECT bytes FROM signed_head WHERE head = ?", [head], |row| row.get(0))
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
        let (application, scope) = (
            "web".parse().unwrap(),
            Scope {
                domain: Hash([1; 32]),
                product: "erp".parse().unwrap(),
                channel: "stable".parse().unwrap(),
            },
        );
        let other = "ffffffffffffffffffffffffffffffff".parse().unwrap();
        let target = |number: u8, site, name| SignedTarget {
            target: Uuid::from_bytes([number; 16]),
            site,
            name,
        };
        let deployment = |number: u8, site| SignedDeployment {
            deployment: Uuid::from_bytes([number; 16]),
            site,
            target: Uuid::from_bytes([number; 16]),
            revision: Uuid::from_bytes([9; 16]),
            application: &application,
        };
        let targets = [target(1, None, "old"), target(2, Some(&other), "elsewhere")];
        let deployments = [deployment(1, None), deployment(2, Some(&other))];
        let names = [("docker.io/library/web", Digest(Hash([4; 32]))); 2];
        let mut contents = SignedContents {
            head: Hash([7; 32]),
            bytes: b"{}",
            audience: &audience,
            items: &items,
            content: Hash([8; 32]),
            scope: &scope,
            counter: Counter { epoch: 0, sequence: 7 },
            fixes: &["CVE-2026-1".parse().unwrap()],
            names: &names,
            targets: &targets,
            deployments: &deployments,
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
        assert_eq!(count("SELECT count(*) FROM signed_revision"), 2);
        assert_eq!(count("SELECT count(*) FROM signed_name"), 1);
        // A target that stands at a site that the release is not for is stated for nobody.
        let stated = |sql| {
            db.read(|c| {
                let mut select = c.prepare(sql).sql("read")?;
                let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).sql("read")?;
                rows.collect::<rusqlite::Result<Vec<(String, u64)>>>().sql("read")
            })
            .unwrap()
        };
        let of_targets = "SELECT site || ' ' || name, sequence FROM signed_target ORDER BY 1";
        assert_eq!(stated(of_targets), [(format!("{site} old"), 7)]);
        assert_eq!(
            stated("SELECT site || ' ' || application, sequence FROM signed_deployment"),
            [(format!("{site} web"), 7)]
        );
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
            counter: Counter { epoch: 0, sequence: 6 },
            fixes: &[],
            targets: &[target(1, None, "older"), target(2, Some(&other), "older")],
            ..contents.clone()
        };
        assert_eq!(db.write(|tx| record_contents(tx, &any)).unwrap(), Recorded::New);
        assert_eq!(count("SELECT count(*) FROM signed_audience WHERE site = ''"), 1);
        // The newest release of the scope says what a target is called, whatever is learned after it.
        let older = SignedContents {
            head: Hash([10; 32]),
            counter: Counter { epoch: 0, sequence: 5 },
            targets: &[target(1, None, "oldest")],
            ..contents
        };
        assert_eq!(db.write(|tx| record_contents(tx, &older)).unwrap(), Recorded::New);
        assert_eq!(
            stated(of_targets),
            [
                (" older".to_owned(), 6),
                (format!("{site} old"), 7),
                (format!("{other} older"), 6)
            ]
        );
    }
}
