//! Receipts: as they were signed, all of them after the first number of the range (M-103).

use super::sink::{BATCH, Sink};
use crate::db::Connection;
use crate::db::site::receipts as rows;
use crate::domain::{Hash, Result};
use crate::package::{Line, SignedReceipt, Taken};

/// Writes the receipts of a stream from a number on, as far as they fit.
///
/// # Errors
///
/// `E-FORMAT` for an envelope that is damaged; those of the database and of the package.
pub(in super::super) fn receipts(
    sink: &mut Sink<'_, '_>,
    connection: &Connection,
    domain: Hash,
    first: u64,
) -> Result<()> {
    let mut after = first.saturating_sub(1);
    loop {
        let receipts = rows::list(connection, domain, after, BATCH)?;
        let Some(last) = receipts.last() else { return Ok(()) };
        after = last.number;
        for receipt in receipts {
            let line = Line::Receipt(Box::new(SignedReceipt::unverified(&receipt.envelope)?));
            if sink.push(&line)? == Taken::Full {
                return Ok(());
            }
        }
    }
}
