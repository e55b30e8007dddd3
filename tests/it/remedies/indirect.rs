//! Remedies that reach a message through a name: what a class says of itself, what is bound to `remedy` or stands in a field of that
//! name, and what is given to a parameter of it.

use std::collections::BTreeSet;

/// Functions that take a remedy as their last argument, and the folders or files in which they are called so.
const TAKERS: [(&str, &str); 7] = [
    ("", "Problem::of("),
    ("vendor_side/compose", "Problem::new("),
    ("vendor_side/compose", "Problem::usage("),
    ("vendor_side/compose", "Problem::policy("),
    ("vendor_side/compose/check.rs", "self.note("),
    ("vendor_side/compose/consistency.rs", "self.note("),
    ("appliance/import/policy/sequence.rs", "refuse("),
];
/// How a file says that something of its own takes one.
const PARAMETERS: [&str; 2] = ["remedy: &str", "remedy: impl Into<String>"];
/// Where such parameters stand: they are those of [`TAKERS`], and the one of the error itself.
const DEFINED: [&str; 4] = [
    "appliance/import/policy/sequence.rs",
    "domain/error.rs",
    "vendor_side/compose/check.rs",
    "vendor_side/compose/problem.rs",
];

/// What a file of `src` says in such a way: `?: text`, and of a class in general `Class | Class: text`.
pub(super) fn of_file(file: &str, code: &str, found: &mut BTreeSet<String>) {
    let takes = PARAMETERS.iter().any(|parameter| code.contains(parameter));
    assert!(
        !takes || DEFINED.contains(&file),
        "{file} has a parameter for remedies that nobody looks at"
    );
    // What comments say is no message.
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = &code.collect::<Vec<_>>().join("\n");
    let mut add = |texts: Vec<String>| found.extend(texts.iter().map(|text| format!("?: {text}")));
    for (at, name) in code.match_indices("remedy") {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        if before.ends_with("let ") && after.starts_with(" =") {
            add(Values::of(after[2..].trim_start()).plain);
        } else if before.ends_with(", ") && (after.starts_with(") = ") || after.starts_with(") in ")) {
            add(Values::of(after[4..].trim_start()).last_of_tuples);
        } else if let Some(value) = after.strip_prefix(": ").or(after.strip_prefix("\": ")) {
            add(Values::of(value).plain);
        }
    }
    let takers = TAKERS.iter().filter(|(place, _)| file.starts_with(place));
    for (at, call) in takers.flat_map(|(_, call)| code.match_indices(call)) {
        // Read from its parenthesis on, a list of arguments is a tuple.
        let mut given = Values::of(&code[at + call.len() - 1..]);
        add(given.last_of_tuples.pop().into_iter().collect());
    }
    if file == "domain/error.rs" {
        let table = code.split("pub fn remedy(self)").nth(1).unwrap();
        let table = table.split("\n    }\n").next().unwrap();
        let mut arms = table.split("=>");
        let mut classes = pattern(arms.next().unwrap());
        for arm in arms {
            let said = Values::of(arm.trim_start().trim_start_matches('{')).plain;
            found.extend(said.iter().take(1).map(|text| format!("{classes}: {text}")));
            classes = pattern(arm);
        }
    }
}

/// The classes of the pattern at the end of a piece of code.
fn pattern(code: &str) -> String {
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    let classes: Vec<&str> = words.filter_map(|word| word.strip_prefix("Self::")).collect();
    classes.join(" | ")
}

/// Texts of one expression or statement.
#[derive(Debug, Default)]
struct Values {
    /// Those that are its value, in whichever branch.
    plain: Vec<String>,
    /// Those that end a tuple.
    last_of_tuples: Vec<String>,
}

/// What a bracket began.
#[derive(Debug)]
struct Frame {
    opened: char,
    /// What stands before it: the end of a name is that of a call.
    call: bool,
    /// Of `format!` and `Some`, whose value is the first text in them.
    wraps: bool,
    first: Option<String>,
    /// The member that was begun last, where it is a text.
    member: Option<String>,
}

impl Values {
    /// Reads to the semicolon that ends it, the bracket that it stands in, or its comma.
    fn of(code: &str) -> Self {
        let mut values = Self::default();
        let mut frames: Vec<Frame> = Vec::new();
        let mut rest = code;
        while let Some(c) = rest.chars().next() {
            let read = &code[..code.len() - rest.len()];
            match c {
                '"' => {
                    let (text, length) = text(&rest[1..]);
                    values.text(&mut frames, text);
                    rest = &rest[1 + length..];
                    continue;
                }
                '(' | '[' | '{' => frames.push(Frame {
                    opened: c,
                    call: c == '(' && read.ends_with(|c: char| c.is_alphanumeric() || "_!>".contains(c)),
                    wraps: read.ends_with("format!") || read.ends_with("Some"),
                    first: None,
                    member: None,
                }),
                ')' | ']' | '}' => match frames.pop() {
                    None => return values,
                    Some(frame) => {
                        values.close(&mut frames, frame);
                        // All of a list was read.
                        if frames.is_empty() && code.starts_with(['(', '[']) {
                            return values;
                        }
                    }
                },
                ',' => {
                    let trails = rest[1..].trim_start().starts_with([')', ']']);
                    match frames.last_mut() {
                        None => return values,
                        Some(_) if trails => {}
                        Some(frame) => frame.member = None,
                    }
                }
                ';' if frames.is_empty() => return values,
                _ => {}
            }
            rest = &rest[c.len_utf8()..];
        }
        values
    }

    fn text(&mut self, frames: &mut [Frame], text: String) {
        match frames.last_mut() {
            None => self.plain.push(text),
            Some(frame) if frame.opened == '{' => self.plain.push(text),
            Some(frame) => {
                frame.first.get_or_insert_with(|| text.clone());
                frame.member = Some(text);
            }
        }
    }

    fn close(&mut self, frames: &mut [Frame], frame: Frame) {
        if frame.wraps {
            if let Some(text) = frame.first {
                self.text(frames, text);
            }
        } else if frame.opened == '(' && !frame.call {
            self.last_of_tuples.extend(frame.member);
        }
    }
}

/// A text with its white space one space each, and the bytes with its closing quote.
fn text(code: &str) -> (String, usize) {
    let (mut text, mut escaped) = (String::new(), false);
    for (at, c) in code.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (text.split_whitespace().collect::<Vec<_>>().join(" "), at + 1),
            c => {
                text.push(c);
                escaped = false;
            }
        }
    }
    panic!("a text without an end: {}", &code[..code.len().min(80)]);
}
