//! What the audit log says of an import that publishes nothing: refused, here already, or a dry run.

use serde_json::{Value, json};

use crate::appliance::reserve;
use crate::appliance::state::Appliance;
use crate::bundle::Head;
use crate::db::site::audit;
use crate::db::site::owners::Held;
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// The bundle is here already, and whole; or a dry run found what would be restored.
pub(super) fn already(
    appliance: &Appliance,
    head: &Head,
    digest: Hash,
    would_restore: Option<u64>,
    at: Timestamp,
) -> Result<()> {
    let mut detail = describe(head, digest);
    if let (Some(count), Some(members)) = (would_restore, detail.as_object_mut()) {
        members.insert("would_restore".into(), count.into());
    }
    append(appliance, "import-already", &detail, at)
}

/// Every check passed, and nothing was kept.
pub(super) fn dry_run(
    appliance: &Appliance,
    head: &Head,
    digest: Hash,
    held: Option<&Held>,
    at: Timestamp,
) -> Result<()> {
    let mut detail = describe(head, digest);
    if let (Some(held), Some(members)) = (held, detail.as_object_mut()) {
        members.insert("held".into(), held.to_json());
    }
    append(appliance, "dry-run", &detail, at)
}

/// The bundle was refused; on a full disk the reserve makes room for the row.
pub(super) fn refusal(appliance: &Appliance, error: &Error, head: Option<Hash>, at: Timestamp) -> Result<()> {
    let mut detail = json!({
        "class": error.class().name(), "code": error.code(), "found": printable(error.found()),
    });
    if let Some(members) = detail.as_object_mut() {
        if let Some(step) = error.step() {
            members.insert("step".into(), step.to_string().into());
        }
        if let Some(head) = head {
            members.insert("head".into(), head.to_hex().into());
        }
    }
    let write = || append(appliance, "refuse", &detail, at);
    match write() {
        Err(error) if error.class() == Class::Space => {
            reserve::give_up(appliance.folder())?;
            write()
        }
        other => other,
    }
}

fn append(appliance: &Appliance, action: &str, detail: &Value, at: Timestamp) -> Result<()> {
    appliance
        .db
        .write(|transaction| audit::append(transaction, at, action, detail).map(|_| ()))
}

pub(super) fn describe(head: &Head, digest: Hash) -> Value {
    json!({
        "channel": head.channel, "domain": head.domain, "epoch": head.epoch, "head": digest,
        "product": head.product, "sequence": head.sequence, "version": head.version,
    })
}

/// Text from outside as canonical JSON may hold it: bounded, and without control characters.
fn printable(text: &str) -> String {
    text.chars()
        .take(1000)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
