//! The remedies as they stand in the source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::indirect;

/// Characters before a remedy in which the class and sub-code of its error stand.
const BEFORE: usize = 900;

/// Folders of crates whose modules the program passes on by their own names.
const PASSED_ON: [&str; 2] = ["foundation/", "site/"];

/// Files of `src` by their path in it, or in such a folder, without their tests.
type Files = BTreeMap<String, String>;

/// Every remedy of the program: `Class code: text`; where an expression stands for a text, `file Class code: <expression>`; and those
/// of [`indirect`].
pub(super) fn remedies() -> BTreeSet<String> {
    let mut files = Files::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    gather(&root, &root, &mut files);
    let mut found = BTreeSet::new();
    for (file, code) in &files {
        of_file(file, code, &files, &mut found);
        indirect::of_file(file, code, &mut found);
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
fn gather(root: &Path, folder: &Path, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.to_str().unwrap().ends_with("tests.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let name = PASSED_ON
                .iter()
                .find_map(|part| name.strip_prefix(part))
                .unwrap_or(name);
            files.insert(name.to_owned(), code.to_owned());
        }
    }
}

fn of_file(file: &str, code: &str, files: &Files, found: &mut BTreeSet<String>) {
    for (at, call) in code.match_indices("remedy(") {
        // Not its definition, and not the end of another word.
        if code[..at].ends_with("fn ") || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let (mut texts, expression) = argument(&code[at + call.len()..]);
        texts.extend(constant(&expression, files));
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

/// The text of a constant, where an expression is the name of one.
fn constant(expression: &str, files: &Files) -> Option<String> {
    let is_name = !expression.is_empty() && expression.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let mut all = files.values().filter(|_| is_name);
    let said = all.find_map(|code| code.split(&format!("const {expression}: &str =")).nth(1))?;
    // An argument ends with a parenthesis.
    argument(&said.replacen("\";", "\")", 1)).0.pop()
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
