//! Environment files of the format `raw`: as `docker run --env-file` reads them, every value taken word for word.

use std::path::Path;

use super::environment::Environment;
use super::place::Place;
use super::problem::mistake;
use crate::domain::{Error, Result};

/// Parses a file. A name alone takes its value from outside, and is left out where there is none.
///
/// # Errors
///
/// `E-USAGE environment` with file and line.
pub(super) fn parse(path: &Path, bytes: &[u8], outer: &Environment) -> Result<Environment> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| mistake(&Place::start(path), "environment", "this is no text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pairs = Vec::new();
    for (line, number) in text.split('\n').zip(1..) {
        let wrong = |found: &str| -> Error {
            let place = Place {
                file: path.into(),
                line: number,
                column: 1,
            };
            mistake(&place, "environment", found)
        };
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, outer.get(line)),
        };
        if name.is_empty() {
            return Err(wrong("a value without a name"));
        }
        if name.contains([' ', '\t']) {
            return Err(wrong("a space in the name of a variable"));
        }
        if let Some(value) = value {
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(pairs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_word_for_word() {
        let outer = Environment::parse(Path::new("x"), b"OUT=o").unwrap();
        let text = b"\xef\xbb\xbfA=\"$X\" # y\r\n\n  # no\n B=b \nOUT\nNONE\nC=\n";
        let env = parse(Path::new("x"), text, &outer).unwrap();
        let pairs: Vec<_> = env.iter().collect();
        assert_eq!(pairs, [("A", "\"$X\" # y"), ("B", "b "), ("C", ""), ("OUT", "o")]);
        for (text, line) in [(&b"A=1\nA B=secret"[..], 2), (b"=secret", 1), (b"A=\xff", 1)] {
            let error = parse(Path::new("x"), text, &outer).unwrap_err();
            assert!(error.to_string().starts_with(&format!("x:{line}:1: ")), "{error}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
