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
            let detail: BTreeMap<String, Value> = match serde_json::from_str(&row.detail) {
                Ok(detail) => detail,
                Err(error) => return Err(broken(connection, domain, row.number).with_source(error)),
            };
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

/// A row that is no object is not what was written, and a walk over the log says so.
fn broken(connection: &Connection, domain: Hash, number: u64) -> Error {
    let walked = stream_log::verify(connection, domain).err();
    walked.unwrap_or_else(|| {
        Error::new(
            Class::Internal,
            "stream-log",
            format!("row {number} of the stream log of the trust domain {domain} has no object for a detail"),
        )
    })
}
