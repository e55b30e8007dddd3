//! One item to the hub: at most once, or said to be perhaps twice.

use std::time::Duration;

use super::journal::Journal;
use super::report::{Left, UNREACHABLE};
use super::session::{Attempt, Session, Wire};
use crate::db::ledger::replay::State;
use crate::domain::Result;
use crate::protocol::distr::Endpoint;

/// How often an item is tried.
const TRIES: u32 = 6;
/// Longest pause between two tries, also when the hub asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(120);

/// What became of an item.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The hub took it; perhaps it had it before.
    Sent { perhaps_twice: bool },
    /// The hub had it already, from a try whose answer nobody saw.
    WasThere,
    /// The hub will never take it, for this reason.
    Refused(String),
    /// The target is left; the next run goes on here.
    Left(Left),
}

/// An item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) name: &'a str,
    pub(super) endpoint: Endpoint,
    pub(super) body: &'a [u8],
}

/// Sends an item that the journal knows no answer to. `arrived` says whether an earlier try did its work, where that can be found out.
///
/// # Errors
///
/// Those of the journal.
pub(super) fn deliver(
    wire: &Wire<'_>,
    session: &mut Session,
    journal: &mut Journal<'_>,
    item: Item<'_>,
    arrived: &mut dyn FnMut() -> Option<bool>,
) -> Result<Outcome> {
    // An earlier run was stopped between the request and its answer.
    let mut uncertain = journal.state(item.name) == Some(State::Sending);
    let mut look = uncertain;
    let (mut found, mut is_answered, mut tries) = (String::new(), true, 0);
    let begun = wire.pace.now();
    while tries < TRIES {
        if std::mem::take(&mut look) {
            match arrived() {
                Some(true) => {
                    journal.note(item.name, State::Sent, None)?;
                    return Ok(Outcome::WasThere);
                }
                Some(false) => uncertain = false,
                None => {}
            }
        }
        let ended_try = if let Some(ended) = session.prepare(wire) {
            ended
        } else {
            journal.note(item.name, State::Sending, None)?;
            session.attempt(wire, item.endpoint, item.body)
        };
        match ended_try {
            Attempt::Taken => {
                journal.note(item.name, State::Sent, None)?;
                return Ok(Outcome::Sent {
                    perhaps_twice: uncertain,
                });
            }
            Attempt::Refused { reason } => {
                journal.note(item.name, State::Refused, Some(&reason))?;
                return Ok(Outcome::Refused(reason));
            }
            Attempt::Leave(left) => {
                if !uncertain {
                    journal.forget(item.name)?;
                }
                return Ok(Outcome::Left(left));
            }
            Attempt::Wait {
                pause,
                found: why,
                may_have_arrived,
                answered,
            } => {
                uncertain |= may_have_arrived;
                look = may_have_arrived;
                let doubled = Duration::from_secs(1 << tries.min(6));
                tries = tries.saturating_add(1);
                (found, is_answered) = (why, answered);
                // A hub that says when to come back is there; one that says nothing is waited for so long and no longer.
                let is_late = !answered && wire.pace.now().saturating_sub(begun) >= wire.client.bounds.item;
                if is_late {
                    break;
                }
                if tries < TRIES {
                    wire.pause(pause.unwrap_or(doubled).min(PAUSE_MAX), &found);
                }
            }
        }
    }
    if !uncertain {
        journal.forget(item.name)?;
    }
    let code = if is_answered { "busy" } else { UNREACHABLE };
    let times = if tries == 1 {
        "once".to_owned()
    } else {
        format!("{tries} times")
    };
    Ok(Outcome::Left(Left::new(code, format!("{found}, {times}"))))
}
