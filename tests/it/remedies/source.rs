//! The remedies as they stand in the source.

use std::collections::BTreeSet;
use std::path::Path;

/// Characters before a remedy in which the class and sub-code of its error stand.
const BEFORE: usize = 900;

/// Every remedy of the program: `Class code: text`; where an expression stands for a text, `file Class code: <expression>`.
pub(super) fn remedies() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    gather(&root, &root, &mut found);
    found
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
fn gather(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.to_str().unwrap().ends_with("tests.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            of_file(path.strip_prefix(root).unwrap().to_str().unwrap(), code, found);
        }
    }
}

fn of_file(file: &str, code: &str, found: &mut BTreeSet<String>) {
    for (at, call) in code.match_indices("remedy(") {
        // Not its definition, and not the end of another word.
        if code[..at].ends_with("fn ") || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let (texts, expression) = argument(&code[at + call.len()..]);
        // What reads a remedy takes nothing.
        if expression.is_empty() {
            continue;
        }
        let start = (at.saturating_sub(BEFORE)..at)
            .find(|place| code.is_char_boundary(*place))
            .unwrap_or(at);
        let kind = kind(&code[start..at]);
        found.insert(if texts.is_empty() {
            format!("{file} {kind}: <{expression}>")
        } else {
            format!("{kind}: {}", texts.join(" | "))
        });
    }
}

/// The texts in the argument of a call, and all of it.
fn argument(code: &str) -> (Vec<String>, String) {
    let (mut depth, mut texts, mut text, mut escaped) = (1, Vec::new(), None::<String>, false);
    for (at, c) in code.char_indices() {
        match &mut text {
            Some(open) if escaped => {
                open.push(c);
                escaped = false;
            }
            Some(_) if c == '\\' => escaped = true,
            Some(_) if c == '"' => texts.extend(text.take()),
            Some(open) => open.push(c),
            None => match c {
                '"' => text = Some(String::new()),
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            },
        }
        if depth == 0 {
            let words: Vec<&str> = code[..at].split_whitespace().collect();
            let texts = texts
                .iter()
                .map(|text: &String| text.split_whitespace().collect::<Vec<_>>().join(" "));
            return (texts.collect(), words.join(" "));
        }
    }
    panic!("a call without an end: {}", &code[..code.len().min(80)]);
}

/// Class and sub-code of the error that was begun last.
fn kind(before: &str) -> String {
    let Some((_, after)) = before.rsplit_once("Class::") else {
        return "?".to_owned();
    };
    let mut parts = after.splitn(3, ',').map(str::trim);
    let (class, code) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let code = code.trim_matches('"');
    if word(class) && word(code) {
        format!("{class} {code}")
    } else {
        "?".to_owned()
    }
}
