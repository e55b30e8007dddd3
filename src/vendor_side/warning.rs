//! What is not wrong at the vendor and may be at a site: a sentence, and the file and line that it is about.

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The sentence, which begins with its place.
    pub text: String,
    /// The file, as the author knows it.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
}

impl Warning {
    /// Makes one that is about no file.
    pub(super) fn plain(text: String) -> Self {
        Self {
            text,
            file: None,
            line: None,
        }
    }

    /// Makes one of a sentence that begins with its place where it is about a file: `FILE:LINE: …`, `FILE:LINE:COLUMN: …`.
    pub(super) fn said(text: String) -> Self {
        let place = text.split_once(": ").and_then(|(place, _)| {
            let mut parts: Vec<&str> = place.split(':').collect();
            let is_number = |part: &&str| part.parse::<u64>().is_ok();
            // The column, where there is one.
            if parts.len() > 2 && parts.iter().rev().take(2).all(is_number) {
                parts.pop();
            }
            let line = parts.pop()?.parse().ok()?;
            let file = parts.join(":");
            (!file.is_empty() && !file.contains(' ')).then_some((file, line))
        });
        let (file, line) = place.unzip();
        Self { text, file, line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_read_where_there_is_one() {
        for (text, place) in [
            ("c.yaml:5: x", Some(("c.yaml", 5))),
            ("a b.yaml: x:5: y", None),
            ("own/templates/a.yaml:12:3: x", Some(("own/templates/a.yaml", 12))),
            ("shop: no list of pull secrets", None),
            ("nothing", None),
        ] {
            let warning = Warning::said(text.to_owned());
            let found = warning.file.as_deref().zip(warning.line);
            assert_eq!((found, warning.text.as_str()), (place, text));
        }
    }
}
