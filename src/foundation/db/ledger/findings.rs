//! What was found in the packages of sites and is to be looked at.
//!
//! What was only noticed is a row of `finding`. What was refused as equivocation has left nothing but its row in the log (SPEC
//! section 16), so it is read from there: until somebody ended it, which is a row of the log as well.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, Row, Transaction, params};
use serde_json::json;

use crate::db::{SqlResult as _, sealed_log};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};

/// Action of a row of the log: a package was refused. Its detail has `site`, `class`, `code`, `step` and what else is known.
pub const REFUSE: &str = "refuse";
/// Action of a row of the log: somebody ended what was found.
pub const END: &str = "finding-end";

/// What a finding is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingId {
    /// A row of `finding`: `F7`.
    Noticed(u64),
    /// The newest of the refusals that it stands for, a row of the log: `R12`.
    Refused(u64),
}

/// A finding, or the refusals of a site with one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is called.
    pub id: FindingId,
    /// Of which site.
    pub site: SiteId,
    /// A stable word.
    pub code: String,
    /// One sentence.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// Head digest of the newest package that showed it.
    pub package: Option<Hash>,
    /// Since when.
    pub at: Timestamp,
    /// When somebody, or what came later, ended it.
    pub ended_at: Option<Timestamp>,
}

/// Something that was found in a package.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// Of which site.
    pub site: &'a SiteId,
    /// A stable word.
    pub code: &'a str,
    /// One sentence.
    pub detail: &'a str,
    /// Head digest of the package.
    pub package: Option<Hash>,
    /// When it was found.
    pub at: Timestamp,
}

/// Records a finding; where one of the site and code is open, that one counts and says the newest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn raise(transaction: &Transaction<'_>, found: &Found<'_>) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO finding (site, code, detail, count, package, at) VALUES (?, ?, ?, 1, ?, ?)
             ON CONFLICT (site, code) WHERE ended_at IS NULL
             DO UPDATE SET count = count + 1, detail = excluded.detail, package = excluded.package",
        )
        .and_then(|mut insert| insert.execute(params![found.site, found.code, found.detail, found.package, found.at]))
        .sql("record the finding")?;
    Ok(())
}

/// Ends a finding because what it waited for came; says whether one was open.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn settle(transaction: &Transaction<'_>, site: &SiteId, code: &str, at: Timestamp) -> Result<bool> {
    transaction
        .prepare_cached("UPDATE finding SET ended_at = ? WHERE site = ? AND code = ? AND ended_at IS NULL")
        .and_then(|mut update| update.execute(params![at, site, code]))
        .map(|rows| rows > 0)
        .sql("end the finding")
}

/// Whether a finding of a site and code is open.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_open(connection: &Connection, site: &SiteId, code: &str) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM finding WHERE site = ? AND code = ? AND ended_at IS NULL)")
        .and_then(|mut select| select.query_row(params![site, code], |row| row.get(0)))
        .sql("read the findings")
}

/// Returns the open findings, of one site or of all: refusals first, then the newest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn open(connection: &Connection, site: Option<&SiteId>) -> Result<Vec<Finding>> {
    let mut found = refused(connection, site)?;
    let mut select = connection
        .prepare_cached(
            "SELECT id, site, code, detail, count, package, at, ended_at FROM finding
             WHERE ended_at IS NULL AND (?1 IS NULL OR site = ?1) ORDER BY id DESC",
        )
        .sql("read the findings")?;
    let rows = select.query_map([site], read).sql("read the findings")?;
    for row in rows {
        found.push(row.sql("read the findings")?);
    }
    Ok(found)
}

/// Returns the equivocations of a site, or of all, that nobody ended: one for each site and code, the newest first. A head
/// or summary that was refused counts once, however often it is given. That the action is one of
/// two is said again as the index says it, so that rows of the log are found by it.
fn refused(connection: &Connection, site: Option<&SiteId>) -> Result<Vec<Finding>> {
    let mut select = connection
        .prepare_cached(
            "SELECT f.number, f.site, f.code, (SELECT detail ->> 'found' FROM audit WHERE number = f.number), f.count, f.at FROM (
             SELECT max(r.number) AS number, r.site, r.code, count(*) AS count, min(r.at) AS at
             FROM (SELECT min(number) AS number, at, detail ->> 'site' AS site, detail ->> 'code' AS code FROM audit
             WHERE action = 'refuse' AND action IN ('refuse', 'finding-end') AND detail ->> 'site' IS NOT NULL AND (?1 IS NULL OR detail ->> 'site' = ?1)
               AND detail ->> 'class' = 'E-EQUIVOCATION'
             GROUP BY 3, 4, coalesce(detail ->> 'head', detail ->> 'summary', number)) r
             WHERE r.number > (SELECT ifnull(max(e.detail ->> 'through'), 0) FROM audit e WHERE e.action = 'finding-end' AND e.action IN ('refuse', 'finding-end')
               AND e.detail ->> 'site' = r.site AND e.detail ->> 'code' = r.code)
             GROUP BY 2, 3) f ORDER BY 1 DESC",
        )
        .sql("read the refusals")?;
    let read = |row: &Row<'_>| {
        Ok(Finding {
            id: FindingId::Refused(row.get(0)?),
            site: row.get(1)?,
            code: row.get(2)?,
            detail: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            count: row.get(4)?,
            package: None,
            at: row.get(5)?,
            ended_at: None,
        })
    };
    let rows = select.query_map([site], read).sql("read the refusals")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the refusals")
}

/// Ends an open finding because somebody looked at it, with a row in the log.
///
/// # Errors
///
/// `E-USAGE finding` when none of that name is open; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn end(transaction: &Transaction<'_>, id: FindingId, at: Timestamp) -> Result<Finding> {
    let Some(mut finding) = open(transaction, None)?.into_iter().find(|finding| finding.id == id) else {
        return Err(
            Error::new(Class::Usage, "finding", format!("no open finding is called {id}"))
                .expected("the name of an open finding, such as F7 or R12")
                .remedy("see `airlock vendor ledger findings`"),
        );
    };
    let through = match id {
        FindingId::Noticed(_) => {
            settle(transaction, &finding.site, &finding.code, at)?;
            None
        }
        FindingId::Refused(number) => Some(number),
    };
    let mut detail =
        json!({"code": finding.code, "count": finding.count, "finding": id.to_string(), "site": finding.site});
    if let (Some(through), Some(detail)) = (through, detail.as_object_mut()) {
        detail.insert("through".into(), through.into());
    }
    sealed_log::append(transaction, at, END, &detail)?;
    finding.ended_at = Some(at);
    Ok(finding)
}

/// Ends everything that was refused of a site as equivocation, each with a row in the log.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn end_refusals(transaction: &Transaction<'_>, site: &SiteId, at: Timestamp) -> Result<()> {
    for refusal in refused(transaction, Some(site))? {
        end(transaction, refusal.id, at)?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Finding> {
    Ok(Finding {
        id: FindingId::Noticed(row.get(0)?),
        site: row.get(1)?,
        code: row.get(2)?,
        detail: row.get(3)?,
        count: row.get(4)?,
        package: row.get(5)?,
        at: row.get(6)?,
        ended_at: row.get(7)?,
    })
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noticed(id) => write!(f, "F{id}"),
            Self::Refused(number) => write!(f, "R{number}"),
        }
    }
}

impl FromStr for FindingId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |rest: &str| {
            rest.parse()
                .ok()
                .filter(|_| rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let id = match text.split_at_checked(1) {
            Some(("F", rest)) => number(rest).map(Self::Noticed),
            Some(("R", rest)) => number(rest).map(Self::Refused),
            _ => None,
        };
        id.ok_or_else(|| {
            Error::new(Class::Usage, "finding", format!("{text:?} names no finding"))
                .expected("F or R and a number, such as F7")
                .remedy("see `airlock vendor ledger findings`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    #[test]
    fn one_is_open_for_each_code_and_ends_by_hand_or_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let at = Timestamp::EPOCH;
        db.write(|tx| {
            tx.execute_batch(&format!(
                "INSERT INTO site VALUES ('{site}', 'plant', x'', x'', x'', 0, NULL)"
            ))
            .sql("prepare")?;
            let list = || {
                open(tx, Some(&site))
                    .unwrap()
                    .iter()
                    .map(|f| (f.id.to_string(), f.code.clone(), f.count))
                    .collect::<Vec<_>>()
            };
            let found = |code| Found {
                site: &site,
                code,
                detail: "so",
                package: None,
                at,
            };
            for code in ["branches", "package-missing", "branches"] {
                raise(tx, &found(code))?;
            }
            let refuse = |code: &str| {
                let detail =
                    json!({"class": "E-EQUIVOCATION", "code": code, "found": "two", "site": site, "step": "V5"});
                sealed_log::append(tx, at, REFUSE, &detail).unwrap();
            };
            refuse("previous");
            refuse("previous");
            sealed_log::append(
                tx,
                at,
                REFUSE,
                &json!({"class": "E-FORMAT", "code": "line", "site": site}),
            )?;
            let of = |id: &str, code: &str, count| (id.to_owned(), code.to_owned(), count);
            assert_eq!(
                list(),
                [
                    of("R2", "previous", 2),
                    of("F2", "package-missing", 1),
                    of("F1", "branches", 2)
                ]
            );
            settle(tx, &site, "package-missing", at)?;
            end(tx, "R2".parse()?, at)?;
            end(tx, "F1".parse()?, at)?;
            assert_eq!(list(), []);
            assert_eq!(end(tx, "F1".parse()?, at).unwrap_err().code(), "finding");
            refuse("previous");
            raise(tx, &found("branches"))?;
            assert_eq!(list(), [of("R6", "previous", 1), of("F3", "branches", 1)]);
            assert_eq!(sealed_log::verify(tx)?, 6);
            // The same file again is nothing new, before and after the end of it; another one is.
            let refuse_head = |head: &str| {
                let detail =
                    json!({"class": "E-EQUIVOCATION", "code": "record", "found": head, "head": head, "site": site});
                sealed_log::append(tx, at, REFUSE, &detail).unwrap();
            };
            let record = || list().into_iter().find(|found| found.1 == "record");
            refuse_head("aa");
            refuse_head("bb");
            refuse_head("aa");
            assert_eq!(record(), Some(of("R8", "record", 2)));
            end(tx, "R8".parse()?, at)?;
            refuse_head("aa");
            assert_eq!(record(), None);
            refuse_head("cc");
            assert_eq!(record(), Some(of("R12", "record", 1)));
            Ok(())
        })
        .unwrap();
        for text in ["", "7", "F", "F+7", "R-1", "f7", "F7 "] {
            assert!(text.parse::<FindingId>().is_err(), "{text:?}");
        }
    }
}
