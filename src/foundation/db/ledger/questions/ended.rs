//! Findings that ended: by what came later, or because somebody looked at them.

use rusqlite::{Connection, Row};

use super::super::findings::{Finding, FindingId};
use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId};

/// Returns the findings that ended, of one site or of all, the last one first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn ended(connection: &Connection, site: Option<&SiteId>) -> Result<Vec<Finding>> {
    let what = "read the findings that ended";
    let mut select = connection
        .prepare_cached(
            "SELECT id, NULL, site, code, detail, count, package, at, ended_at FROM finding
             WHERE ended_at IS NOT NULL AND (?1 IS NULL OR site = ?1)
             UNION ALL
             SELECT NULL, e.detail ->> 'through', e.detail ->> 'site', e.detail ->> 'code', ifnull(r.detail ->> 'found', ''),
               e.detail ->> 'count', NULL, ifnull(r.at, e.at), e.at
             FROM audit e LEFT JOIN audit r ON r.number = e.detail ->> 'through'
             WHERE e.action = 'finding-end' AND e.action IN ('refuse', 'finding-end') AND e.detail ->> 'through' IS NOT NULL
               AND (?1 IS NULL OR e.detail ->> 'site' = ?1)
             ORDER BY 9 DESC, 1 DESC, 2 DESC",
        )
        .sql(what)?;
    let read = |row: &Row<'_>| {
        let id = match row.get(0)? {
            Some(id) => FindingId::Noticed(id),
            None => FindingId::Refused(row.get(1)?),
        };
        Ok(Finding {
            id,
            site: row.get(2)?,
            code: row.get(3)?,
            detail: row.get(4)?,
            count: row.get(5)?,
            package: row.get(6)?,
            at: row.get(7)?,
            ended_at: row.get(8)?,
        })
    };
    let rows = select.query_map([site], read).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}
