//! A fold: what is known in memory goes into its tables, and the journal of repeats is empty again.

use super::working_set::WorkingSet;
use crate::db::Transaction;
use crate::db::status::{self, Contact};
use crate::domain::{Class, Error, Result};

/// Folds, in the transaction of a commit.
pub(super) fn write_fold(tx: &Transaction<'_>, working_set: &WorkingSet) -> Result<()> {
    for (number, repeat) in &working_set.dirty.repeats {
        status::put_repeat(tx, *number, repeat)?;
    }
    for source in &working_set.dirty.latest {
        if let Some(deployment) = working_set.deployments.get(source) {
            let state = serde_json::to_string(deployment).map_err(|error| {
                Error::new(
                    Class::Internal,
                    "json",
                    format!("a deployment has no JSON form: {error}"),
                )
            })?;
            status::put_latest(tx, *source, &state)?;
        }
    }
    for (source, class) in &working_set.dirty.used {
        status::put_usage(tx, *source, *class, working_set.used_by(*source, *class))?;
    }
    for target in &working_set.dirty.contacts {
        if let Some(target) = working_set.targets.get(target) {
            let contact = Contact {
                source: target.source,
                last: target.last,
                metrics: working_set.newest_samples.get(&target.source).copied(),
            };
            status::put_contact(tx, &contact)?;
        }
    }
    status::clear(tx)?;
    status::clear_recounts(tx)?;
    status::put_fold(tx, working_set.next)
}
