//! What keeps a compose application from running at a site, gathered into one refusal (D10).

use std::fmt;
use std::path::Path;

use super::place::Place;
use crate::domain::{Class, Code, Error, Result};
use crate::secret::TemplateProblem;

/// Something that compose would refuse or fetch from outside, or that a site's agent does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable word, for example `build`, `remote`, `file`, `secret`.
    pub code: Code,
    /// Its class.
    pub class: Class,
    /// Where it stands.
    pub place: Place,
    /// What was found.
    pub found: String,
    /// What would be right there, where that is a matter of form.
    pub expected: Option<String>,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// Makes a problem of what cannot be carried, or not be had at a site.
    pub(super) fn new(code: &'static str, place: &Place, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            class: Class::Content,
            place: place.clone(),
            found: found.into(),
            expected: None,
            remedy: remedy.into(),
        }
    }

    /// Says what would be right.
    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Makes a problem of a template that cannot be carried.
    pub(super) fn of_template(file: &Path, found: &TemplateProblem) -> Self {
        let place = Place {
            file: file.into(),
            line: found.line,
            column: found.column,
        };
        Self::new("template", &place, found.found.as_str(), found.remedy).expected(found.expected)
    }

    /// Makes a problem of a wrong word in a file.
    pub(super) fn usage(
        code: &'static str,
        place: &Place,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            class: Class::Usage,
            ..Self::new(code, place, found, remedy)
        }
    }

    /// Makes a problem of a secret in clear.
    pub(super) fn policy(
        code: &'static str,
        place: &Place,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            class: Class::Policy,
            ..Self::new(code, place, found, remedy)
        }
    }

    /// Makes an error of it.
    pub fn error(&self) -> Error {
        let error =
            Error::new(self.class, self.code, format!("{}: {}", self.place, self.found)).remedy(self.remedy.clone());
        match &self.expected {
            Some(expected) => error.expected(expected.clone()),
            None => error,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.found)?;
        if let Some(expected) = &self.expected {
            write!(f, " (expected {expected})")?;
        }
        write!(f, "; {}", self.remedy)
    }
}

/// Ends with one error that lists every problem: of their class and code when they agree, else `E-CONTENT problems`.
///
/// # Errors
///
/// That one, when there is any problem.
pub(super) fn refuse(problems: &[Problem]) -> Result<()> {
    let (first, others) = match problems {
        [] => return Ok(()),
        [only] => return Err(only.error()),
        [first, others @ ..] => (first, others),
    };
    let (class, code) = if others
        .iter()
        .all(|other| (other.class, other.code) == (first.class, first.code))
    {
        (first.class, first.code)
    } else {
        (Class::Content, Code::new("problems"))
    };
    let found = format!("{} things stand against this application:", problems.len());
    Err(Error::listing(class, code, found, problems))
}

/// Makes the error of a file that cannot be read as YAML, or not as a compose file.
pub(super) fn mistake(place: &Place, code: &'static str, found: impl fmt::Display) -> Error {
    Error::new(Class::Usage, code, format!("{place}: {found}"))
}

/// Bounds text from outside before it becomes part of a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}
