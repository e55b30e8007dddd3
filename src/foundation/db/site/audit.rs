//! The appliance's audit log: a [sealed log](crate::db::sealed_log) of everything that was done or refused here. What vendors may learn
//! of a row goes into their stream logs with it ([`stream_log`]). Who ran the program stands in the row of the whole log alone: it never
//! leaves with a stream.

use std::sync::OnceLock;

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use serde::Serialize;
use serde_json::Value;

use super::stream_log::{self, Told};
use crate::db::{SqlResult as _, sealed_log};
use crate::domain::{Hash, Result, Timestamp};

pub use crate::db::sealed_log::{Row, Sealed, last_number, list, newest, seal, verify, verify_after};

/// Every act of which the log has rows.
pub const ACTS: [&str; 39] = [
    "access-add",
    "access-remove",
    "ack-refuse",
    "acknowledge",
    "activate",
    "approvals",
    "backup",
    "clock",
    "dry-run",
    "gc",
    "gc-mark",
    "import",
    "import-already",
    "init",
    "instance",
    "mirror",
    "missing",
    "pin",
    "put-back",
    "refuse",
    "restore",
    "scrub",
    "secret",
    "set-aside",
    "status-approve",
    "status-drop",
    "status-key",
    "status-seal",
    "status-sign",
    "status-summary",
    "target-add",
    "target-deploy",
    "target-free",
    "target-remove",
    "target-restore",
    "target-secret",
    "target-undeploy",
    "token-key",
    "trust",
];

/// Who runs this program, as each row says that it writes.
static OPERATOR: OnceLock<Value> = OnceLock::new();
/// The member of a detail that says so.
pub const OPERATOR_MEMBER: &str = "operator";

/// Says who runs this program, once and for all of its rows.
pub fn operated_by(operator: Value) {
    // The first word holds: a process does not change hands.
    OPERATOR.set(operator).ok();
}

/// Appends a row, and beside it what vendors learn of it; returns the seals of these, in their order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn append(
    transaction: &Transaction<'_>,
    at: Timestamp,
    action: &str,
    detail: &impl Serialize,
    told: &[Told],
) -> Result<Vec<Hash>> {
    debug_assert!(
        ACTS.contains(&action),
        "{action} is none of the acts that people may ask for"
    );
    let number = match (OPERATOR.get(), serde_json::to_value(detail)) {
        (Some(operator), Ok(Value::Object(mut members))) => {
            members.insert(OPERATOR_MEMBER.into(), operator.clone());
            sealed_log::append(transaction, at, action, &members)?
        }
        _ => sealed_log::append(transaction, at, action, detail)?,
    };
    let streams = told
        .iter()
        .map(|told| stream_log::append(transaction, told, number, at, action));
    streams.collect()
}

/// Returns the public halves of the status keys that the log names as this appliance's own, oldest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn named_keys(connection: &Connection) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached(
            "SELECT detail ->> 'public' FROM audit WHERE action IN ('init', 'status-key') AND detail ->> 'public' IS NOT NULL
             ORDER BY number",
        )
        .sql("read the audit log")?;
    let rows = select
        .query_map([], |row| row.get::<_, String>(0))
        .sql("read the audit log")?;
    let texts: Vec<String> = rows.collect::<rusqlite::Result<_>>().sql("read the audit log")?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

/// Returns the detail of the newest row of an action; reads the whole log where there is none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_detail(connection: &Connection, action: &str) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT detail FROM audit WHERE action = ? ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| select.query_row([action], |row| row.get(0)).optional())
        .sql("read the audit log")
}
