//! Receipts of sites: what arrived, went live or was refused there, and whether it was signed here for them.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::put::Put;
use crate::db::SqlResult as _;
use crate::domain::{Counter, Hash, Name, Result, Scope, SiteId, Timestamp};

/// Code of a finding: a site speaks of a release that was not signed here.
pub const FOREIGN_RELEASE: &str = "foreign-release";

/// A receipt.
#[derive(Debug, Clone, Copy)]
pub struct NewReceipt<'a> {
    /// Row id of the instance that the number belongs to.
    pub instance: u64,
    /// Its number.
    pub number: u64,
    /// When the act began.
    pub at: Timestamp,
    /// Head digest of the release.
    pub head: Hash,
    /// Product.
    pub product: &'a Name,
    /// Channel.
    pub channel: &'a Name,
    /// Number of the release.
    pub counter: Counter,
    /// What became of it, as its word.
    pub result: &'a str,
    /// Class of the refusal.
    pub class: Option<&'a str>,
    /// Sub-code of the refusal.
    pub code: Option<&'a str>,
    /// Whether this head was signed here for this site.
    pub matched: bool,
    /// The envelope.
    pub envelope: &'a [u8],
}

/// What is known here of a release that a site speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedFor {
    /// It was signed here, and this site is in its audience.
    ThisSite,
    /// It was signed here for others.
    Others,
    /// Nothing with this number and head was signed here.
    Nobody,
}

/// Writes a receipt down. One that is known must be the same.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_receipt(transaction: &Transaction<'_>, receipt: &NewReceipt<'_>) -> Result<Put> {
    let what = "record a receipt";
    let new = transaction
        .prepare_cached(
            "INSERT INTO receipt (instance, number, at, head, product, channel, epoch, sequence, result, class, code, matched, envelope)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                receipt.instance,
                receipt.number,
                receipt.at,
                receipt.head,
                receipt.product,
                receipt.channel,
                receipt.counter.epoch,
                receipt.counter.sequence,
                receipt.result,
                receipt.class,
                receipt.code,
                receipt.matched,
                receipt.envelope
            ])
        })
        .sql(what)?;
    if new > 0 {
        return Ok(Put::New);
    }
    // A release may have been learned since.
    let same = transaction
        .prepare_cached("UPDATE receipt SET matched = ? WHERE instance = ? AND number = ? AND envelope = ?")
        .and_then(|mut update| {
            update.execute(params![
                receipt.matched,
                receipt.instance,
                receipt.number,
                receipt.envelope
            ])
        })
        .sql(what)?;
    Ok(if same > 0 { Put::Known } else { Put::Differs })
}

/// Says whether a head was signed here under a number, and for a site.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn signed_for(
    connection: &Connection,
    scope: &Scope,
    counter: Counter,
    head: Hash,
    site: &SiteId,
) -> Result<SignedFor> {
    let for_site: Option<bool> = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM signed_head h JOIN signed_audience a ON a.head = h.id
               WHERE h.head = r.head AND a.site IN ('', ?7))
             FROM signed_release r
             WHERE r.domain = ?1 AND r.product = ?2 AND r.channel = ?3 AND r.epoch = ?4 AND r.sequence = ?5 AND r.head = ?6",
        )
        .and_then(|mut select| {
            select
                .query_row(
                    params![
                        scope.domain,
                        scope.product,
                        scope.channel,
                        counter.epoch,
                        counter.sequence,
                        head,
                        site
                    ],
                    |row| row.get(0),
                )
                .optional()
        })
        .sql("read what was signed")?;
    Ok(match for_site {
        Some(true) => SignedFor::ThisSite,
        Some(false) => SignedFor::Others,
        None => SignedFor::Nobody,
    })
}

/// Compares receipts with a release that was learned after they came: those of sites in its audience match, and where nothing of a site is
/// foreign any more, that finding ends.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn match_receipts(transaction: &Transaction<'_>, head: Hash, at: Timestamp) -> Result<()> {
    let what = "compare the receipts";
    transaction
        .execute(
            "UPDATE receipt SET matched = 1 WHERE head = ?1 AND matched = 0
             AND EXISTS (SELECT 1 FROM signed_release r WHERE r.head = ?1 AND r.product = receipt.product
               AND r.channel = receipt.channel AND r.epoch = receipt.epoch AND r.sequence = receipt.sequence)
             AND EXISTS (SELECT 1 FROM signed_head h JOIN signed_audience a ON a.head = h.id JOIN instance i ON i.id = receipt.instance
               WHERE h.head = ?1 AND a.site IN ('', i.site))",
            [head],
        )
        .sql(what)?;
    transaction
        .execute(
            "UPDATE finding SET ended_at = ?1 WHERE code = ?2 AND ended_at IS NULL AND NOT EXISTS
             (SELECT 1 FROM receipt c JOIN instance i ON i.id = c.instance WHERE i.site = finding.site
              AND NOT EXISTS (SELECT 1 FROM signed_release r WHERE r.head = c.head AND r.product = c.product
                AND r.channel = c.channel AND r.epoch = c.epoch AND r.sequence = c.sequence))",
            params![at, FOREIGN_RELEASE],
        )
        .map(|_| ())
        .sql(what)
}

/// Hands over the envelope of every receipt of a site, until `take` says that it has seen enough.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql), and of `take`.
pub fn receipt_envelopes(
    connection: &Connection,
    site: &SiteId,
    take: &mut dyn FnMut(u64, &[u8]) -> Result<bool>,
) -> Result<()> {
    let what = "read the receipts";
    let mut select = connection
        .prepare_cached(
            "SELECT r.number, r.envelope FROM receipt r JOIN instance i ON i.id = r.instance WHERE i.site = ?
             ORDER BY r.instance, r.number",
        )
        .sql(what)?;
    let mut rows = select.query([site]).sql(what)?;
    while let Some(row) = rows.next().sql(what)? {
        let (number, envelope): (u64, Vec<u8>) = (row.get(0).sql(what)?, row.get(1).sql(what)?);
        if !take(number, &envelope)? {
            break;
        }
    }
    Ok(())
}
