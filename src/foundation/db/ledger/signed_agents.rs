//! Where targets stand, and which version their agents shall have, as each signed release states it.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, SiteId, Uuid};

/// A target's agent, as a release states it.
#[derive(Debug, Clone, Copy)]
pub struct SignedAgent<'a> {
    /// The target.
    pub target: Uuid,
    /// The only site that it stands at.
    pub site: Option<&'a SiteId>,
    /// The version that the agent shall have.
    pub version: &'a str,
}

/// Where a target stands, by the newest release that states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// The only site that it stands at.
    pub only_at: Option<SiteId>,
    /// The version of its agent, by the newest release.
    pub version: String,
    /// Whether a release for the site that was asked for states it.
    pub is_for_site: bool,
}

/// Records the agents of a head that is known. The same again changes nothing.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_agents(transaction: &Transaction<'_>, head: Hash, agents: &[SignedAgent<'_>]) -> Result<()> {
    let what = "record the agents of a release";
    let mut insert = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO signed_agent (target, head, site, version)
             SELECT ?, id, ?, ? FROM signed_head WHERE head = ?",
        )
        .sql(what)?;
    for agent in agents {
        insert
            .execute(params![agent.target, agent.site, agent.version, head])
            .sql(what)?;
    }
    Ok(())
}

/// Returns where a target stands; nothing for one that no signed release states.
///
/// The newest release has the last word on where it stands, for whomever it is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stands(connection: &Connection, site: &SiteId, target: Uuid) -> Result<Option<Stands>> {
    let what = "read where a target stands";
    let mut select = connection
        .prepare_cached(
            "SELECT a.site, a.version,
               EXISTS (SELECT 1 FROM signed_audience u WHERE u.head = a.head AND u.site IN ('', ?2))
             FROM signed_agent a JOIN signed_head h ON h.id = a.head LEFT JOIN signed_release r ON r.head = h.head
             WHERE a.target = ?1 ORDER BY r.epoch DESC, r.sequence DESC, h.id DESC",
        )
        .sql(what)?;
    let rows = select
        .query_map(params![target, site], |row| {
            Ok(Stands {
                only_at: row.get(0)?,
                version: row.get(1)?,
                is_for_site: row.get(2)?,
            })
        })
        .sql(what)?;
    let mut newest: Option<Stands> = None;
    for row in rows {
        let row = row.sql(what)?;
        match &mut newest {
            Some(newest) => newest.is_for_site |= row.is_for_site,
            None => newest = Some(row),
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    #[test]
    fn the_newest_release_says_where_a_target_stands() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let (here, there): (SiteId, SiteId) = (
            "00000000000000000000000000000001".parse().unwrap(),
            "00000000000000000000000000000002".parse().unwrap(),
        );
        let target = Uuid::from_bytes([5; 16]);
        db.write(|tx| {
            for (number, audience) in [(1_u8, here.as_str()), (2, there.as_str())] {
                let head = Hash([number; 32]);
                tx.execute(
                    "INSERT INTO signed_head VALUES (?, ?, x'', x'', 0)",
                    params![number, head],
                )
                .and_then(|_| tx.execute("INSERT INTO signed_audience VALUES (?, ?)", params![number, audience]))
                .and_then(|_| {
                    tx.execute(
                        "INSERT INTO signed_release VALUES (zeroblob(32), 'p', 'c', 0, ?, ?, 'v', 0)",
                        params![number, head],
                    )
                })
                .sql("prepare")?;
            }
            assert_eq!(stands(tx, &here, target)?, None);
            let agent = |site, version| SignedAgent { target, site, version };
            record_agents(tx, Hash([1; 32]), &[agent(None, "1")])?;
            record_agents(tx, Hash([9; 32]), &[agent(None, "9")])?;
            let stood = stands(tx, &here, target)?.unwrap();
            assert_eq!(
                (stood.only_at, stood.version.as_str(), stood.is_for_site),
                (None, "1", true)
            );
            assert!(!stands(tx, &there, target)?.unwrap().is_for_site);
            // It moved, and the release that says so is not for the first site.
            record_agents(tx, Hash([2; 32]), &[agent(Some(&there), "2")])?;
            let stood = stands(tx, &here, target)?.unwrap();
            assert_eq!(
                (stood.only_at, stood.version.as_str(), stood.is_for_site),
                (Some(there.clone()), "2", true)
            );
            Ok(())
        })
        .unwrap();
    }
}
