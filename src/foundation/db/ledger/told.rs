//! What a site told, along its shown lineage, as a replay into a hub needs it: the last status of each revision, the newest sample of each
//! target, the packages, and how much there is besides.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::instances::{Lineage, Numbered};
use crate::db::SqlResult as _;
use crate::domain::{Hash, InstanceId, Result, SiteId, Timestamp, Uuid};

/// The last status of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastStatus {
    /// The target.
    pub target: Uuid,
    /// The deployment.
    pub deployment: Uuid,
    /// The revision.
    pub revision: Uuid,
    /// Number of its record.
    pub number: u64,
    /// The instance that the number belongs to.
    pub instance: InstanceId,
    /// The state.
    pub state: String,
    /// What the agent said, quoted; none where the site did not show it.
    pub text: Option<String>,
    /// Since when it was reported, whatever was exported in between.
    pub first: Timestamp,
    /// When it was reported last.
    pub last: Timestamp,
    /// How often in all.
    pub count: u64,
}

/// A target as its site's newest package shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTarget {
    /// The target.
    pub target: Uuid,
    /// What its agent says that it is, quoted.
    pub agent: Option<String>,
    /// Whether the site made it itself.
    pub is_local: bool,
    /// The newest sample, as it travelled.
    pub metrics: Option<String>,
    /// Instance and number of the package that showed it; none where that was a summary.
    pub package: Option<(InstanceId, u64)>,
}

/// A package that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPackage {
    /// The instance that made it.
    pub instance: InstanceId,
    /// Its number.
    pub number: u64,
    /// Head digest.
    pub head: Hash,
    /// When it was made, by the site's clock.
    pub made_at: Timestamp,
    /// When it was taken in here.
    pub ingested_at: Timestamp,
    /// Its head.
    pub bytes: Vec<u8>,
}

/// How much a site told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Records of statuses.
    pub records: u64,
    /// How often they were reported in all.
    pub reports: u64,
    /// Gap records.
    pub gaps: u64,
    /// Receipts.
    pub receipts: u64,
    /// Days of metrics.
    pub days: u64,
}

/// Returns the last status of each deployment's revisions.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn last_statuses(connection: &Connection, lineage: &Lineage) -> Result<Vec<LastStatus>> {
    let what = "read the last statuses";
    let names: BTreeMap<u64, &InstanceId> = lineage.instances().iter().map(|i| (i.id, &i.instance)).collect();
    let owned = lineage.split(Numbered::Records, 1, i64::MAX.unsigned_abs());
    let mut last: BTreeMap<(Uuid, Uuid), (LastStatus, Option<u64>)> = BTreeMap::new();
    let mut select = connection
        .prepare_cached(
            "SELECT target, deployment, revision, max(number), state, text, at, last, count, of FROM record
             WHERE instance = ? AND number BETWEEN ? AND ? GROUP BY deployment, revision",
        )
        .sql(what)?;
    for part in &owned {
        let Some(instance) = names.get(&part.instance) else {
            continue;
        };
        let rows = select
            .query_map(params![part.instance, part.first, part.last], |row| {
                Ok((read_status(row, instance)?, row.get(9)?))
            })
            .sql(what)?;
        for row in rows {
            let row = row.sql(what)?;
            // Later instances come later, and have the higher numbers.
            last.insert((row.0.deployment, row.0.revision), row);
        }
    }
    let mut begun = connection
        .prepare_cached(
            "SELECT min(at), sum(count) FROM record WHERE instance = ?1 AND number BETWEEN ?2 AND ?3
             AND deployment = ?4 AND (number = ?5 OR of = ?5)",
        )
        .sql(what)?;
    for (status, of) in last.values_mut() {
        let Some(of) = *of else { continue };
        let mut count = 0_u64;
        for part in &owned {
            let values = params![part.instance, part.first, part.last, status.deployment, of];
            let (first, reports): (Option<Timestamp>, Option<u64>) = begun
                .query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))
                .sql(what)?;
            status.first = first.map_or(status.first, |first| status.first.min(first));
            count = count.saturating_add(reports.unwrap_or(0));
        }
        status.count = count.max(status.count);
    }
    Ok(last.into_values().map(|(status, _)| status).collect())
}

fn read_status(row: &Row<'_>, instance: &InstanceId) -> rusqlite::Result<LastStatus> {
    Ok(LastStatus {
        target: row.get(0)?,
        deployment: row.get(1)?,
        revision: row.get(2)?,
        number: row.get(3)?,
        instance: instance.clone(),
        state: row.get(4)?,
        text: row.get(5)?,
        first: row.get(6)?,
        last: row.get(7)?,
        count: row.get(8)?,
    })
}

/// Returns the place of a revision among those of its deployment, by the first release for the site that states it; nothing where none
/// does.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn signed_order(
    connection: &Connection,
    site: &SiteId,
    deployment: Uuid,
    revision: Uuid,
) -> Result<Option<(u64, u64, u64)>> {
    connection
        .prepare_cached(
            "SELECT ifnull(r.epoch, 0), ifnull(r.sequence, 0), h.id
             FROM signed_revision s JOIN signed_head h ON h.id = s.head LEFT JOIN signed_release r ON r.head = h.head
             WHERE s.revision = ?1 AND s.deployment = ?2
               AND EXISTS (SELECT 1 FROM signed_audience u WHERE u.head = s.head AND u.site IN ('', ?3))
             ORDER BY 1, 2, 3 LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row(params![revision, deployment, site], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .sql("read the order of revisions")
}

/// Returns the targets of a site.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn shown_targets(connection: &Connection, site: &SiteId) -> Result<Vec<ShownTarget>> {
    let what = "read the targets of a site";
    let mut select = connection
        .prepare_cached(
            "SELECT t.target, t.agent, t.follows IS NOT NULL, t.metrics, i.instance, p.number FROM target_now t
             LEFT JOIN package p ON p.head = t.package LEFT JOIN instance i ON i.id = p.instance
             WHERE t.site = ? ORDER BY t.target",
        )
        .sql(what)?;
    let rows = select
        .query_map([site], |row| {
            let (instance, number): (Option<InstanceId>, Option<u64>) = (row.get(4)?, row.get(5)?);
            Ok(ShownTarget {
                target: row.get(0)?,
                agent: row.get(1)?,
                is_local: row.get(2)?,
                metrics: row.get(3)?,
                package: instance.zip(number),
            })
        })
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns the packages of a lineage in the order of their numbers, instance by instance.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stored_packages(connection: &Connection, lineage: &Lineage) -> Result<Vec<StoredPackage>> {
    let what = "read the packages of a site";
    let mut select = connection
        .prepare_cached(
            "SELECT number, head, made_at, ingested_at, bytes FROM package WHERE instance = ? ORDER BY number",
        )
        .sql(what)?;
    let mut all = Vec::new();
    for instance in lineage.instances() {
        let rows = select
            .query_map([instance.id], |row| {
                Ok(StoredPackage {
                    instance: instance.instance.clone(),
                    number: row.get(0)?,
                    head: row.get(1)?,
                    made_at: row.get(2)?,
                    ingested_at: row.get(3)?,
                    bytes: row.get(4)?,
                })
            })
            .sql(what)?;
        for row in rows {
            all.push(row.sql(what)?);
        }
    }
    Ok(all)
}

/// Returns how much a site told along a lineage.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn amounts(connection: &Connection, site: &SiteId, lineage: &Lineage) -> Result<Amounts> {
    let what = "count what a site told";
    let mut amounts = Amounts::default();
    let sum = |sql: &str, kind: Numbered, column: usize| -> Result<u64> {
        let mut select = connection.prepare_cached(sql).sql(what)?;
        let mut sum = 0_u64;
        for part in lineage.split(kind, 1, i64::MAX.unsigned_abs()) {
            let count: u64 = select
                .query_row(params![part.instance, part.first, part.last], |row| row.get(column))
                .sql(what)?;
            sum = sum.saturating_add(count);
        }
        Ok(sum)
    };
    let records = "SELECT count(*), ifnull(sum(count), 0) FROM record WHERE instance = ? AND number BETWEEN ? AND ?";
    amounts.records = sum(records, Numbered::Records, 0)?;
    amounts.reports = sum(records, Numbered::Records, 1)?;
    amounts.gaps = sum(
        "SELECT count(*) FROM site_gap WHERE instance = ? AND number BETWEEN ? AND ?",
        Numbered::Records,
        0,
    )?;
    amounts.receipts = sum(
        "SELECT count(*) FROM receipt WHERE instance = ? AND number BETWEEN ? AND ?",
        Numbered::Receipts,
        0,
    )?;
    amounts.days = connection
        .query_row("SELECT count(*) FROM metrics_day WHERE site = ?", [site], |row| {
            row.get(0)
        })
        .sql(what)?;
    Ok(amounts)
}
