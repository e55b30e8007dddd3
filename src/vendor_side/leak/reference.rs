//! What stands in a text for something else: variables of compose and of shells, actions of templates.
//!
//! Every reader of this module reads texts with these **settled**: a variable is `${NAME}` and nothing more, so neither a message within it
//! nor a separator is taken for a part of the text, and a default stands there itself, because that is what travels.

use std::borrow::Cow;

/// An action of a template in a settled text: what it gives out is not known.
const ACTION: &str = "${_}";

/// Returns a text with its references settled.
pub(super) fn settled(text: &str) -> Cow<'_, str> {
    if !text.contains('$') && !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let (mut rest, mut out) = (text, String::with_capacity(text.len()));
    while let Some(at) = rest.find(['$', '{']) {
        let (before, from) = rest.split_at(at);
        out += before;
        let (length, stands) = match reference(from) {
            Some(Reference { length, name: "", .. }) => (length, ACTION.to_owned()),
            Some(Reference { length, default, .. }) if !default.is_empty() => (length, settled(default).into_owned()),
            Some(Reference { length, name, .. }) => (length, format!("${{{name}}}")),
            None => {
                let first = from.chars().next().map_or(1, char::len_utf8);
                // An escaped dollar sign is text, and no beginning of a variable.
                let length = if from.starts_with("$$") { 2 } else { first };
                (length, from.get(..length).unwrap_or_default().to_owned())
            }
        };
        out += &stands;
        rest = from.get(length..).unwrap_or_default();
    }
    Cow::Owned(out + rest)
}

/// Returns a text in which no variable has a default that `has_value` says is never used.
pub(super) fn without_unused_defaults<'a>(text: &'a str, has_value: &dyn Fn(&str) -> bool) -> Cow<'a, str> {
    let (mut rest, mut out) = (text, String::new());
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out += before;
        let signs = before.len().saturating_sub(before.trim_end_matches('$').len());
        let is_escaped = signs % 2 == 1;
        let (length, stands) = match reference(from).filter(|_| !is_escaped) {
            Some(found) if !found.default.is_empty() && found.is_default && has_value(found.name) => {
                (found.length, format!("${{{}}}", found.name))
            }
            // What stands in the place of the one may have variables of its own.
            Some(found) => {
                let end = found.length.saturating_sub(usize::from(!found.default.is_empty()));
                let begin = end.saturating_sub(found.default.len());
                let inside = without_unused_defaults(found.default, has_value);
                let around = |from: &'a str, range| from.get(range).unwrap_or_default();
                let (before, behind) = (around(from, 0..begin), around(from, end..found.length));
                (found.length, [before, &inside, behind].concat())
            }
            None => (2, "${".to_owned()),
        };
        out += &stands;
        rest = from.get(length..).unwrap_or_default();
    }
    if out.is_empty() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(out + rest)
    }
}

/// Returns the variables of a text that have a default, each with it, those within defaults too.
pub(super) fn defaults(text: &str) -> Vec<(&str, &str)> {
    let (mut rest, mut found) = (text, Vec::new());
    while let Some(at) = rest.find(['$', '{']) {
        let from = rest.get(at..).unwrap_or_default();
        let first = from.chars().next().map_or(1, char::len_utf8);
        let length = match reference(from) {
            Some(reference) => {
                if reference.is_default && !reference.name.is_empty() && !reference.default.is_empty() {
                    found.push((reference.name, reference.default));
                }
                found.extend(defaults(reference.default));
                reference.length
            }
            // An escaped dollar sign is text, and no beginning of a variable.
            None if from.starts_with("$$") => 2,
            None => first,
        };
        rest = from.get(length..).unwrap_or_default();
    }
    found
}

/// Returns the variable that a settled value is, where it is one and nothing else.
pub(super) fn variable(value: &str) -> Option<&str> {
    let name = value.trim().trim_matches(['"', '\'']);
    let name = name.strip_prefix("${").and_then(|name| name.strip_suffix('}'))?;
    (name != "_" && is_name(name)).then_some(name)
}

/// What is left of a settled value without its references; nothing where it has none.
pub(super) fn left(value: &str) -> Option<String> {
    let (mut rest, mut out) = (value, String::new());
    let mut is_whole = true;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out += before;
        let Some(end) = from.find('}') else {
            out += from;
            rest = "";
            break;
        };
        is_whole = false;
        rest = from.get(end.saturating_add(1)..).unwrap_or_default();
    }
    (!is_whole).then(|| out + rest)
}

/// A reference with which a text begins.
struct Reference<'a> {
    length: usize,
    /// Nothing where it is no variable.
    name: &'a str,
    /// What stands in its place by itself.
    default: &'a str,
    /// Whether that is so only where the variable has no value.
    is_default: bool,
}

fn reference(from: &str) -> Option<Reference<'_>> {
    let plain = |length, name| Reference {
        length,
        name,
        default: "",
        is_default: false,
    };
    if from.starts_with("{{") {
        return from.find("}}").map(|end| plain(end.saturating_add(2), ""));
    }
    // Behind two dollar signs of compose stands what a shell reads later.
    let (sign, is_escaped) = match from.strip_prefix("$$") {
        Some(_) => (2_usize, true),
        None if from.starts_with('$') => (1, false),
        None => return None,
    };
    let behind = from.get(sign..).unwrap_or_default();
    if behind.starts_with('(') {
        let end = closing(behind.get(1..).unwrap_or_default(), ['(', ')'])?;
        return Some(plain(sign.saturating_add(end).saturating_add(2), ""));
    }
    if let Some(inside) = behind.strip_prefix('{') {
        let end = closing(inside, ['{', '}'])?;
        let inside = inside.get(..end)?;
        let length = sign.saturating_add(end).saturating_add(2);
        let name = inside
            .find(|c: char| !is_part(c))
            .and_then(|end| inside.get(..end))
            .unwrap_or(inside);
        let operator = inside.get(name.len()..).unwrap_or_default();
        let stands = [":-", "-", ":+", "+", ":=", "="]
            .iter()
            .find_map(|mark| Some((operator.strip_prefix(mark)?, *mark)));
        let (default, mark) = stands.unwrap_or_default();
        return Some(Reference {
            length,
            name,
            default,
            is_default: mark.ends_with(['-', '=']),
        });
    }
    let name = behind
        .find(|c: char| !is_part(c))
        .and_then(|end| behind.get(..end))
        .unwrap_or(behind);
    let is_parameter = behind.starts_with(|c: char| c.is_ascii_digit());
    if is_parameter {
        // `$1` of a shell; `$2y$` and `$6$` are the beginning of a hash.
        let is_hash = behind.get(1..).is_some_and(|behind| behind.starts_with('$'));
        return (name.len() == 1 && !is_escaped && !is_hash).then(|| plain(2, ""));
    }
    // Two dollar signs before other letters are a dollar sign in a password.
    let is_variable = is_name(name) && (!is_escaped || !name.chars().any(|c| c.is_ascii_lowercase()));
    is_variable.then(|| plain(sign.saturating_add(name.len()), name))
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(name: &str) -> bool {
    name.chars().all(is_part) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Returns where the bracket closes that was opened before a text.
fn closing(text: &str, [open, close]: [char; 2]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth = depth.saturating_add(1);
        } else if c == close {
            if depth == 0 {
                return Some(at);
            }
            depth = depth.saturating_sub(1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_settled_and_text_stays() {
        for (text, expected) in [
            ("a", "a"),
            ("${A}", "${A}"),
            ("$A/x", "${A}/x"),
            ("${A:?it must be said; really}", "${A}"),
            ("${A:?}", "${A}"),
            ("${A:-}", "${A}"),
            ("u:${A:-p}@h", "u:p@h"),
            ("${A:-${B:-p}}", "p"),
            ("${A:-${B}}", "${B}"),
            ("${A:+p}", "p"),
            ("$(cat /run/x)!", "${_}!"),
            ("{{ .Values.a | quote }}-x", "${_}-x"),
            ("pa$$word", "pa$$word"),
            ("-p$$ROOT_PASSWORD", "-p${ROOT_PASSWORD}"),
            ("$${A}", "${A}"),
            ("\"$1\"", "\"${_}\""),
            ("$2y$05$abc", "$2y$05${abc}"),
            ("$6$salt$x", "$6${salt}${x}"),
            ("{a: ${B", "{a: ${B"),
        ] {
            assert_eq!(settled(text), expected, "{text}");
        }
        assert_eq!(variable("\"${A}\""), Some("A"));
        assert_eq!((variable("${_}"), variable("x${A}"), variable("A")), (None, None, None));
        assert_eq!(left("a${B}c").as_deref(), Some("ac"));
        assert_eq!(left("abc"), None);
    }

    #[test]
    fn a_default_that_is_never_used_is_none() {
        let has_value = |name: &str| name == "A";
        for (text, expected) in [
            ("x ${A:-p} ${B:-p}", "x ${A} ${B:-p}"),
            ("${A-p}", "${A}"),
            ("${A:+p}", "${A:+p}"),
            ("${B:-x${A:-p}}y", "${B:-x${A}}y"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_unused_defaults(text, &has_value), expected);
        }
    }

    #[test]
    fn a_default_is_told_with_its_variable() {
        for (text, expected) in [
            ("x ${A:-p} $B ${C-q}", &[("A", "p"), ("C", "q")][..]),
            ("${A:-${B:-p}}", &[("A", "${B:-p}"), ("B", "p")]),
            ("${A:+${B:-p}}", &[("B", "p")]),
            ("${A:-} ${A:?p} ${A} {{ .Values.a }} $(cat /x) $$", &[]),
        ] {
            assert_eq!(defaults(text), expected, "{text}");
        }
    }
}
