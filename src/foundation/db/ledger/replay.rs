//! What was sent into hubs, item by item, and whose site speaks for which target there (SPEC M-116).
//!
//! A row says `sending` before a request goes out and what became of it afterwards. So a row that still says `sending` is a request whose
//! answer nobody saw.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId, Timestamp, Uuid};

/// Who speaks: a site for one of its targets, to a hub.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Address of the hub.
    pub hub: &'a str,
    /// The site that is spoken for.
    pub site: &'a SiteId,
    /// Its target.
    pub target: Uuid,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The request was about to go out, or went out; no answer is known.
    Sending,
    /// The hub took it.
    Sent,
    /// The hub will never take it.
    Refused,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }
}

/// An item of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is: kind, instance and number.
    pub item: String,
    /// What became of it.
    pub state: State,
    /// Why it was refused: the status of the answer, and what the hub said.
    pub code: Option<String>,
}

/// Writes down what becomes of an item; `code` says why it was refused: the status of the answer, and what the hub said.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn note(
    transaction: &Transaction<'_>,
    by: Speaker<'_>,
    item: &str,
    state: State,
    code: Option<&str>,
    at: Timestamp,
) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO replay (hub, site, target, item, state, code, at) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET state = excluded.state, code = excluded.code, at = excluded.at",
        )
        .and_then(|mut insert| insert.execute(params![by.hub, by.site, by.target, item, state.word(), code, at]))
        .sql("write down what is sent")?;
    Ok(())
}

/// Takes an item back that certainly did not arrive.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn forget(transaction: &Transaction<'_>, by: Speaker<'_>, item: &str) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM replay WHERE hub = ? AND site = ? AND target = ? AND item = ?")
        .and_then(|mut delete| delete.execute(params![by.hub, by.site, by.target, item]))
        .sql("take back what was not sent")?;
    Ok(())
}

/// Returns every item of a target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn items(connection: &Connection, by: Speaker<'_>) -> Result<Vec<Item>> {
    let what = "read what was sent";
    let mut select = connection
        .prepare_cached("SELECT item, state, code FROM replay WHERE hub = ? AND site = ? AND target = ? ORDER BY item")
        .sql(what)?;
    let rows = select
        .query_map(params![by.hub, by.site, by.target], |row| {
            let state: String = row.get(1)?;
            Ok(Item {
                item: row.get(0)?,
                state: match state.as_str() {
                    "sent" => State::Sent,
                    "refused" => State::Refused,
                    _ => State::Sending,
                },
                code: row.get(2)?,
            })
        })
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns the site that speaks for a target of a hub.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn speaking_site(connection: &Connection, hub: &str, target: Uuid) -> Result<Option<SiteId>> {
    connection
        .prepare_cached("SELECT site FROM replay_target WHERE hub = ? AND target = ?")
        .and_then(|mut select| select.query_row(params![hub, target], |row| row.get(0)).optional())
        .sql("read whose a target is")
}

/// Gives a target of a hub to a site, for good; says whether it was nobody's before.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn claim(transaction: &Transaction<'_>, by: Speaker<'_>) -> Result<bool> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO replay_target (hub, target, site) VALUES (?, ?, ?)")
        .and_then(|mut insert| insert.execute(params![by.hub, by.target, by.site]))
        .map(|rows| rows > 0)
        .sql("record whose a target is")
}
