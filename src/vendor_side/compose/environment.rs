//! Environment files as compose reads them: what variables in compose files become.
//!
//! ```text
//! NAME=value            to the end of the line; ` #` begins a comment; variables are replaced
//! NAME='value'          literally, over several lines too
//! NAME="value"          \n, \t, \", \$ … mean what they do in a shell; variables are replaced
//! export NAME=value     the same;   NAME: value   too;   NAME alone takes what stands outside, here nothing
//! ```
//!
//! Values may be anything and are never shown: not in errors, not by `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::interpolation::PROJECT_NAME;
use super::place::Place;
use super::problem::mistake;
use super::template::{Fault, Variables, expand};
use crate::domain::{Class, Error, Result};

/// Largest environment file.
pub const ENVIRONMENT_BYTES: u64 = 1 << 20;
/// Largest sum of all values, since a value may repeat earlier ones.
const VALUE_BYTES: usize = 8 << 20;

/// Where the value of a variable stands in a file, quotes included, in bytes behind a byte order mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) quote: Option<Quote>,
    /// Whether it names the project.
    pub(super) is_project: bool,
}

/// How a value is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    Single,
    Double,
}

/// Variables and their values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment of {} variables", self.0.len())
    }
}

impl Environment {
    /// Parses an environment file; the path is for messages.
    ///
    /// # Errors
    ///
    /// `E-USAGE environment` with file and line; `E-LIMIT size`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::parse_within(path, bytes, &Self::default(), &Self::default())
    }

    /// Parses an environment file whose references may name variables that stand outside, which come first, and those of earlier files,
    /// which come last. What is returned is its own.
    pub(super) fn parse_within(path: &Path, bytes: &[u8], outer: &Self, earlier: &Self) -> Result<Self> {
        Self::parse_all(path, bytes, outer, earlier).map(|(parsed, _)| parsed)
    }

    /// Parses an environment file, and says where each value stands.
    pub(super) fn parse_written(path: &Path, bytes: &[u8]) -> Result<(Self, Vec<Written>)> {
        Self::parse_all(path, bytes, &Self::default(), &Self::default())
    }

    fn parse_all(path: &Path, bytes: &[u8], outer: &Self, earlier: &Self) -> Result<(Self, Vec<Written>)> {
        if bytes.len() as u64 > ENVIRONMENT_BYTES {
            return Err(Error::new(
                Class::Limit,
                "size",
                format!("{} has {} bytes", path.display(), bytes.len()),
            )
            .expected(format!("at most {ENVIRONMENT_BYTES}")));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| mistake(&Place::start(path), "environment", "this is no text in UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut parser = Parser {
            path,
            length: text.len(),
            rest: text,
            written: Vec::new(),
            is_project: false,
            line: 1,
            outer,
            earlier,
            found: BTreeMap::new(),
            bytes: 0,
        };
        while parser.statement()? {}
        let mut found = parser.found;
        // Compose passes over them without a word.
        found.retain(|name, _| !name.trim_start().starts_with(|c: char| c.is_ascii_digit()));
        Ok((Self(found), parser.written))
    }

    /// Takes the name of the project out, which is the deployment's own affair.
    pub(super) fn without_project(&mut self) {
        self.0.remove(PROJECT_NAME);
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns every variable with its value, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds what the other one has and this one does not.
    pub(super) fn fill_from(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

struct Parser<'a> {
    path: &'a Path,
    /// Bytes of the whole text.
    length: usize,
    rest: &'a str,
    written: Vec<Written>,
    /// Whether the value under way names the project.
    is_project: bool,
    line: usize,
    outer: &'a Environment,
    earlier: &'a Environment,
    found: BTreeMap<String, String>,
    bytes: usize,
}

impl Variables for Parser<'_> {
    fn value(&mut self, name: &str) -> Option<String> {
        self.outer
            .get(name)
            .or_else(|| self.found.get(name).map(String::as_str))
            .or_else(|| self.earlier.get(name))
            .map(str::to_owned)
    }

    fn missing(&mut self, _name: &str) {}
}

impl<'a> Parser<'a> {
    fn wrong(&self, found: &str) -> Error {
        mistake(
            &Place {
                file: self.path.into(),
                line: self.line,
                column: 1,
            },
            "environment",
            found,
        )
    }

    /// Goes on by so many bytes.
    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line = self
            .line
            .saturating_add(passed.bytes().filter(|byte| *byte == b'\n').count());
        self.rest = rest;
    }

    /// Reads one variable. Says whether there was one.
    fn statement(&mut self) -> Result<bool> {
        loop {
            let blank = self.rest.len().saturating_sub(self.rest.trim_start().len());
            self.advance(blank);
            if !self.rest.starts_with('#') {
                break;
            }
            self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
        if self.rest.is_empty() {
            return Ok(false);
        }
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with(char::is_whitespace)
        {
            let name = after.trim_start_matches(is_blank);
            self.advance(self.rest.len().saturating_sub(name.len()));
        }
        let Some((name, has_value)) = self.name()? else {
            return Ok(true);
        };
        if !has_value {
            if let Some(value) = self.outer.get(&name).map(str::to_owned) {
                self.keep(name, value)?;
            }
            return Ok(true);
        }
        let blank = self
            .rest
            .len()
            .saturating_sub(self.rest.trim_start_matches(is_blank).len());
        self.advance(blank);
        self.is_project = name == PROJECT_NAME;
        let value = self.value_of_statement()?;
        self.keep(name, value)?;
        Ok(true)
    }

    fn keep(&mut self, name: String, value: String) -> Result<()> {
        self.bytes = self.bytes.saturating_add(value.len());
        if self.bytes > VALUE_BYTES {
            return Err(Error::new(
                Class::Limit,
                "size",
                format!(
                    "{}: values have more than {VALUE_BYTES} bytes in all",
                    self.path.display()
                ),
            ));
        }
        self.found.insert(name, value);
        Ok(())
    }

    /// Reads a name and what ends it. Says whether a value follows.
    fn name(&mut self) -> Result<Option<(String, bool)>> {
        let mut end = self.rest.len();
        let mut has_value = false;
        let mut ended = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                '=' | ':' => {
                    has_value = true;
                    ended = true;
                    end = at;
                    break;
                }
                '\n' => {
                    ended = true;
                    end = at;
                    break;
                }
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_blank(c) || c.is_alphabetic() || c.is_numeric() => {}
                c => return Err(self.wrong(&format!("the character {c:?} in the name of a variable"))),
            }
        }
        if self.rest.is_empty() {
            return Err(self.wrong("the word export without a name"));
        }
        if !ended {
            // A last line that nothing ends has no name for compose.
            self.advance(end);
            return Ok(None);
        }
        let name = self.rest.get(..end).unwrap_or_default().trim_end().to_owned();
        if name.contains(' ') {
            return Err(self.wrong("a space in the name of a variable"));
        }
        self.advance(end.saturating_add(1));
        Ok((has_value || !name.is_empty()).then_some((name, has_value)))
    }

    /// Notes that a value of so many bytes stands here.
    fn stands(&mut self, bytes: usize, quote: Option<Quote>) {
        let begin = self.length.saturating_sub(self.rest.len());
        self.written.push(Written {
            begin,
            end: begin.saturating_add(bytes),
            quote,
            is_project: self.is_project,
        });
    }

    fn value_of_statement(&mut self) -> Result<String> {
        let Some(quote @ ('\'' | '"')) = self.rest.chars().next() else {
            return self.bare_value();
        };
        let mut text = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == quote && !escaped {
                let (value, quote) = if quote == '"' {
                    (self.expand(&unescape(&text))?, Quote::Double)
                } else {
                    (text, Quote::Single)
                };
                self.stands(at.saturating_add(1), Some(quote));
                self.advance(at.saturating_add(1));
                return Ok(value);
            }
            if c == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if std::mem::take(&mut escaped) && c != quote {
                text.push('\\');
            }
            text.push(c);
        }
        Err(self.wrong("a quote that is not closed"))
    }

    fn bare_value(&mut self) -> Result<String> {
        let line: &'a str = self.rest.split('\n').next().unwrap_or_default();
        let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
        self.stands(value.len(), None);
        let value = self.expand(value)?;
        self.advance(line.len().saturating_add(1));
        Ok(value)
    }

    fn expand(&mut self, text: &str) -> Result<String> {
        expand(text, self).map_err(|fault| match fault {
            Fault::Invalid => self
                .wrong("a reference to a variable in a form that compose does not have; a dollar sign is written $$"),
            Fault::Long => self
                .wrong("a value is too long with its variables replaced")
                .reclassified(Class::Limit, "size"),
            Fault::Deep => self.wrong("defaults within defaults, too deep"),
            Fault::Required { name, .. } => self.wrong(&format!("the variable {name} must have a value")),
        })
    }
}

/// Spaces within a line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// Replaces the escapes of double quotes; `\$` becomes the `$$` that keeps a reference from being one, unknown ones stay.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(&code) = chars.peek() else {
            out.push('\\');
            break;
        };
        let meant = match code {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '"' | '\\' => code,
            '$' => {
                chars.next();
                out.push_str("$$");
                continue;
            }
            '0' => {
                chars.next();
                let mut digits = String::new();
                while digits.len() < 3
                    && let Some(digit) = chars.next_if(char::is_ascii_digit)
                {
                    digits.push(digit);
                }
                // Only three octal digits of a byte mean something.
                let code = u8::from_str_radix(&digits, 8).ok().filter(|_| digits.len() == 3);
                match code {
                    Some(code) => out.push(char::from(code)),
                    None => out.push_str(&format!("\\0{digits}")),
                }
                continue;
            }
            _ => {
                out.push('\\');
                continue;
            }
        };
        chars.next();
        out.push(meant);
    }
    out
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
