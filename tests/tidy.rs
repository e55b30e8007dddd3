//! The walls that crates do not have inside: who may import what, module docs, file sizes, and words that do not belong here.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines above which a file is asked what second thing lives in it.
const LINES: usize = 600;

/// Modules by level: each may use its own folder and what stands lower, except that level 2 and level 4 do not know their
/// neighbours. The table of `src/lib.rs`.
const LEVELS: &[(&str, u8)] = &[
    ("domain", 0),
    ("panics", 0),
    ("leb128", 0),
    ("stream", 1),
    ("client_tls", 1),
    ("crypto", 1),
    ("container", 1),
    ("encoding", 1),
    ("confine", 1),
    ("inflate", 1),
    ("producer", 1),
    ("recipe", 1),
    ("delta", 1),
    ("protocol", 1),
    ("backup", 2),
    ("bundle", 2),
    ("package", 2),
    ("store", 2),
    ("db", 2),
    ("media", 3),
    ("extract", 3),
    ("vendor_side", 4),
    ("appliance", 4),
    ("config", 5),
    ("http", 5),
    ("edge", 5),
    ("cli", 6),
];

/// Modules of a level that may not use one another; those that may still form no circle.
const STRANGERS: &[&[&str]] = &[
    &["backup", "bundle", "package", "store", "db"],
    &["vendor_side", "appliance"],
];

/// Crates with a border: where alone they may be named.
const BORDERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["src/foundation/db/"]),
    ("axum", &["src/site/http/"]),
    ("hyper", &["src/site/http/"]),
    ("hyper_util", &["src/site/http/"]),
    (
        "reqwest",
        &[
            "src/vendor_side/collect/",
            "src/vendor_side/ledger/replay/",
            "src/cli/demo_agent.rs",
            "src/edge/",
        ],
    ),
    ("argon2", &["src/foundation/crypto/", "src/site/appliance/fleet/"]),
    ("rcgen", &["src/site/appliance/authority.rs"]),
    (
        "regex",
        &[
            "src/site/appliance/export/redact.rs",
            "src/site/appliance/export/redact/",
        ],
    ),
    ("tokio_rustls", &["src/site/http/"]),
    ("rustls_platform_verifier", &["src/foundation/client_tls.rs"]),
    ("zstd", &["src/foundation/container/"]),
    ("clap", &["src/cli/"]),
    ("rpassword", &["src/cli/"]),
    ("ed25519_dalek", &["src/foundation/crypto/"]),
    ("x509_cert", &["src/foundation/crypto/"]),
    ("seccompiler", &["src/site/confine.rs"]),
];

/// Folders of crates whose modules the program's crate passes on by their own names.
const PASSED_ON: &[&str] = &["foundation/", "site/"];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines of code: no comments, nothing from the first test module on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..)
            .zip(self.text.lines())
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The path of its module below the program's crate, which passes on what stands in the others.
    fn module(&self) -> Vec<String> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let path = PASSED_ON
            .iter()
            .find_map(|part| path.strip_prefix(part))
            .unwrap_or(path);
        path.trim_end_matches("/mod")
            .trim_end_matches("/lib")
            .split('/')
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The path of its crate's root, likewise.
    fn root(&self) -> &[&str] {
        if self.path.starts_with("src/vendor_side/") {
            &["vendor_side"]
        } else {
            &[]
        }
    }

    /// Whether it is what a folder shows.
    fn is_door(&self) -> bool {
        self.path.ends_with("/mod.rs") || self.path.ends_with("/lib.rs")
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source {
                    path: path.strip_prefix(root).unwrap().display().to_string(),
                    text,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{folder} holds nothing: the check would be empty");
    found
}

fn report(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let levels: BTreeMap<&str, u8> = LEVELS.iter().copied().collect();
    let mut findings = Vec::new();
    let mut edges = 0;
    let mut level_mates = BTreeSet::new();
    for source in sources("src") {
        let module = &source.module()[0];
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(level) = levels.get(module.as_str()) else {
            findings.push(format!("{}: the module {module} is not in the table", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for (at, _) in line.match_indices("crate::") {
                let used = line[at + 7..]
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or_default();
                let Some(other) = levels.get(used).filter(|_| used != module.as_str()) else {
                    continue;
                };
                edges += 1;
                if other == level {
                    level_mates.insert((module.clone(), used.to_owned()));
                }
                let strangers = STRANGERS
                    .iter()
                    .any(|group| group.contains(&module.as_str()) && group.contains(&used));
                if other > level || strangers {
                    findings.push(format!("{}:{number}: {module} uses {used}", source.path));
                }
            }
        }
    }
    for (module, used) in &level_mates {
        if level_mates.contains(&(used.clone(), module.clone())) {
            findings.push(format!("{module} and {used} use one another"));
        }
    }
    assert!(edges > 50, "only {edges} imports were seen: the check would be empty");
    report("imports against the table of src/lib.rs", &findings);
}

#[test]
fn crates_stay_behind_their_borders() {
    let mut findings = Vec::new();
    for source in sources("src") {
        for (number, line) in source.code() {
            for (name, homes) in BORDERS {
                let named = line
                    .match_indices(&format!("{name}::"))
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                if named && !homes.iter().any(|home| source.path.starts_with(home)) {
                    findings.push(format!("{}:{number}: {name}", source.path));
                }
            }
        }
    }
    report("crates named outside their border", &findings);
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_thing() {
    let mut findings = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        if !source.text.starts_with("//!") {
            findings.push(format!("{}: no module docs", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES {
            findings.push(format!("{}: {lines} lines", source.path));
        }
    }
    report("module docs and sizes", &findings);
}

#[test]
fn folders_have_one_door_without_logic() {
    let mut findings = Vec::new();
    for source in sources("src")
        .iter()
        .filter(|source| source.is_door() && !source.path.starts_with("src/cli/"))
    {
        for (number, line) in source.code() {
            if line.trim_start().starts_with("fn ") || line.contains(" fn ") || line.contains("::*") {
                findings.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report("logic or globs in mod.rs", &findings);
}

/// Folders whose files may not use one another in a circle.
const WITHOUT_CIRCLES: &[&str] = &[
    "src/site/appliance",
    "src/cli",
    "src/foundation/container",
    "src/site/http",
    "src/foundation/package",
    "src/foundation/store",
];

/// The file that a path of the code leads to, if it is one of ours: the longest part of the path that names a file; a name that a
/// folder's `mod.rs` passes on leads to the file that has it.
fn leads_to(path: &[String], files: &BTreeMap<Vec<String>, &Source>) -> Option<Vec<String>> {
    let found = (1..=path.len()).rev().find_map(|length| {
        let module = path[..length].to_vec();
        files.contains_key(&module).then_some(module)
    })?;
    let source = files[&found];
    let Some(name) = path.get(found.len()).filter(|_| source.is_door()) else {
        return Some(found);
    };
    let passed_on = uses(source, &found);
    let from = passed_on
        .iter()
        .find(|used| used.last() == Some(name) && used.len() > found.len() + 1)?;
    leads_to(from, files)
}

/// Every path that a file's code takes from this crate, absolute and without the crate's name.
fn uses(source: &Source, module: &[String]) -> Vec<Vec<String>> {
    let lines: Vec<&str> = source.code().map(|(_, line)| line).collect();
    let code = lines.join("\n");
    let mut found = Vec::new();
    let is_folder = source.is_door();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices("::") {
        let start = code[..at].rfind(|c| !word(c)).map_or(0, |place| place + 1);
        let mut base = module.to_vec();
        match &code[start..at] {
            // Only where a path begins.
            _ if code[..start].ends_with("::") => continue,
            "crate" => base = source.root().iter().map(|part| (*part).to_owned()).collect(),
            "super" => {
                if !is_folder || base.len() > 1 {
                    base.pop();
                }
            }
            "self" => {}
            first if is_folder && code[..start].trim_end().ends_with("use") && !first.is_empty() => {
                base.push(first.to_owned());
            }
            _ => continue,
        }
        expand(&code[at + 2..], base, &mut found);
    }
    found
}

/// Adds the paths that a text begins with: names, and groups in braces.
fn expand(text: &str, mut base: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with('{') {
            at += 1;
            loop {
                at += text[at..].len() - text[at..].trim_start_matches([' ', '\n', ',']).len();
                if text[at..].starts_with('}') {
                    return at + 1;
                }
                if text[at..].is_empty() {
                    return at;
                }
                at += expand(&text[at..], base.clone(), found);
            }
        }
        let length = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        match &rest[..length] {
            "" => return at + 1,
            "super" => {
                base.pop();
            }
            "self" => {}
            name => base.push(name.to_owned()),
        }
        at += length;
        if text[at..].starts_with("::") {
            at += 2;
            continue;
        }
        found.push(base);
        // `Name as Other` is one entry of a group.
        let alias = text[at..].strip_prefix(" as ").map_or(0, |rest| {
            4 + rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        });
        return at + alias;
    }
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    let all = sources("src");
    let files: BTreeMap<Vec<String>, &Source> = all.iter().map(|source| (source.module(), source)).collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (module, source) in &files {
        // What a folder passes on is nobody's use of it; tests may use what they like.
        if source.is_door() || source.path.contains("tests") {
            continue;
        }
        for used in uses(source, module) {
            if let Some(target) = leads_to(&used, &files) {
                let target = files[&target].path.as_str();
                if target != source.path && !target.ends_with("/mod.rs") && !target.ends_with("/lib.rs") {
                    edges.entry(&source.path).or_default().push(target);
                }
            }
        }
    }
    let count: usize = edges.values().map(Vec::len).sum();
    assert!(count > 1000, "only {count} uses were seen: the check would be empty");
    let mut findings = Vec::new();
    for start in edges.keys().copied() {
        let within = WITHOUT_CIRCLES.iter().find(|folder| start.starts_with(**folder));
        let Some(folder) = within else { continue };
        // The way back to the start, within the folder.
        let (mut seen, mut open) = (BTreeMap::from([(start, start)]), vec![start]);
        while let Some(file) = open.pop() {
            for next in edges.get(file).into_iter().flatten().copied() {
                if next == start {
                    let mut way = vec![file];
                    while let Some(before) = way.last().filter(|last| **last != start) {
                        way.push(seen[before]);
                    }
                    way.reverse();
                    findings.push(format!("{} -> {start}", way.join(" -> ")));
                    open.clear();
                    break;
                }
                if next.starts_with(folder) && !seen.contains_key(next) {
                    seen.insert(next, file);
                    open.push(next);
                }
            }
        }
    }
    report("files that use one another in a circle", &findings);
}

#[test]
fn no_decision_compares_the_words_of_sub_codes() {
    let mut findings = Vec::new();
    for source in sources("src")
        .iter()
        .filter(|source| !source.path.ends_with("tests.rs") && source.path != "src/foundation/domain/error.rs")
    {
        for (number, line) in source.code() {
            let compared = ["code() ==", "code() !=", "(error.code(),", "match error.code()"];
            if compared.iter().any(|part| line.contains(part)) && !line.contains("assert") {
                findings.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report("sub-codes compared as words", &findings);
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("unimpl", "emented!"),
        concat!("to", "do!"),
    ];
    let mut findings = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        for (number, line) in (1..).zip(source.text.lines()) {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report("unfinished work", &findings);
}

#[test]
fn the_specification_and_the_code_name_the_same_format() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let specification = fs::read_to_string(root.join("bundle-spec/SPEC.md")).unwrap();
    let entry = fs::read_to_string(root.join("src/foundation/container/entry.rs")).unwrap();
    let kind = fs::read_to_string(root.join("src/foundation/bundle/kind.rs")).unwrap();
    let lines = fs::read_to_string(root.join("src/foundation/container/format_lines.rs")).unwrap();
    for name in [
        "00-format",
        "01-signatures.json",
        "02-trust.json",
        "03-head.json",
        "04-approvals.json",
        "06-fill",
    ] {
        assert!(specification.contains(name) && entry.contains(name), "{name}");
    }
    assert!(specification.contains("airlock-bundle 1") && kind.contains("\"airlock-bundle\""));
    let package = fs::read_to_string(root.join("src/foundation/package/kind.rs")).unwrap();
    assert!(specification.contains("airlock-status 1") && package.contains("\"airlock-status\""));
    assert!(lines.contains("{} 1\\nvolume {volume}/{count} chunks {first}-{last}\\n"));
    let envelope = fs::read_to_string(root.join("src/foundation/crypto/envelope.rs")).unwrap();
    let mut types = 0;
    for word in envelope
        .split('"')
        .filter(|word| word.starts_with("application/vnd.airlock."))
    {
        types += 1;
        assert!(specification.contains(word), "{word} is not in the specification");
    }
    assert!(types >= 10);
}
