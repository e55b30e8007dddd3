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
    /// The hub will never take it.
    Refused,
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
    waiting: &mut dyn FnMut(Duration, &str),
    arrived: &mut dyn FnMut() -> Option<bool>,
) -> Result<Outcome> {
    // An earlier run was stopped between the request and its answer.
    let mut uncertain = journal.state(item.name) == Some(State::Sending);
    let mut look = uncertain;
    let mut last = (String::new(), true);
    for attempt in 0..TRIES {
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
            Attempt::Refused { status } => {
                journal.note(item.name, State::Refused, Some(&status.to_string()))?;
                return Ok(Outcome::Refused);
            }
            Attempt::Leave(left) => {
                if !uncertain {
                    journal.forget(item.name)?;
                }
                return Ok(Outcome::Left(left));
            }
            Attempt::Wait {
                pause,
                found,
                may_have_arrived,
                answered,
            } => {
                uncertain |= may_have_arrived;
                look = may_have_arrived;
                if attempt.saturating_add(1) < TRIES {
                    let doubled = Duration::from_secs(1 << attempt.min(6));
                    let pause = pause.unwrap_or(doubled).min(PAUSE_MAX);
                    waiting(pause, &found);
                    wire.pace.wait(pause);
                }
                last = (found, answered);
            }
        }
    }
    if !uncertain {
        journal.forget(item.name)?;
    }
    let (found, answered) = last;
    let code = if answered { "busy" } else { UNREACHABLE };
    Ok(Outcome::Left(Left::new(code, format!("{found}, {TRIES} times"))))
}
