//! Writes a tree as YAML that every reader of YAML 1.1 and 1.2 takes for the same: block style, every text in double quotes.
//!
//! Only keys that no reader can take for anything else go without quotes. The same tree gives the same bytes.

use super::node::{Map, Node, Value};

/// Words that some reader takes for something else than a text.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Returns the document.
pub(super) fn emit(map: &Map) -> String {
    let mut out = String::new();
    if map.is_empty() {
        out.push_str("{}\n");
    } else {
        write_map(&mut out, map, 0, false);
    }
    out
}

fn write_map(out: &mut String, map: &Map, indent: usize, mut inline: bool) {
    for (key, node) in map {
        if !std::mem::take(&mut inline) {
            pad(out, indent);
        }
        if is_plain_key(key) {
            out.push_str(key);
        } else {
            quote(out, key);
        }
        out.push(':');
        match &node.value {
            Value::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                write_map(out, entries, indent.saturating_add(2), false);
            }
            Value::List(items) if !items.is_empty() => {
                out.push('\n');
                write_list(out, items, indent.saturating_add(2), false);
            }
            single => {
                out.push(' ');
                write_single(out, single);
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Node], indent: usize, mut inline: bool) {
    for item in items {
        if !std::mem::take(&mut inline) {
            pad(out, indent);
        }
        out.push_str("- ");
        match &item.value {
            Value::Map(entries) if !entries.is_empty() => write_map(out, entries, indent.saturating_add(2), true),
            Value::List(inner) if !inner.is_empty() => write_list(out, inner, indent.saturating_add(2), true),
            single => {
                write_single(out, single);
                out.push('\n');
            }
        }
    }
}

fn write_single(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Integer(digits) | Value::Float(digits) => out.push_str(digits),
        Value::Text(text) => quote(out, &text.raw),
        // Only empty ones come here.
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Whether a key is a word of letters, digits and `_ - .` that begins with a letter and that nobody takes for anything else.
fn is_plain_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.')
        && !WORDS.contains(&key.to_ascii_lowercase().as_str())
}

/// Writes a text in double quotes, everything that is not printable everywhere escaped.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            // Controls, line separators, byte order marks, and what is not a character of YAML's printable set.
            '\0'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            '\u{10000}'.. => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
#[path = "emitter_tests.rs"]
mod tests;
