//! Something that is wrong with a running appliance: where, what, and what to do. `/readyz` lists them.

use super::error::Error;

/// A problem that lasts until somebody or something ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The part that has it: a stable word, as in the checks of `/readyz`.
    pub part: &'static str,
    /// Class and sub-code: `E-STATE release-damaged`.
    pub error: String,
    /// What was found: one sentence.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// Makes a problem of the error that a part met.
    pub fn of(part: &'static str, error: &Error) -> Self {
        let otherwise = "see the log, and start the server again";
        Self {
            part,
            error: format!("{} {}", error.class(), error.code()),
            what: error.found().to_owned(),
            remedy: error.advice().unwrap_or(otherwise).to_owned(),
        }
    }
}
