//! Rows of the stream's log: all of them after the first number of the range, in every profile (M-106).

use std::collections::BTreeMap;

use serde_json::Value;

use super::sink::{BATCH, Sink};
use crate::db::Connection;
use crate::db::site::stream_log;
use crate::domain::{Class, Error, Hash, Result};
use crate::package::{AuditRow, Line, Taken};

/// Writes the rows of a stream from a number on, as far as they fit.
///
/// # Errors
///
/// `E-STATE audit-broken` for a row that cannot be read; those of the database and of the package.
pub(in super::super) fn audit(
    sink: &mut Sink<'_, '_>,
    connection: &Connection,
    domain: Hash,
    first: u64,
) -> Result<()> {
    let mut after = first.saturating_sub(1);
    loop {
        let rows = stream_log::list(connection, domain, after, BATCH)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.number;
        for row in rows {
            let detail: BTreeMap<String, Value> =
                serde_json::from_str(&row.detail).map_err(|error| broken(domain, row.number).with_source(error))?;
            let line = Line::Audit(AuditRow {
                action: row.action,
                at: row.at,
                detail,
                number: row.number,
            });
            if sink.push(&line)? == Taken::Full {
                return Ok(());
            }
        }
    }
}

fn broken(domain: Hash, number: u64) -> Error {
    Error::new(
        Class::State,
        "audit-broken",
        format!("row {number} of the stream log of the trust domain {domain} cannot be read"),
    )
    .remedy("`airlock audit verify` says which rows hold; put a whole copy of the state folder in its place")
}
