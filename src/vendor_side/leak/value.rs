//! Which values say nothing that must be kept, whatever their key is.
//!
//! Under the name of a secret every literal is one, unless it is empty, true or false, a small number or a duration, a path, or a
//! reference to what stands elsewhere. What references leave over counts as a literal: `x${A}` holds an `x`.

use crate::secret::is_marked;

/// Digits of a number that counts something: a longer one may be a password as well as any word.
const DIGITS: usize = 3;
/// Digits of a duration.
const DURATION: usize = 6;
/// Characters of a part of a path that no person chose.
const RANDOM: usize = 20;
/// What stands for nothing.
const WORDS: [&str; 14] = [
    "null", "~", "true", "false", "yes", "no", "on", "off", "{}", "[]", "|", ">", "|-", ">-",
];
/// How a path begins.
const PATHS: [&str; 5] = ["/", "./", "../", "~/", "file:"];
/// How a value begins that says where another program finds the secret.
const REFERENCES: [&str; 6] = ["vault:", "ref+", "op://", "arn:aws:", "env:", "ENC["];

/// Whether a value may be a secret.
pub(super) fn may_be_secret(value: &str) -> bool {
    let value = unquoted(value);
    // Who put a secret of the release into it knows what it is.
    if is_marked(value) || REFERENCES.iter().any(|start| value.starts_with(start)) {
        return false;
    }
    let left = match without_references(value) {
        Left::Default => return true,
        Left::Whole => value,
        // What stands around them is the shape of an address; passwords in it are found by that.
        Left::Rest(rest) if rest.contains(['@', '=', ' ']) || rest.contains("://") => return false,
        Left::Rest(rest) => return rest.chars().any(char::is_alphanumeric),
    };
    !(left.is_empty()
        || WORDS.contains(&left.to_ascii_lowercase().as_str())
        || is_small_number(left)
        || is_duration(left)
        || is_path(left))
}

/// Whether a value is a number, however long.
pub(super) fn is_number(value: &str) -> bool {
    let value = unquoted(value);
    value.chars().any(|c| c.is_ascii_digit()) && value.chars().all(|c| c.is_ascii_digit() || "._-".contains(c))
}

/// Returns a value without quotes and what ends a line of code.
fn unquoted(value: &str) -> &str {
    let value = value.trim().trim_end_matches([',', ';']).trim_end();
    value.trim_matches(['"', '\'']).trim()
}

/// What is left of a value without what stands for something else.
enum Left {
    /// There was nothing of that kind.
    Whole,
    Rest(String),
    /// A variable has a default that may be a secret.
    Default,
}

/// Takes variables of compose and shells, and actions of templates out.
fn without_references(value: &str) -> Left {
    let (mut rest, mut out, mut is_whole) = (value, String::new(), true);
    while let Some(at) = rest.find(['$', '{']) {
        let (before, from) = rest.split_at(at);
        out += before;
        let end = if from.starts_with("{{") {
            from.find("}}").map(|end| end.saturating_add(2))
        } else if let Some(name) = from.strip_prefix("${") {
            let end = closing(name);
            let name = end.and_then(|end| name.get(..end));
            let default = name.and_then(|name| name.split_once(":-").or_else(|| name.split_once('-')));
            // Names have no such characters.
            let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if default.is_some_and(|(name, default)| is_name(name) && may_be_secret(default)) {
                return Left::Default;
            }
            end.map(|end| end.saturating_add(3))
        } else if from.starts_with("$(") {
            from.rfind(')').map(|end| end.saturating_add(1))
        } else if from.starts_with("$$") {
            // An escaped dollar sign, which is text.
            out += "$$";
            rest = from.get(2..).unwrap_or_default();
            continue;
        } else {
            let name = from.strip_prefix('$').unwrap_or_default();
            let end = name
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(name.len());
            (end > 0).then(|| end.saturating_add(1))
        };
        if let Some(end) = end {
            is_whole = false;
            rest = from.get(end..).unwrap_or_default();
        } else {
            let first = from.chars().next().map_or(1, char::len_utf8);
            out += from.get(..first).unwrap_or_default();
            rest = from.get(first..).unwrap_or_default();
        }
    }
    if is_whole { Left::Whole } else { Left::Rest(out + rest) }
}

/// Returns where the brace closes that was opened before a text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth = depth.saturating_add(1),
            '}' if depth == 0 => return Some(at),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn is_small_number(value: &str) -> bool {
    let value = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.len() <= DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    is_digits(whole) && is_digits(part)
}

/// `30s`, `1h30m`, `7d`.
fn is_duration(value: &str) -> bool {
    let units = ["ms", "us", "ns", "s", "m", "h", "d", "w", "y", "min", "sec"];
    let mut rest = value;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let behind = rest.get(digits..).unwrap_or_default();
        let unit = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        if digits == 0 || digits > DURATION || !units.contains(&behind.get(..unit).unwrap_or_default()) {
            return false;
        }
        rest = behind.get(unit..).unwrap_or_default();
    }
    !value.is_empty()
}

/// Whether a value is a path that people wrote: base64 may begin with a slash too.
fn is_path(value: &str) -> bool {
    let is_random = |part: &str| {
        let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
        part.len() >= RANDOM
            && part.chars().all(|c| c.is_ascii_alphanumeric())
            && has(char::is_ascii_digit)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
    };
    PATHS.iter().any(|start| value.starts_with(start))
        && !value.contains(['=', '+', ' '])
        && !value.split('/').any(is_random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_counts_and_what_says_nothing_does_not() {
        for value in [
            "hunter2",
            "\"x\"",
            "0123456789abcdef",
            "${A:-hunter2}",
            "${A:-${B:-hunter2}}",
            "$$x",
            "/abc+d==",
            "/9j4AAQSkZJRgABAQEASABIAAD",
            "12 monkeys",
            "base64:AAAA=",
            "1password",
            "12345678x",
            "12345678",
            "2026-01-01",
            "1234567s",
            "x{{ .Values.y }}",
            "x${A}",
            "pre-$A",
            "changeme",
            "'hunter2',",
        ] {
            assert!(may_be_secret(value), "{value}");
        }
        for value in [
            "",
            "''",
            "\"\",",
            "true",
            "No",
            "null",
            "42",
            "0",
            "-1.5",
            "30s",
            "5m",
            "86400s",
            "1h30m",
            "/run/secrets/db",
            "/etc/app/tls/key.pem",
            "./x",
            "file:/x",
            "${A}",
            "$A",
            "${A:-}",
            "${A}-${B}",
            "${A:?it must be said}",
            "$(cat /run/secrets/x)",
            "{{ .Values.a }}",
            "{{ .Values.a }}:{{ .Values.b }}",
            "postgres://app:${PW}@db/app",
            "user=app password=${PW}",
            "vault:secret/data/db#password",
            "|",
        ] {
            assert!(!may_be_secret(value), "{value}");
        }
        assert!(is_number("4096") && !is_number("4096x"));
    }
}
