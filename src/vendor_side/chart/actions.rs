//! Cuts a template into text and actions, and actions into words.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece<'a> {
    /// Text that comes out as it stands.
    Text(&'a str),
    /// What stands between braces, without remarks; `cut_before` and `cut_behind` say whether it takes the white space around it away.
    Action {
        words: Vec<Word>,
        cut_before: bool,
        cut_behind: bool,
        /// Where it begins.
        line: u64,
    },
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A text in quotes.
    Text(String),
    /// A number.
    Number(String),
    /// `.a.b`, `$.a`, `$x.a`: the name before the first dot (nothing, `$`, `$x`), and the fields.
    Field(String, Vec<String>),
    /// A name: of a function, or a key word.
    Name(String),
    Open,
    Close,
    Pipe,
    /// `:=`.
    Declare,
    /// `=`.
    Assign,
    Comma,
    /// What is none of these.
    Strange,
}

/// Cuts a template.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1_u64);
    while let Some((before, after)) = rest.split_once("{{") {
        found.push(Piece::Text(before));
        line = line.saturating_add(newlines(before));
        let (inside, behind) = until_end(after);
        let cut_before = inside.starts_with('-') && inside.get(1..2).is_none_or(|next| next.trim().is_empty());
        let cut_behind = inside.ends_with(" -") || inside.ends_with("\n-") || inside.ends_with("\t-") || inside == "-";
        let body = if cut_before {
            inside.get(1..).unwrap_or_default()
        } else {
            inside
        };
        let body = if cut_behind {
            body.strip_suffix('-').unwrap_or(body)
        } else {
            body
        };
        let words = if body.trim_start().starts_with("/*") {
            Vec::new()
        } else {
            words(body)
        };
        found.push(Piece::Action {
            words,
            cut_before,
            cut_behind,
            line,
        });
        line = line.saturating_add(newlines(inside));
        rest = behind;
    }
    found.push(Piece::Text(rest));
    found
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// Parts an action from what follows it; braces within quotes and remarks end nothing.
fn until_end(text: &str) -> (&str, &str) {
    let remark = text.trim_start_matches('-').trim_start().starts_with("/*");
    if remark {
        let end = text.find("*/").unwrap_or(text.len());
        let closing = text
            .get(end..)
            .and_then(|rest| rest.find("}}"))
            .map(|at| end.saturating_add(at));
        return part(text, closing);
    }
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '`') => quote = Some(c),
            None if c == '}' && text.get(at..).is_some_and(|rest| rest.starts_with("}}")) => {
                return part(text, Some(at));
            }
            Some(_) | None => {}
        }
    }
    (text, "")
}

fn part(text: &str, at: Option<usize>) -> (&str, &str) {
    match at {
        Some(at) => (
            text.get(..at).unwrap_or_default(),
            text.get(at.saturating_add(2)..).unwrap_or_default(),
        ),
        None => (text, ""),
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '(' => (Word::Open, after(rest, 1)),
            ')' => closing(rest),
            '|' => (Word::Pipe, after(rest, 1)),
            ',' => (Word::Comma, after(rest, 1)),
            ':' if rest.starts_with(":=") => (Word::Declare, after(rest, 2)),
            '=' => (Word::Assign, after(rest, 1)),
            '"' => quoted(rest),
            '`' => {
                let inside = after(rest, 1);
                let end = inside.find('`').unwrap_or(inside.len());
                (
                    Word::Text(inside.get(..end).unwrap_or_default().to_owned()),
                    after(inside, end.saturating_add(1)),
                )
            }
            '.' | '$' => field(rest),
            '0'..='9' | '-' => {
                let (number, behind) = run(rest, |c| c.is_ascii_alphanumeric() || "-.+".contains(c));
                (Word::Number(number), behind)
            }
            c if c.is_alphabetic() || c == '_' => {
                let (name, behind) = run(rest, |c| c.is_alphanumeric() || c == '_');
                (Word::Name(name), behind)
            }
            c => (Word::Strange, after(rest, c.len_utf8())),
        };
        found.push(word);
        rest = behind.trim_start();
    }
    found
}

fn after(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}

fn run(text: &str, fits: impl Fn(char) -> bool) -> (String, &str) {
    let end = text.find(|c: char| !fits(c)).unwrap_or(text.len());
    (text.get(..end).unwrap_or_default().to_owned(), after(text, end))
}

/// A parenthesis that ends; a field of what stood in it is not followed.
fn closing(text: &str) -> (Word, &str) {
    let behind = after(text, 1);
    if behind.starts_with('.') {
        (Word::Strange, behind)
    } else {
        (Word::Close, behind)
    }
}

fn field(text: &str) -> (Word, &str) {
    let (whole, behind) = run(text, |c| c.is_alphanumeric() || "._$".contains(c));
    let mut parts = whole.split('.');
    let base = parts.next().unwrap_or_default().to_owned();
    let fields: Vec<String> = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    (Word::Field(base, fields), behind)
}

fn quoted(text: &str) -> (Word, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
            value.push(match c {
                'n' => '\n',
                't' => '\t',
                other => other,
            });
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            return (Word::Text(value), after(text, at.saturating_add(1)));
        } else {
            value.push(c);
        }
    }
    (Word::Strange, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_quotes_and_remarks_end_nothing() {
        let found = pieces("a {{- /* }} b */ -}} c {{ printf \"}}\" `}}` .a.b $.c $x 1.5 | f }}\nd{{ x -}}");
        let actions: Vec<_> = found
            .iter()
            .filter_map(|piece| match piece {
                Piece::Action {
                    words,
                    cut_before,
                    cut_behind,
                    line,
                } => Some((words.len(), *cut_before, *cut_behind, *line)),
                Piece::Text(_) => None,
            })
            .collect();
        // The remark's own braces end it, as they do for helm only behind its end.
        assert_eq!(actions, [(0, true, true, 1), (9, false, false, 1), (1, false, true, 2)]);
        let texts: Vec<_> = found
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text(text) => Some(*text),
                Piece::Action { .. } => None,
            })
            .collect();
        assert_eq!(texts, ["a ", " c ", "\nd", ""]);
        assert_eq!(
            words(".a.b $.c $x"),
            [
                Word::Field(String::new(), vec!["a".into(), "b".into()]),
                Word::Field("$".into(), vec!["c".into()]),
                Word::Field("$x".into(), vec![]),
            ]
        );
    }
}
