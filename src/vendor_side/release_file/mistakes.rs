//! Errors that name file, line and column, and guess what was meant.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_saphyr::{Location, Spanned};

use super::super::release_folder::is_foreign;
use super::super::suggest::nearest;
use crate::domain::{Class, Error, Result, limits};

/// Longest version label, in bytes.
const LABEL_BYTES: usize = 128;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Line and column, from 1.
    pub place: (u64, u64),
}

/// Makes errors that name the place, and keeps every path that the file names.
pub(super) struct Mistakes<'a> {
    path: &'a Path,
    named: RefCell<Vec<Located<PathBuf>>>,
}

impl<'a> Mistakes<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            named: RefCell::default(),
        }
    }

    /// Returns the paths that were named.
    pub(super) fn into_named(self) -> Vec<Located<PathBuf>> {
        self.named.into_inner()
    }
}

impl Mistakes<'_> {
    /// A path that the file names, relative to its folder. Whether it leads out of there is judged when all are known.
    pub(super) fn local(&self, text: &str, place: (u64, u64), base: &Path) -> Result<PathBuf> {
        self.no_foreign_path(text, place)?;
        let path = base.join(text);
        self.names(&path, place);
        Ok(path)
    }

    /// Keeps a path that was found in a longer text.
    pub(super) fn names(&self, path: &Path, place: (u64, u64)) {
        self.named.borrow_mut().push(Located {
            value: path.to_owned(),
            place,
        });
    }

    /// A home folder is nothing that a path here could mean, nor is a drive.
    pub(super) fn no_foreign_path(&self, text: &str, place: (u64, u64)) -> Result<()> {
        if is_foreign(text) {
            return Err(self
                .at(
                    place,
                    "value",
                    format!("{:?} is a path of a home folder or of Windows", cut(text)),
                )
                .expected("a path relative to the release file, or one from the root"));
        }
        Ok(())
    }

    pub(super) fn at(&self, place: (u64, u64), code: &'static str, found: impl fmt::Display) -> Error {
        Error::new(Class::Usage, code, format!("{}: {found}", self.place(place)))
    }

    /// A place as messages name it.
    pub(super) fn place(&self, (line, column): (u64, u64)) -> String {
        format!("{}:{line}:{column}", self.path.display())
    }

    pub(super) fn value<T>(&self, value: &Spanned<T>, found: impl fmt::Display, expected: impl Into<String>) -> Error {
        self.at(place(value), "value", found).expected(expected)
    }

    /// Parses a value whose error says what it is not.
    pub(super) fn parse<T: FromStr<Err: fmt::Display>>(&self, text: &Spanned<String>) -> Result<T> {
        text.value.parse().map_err(|error| self.at(place(text), "value", error))
    }

    /// As [`Mistakes::parse`], for a value that may be left out.
    pub(super) fn parse_some<T: FromStr<Err: fmt::Display>>(
        &self,
        text: Option<&Spanned<String>>,
    ) -> Result<Option<T>> {
        text.map(|text| self.parse(text)).transpose()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, text: &Spanned<String>, words: &[(&str, T)]) -> Result<T> {
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text.value) {
            return Ok(*meant);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(Self::suggest(
            self.value(
                text,
                format!("{:?} is none of the words for this", cut(&text.value)),
                format!("one of {}", known.join(", ")),
            ),
            &text.value,
            known.iter().copied(),
        ))
    }

    /// Adds a guess to an error.
    pub(super) fn suggest<'b>(error: Error, word: &str, known: impl IntoIterator<Item = &'b str>) -> Error {
        match nearest(word, known) {
            Some(meant) => error.remedy(format!("did you mean {meant}?")),
            None => error,
        }
    }

    pub(super) fn number(&self, text: &Spanned<String>) -> Result<u64> {
        text.value
            .parse()
            .ok()
            .filter(|number: &u64| *number <= limits::JSON_INTEGER_MAX && number.to_string() == text.value)
            .ok_or_else(|| {
                self.value(
                    text,
                    format!("{:?} is no such number", cut(&text.value)),
                    "a whole number from 0 to 2^53-1",
                )
            })
    }

    pub(super) fn label(&self, text: Spanned<String>) -> Result<String> {
        check_label(&text.value).map_err(|found| self.at(place(&text), "value", found))?;
        Ok(text.value)
    }

    /// The key of a mapping that needs it and does not have it.
    pub(super) fn missing_key(&self, place: (u64, u64), key: &str, why: &str) -> Error {
        self.at(place, "missing-key", format!("the key {key} is missing{why}"))
            .remedy(format!("add a line {key}: …"))
    }

    pub(super) fn of_parser(&self, error: &serde_saphyr::Error) -> Error {
        use serde_saphyr::Error as Yaml;
        let place = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        match error.without_snippet() {
            Yaml::SerdeUnknownField { field, expected, .. } => {
                let refusal = self
                    .at(place, "unknown-key", format!("unknown key {:?}", cut(field)))
                    .expected(format!("one of {}", expected.join(", ")));
                Self::suggest(refusal, field, expected.iter().copied())
            }
            Yaml::SerdeMissingField { field, .. } => self.missing_key(place, field, ""),
            _ => self.at(place, "yaml", cut(&crate::yaml::said(error))),
        }
    }
}

/// Checks the label of a release.
///
/// # Errors
///
/// What is wrong, as text.
pub(in super::super) fn check_label(text: &str) -> Result<(), String> {
    if (1..=LABEL_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(format!(
            "{:?} is no version label of 1 to {LABEL_BYTES} bytes",
            cut(text)
        ))
    }
}

pub(super) fn place<T>(value: &Spanned<T>) -> (u64, u64) {
    position(value.referenced)
}

fn position(location: Location) -> (u64, u64) {
    (location.line(), location.column())
}

pub(super) fn located(text: Spanned<String>) -> Located<String> {
    Located {
        place: place(&text),
        value: text.value,
    }
}

/// Bounds text from outside before it becomes part of a message.
pub(in super::super) fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}
