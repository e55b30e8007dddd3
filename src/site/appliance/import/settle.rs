//! Lays out the copies of what the transaction decided, and tidies up (X16). What goes wrong here undoes nothing.

use super::publish::Published;
use crate::appliance::marks;
use crate::appliance::state::Appliance;
use crate::bundle::Head;
use crate::db::site::receipts::{self, ReceiptRow};
use crate::db::site::release::Mark;
use crate::domain::{Error, Hash, Result, Step};
use crate::store::Staging;
use crate::stream::write_atomically;

/// Settles a release that was just published; returns what went wrong.
pub(super) fn settle(appliance: &Appliance, published: Published) -> Vec<Error> {
    let Published {
        head, receipt, staging, ..
    } = published;
    let mut warnings = lay_out(appliance, &head, &receipt);
    warnings.extend(staging.remove().err().map(|error| error.at(Step::X16)));
    warnings
}

/// X16 once more, for a release whose import was stopped between its transaction and the copies of what that decided.
pub(super) fn again(appliance: &Appliance, head: &Head, digest: Hash) -> Result<Vec<Error>> {
    let mut warnings = match appliance
        .db
        .read(|connection| receipts::of_import(connection, digest))?
    {
        Some(receipt) => lay_out(appliance, head, &receipt),
        None => Vec::new(),
    };
    let discarded = Staging::discard(&appliance.store, digest);
    warnings.extend(discarded.err().map(|error| error.at(Step::X16)));
    Ok(warnings)
}

fn lay_out(appliance: &Appliance, head: &Head, receipt: &ReceiptRow) -> Vec<Error> {
    let mark = Mark {
        counter: head.counter(),
        head: receipt.head,
    };
    [
        marks::raise(appliance.folder(), &head.scope(), mark),
        write_atomically(
            &appliance.receipt_path(receipt.domain, receipt.number),
            &receipt.envelope,
            0o600,
        ),
    ]
    .into_iter()
    .filter_map(Result::err)
    .map(|error| error.at(Step::X16))
    .collect()
}
