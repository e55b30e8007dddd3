//! Asks before something is taken away that does not come back.

use std::io::{self, IsTerminal as _};

use super::Ui;
use crate::domain::{Class, Error, Result};

/// Asks the person at the terminal whether to go on, unless `yes` was said before. `command` is what says it.
///
/// # Errors
///
/// `E-USAGE confirm` when the answer is no, or nobody is there to be asked; `E-IO terminal`.
pub(super) fn confirm(ui: &mut Ui, yes: bool, command: &str) -> Result<()> {
    confirm_by(ui, yes, "--yes", command)
}

/// As [`confirm`], where another option than `--yes` says it.
///
/// # Errors
///
/// As [`confirm`].
pub(super) fn confirm_by(ui: &mut Ui, is_said: bool, option: &str, command: &str) -> Result<()> {
    if is_said {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::new(
            Class::Usage,
            "confirm",
            "nobody is there to be asked; nothing was changed",
        )
        .expected(format!("a terminal, or {option}"))
        .remedy(format!("when all of this is meant: `{command} {option}`")));
    }
    if answered(ui)? {
        Ok(())
    } else {
        Err(Error::new(Class::Usage, "confirm", "the answer was not yes; nothing was changed").settled())
    }
}

/// Asks the person at the terminal whether to go on; returns whether the answer is yes.
///
/// # Errors
///
/// `E-IO terminal`.
pub(super) fn answered(ui: &mut Ui) -> Result<bool> {
    ui.say("go on? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| {
        Error::new(Class::Io, "terminal", format!("cannot read from the terminal: {error}")).with_source(error)
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
