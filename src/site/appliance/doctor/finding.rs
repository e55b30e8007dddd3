//! What was found of a part.

use crate::domain::{Class, Error};

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and somebody should look at it before it does not.
    Look,
    /// It does not do what it is there for.
    Broken,
}

/// A verdict with its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The part: a stable word.
    pub part: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found: one sentence.
    pub what: String,
    /// Class and sub-code, where it is not good.
    pub error: Option<(Class, &'static str)>,
    /// What to do, where there is something.
    pub remedy: Option<String>,
}

impl Verdict {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Broken => "broken",
        }
    }
}

impl Finding {
    /// A part is as it should be.
    pub fn good(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            part,
            verdict: Verdict::Good,
            what: what.into(),
            error: None,
            remedy: None,
        }
    }

    /// Somebody should look at a part.
    pub fn look(part: &'static str, error: &Error) -> Self {
        Self::bad(part, Verdict::Look, error)
    }

    /// A part is broken.
    pub fn broken(part: &'static str, error: &Error) -> Self {
        Self::bad(part, Verdict::Broken, error)
    }

    fn bad(part: &'static str, verdict: Verdict, error: &Error) -> Self {
        let of_class = || error.class().remedy();
        Self {
            part,
            verdict,
            what: error.found().to_owned(),
            error: Some((error.class(), error.code())),
            remedy: error.advice().or_else(of_class).map(str::to_owned),
        }
    }
}
