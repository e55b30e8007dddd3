//! Every command of airlock that a message, a remedy or a help text of the source names exists, with the options that are named with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::appliance::{AIRLOCK, read};

/// Text that people may get to see: string literals (escapes of line breaks undone) and documentation, which is where help comes from.
fn texts(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'', '#', 'r']) {
        let here = &rest[at..];
        let after_word = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if here.starts_with("//") {
            let line = here.split('\n').next().unwrap();
            found.push(line.trim_start_matches(['/', '!']).to_owned());
            rest = &here[line.len()..];
        } else if !after_word && (here.starts_with("r#\"") || here.starts_with("r\"")) {
            let hashes = here[1..].bytes().take_while(|byte| *byte == b'#').count();
            let close = format!("\"{}", "#".repeat(hashes));
            let body = &here[2 + hashes..];
            let end = body.find(&close).unwrap();
            found.push(body[..end].to_owned());
            rest = &body[end + close.len()..];
        } else if let Some(body) = here.strip_prefix('"') {
            let (mut text, mut characters) = (String::new(), body.char_indices());
            let mut end = body.len();
            while let Some((at, c)) = characters.next() {
                match c {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' => match characters.next() {
                        Some((_, 'n')) => text.push('\n'),
                        // A line that goes on in the next one.
                        Some((_, '\n')) => {
                            let left = characters.as_str();
                            let skipped = left.len() - left.trim_start().len();
                            characters.by_ref().take(left[..skipped].chars().count()).for_each(drop);
                        }
                        Some((_, other)) => text.push(other),
                        None => {}
                    },
                    other => text.push(other),
                }
            }
            found.push(text);
            rest = &body[end..];
        } else if here.starts_with("'\"'") || here.starts_with("'/'") {
            rest = &here[3..];
        } else {
            let next = here.chars().next().unwrap().len_utf8();
            rest = &here[next..];
        }
    }
    found
}

/// Commands that a text names: after a backtick, at the beginning of a line, or behind a pipe.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("airlock ").filter_map(|(at, _)| {
        let before = text[..at].trim_end_matches([' ']);
        let named = text[..at].ends_with('`')
            || ((before.is_empty() || before.ends_with('\n')) && text[..at].ends_with("  "))
            || before.ends_with('|')
            || before.ends_with("-- ");
        named.then(|| text[at..].split(['`', '\n', '|', ';']).next().unwrap())
    })
}

fn files(folder: &Path, kind: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, kind, found);
        } else if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path);
        }
    }
}

/// A page as its reader takes commands from it: what stands in backquotes, and the lines of its examples.
fn page(markdown: &str) -> Vec<String> {
    let (mut found, mut example) = (vec![markdown.to_owned()], false);
    for line in markdown.lines() {
        if line.starts_with("```") {
            example = !example;
        } else if example {
            found.push(format!("  {}", line.trim_start_matches("$ ")));
        }
    }
    found
}

/// The help of a command; none where there is no such command.
fn help(words: &[&str]) -> Option<String> {
    let output = Command::new(AIRLOCK).args(words).arg("--help").output().unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(all(feature = "vendor", feature = "site"))]
#[test]
fn every_command_that_a_message_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = vec![root.join("README.md")];
    files(&root.join("src"), "rs", &mut sources);
    files(&root.join("handbook"), "md", &mut sources);
    files(&root.join("bundle-spec"), "md", &mut sources);
    let mut named: BTreeMap<Vec<String>, (Vec<String>, PathBuf)> = BTreeMap::new();
    for path in sources {
        let source = String::from_utf8(read(&path)).unwrap();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        for text in if is_page { page(&source) } else { texts(&source) } {
            for command in commands(&text) {
                let mut words = command.split_whitespace().skip(1);
                let is_word = |word: &&str| {
                    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !word.starts_with('-')
                };
                let path_of_it: Vec<String> = words.by_ref().take_while(is_word).map(ToOwned::to_owned).collect();
                let options = command
                    .split_whitespace()
                    .filter(|word| word.starts_with("--") && word.len() > 2)
                    .map(|word| word.split(['=', ',', '.', ':', ')']).next().unwrap().to_owned());
                if !path_of_it.is_empty() {
                    let entry = named.entry(path_of_it).or_insert_with(|| (Vec::new(), path.clone()));
                    entry.0.extend(options);
                }
            }
        }
    }
    let mut missing = Vec::new();
    for (command, (options, path)) in &named {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let place = format!("airlock {} ({})", command.join(" "), path.display());
        match help(&words) {
            None => missing.push(place),
            Some(help) => {
                let unknown = options.iter().filter(|option| !help.contains(option.as_str()));
                missing.extend(unknown.map(|option| format!("{option} of {place}")));
            }
        }
    }
    println!("{} commands are named", named.len());
    assert!(
        missing.is_empty(),
        "messages name what does not exist:\n{}",
        missing.join("\n")
    );
    for expected in [
        &["init"] as &[&str],
        &["trust", "add"],
        &["release", "activate"],
        &["vendor", "init"],
    ] {
        assert!(
            named.keys().any(|command| command == expected),
            "{expected:?} was not seen: {:?}",
            named.keys()
        );
    }
}

#[test]
fn the_reader_of_messages_sees_what_is_named() {
    let source = r##"
        let a = x.remedy("run `airlock gc --now`, or point --state at it");
        /// Pin with `airlock trust add`.
        #[command(after_help = "Examples:\n  airlock import /media/usb\n  x | airlock import -")]
        let b = 'a'; let c = '"'; let d = "an airlock file"; let e = r#"`airlock scrub`"#;
        let f = "use \
                 `airlock doctor` now";
    "##;
    let found: Vec<String> = texts(source)
        .iter()
        .flat_map(|text| commands(text).map(ToOwned::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        found,
        [
            "airlock gc --now",
            "airlock trust add",
            "airlock import /media/usb",
            "airlock import -",
            "airlock scrub",
            "airlock doctor"
        ]
    );
    assert!(help(&["frobnicate"]).is_none() && help(&["release", "frobnicate"]).is_none());
}
