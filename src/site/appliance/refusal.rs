//! What was refused here is a row of the log, whatever command it was: imports write theirs with a receipt where the vendor may know
//! ([`super::import`]), every other command that changes something writes it here.

use serde_json::{Value, json};

use super::reserve;
use super::state::Appliance;
use crate::db::site::audit;
use crate::domain::{Class, Error, Result, Timestamp};

/// Action of a row of the log.
pub(super) const REFUSE: &str = "refuse";

impl Appliance {
    /// Writes down that a command was refused; on a full disk the reserve makes room for the row.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE` and `E-STATE`.
    pub fn record_refusal(&self, error: &Error, command: &str, at: Timestamp) -> Result<()> {
        let mut detail = refused(error);
        if let Some(members) = detail.as_object_mut() {
            members.insert("command".into(), command.into());
        }
        self.with_reserve(|| {
            self.db
                .write(|transaction| audit::append(transaction, at, REFUSE, &detail, &[]).map(|_| ()))
        })
    }

    /// Writes a row, on a full disk in the room that was kept for it.
    pub(super) fn with_reserve(&self, write: impl Fn() -> Result<()>) -> Result<()> {
        match write() {
            Err(error) if error.class() == Class::Space => {
                reserve::give_up(self.folder())?;
                write()
            }
            other => other,
        }
    }
}

/// Returns what a row says of a refusal.
pub(super) fn refused(error: &Error) -> Value {
    let mut detail = json!({
        "class": error.class().name(), "code": error.code(), "found": printable(error.found()),
    });
    if let (Some(step), Some(members)) = (error.step(), detail.as_object_mut()) {
        members.insert("step".into(), step.to_string().into());
    }
    detail
}

/// Text from outside as canonical JSON may hold it: bounded, and without control characters.
fn printable(text: &str) -> String {
    text.chars()
        .take(1000)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
