//! Numbers that may have been signed without this workspace knowing it: it was put back from a backup, or is an older copy and a site tells of
//! what it does not know. None of them is used again silently: sites that have one would refuse the other.

use crate::db::{Connection, ledger};
use crate::domain::{Class, Counter, Error, Result, Scope};

/// Refuses a number that was not signed here and may have been elsewhere. `is_meant` says that a person named it on the command line: then what
/// only may be is let through, and what a site has seen is not.
///
/// # Errors
///
/// `E-EQUIVOCATION number-used`, `number-told`; `E-POLICY restored`; those of the ledger.
pub(super) fn check(connection: &Connection, scope: &Scope, counter: Counter, is_meant: bool) -> Result<()> {
    if let Some(used) = ledger::restored_number(connection, scope)?.filter(|used| counter <= *used) {
        return Err(Error::new(
            Class::Equivocation,
            "number-used",
            format!(
                "release {used} of {scope} was signed before this workspace was put back, with content that is not known here, and this one is to \
                 be {counter}"
            ),
        )
        .expected(format!("a number above {used}"))
        .remedy(format!(
            "take the releases that were signed since in with `airlock vendor ledger learn FILE`, or raise sequence to {}",
            used.sequence.saturating_add(1)
        )));
    }
    // Also where a person named it: what a site has seen under a number is no matter of opinion.
    if let Some(told) = ledger::told_number(connection, scope)?.filter(|told| counter <= told.counter) {
        return Err(Error::new(
            Class::Equivocation,
            "number-told",
            format!(
                "{} tells of release {} of {scope}, which was not signed here (finding {}), and this one is to be {counter}",
                told.site, told.counter, told.finding
            ),
        )
        .expected("a number that nobody has seen")
        .remedy(format!(
            "take that release in with `airlock vendor ledger learn FILE`, or say with --sequence {}, in place of --next, that you mean a number above it",
            told.counter.sequence.saturating_add(1)
        )));
    }
    if is_meant {
        return Ok(());
    }
    if let Some(made_at) = ledger::unsure_since(connection, scope)? {
        return Err(Error::new(
            Class::Policy,
            "restored",
            format!(
                "this workspace was put back from a backup of {made_at}, and no release of {scope} was taken in since: {counter} may have been signed"
            ),
        )
        .expected("the newest release that was signed, or somebody who knows that there was none")
        .remedy(format!(
            "take the newest one in with `airlock vendor ledger learn FILE`; where none was signed since, say so with --sequence {}, in place of --next",
            counter.sequence
        )));
    }
    Ok(())
}
