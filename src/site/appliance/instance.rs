//! The present life of the state folder: one that was copied or restored begins another by itself (SPEC section 15).
//!
//! The database row is written before the file. A file that still names the row's parent is brought up to date; any other difference
//! means that parts of the folder come from different times, and stops imports and exports until somebody says what was done.
//! Serving goes on.

use std::path::Path;

use serde_json::json;

use super::instance_file::{self, DIFFERS};
use crate::crypto::random;
use crate::db::site::instances::{self, Reason};
use crate::db::site::stream_log::{self, Told};
use crate::db::site::{audit, log_witness};
use crate::db::{Connection, Db, Reads, Transaction};
use crate::domain::{Class, Error, InstanceId, Result, Timestamp};

/// The present life of a state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    /// Its instance.
    pub(super) instance: InstanceId,
    /// Whether it began just now, since the folder was copied or restored.
    pub(super) is_copy: bool,
}

/// Returns the present life; in a folder that was copied or restored it begins now.
///
/// # Errors
///
/// `E-STATE instance` when database and file do not belong together; `E-STATE audit-broken` where another life would begin in a log that
/// does not hold; `E-IO` and `E-SPACE`.
pub(super) fn settle(state: &Path, db: &Db, now: Timestamp) -> Result<Life> {
    let (instance, is_copy) = match compare(state, db)? {
        Compared::Present(instance) => (instance, false),
        Compared::Copied => {
            // Nothing is added to a log that does not hold, and a copy may be all that is left of the evidence.
            db.read(check_log)?;
            (begin(state, db, Reason::Copied, now)?, true)
        }
        Compared::Begun(instance) => {
            instance_file::write(state, &instance)?;
            (instance, false)
        }
    };
    Ok(Life { instance, is_copy })
}

/// What database and file say together, where they belong together.
enum Compared {
    /// The same.
    Present(InstanceId),
    /// The same, in a file that was copied.
    Copied,
    /// The database is one instance ahead: this one.
    Begun(InstanceId),
}

fn compare(state: &Path, db: &impl Reads) -> Result<Compared> {
    let (newest, parent) =
        db.read(|connection| Ok((instances::newest(connection)?, instances::parent(connection)?)))?;
    let newest = newest.ok_or_else(|| differs("the database knows no instance of this appliance".into()))?;
    let file = instance_file::read(state)
        .map_err(told)?
        .ok_or_else(|| differs("the state folder has no identity/instance.json".into()))?;
    if file.instance == newest.instance {
        return Ok(if file.is_original {
            Compared::Present(file.instance)
        } else {
            Compared::Copied
        });
    }
    if parent.is_some_and(|parent| parent.instance == file.instance) {
        return Ok(Compared::Begun(newest.instance));
    }
    Err(differs(format!(
        "identity/instance.json names the instance {}, and the database {}",
        file.instance, newest.instance
    )))
}

/// Says whether database and file belong together; writes nothing.
///
/// # Errors
///
/// As [`settle`].
pub(super) fn check(state: &Path, db: &impl Reads) -> Result<()> {
    compare(state, db).map(|_| ())
}

/// Walks the logs that the row of an instance would be added to.
fn check_log(connection: &Connection) -> Result<()> {
    audit::verify(connection)?;
    for domain in stream_log::domains(connection)? {
        stream_log::verify(connection, domain)?;
    }
    log_witness::check(connection)
}

/// Begins an instance, whatever was before.
///
/// # Errors
///
/// `E-STATE`, `E-IO` and `E-SPACE`.
pub(super) fn begin(state: &Path, db: &Db, reason: Reason, now: Timestamp) -> Result<InstanceId> {
    let instance = new()?;
    db.write(|transaction| record(transaction, &instance, reason, now))?;
    instance_file::write(state, &instance)?;
    Ok(instance)
}

/// Writes down that an instance begins, here and in every stream.
///
/// # Errors
///
/// Those of the database.
pub(super) fn record(
    transaction: &Transaction<'_>,
    instance: &InstanceId,
    reason: Reason,
    now: Timestamp,
) -> Result<()> {
    let parent = instances::newest(transaction)?.map(|row| row.instance);
    instances::begin(transaction, instance, reason, now)?;
    let mut detail = json!({"instance": instance, "reason": reason.as_str()});
    if let (Some(parent), Some(members)) = (parent, detail.as_object_mut()) {
        members.insert("parent".into(), parent.as_str().into());
    }
    let told = in_every_stream(transaction, &detail)?;
    audit::append(transaction, now, "instance", &detail, &told).map(|_| ())
}

/// Returns what every vendor learns: what concerns the appliance itself.
///
/// # Errors
///
/// Those of the database.
pub(super) fn in_every_stream(transaction: &Transaction<'_>, detail: &serde_json::Value) -> Result<Vec<Told>> {
    let domains = stream_log::domains(transaction)?.into_iter();
    Ok(domains
        .map(|domain| Told {
            domain,
            detail: detail.clone(),
        })
        .collect())
}

/// Returns a new random name.
///
/// # Errors
///
/// As [`random`].
pub(super) fn new() -> Result<InstanceId> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    Ok(InstanceId::from_bytes(bytes))
}

fn differs(found: String) -> Error {
    told(Error::new(Class::State, DIFFERS, found))
}

fn told(error: Error) -> Error {
    if !error.is(DIFFERS) {
        return error;
    }
    error
        .expected("a state folder whose parts are of one time")
        .remedy("say what was done: `airlock recover --as restored` where this folder was put back from a copy, or `airlock recover --as cloned` where another one like it is in use")
}
