//! Receipts: one for each act of a release, numbered 1, 2, 3 … without gaps in the stream of its trust domain, signed and kept in the
//! transaction of the act, and bound to the act's row in the stream log.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction, params};
use serde_json::{Value, json};

use super::audit;
use super::stream_log::Told;
use crate::crypto::{Receipt, ReceiptResult, SigningKey};
use crate::db::SqlResult as _;
use crate::domain::{Class, Code, Counter, Hash, InstanceId, Result, Scope, SiteId, Step, Timestamp};

const DAY_SECONDS: i64 = 86_400;

/// A receipt as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Whose stream it is numbered in.
    pub domain: Hash,
    /// Its number.
    pub number: u64,
    /// When the act began.
    pub at: Timestamp,
    /// Head digest of the bundle.
    pub head: Hash,
    /// What became of it.
    pub result: ReceiptResult,
    /// The signed receipt.
    pub envelope: Vec<u8>,
}

/// Who signs receipts, and in which life of the state folder.
#[derive(Debug)]
pub struct Signer {
    /// The site.
    pub site: SiteId,
    /// The present life of its state folder.
    pub instance: InstanceId,
    /// The status key.
    pub key: SigningKey,
}

/// The release of which a receipt speaks.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Trust domain, product, channel.
    pub scope: &'a Scope,
    /// Its number.
    pub counter: Counter,
    /// Head digest.
    pub head: Hash,
    /// The root version under which it was judged.
    pub root_version: u64,
    /// Label for people.
    pub version: &'a str,
}

/// Why a bundle was refused, as its vendor may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The class.
    pub class: Class,
    /// The sub-code.
    pub code: Code,
    /// The step.
    pub step: Step,
}

/// An act of which a receipt speaks.
#[derive(Debug)]
pub struct Act<'a> {
    /// When it began.
    pub at: Timestamp,
    /// The word in the audit log.
    pub action: &'a str,
    /// What became of the release.
    pub result: ReceiptResult,
    /// Why, where it was refused.
    pub refusal: Option<Refusal>,
    /// The row of the whole log: an object.
    pub detail: Value,
    /// The row of the stream log: an object.
    pub told: Value,
}

impl About<'_> {
    /// Returns what of the release stands in stream logs: its label for people does not.
    pub fn told(&self) -> Value {
        json!({
            "channel": self.scope.channel, "epoch": self.counter.epoch, "head": self.head, "product": self.scope.product,
            "root_version": self.root_version, "sequence": self.counter.sequence,
        })
    }
}

/// Writes an act down: its row in the whole log, its row in the stream log, and its receipt, whose number both rows name as `receipt`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn issue(transaction: &Transaction<'_>, signer: &Signer, about: &About<'_>, act: Act<'_>) -> Result<ReceiptRow> {
    let Act {
        at,
        action,
        result,
        refusal,
        mut detail,
        told,
    } = act;
    let domain = about.scope.domain;
    let number = next_number(transaction, domain)?;
    let mut told = Told { domain, detail: told };
    for detail in [&mut detail, &mut told.detail] {
        if let Some(members) = detail.as_object_mut() {
            members.insert("receipt".into(), number.into());
        }
    }
    let seals = audit::append(transaction, at, action, &detail, &[told])?;
    let receipt = Receipt {
        at,
        audit: seals.into_iter().next().expect("one row of one stream"),
        channel: about.scope.channel.clone(),
        class: refusal.map(|refusal| refusal.class.name().to_owned()),
        code: refusal.map(|refusal| refusal.code.as_str().to_owned()),
        domain,
        epoch: about.counter.epoch,
        head: about.head,
        instance: signer.instance.clone(),
        number,
        product: about.scope.product.clone(),
        result,
        root_version: about.root_version,
        sequence: about.counter.sequence,
        site: signer.site.clone(),
        step: refusal.map(|refusal| refusal.step.to_string()),
        version: about.version.to_owned(),
    };
    let row = ReceiptRow {
        domain,
        number,
        at,
        head: about.head,
        result,
        envelope: receipt.sign(&signer.key),
    };
    transaction
        .execute(
            "INSERT INTO receipt (domain, number, at, head, result, class, code, envelope) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![row.domain, row.number, row.at, row.head, row.result, receipt.class, receipt.code, row.envelope],
        )
        .sql("keep the receipt")?;
    Ok(row)
}

/// Whether the vendor has a receipt already that says that this head was refused so on this day.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_told(connection: &Connection, domain: Hash, head: Hash, refusal: &Refusal, at: Timestamp) -> Result<bool> {
    let day = at.unix().div_euclid(DAY_SECONDS);
    let (first, next) = (
        day.saturating_mul(DAY_SECONDS),
        day.saturating_add(1).saturating_mul(DAY_SECONDS),
    );
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM receipt WHERE domain = ? AND head = ? AND class = ? AND code = ? AND at >= ? AND at < ?)",
        )
        .and_then(|mut select| {
            select.query_row(
                params![domain, head, refusal.class.name(), refusal.code.as_str(), first, next],
                |row| row.get(0),
            )
        })
        .sql("read the receipts")
}

/// Returns the number that the next receipt of a stream gets.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn next_number(connection: &Connection, domain: Hash) -> Result<u64> {
    connection
        .query_row(
            "SELECT coalesce(max(number), 0) + 1 FROM receipt WHERE domain = ?",
            [domain],
            |row| row.get(0),
        )
        .sql("number the receipt")
}

/// Returns the newest receipt of the import of a release.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn of_import(connection: &Connection, head: Hash) -> Result<Option<ReceiptRow>> {
    connection
        .prepare_cached(&format!(
            "{COLUMNS} WHERE head = ? AND result = 'imported' ORDER BY number DESC LIMIT 1"
        ))
        .and_then(|mut select| select.query_row([head], read).optional())
        .sql("read the receipts")
}

/// Returns up to `limit` receipts of a stream after a number, in order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection, domain: Hash, after: u64, limit: usize) -> Result<Vec<ReceiptRow>> {
    let mut select = connection
        .prepare_cached(&format!(
            "{COLUMNS} WHERE domain = ? AND number > ? ORDER BY number LIMIT ?"
        ))
        .sql("read the receipts")?;
    let rows = select
        .query_map(params![domain, after, limit], read)
        .sql("read the receipts")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the receipts")
}

const COLUMNS: &str = "SELECT domain, number, at, head, result, envelope FROM receipt";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<ReceiptRow> {
    Ok(ReceiptRow {
        domain: row.get(0)?,
        number: row.get(1)?,
        at: row.get(2)?,
        head: row.get(3)?,
        result: row.get(4)?,
        envelope: row.get(5)?,
    })
}

impl ToSql for ReceiptResult {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl FromSql for ReceiptResult {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let known = Self::ALL.into_iter().find(|result| result.as_str() == word);
        known.ok_or(FromSqlError::InvalidType)
    }
}
