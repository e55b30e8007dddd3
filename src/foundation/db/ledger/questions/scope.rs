//! What runs of a scope, over all sites, beside the releases that are looked for.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::db::SqlResult as _;
use crate::domain::{Name, Result, SiteId, Timestamp, Uuid};

/// Deployments of a scope at a site that run what one head gave them, or of which that is not known for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRun {
    /// The site.
    pub site: SiteId,
    /// How many they are.
    pub deployments: u64,
    /// The first of them; what follows is its.
    pub deployment: Uuid,
    /// Revision that runs.
    pub runs: Option<Uuid>,
    /// Why that is not known.
    pub doubt: Option<String>,
    /// The state.
    pub state: Option<String>,
    /// Since when it is so.
    pub first: Option<Timestamp>,
    /// Whether one of the heads gave it the revision that runs.
    pub is_in: bool,
    /// Row id of the newest head that gave it the revision that runs; where heads of several scopes did, of that which was recorded last.
    pub head: Option<u64>,
    /// Whether that is kept beside them: one scope alone states them for the site.
    pub is_settled: bool,
}

const WHAT: &str = "read what runs of the product";

/// In the order of an index that holds all of it.
const SETTLED: &str = "SELECT site, count(*), min(deployment), runs, doubt, state, first, newest
 FROM deployment_now INDEXED BY deployment_now_settled WHERE newest IS NOT NULL GROUP BY site, newest, doubt";

/// What is not settled: seldom more than what is under way.
const OPEN: &str = "WITH live AS MATERIALIZED (SELECT site FROM held WHERE product = ?1 AND channel = ?2 AND state = 'active')
 SELECT site, count(DISTINCT deployment), min(deployment), runs, doubt, state, first, head, is_in FROM (
   SELECT d.site, d.deployment, d.runs, d.doubt, d.state, d.first,
     EXISTS (SELECT 1 FROM signed_revision r WHERE r.deployment = d.deployment AND r.revision = d.runs
       AND r.head IN (SELECT value FROM json_each(?3))) AS is_in,
     (SELECT max(r.head) FROM signed_revision r WHERE r.deployment = d.deployment AND r.revision = d.runs) AS head
   FROM deployment_now d INDEXED BY deployment_now_open CROSS JOIN signed_deployment s
     ON s.deployment = d.deployment AND s.site IN ('', d.site) AND s.product = ?1 AND s.channel = ?2
   WHERE d.newest IS NULL AND (d.removed IS NULL OR d.runs IS NOT NULL OR d.doubt IS NOT NULL)
     AND (d.site IN live OR NOT EXISTS (SELECT 1 FROM signed_deployment o JOIN held k ON k.site = d.site AND k.product = o.product
       AND k.channel = o.channel AND k.state = 'active'
       WHERE o.deployment = d.deployment AND o.site IN ('', d.site) AND (o.product <> ?1 OR o.channel <> ?2))))
 GROUP BY site, is_in, head, doubt, runs IS NULL";

/// What runs at all sites, as far as one scope alone states it for the site, by the head that gave it.
#[derive(Debug)]
pub struct SettledRuns(BTreeMap<u64, Vec<ScopeRun>>);

impl SettledRuns {
    /// Reads them, of every scope.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read(connection: &Connection) -> Result<Self> {
        let mut select = connection.prepare_cached(SETTLED).sql(WHAT)?;
        let mut by_head = BTreeMap::<u64, Vec<ScopeRun>>::new();
        let rows = select
            .query_map([], |row| {
                let run = ScopeRun {
                    is_settled: true,
                    ..read(row)?
                };
                Ok((row.get::<_, u64>(7)?, run))
            })
            .sql(WHAT)?;
        for row in rows {
            let (head, run) = row.sql(WHAT)?;
            by_head.entry(head).or_default().push(run);
        }
        Ok(Self(by_head))
    }

    /// Returns what the deployments of a scope run that sites report, as releases state them for the site, and whether that is a revision
    /// of one of `good`. `heads` are all of the scope, by their row ids. Deployments of targets that were made at a site are not among
    /// them: their ids are derived. Nor is one that was taken away there and of which nothing says that it runs.
    ///
    /// A deployment that several scopes state belongs to those of them that are live at the site, where one is.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn of_scope(
        &self,
        connection: &Connection,
        product: &Name,
        channel: &Name,
        heads: &[u64],
        good: &[u64],
    ) -> Result<Vec<ScopeRun>> {
        let mut select = connection.prepare_cached(OPEN).sql(WHAT)?;
        let good_ids = serde_json::json!(good).to_string();
        let rows = select
            .query_map(params![product, channel, good_ids], |row| {
                Ok(ScopeRun {
                    is_in: row.get(8)?,
                    ..read(row)?
                })
            })
            .sql(WHAT)?;
        let mut runs = rows.collect::<rusqlite::Result<Vec<_>>>().sql(WHAT)?;
        for head in heads {
            let is_in = good.contains(head);
            let settled = self.0.get(head).into_iter().flatten();
            runs.extend(settled.map(|run| ScopeRun { is_in, ..run.clone() }));
        }
        Ok(runs)
    }
}

/// Returns how many deployments releases of a scope state for which sites; site `""` is every one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stated(connection: &Connection, product: &Name, channel: &Name) -> Result<BTreeMap<String, u64>> {
    let mut select = connection
        .prepare_cached("SELECT site, count(*) FROM signed_deployment WHERE product = ? AND channel = ? GROUP BY site")
        .sql(WHAT)?;
    let rows = select
        .query_map(params![product, channel], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Whether a head (row id) gave a deployment a revision.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn head_gave(connection: &Connection, head: u64, deployment: Uuid, revision: Uuid) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM signed_revision WHERE revision = ? AND deployment = ? AND head = ?")
        .and_then(|mut select| {
            select
                .query_row(params![revision, deployment, head], |_| Ok(()))
                .optional()
        })
        .map(|found| found.is_some())
        .sql(WHAT)
}

/// Whether a head (row id) states a deployment for a site which the site does not list, be it as one that was taken away there.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn has_unlisted(connection: &Connection, head: u64, site: &SiteId) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM signed_head h JOIN signed_release o ON o.head = h.head JOIN signed_deployment s
               ON s.product = o.product AND s.channel = o.channel AND s.site IN ('', ?2)
             WHERE h.id = ?1
               AND EXISTS (SELECT 1 FROM signed_revision r WHERE r.deployment = s.deployment AND r.head = h.id)
               AND NOT EXISTS (SELECT 1 FROM deployment_now d WHERE d.site = ?2 AND d.deployment = s.deployment))",
        )
        .and_then(|mut select| select.query_row(params![head, site], |row| row.get(0)))
        .sql(WHAT)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ScopeRun> {
    Ok(ScopeRun {
        site: row.get(0)?,
        deployments: row.get(1)?,
        deployment: row.get(2)?,
        runs: row.get(3)?,
        doubt: row.get(4)?,
        state: row.get(5)?,
        first: row.get(6)?,
        is_in: false,
        head: row.get(7)?,
        is_settled: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::ledger::snapshot::{DeploymentRow, put_deployment};
    use crate::db::ledger::{SignedContents, SignedDeployment, record_contents, record_release};
    use crate::db::{Db, Schema};
    use crate::domain::{Audience, Counter, Hash, Scope};

    fn uuid(number: u8) -> Uuid {
        Uuid::from_bytes([number; 16])
    }

    /// Signs a release of a channel whose deployment 1 shall run a revision.
    fn sign(db: &Db, channel: &str, sequence: u64, revision: u8) {
        let scope = Scope {
            domain: Hash([1; 32]),
            product: "erp".parse().unwrap(),
            channel: channel.parse().unwrap(),
        };
        let (counter, application) = (Counter { epoch: 0, sequence }, "web".parse().unwrap());
        let mut head = [u8::try_from(channel.len()).unwrap(); 32];
        head[0] = u8::try_from(sequence).unwrap();
        let deployments = [SignedDeployment {
            deployment: uuid(1),
            site: None,
            target: uuid(7),
            revision: uuid(revision),
            application: &application,
        }];
        let contents = SignedContents {
            head: Hash(head),
            bytes: b"{}",
            audience: &Audience::ANY,
            items: &[],
            content: Hash([0; 32]),
            scope: &scope,
            counter,
            fixes: &[],
            names: &[],
            targets: &[],
            deployments: &deployments,
        };
        db.write(|tx| {
            record_release(tx, &scope, counter, Hash(head), "v", Timestamp::EPOCH)?;
            record_contents(tx, &contents)
        })
        .unwrap();
    }

    /// What is kept beside a row says the same as what is asked without it, whatever was signed or learned in which order.
    #[test]
    fn what_is_kept_of_the_newest_head_answers_as_the_releases_do() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let sql = |text: &str| db.write(|tx| tx.execute_batch(text).sql("change")).unwrap();
        sql(&format!(
            "INSERT INTO site VALUES ('{site}', 'plant', x'', x'', x'', 0, NULL)"
        ));
        sign(&db, "stable", 2, 20);
        let row = DeploymentRow {
            deployment: uuid(1),
            target: uuid(7),
            wanted: None,
            revision: Some(uuid(20)),
            runs: Some(uuid(20)),
            doubt: None,
            state: Some("healthy"),
            signal: Some("well"),
            first: None,
            last: None,
            count: None,
            removed: None,
        };
        db.write(|tx| put_deployment(tx, &site, Hash([9; 32]), &row)).unwrap();
        let kept = || -> Option<u64> {
            db.read(|c| {
                c.query_row("SELECT newest FROM deployment_now", [], |row| row.get(0))
                    .sql("read")
            })
            .unwrap()
        };
        let ask_of = |channel: &str, heads: &[u64], good: &[u64]| {
            db.read(|c| {
                SettledRuns::read(c)?.of_scope(c, &"erp".parse().unwrap(), &channel.parse().unwrap(), heads, good)
            })
            .unwrap()
        };
        let ask = |good: &[u64]| ask_of("stable", &[1, 2, 3, 4], good);
        let same = |heads: &[u64], newest: Option<u64>| {
            assert_eq!(kept(), newest);
            let mut with = ask(heads);
            assert_eq!(with[0].is_settled, newest.is_some());
            with[0].is_settled = false;
            sql("UPDATE deployment_now SET newest = NULL");
            let without = ask(heads);
            db.write(|tx| crate::db::ledger::snapshot::look_again(tx, uuid(1)))
                .unwrap();
            assert_eq!(kept(), newest);
            (with, without)
        };
        let (with, without) = same(&[1], Some(1));
        assert_eq!(with, without);
        assert_eq!((with[0].is_in, with[0].head, with[0].deployments), (true, Some(1), 1));
        // The next release leaves it as it is, one that is older is learned, and one gives it something else.
        sign(&db, "stable", 3, 20);
        sign(&db, "stable", 1, 20);
        sign(&db, "stable", 4, 40);
        for heads in [&[2, 4][..], &[4], &[1, 2, 3, 4], &[]] {
            let (with, without) = same(heads, Some(2));
            assert_eq!(with[0].is_in, without[0].is_in, "{heads:?}");
            assert_eq!(with[0].head, Some(2));
        }
        // Another channel gives it the same: which of the two is meant is asked.
        sign(&db, "beta", 1, 20);
        let (with, without) = same(&[2], None);
        assert_eq!(with, without);
        assert!(with[0].is_in && !ask(&[4])[0].is_in);
    }

    #[test]
    fn all_that_is_asked_of_every_deployment_stands_in_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let plan = |sql: &str, values: &[&str]| -> Vec<String> {
            db.read(|c| {
                let mut select = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).sql("explain")?;
                let rows = select
                    .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                    .sql("explain")?;
                rows.collect::<rusqlite::Result<_>>().sql("explain")
            })
            .unwrap()
        };
        assert_eq!(
            plan(SETTLED, &[]),
            ["SCAN deployment_now USING COVERING INDEX deployment_now_settled"]
        );
        let open = plan(OPEN, &["a", "b", "[]"]);
        let step = "SCAN d USING INDEX deployment_now_open";
        assert!(open.iter().any(|line| line == step), "{open:#?}");
    }
}
