//! Revisions that agents are told and nobody else: each follows from a stated one and from values of this site, and stands for that one
//! in everything that is listed or leaves.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, Uuid};

/// A revision of this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteRevision {
    /// The deployment.
    pub deployment: Uuid,
    /// What its agent is told.
    pub revision: Uuid,
    /// The target.
    pub target: Uuid,
    /// What it stands for: the signed revision, or that of a target made here.
    pub stated: Uuid,
}

/// What every site revision stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteRevisions {
    stated: HashMap<(Uuid, Uuid), Uuid>,
    present: HashMap<Uuid, (Uuid, Uuid)>,
}

impl SiteRevisions {
    /// Reads all of them.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read(connection: &Connection) -> Result<Self> {
        let mut select = connection
            .prepare_cached("SELECT deployment, revision, target, stated FROM site_revision ORDER BY number")
            .sql("read the site's revisions")?;
        let rows = select.query_map([], row).sql("read the site's revisions")?;
        let mut all = Self::default();
        for row in rows {
            let row = row.sql("read the site's revisions")?;
            all.stated.insert((row.deployment, row.revision), row.stated);
            all.present.insert(row.deployment, (row.revision, row.stated));
        }
        Ok(all)
    }

    /// Returns the revision that one stands for; itself, where it is none of this site's.
    pub fn stated(&self, deployment: &Uuid, revision: &Uuid) -> Uuid {
        *self.stated.get(&(*deployment, *revision)).unwrap_or(revision)
    }

    /// Whether a revision is one of this site's that agents are not told any more, because values changed since: what it stands for is told
    /// under another one.
    pub fn is_outdated(&self, deployment: &Uuid, revision: &Uuid) -> bool {
        let stated = self.stated(deployment, revision);
        self.told(deployment, &stated) != *revision
    }

    /// Returns what the agent of a deployment is told where `stated` is to run; the same, where nothing of this site goes into it.
    pub fn told(&self, deployment: &Uuid, stated: &Uuid) -> Uuid {
        match self.present.get(deployment) {
            Some((revision, stands_for)) if stands_for == stated => *revision,
            _ => *stated,
        }
    }
}

/// Returns what a revision of a target stands for, and of which deployment it is; nothing where it is none of this site's.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn find(connection: &Connection, target: &Uuid, revision: &Uuid) -> Result<Option<SiteRevision>> {
    connection
        .prepare_cached(
            "SELECT deployment, revision, target, stated FROM site_revision WHERE target = ? AND revision = ? LIMIT 1",
        )
        .and_then(|mut select| select.query_row([target, revision], row).optional())
        .sql("look for a revision of the site")
}

/// Records these as the present ones of their deployments.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record(transaction: &Transaction<'_>, present: &[SiteRevision]) -> Result<()> {
    for one in present {
        transaction
            .prepare_cached(
                "INSERT INTO site_revision (deployment, revision, target, stated, number)
                 SELECT ?1, ?2, ?3, ?4, coalesce(max(number), 0) + 1 FROM site_revision WHERE true
                 ON CONFLICT (deployment, revision) DO UPDATE
                   SET target = excluded.target, stated = excluded.stated, number = excluded.number",
            )
            .and_then(|mut insert| insert.execute(params![one.deployment, one.revision, one.target, one.stated]))
            .sql("record a revision of the site")?;
    }
    Ok(())
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<SiteRevision> {
    Ok(SiteRevision {
        deployment: row.get(0)?,
        revision: row.get(1)?,
        target: row.get(2)?,
        stated: row.get(3)?,
    })
}
