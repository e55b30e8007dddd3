//! Receipts along the shown line: what arrived, what went live, what was refused.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, ToSql, params};

use super::super::instances::{Lineage, Numbered};
use super::records::MOST;
use crate::db::SqlResult as _;
use crate::domain::{Counter, Hash, Name, Result, SiteId, Timestamp};

const WHAT: &str = "read the receipts";
const COLUMNS: &str = "instance, number, at, head, product, channel, epoch, sequence, result, class, code, matched";

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Row id of the instance that it belongs to.
    pub instance: u64,
    /// Its number in the stream.
    pub number: u64,
    /// When the act began.
    pub at: Timestamp,
    /// Head digest of the release.
    pub head: Hash,
    /// Product.
    pub product: Name,
    /// Channel.
    pub channel: Name,
    /// Number of the release, as the site says.
    pub counter: Counter,
    /// `imported`, `activated` or `refused`.
    pub result: String,
    /// Class of the refusal.
    pub class: Option<String>,
    /// Sub-code of the refusal.
    pub code: Option<String>,
    /// Whether this head was signed here for this site.
    pub matched: bool,
}

/// Returns the newest `last` receipts of a line, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn receipts(connection: &Connection, line: &Lineage, last: u64) -> Result<Vec<ReceiptRow>> {
    select(connection, line, "", "", &[], last)
}

/// Returns the receipts of a release, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn receipts_of(connection: &Connection, line: &Lineage, head: Hash) -> Result<Vec<ReceiptRow>> {
    select(
        connection,
        line,
        "INDEXED BY receipt_of",
        "AND head = ?5",
        &[&head],
        u64::MAX,
    )
}

/// Returns the envelope that proves a receipt.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn receipt_envelope(connection: &Connection, receipt: &ReceiptRow) -> Result<Vec<u8>> {
    connection
        .prepare_cached("SELECT envelope FROM receipt WHERE instance = ? AND number = ?")
        .and_then(|mut select| select.query_row([receipt.instance, receipt.number], |row| row.get(0)))
        .sql(WHAT)
}

/// Returns the receipt of what went live last in a scope.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_activated(
    connection: &Connection,
    line: &Lineage,
    product: &Name,
    channel: &Name,
) -> Result<Option<ReceiptRow>> {
    let filter = "AND result = 'activated' AND product = ?5 AND channel = ?6";
    select(
        connection,
        line,
        "INDEXED BY receipt_activated",
        filter,
        &[product, channel],
        1,
    )
    .map(|found| found.into_iter().next())
}

/// Returns the refusals after which neither that release nor a later one of its scope came in, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn open_refusals(connection: &Connection, line: &Lineage) -> Result<Vec<ReceiptRow>> {
    let index = "INDEXED BY receipt_refused";
    let refused = select(connection, line, index, "AND result = 'refused'", &[], u64::MAX)?;
    still_open(connection, line, refused)
}

/// As [`open_refusals`], of every line; sites that have none are left out.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn open_refusals_of_all(
    connection: &Connection,
    lines: &BTreeMap<SiteId, Lineage>,
) -> Result<BTreeMap<SiteId, Vec<ReceiptRow>>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM receipt INDEXED BY receipt_refused WHERE result = 'refused' ORDER BY instance, number DESC"
    );
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let mut refused = BTreeMap::<u64, Vec<ReceiptRow>>::new();
    for row in select.query_map([], read).sql(WHAT)? {
        let row = row.sql(WHAT)?;
        refused.entry(row.instance).or_default().push(row);
    }
    let mut open = BTreeMap::new();
    for (site, line) in lines {
        let mut of_line = Vec::new();
        for owned in line.split(Numbered::Receipts, 1, MOST).into_iter().rev() {
            let of_instance = refused.remove(&owned.instance).unwrap_or_default();
            let own = |row: &ReceiptRow| (owned.first..=owned.last).contains(&row.number);
            of_line.extend(of_instance.into_iter().filter(own));
        }
        let of_line = still_open(connection, line, of_line)?;
        if !of_line.is_empty() {
            open.insert(site.clone(), of_line);
        }
    }
    Ok(open)
}

/// Leaves those refusals over after which nothing as new of their scope came in.
fn still_open(connection: &Connection, line: &Lineage, refused: Vec<ReceiptRow>) -> Result<Vec<ReceiptRow>> {
    let mut open = Vec::new();
    for refusal in refused {
        let mut came = false;
        for owned in line.split(Numbered::Receipts, refusal.number.saturating_add(1), MOST) {
            came = came
                || connection
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM receipt INDEXED BY receipt_came WHERE instance = ? AND number BETWEEN ? AND ?
                         AND product = ? AND channel = ? AND result <> 'refused' AND (epoch, sequence) >= (?, ?))",
                    )
                    .and_then(|mut select| {
                        let values = params![
                            owned.instance,
                            owned.first,
                            owned.last,
                            refusal.product,
                            refusal.channel,
                            refusal.counter.epoch,
                            refusal.counter.sequence
                        ];
                        select.query_row(values, |row| row.get::<_, bool>(0))
                    })
                    .sql(WHAT)?;
        }
        if !came {
            open.push(refusal);
        }
    }
    Ok(open)
}

/// Reads receipts of a line, the newest first, by an index; the first four values of the statement are its own.
fn select(
    connection: &Connection,
    line: &Lineage,
    index: &str,
    filter: &str,
    values: &[&dyn ToSql],
    last: u64,
) -> Result<Vec<ReceiptRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM receipt {index} WHERE instance = ?1 AND number BETWEEN ?2 AND ?3 {filter} ORDER BY number DESC LIMIT ?4"
    );
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let mut found: Vec<ReceiptRow> = Vec::new();
    for owned in line.split(Numbered::Receipts, 1, MOST).into_iter().rev() {
        let left = last.saturating_sub(found.len() as u64).min(MOST);
        let own: [&dyn ToSql; 4] = [&owned.instance, &owned.first, &owned.last, &left];
        let all: Vec<&dyn ToSql> = own.into_iter().chain(values.iter().copied()).collect();
        for row in select.query_map(all.as_slice(), read).sql(WHAT)? {
            found.push(row.sql(WHAT)?);
        }
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ReceiptRow> {
    Ok(ReceiptRow {
        instance: row.get(0)?,
        number: row.get(1)?,
        at: row.get(2)?,
        head: row.get(3)?,
        product: row.get(4)?,
        channel: row.get(5)?,
        counter: Counter {
            epoch: row.get(6)?,
            sequence: row.get(7)?,
        },
        result: row.get(8)?,
        class: row.get(9)?,
        code: row.get(10)?,
        matched: row.get(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::ledger::shown_of_all;
    use crate::db::{Db, Schema};

    /// Asked of all lines at once or of each by itself, the same refusals are open.
    #[test]
    fn refusals_of_all_lines_are_those_of_each() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let sites: Vec<SiteId> = (1..=3)
            .map(|number| format!("{number:032x}").parse().unwrap())
            .collect();
        let mut sql = String::new();
        for site in &sites {
            sql += &format!("INSERT INTO site VALUES ('{site}', '{site}', x'', x'', x'', 0, NULL);");
        }
        // The first site has a second life from receipt 4 on; what its first one told above that is lost.
        sql += &format!(
            "INSERT INTO instance VALUES (1, '{}', '{:032x}', NULL, 1, 1, 1), (2, '{}', '{:032x}', NULL, 1, 1, 1),
               (3, '{}', '{:032x}', 1, 1, 4, 1), (4, '{}', '{:032x}', NULL, 1, 1, 1);",
            sites[0], 1, sites[1], 2, sites[0], 3, sites[2], 4
        );
        for (instance, number, sequence, result) in [
            (1, 1, 1, "refused"),
            (1, 2, 1, "imported"),
            (1, 3, 7, "refused"),
            (1, 5, 9, "refused"),
            (3, 4, 6, "imported"),
            (3, 6, 8, "refused"),
            (2, 1, 2, "refused"),
            (2, 2, 3, "activated"),
            (4, 1, 2, "refused"),
        ] {
            sql += &format!(
                "INSERT INTO receipt VALUES ({instance}, {number}, 0, zeroblob(32), 'erp', 'stable', 0, {sequence}, '{result}', NULL, NULL, 1, x'');"
            );
        }
        db.write(|tx| {
            tx.execute_batch(&sql).sql("prepare")?;
            let lines = shown_of_all(tx)?;
            let mut all = open_refusals_of_all(tx, &lines)?;
            let numbers = |rows: &[ReceiptRow]| rows.iter().map(|row| (row.instance, row.number)).collect::<Vec<_>>();
            assert_eq!(numbers(&all[&sites[0]]), [(3, 6), (1, 3)]);
            assert_eq!(numbers(&all[&sites[2]]), [(4, 1)]);
            assert_eq!(all.len(), 2);
            for (site, line) in &lines {
                assert_eq!(all.remove(site).unwrap_or_default(), open_refusals(tx, line)?);
            }
            Ok(())
        })
        .unwrap();
    }
}
