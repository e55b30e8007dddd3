//! Commands that change an appliance: the log is walked before they add to it, and what they are refused for becomes a row of it.
//!
//! A command says that it is one where it opens the state folder ([`StateArgs::open_to_change`](super::state_folder::StateArgs)); the row is
//! written where every command ends. What was mistyped, or not confirmed, asked for nothing yet and is no row; imports and acknowledgements
//! write rows of their own.

use std::sync::{Arc, Mutex, PoisonError};

use crate::appliance::Appliance;
use crate::db::sealed_log::AUDIT_BROKEN;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock};

/// The command that runs, and what it may change.
static CHANGING: Mutex<Option<Changing>> = Mutex::new(None);

struct Changing {
    appliance: Arc<Appliance>,
    command: &'static str,
}

/// Walks the log for a command that will add to it.
///
/// # Errors
///
/// `E-STATE audit-broken`: nothing is added to a log that does not hold, and nothing of it is signed.
pub(super) fn begin(appliance: &Arc<Appliance>, command: &'static str) -> Result<()> {
    appliance.verify_seals()?;
    let changing = Changing {
        appliance: appliance.clone(),
        command,
    };
    *CHANGING.lock().unwrap_or_else(PoisonError::into_inner) = Some(changing);
    Ok(())
}

/// Ends the command that runs, and writes down what it was refused for.
///
/// # Errors
///
/// What it was refused for; beside that, that this could not be recorded.
pub(super) fn end(result: Result<()>) -> Result<()> {
    let changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Err(error), Some(Changing { appliance, command })) = (&result, changing) else {
        return result;
    };
    if !is_refusal(error) {
        return result;
    }
    match appliance.record_refusal(error, command, SystemClock.now()) {
        Ok(()) => result,
        Err(unrecorded) => {
            result.map_err(|error| error.and_then(&unrecorded.context("the refusal could not be recorded")))
        }
    }
}

fn is_refusal(error: &Error) -> bool {
    !matches!(error.class(), Class::Usage | Class::Internal) && !error.is(AUDIT_BROKEN)
}
