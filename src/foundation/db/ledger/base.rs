//! What a site surely holds, so that the next bundle may leave it out (SPEC M-101, M-102): statements. What counts is decided by who asks.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::contents::needs_of;
use super::instances::{Lineage, Numbered};
use super::packages::{PackageRow, package_before};
use crate::db::SqlResult as _;
use crate::domain::{Digest, Hash, Result, SiteId};

/// Returns the newest package of a lineage: that of its youngest instance with the highest number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_package(connection: &Connection, lineage: &Lineage) -> Result<Option<PackageRow>> {
    package_before(connection, lineage.youngest().id, i64::MAX.unsigned_abs())
}

/// Returns the number of the newest summary of the youngest instance; what it said of releases stands in the place of what packages
/// before it said.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_summary(connection: &Connection, site: &SiteId, lineage: &Lineage) -> Result<Option<u64>> {
    connection
        .query_row(
            "SELECT max(number) FROM summary WHERE site = ? AND instance = substr(?, 1, 16)",
            params![site, lineage.youngest().instance],
            |row| row.get(0),
        )
        .sql("read the summaries")
}

/// Layers that a site holds.
#[derive(Debug, Clone, Default)]
pub struct HeldLayers {
    /// With their sizes.
    pub sizes: BTreeMap<Digest, u64>,
    /// Those of no live release, by the newest one that has them: one, and one more for each newer one of its scope.
    pub aged: BTreeMap<Digest, u64>,
}

/// Returns the layers of the releases that a site listed with the content that was signed here, but those that it listed as damaged.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn held_layers(connection: &Connection, site: &SiteId) -> Result<HeldLayers> {
    let what = "read what the site holds";
    // Releases of one scope share most of their layers. Each comes in the order of its digests, so what all of them hold is a merge of
    // sorted lists; a tree that took them one by one would be searched a million times for what it has.
    let mut select = connection
        .prepare(
            "WITH l AS MATERIALIZED (
               SELECT head, CASE state WHEN 'active' THEN 0 ELSE 1 + (
                   SELECT count(*) FROM held n WHERE n.site = o.site AND n.product = o.product AND n.channel = o.channel
                     AND (n.epoch, n.sequence) > (o.epoch, o.sequence)) END AS age
               FROM held o WHERE site = ? AND agrees = 1)
             SELECT b.digest, l.age, b.size
             FROM l CROSS JOIN signed_head h ON h.head = l.head CROSS JOIN signed_blob b ON b.head = h.id WHERE b.leaf = 1",
        )
        .sql(what)?;
    let rows = select
        .query_map([site], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .sql(what)?;
    let mut layers: Vec<(Digest, u64, u64)> = rows.collect::<rusqlite::Result<_>>().sql(what)?;
    // This sort knows runs that are in order, and merges them.
    layers.sort();
    layers.dedup_by_key(|(digest, ..)| *digest);
    let damaged = damaged_layers(connection, site)?;
    if !damaged.is_empty() {
        layers.retain(|(digest, ..)| !damaged.contains(digest));
    }
    let old = layers.iter().filter(|(_, age, _)| *age > 0);
    Ok(HeldLayers {
        aged: old.map(|(digest, age, _)| (*digest, *age)).collect(),
        sizes: layers.iter().map(|(digest, _, size)| (*digest, *size)).collect(),
    })
}

fn damaged_layers(connection: &Connection, site: &SiteId) -> Result<BTreeSet<Digest>> {
    let what = "read what the site lacks";
    let mut select = connection
        .prepare("SELECT digest FROM damaged WHERE site = ?")
        .sql(what)?;
    let rows = select.query_map([site], |row| row.get(0)).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns how many releases a site listed, and how many of them with the content that was signed here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn held_releases(connection: &Connection, site: &SiteId) -> Result<(u64, u64)> {
    connection
        .query_row(
            "SELECT count(*), ifnull(sum(agrees), 0) FROM held WHERE site = ?",
            [site],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .sql("count what the site holds")
}

/// A bundle that a site refused because it lacked what the bundle needs.
#[derive(Debug, Clone, Copy)]
struct Refused {
    /// Number of the receipt.
    number: u64,
    head: Hash,
    /// How many instances of the lineage stand before the one whose number it is.
    owner: usize,
}

/// Returns what bundles needed that a site refused for it (`E-DEPENDENCY`) and has not shown to hold since: no package after the first one
/// that told of the refusal is known, and no later receipt says that a release with this content came in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn lacked(connection: &Connection, lineage: &Lineage, newest: &PackageRow) -> Result<BTreeSet<Digest>> {
    let mut lacked = BTreeSet::new();
    for refused in refusals(connection, lineage)? {
        if is_older_news(connection, lineage, &refused, newest)? {
            continue;
        }
        let since = imported_after(connection, lineage, refused.number)?;
        for digest in needs_of(connection, refused.head)?.unwrap_or_default().into_keys() {
            let mut came = false;
            for head in &since {
                came = came || consists_of(connection, *head, &digest)?;
            }
            if !came {
                lacked.insert(digest);
            }
        }
    }
    Ok(lacked)
}

fn refusals(connection: &Connection, lineage: &Lineage) -> Result<Vec<Refused>> {
    let what = "read the refusals";
    let mut select = connection
        .prepare(
            "SELECT number, head FROM receipt WHERE instance = ? AND number BETWEEN ? AND ?
               AND result = 'refused' AND class = 'E-DEPENDENCY'",
        )
        .sql(what)?;
    let mut refused = Vec::new();
    for owned in lineage.split(Numbered::Receipts, 1, i64::MAX.unsigned_abs()) {
        let owner = lineage
            .instances()
            .iter()
            .position(|instance| instance.id == owned.instance);
        let rows = select
            .query_map(params![owned.instance, owned.first, owned.last], |row| {
                Ok(Refused {
                    number: row.get(0)?,
                    head: row.get(1)?,
                    owner: owner.unwrap_or_default(),
                })
            })
            .sql(what)?;
        for row in rows {
            refused.push(row.sql(what)?);
        }
    }
    Ok(refused)
}

/// Whether a package before the newest one told of a refusal already. Packages are cumulative: one whose receipts reach the number told
/// of it, or one before it did.
fn is_older_news(connection: &Connection, lineage: &Lineage, refused: &Refused, newest: &PackageRow) -> Result<bool> {
    let mut select = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM package WHERE instance = ? AND head <> ?
               AND CAST(bytes AS TEXT) ->> '$.receipts.last' >= ?)",
        )
        .sql("look for packages")?;
    for instance in lineage.instances().iter().skip(refused.owner) {
        let told = select
            .query_row(params![instance.id, newest.head, refused.number], |row| row.get(0))
            .sql("look for packages")?;
        if told {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the releases that came in after a receipt.
fn imported_after(connection: &Connection, lineage: &Lineage, number: u64) -> Result<Vec<Hash>> {
    let what = "read the receipts";
    let mut select = connection
        .prepare_cached(
            "SELECT DISTINCT head FROM receipt WHERE instance = ? AND number BETWEEN ? AND ? AND result = 'imported'",
        )
        .sql(what)?;
    let mut heads = Vec::new();
    for owned in lineage.split(Numbered::Receipts, number.saturating_add(1), i64::MAX.unsigned_abs()) {
        let rows = select
            .query_map(params![owned.instance, owned.first, owned.last], |row| row.get(0))
            .sql(what)?;
        for row in rows {
            heads.push(row.sql(what)?);
        }
    }
    Ok(heads)
}

fn consists_of(connection: &Connection, head: Hash, digest: &Digest) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM signed_head h JOIN signed_blob b ON b.head = h.id
             WHERE h.head = ? AND b.digest = ?)",
        )
        .and_then(|mut select| select.query_row(params![head, digest], |row| row.get(0)))
        .sql("look for content")
}
