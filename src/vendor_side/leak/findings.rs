//! Gathers what must not travel in clear into one refusal.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::allow_plain::AllowPlain;
use super::chart_template;
use super::configuration::{self, Form, Said, readable};
use super::keys::{holds_secrets, is_beside, lets_in, looks_secret};
use super::options;
use super::reference::{defaults, settled, variable, without_unused_defaults};
use super::source::{Placed, Source, SourceFile, given, is_empty, spoken};
use super::text::{assignment, assignments, is_comment, passwords_of_addresses, private_key, secret_shape};
use super::value::{is_number, is_secret, may_be_secret};
use crate::domain::Hash;
use crate::secret::is_marked;

/// What was found so far.
#[derive(Debug, Default)]
pub(in super::super) struct Findings {
    pub(super) list: Vec<String>,
    /// How many of these say themselves what to do.
    pub(super) told: usize,
    /// Keys whose values a secret could take the place of, and a hash of each value: those that are the same are one secret.
    pub(super) keys: Vec<(String, Hash)>,
    /// Keys in templates and files of charts, where no secret may stand in the place of a value.
    pub(super) in_charts: BTreeSet<String>,
    /// Keys in files of programs, which have quotes of their own.
    pub(super) in_files: BTreeSet<String>,
    /// Files whose values are taken word for word.
    pub(super) verbatim: BTreeSet<String>,
    /// Keys in compose files where none may stand either, but a variable.
    pub(super) by_variable: BTreeSet<String>,
    /// Places, each a file and a line, and keys that were found there.
    pub(super) seen: BTreeSet<(String, String)>,
    /// Places in charts where something was found by its own form.
    pub(super) known: BTreeSet<String>,
    /// Variables that stand where a secret does, and where.
    pub(super) variables: Vec<(String, String)>,
}

impl Findings {
    /// Returns how many there are.
    pub(in super::super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Quotes in this file are a part of its values.
    pub(in super::super) fn takes_verbatim(&mut self, file: &str) {
        self.verbatim.insert(file.to_owned());
    }

    /// Whether a private key was found at a place: a file, and a line.
    pub(in super::super) fn has_private_key(&self, place: &str) -> bool {
        let mut found = self.list.iter();
        found.any(|found| found.starts_with(place) && found.contains("a private key"))
    }

    /// Notes something by its own words.
    pub(in super::super) fn note(&mut self, finding: String) {
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    /// Notes what is a secret by its own form in a file of a chart: it is not told by its name again.
    pub(in super::super) fn note_in_chart(&mut self, place: String, what: &str) {
        self.note(format!("{place}: {what}"));
        self.known.insert(place);
    }

    /// Notes something by its own words, which say what to do about it.
    pub(in super::super) fn note_with_remedy(&mut self, finding: String) {
        let before = self.count();
        self.note(finding);
        self.told = self.told.saturating_add(self.count().saturating_sub(before));
    }

    /// Looks at any text: private keys, and what is a secret by its own form.
    pub(in super::super) fn text(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if plain.has_file(file) {
            return;
        }
        if let Some(line) = private_key(text) {
            let at = usize::try_from(line.saturating_sub(1)).ok();
            let key = at.and_then(|at| text.lines().nth(at)).and_then(assignment);
            // What is known by its form is not told by its name again.
            self.seen
                .extend(key.map(|(key, _)| (format!("{file}:{line}"), key.to_owned())));
            self.note(format!("{file}:{line}: a private key"));
        }
        for (number, line) in (1_u64..).zip(text.lines()).filter(|(_, line)| !is_comment(line)) {
            let assigned = assignment(line);
            let key = assigned.map(|(key, _)| key);
            if let Some(what) = secret_shape(line)
                && !key.is_some_and(|key| plain.has(key))
            {
                let called = key.map(|key| format!("{key}, ")).unwrap_or_default();
                if let Some((key, value)) = assigned {
                    self.replaceable(key, value);
                    self.seen.insert((format!("{file}:{number}"), key.to_owned()));
                }
                self.note(format!("{file}:{number}: {called}{what}"));
            }
        }
    }

    /// Looks at lines of the form `KEY=VALUE` or `KEY: VALUE`, and at everything that [`Findings::text`] looks at.
    pub(in super::super) fn lines(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if plain.has_file(file) {
            return;
        }
        self.text(file, text, plain);
        let set: BTreeSet<&str> = assignments(text)
            .filter(|(.., value)| !value.is_empty())
            .map(|(_, key, _)| key)
            .collect();
        for (line, key, value) in assignments(text) {
            let value = &without_unused_defaults(value, &|name| set.contains(name));
            let place = || format!("{file}:{line}");
            let is_known = self.seen.contains(&(place(), key.to_owned()));
            // What is said of the whole is not said of its parts again.
            if !self.key(place, key, key, value, plain) && !is_known && !plain.has(key) {
                self.parts(&place, key, value, Form::Line, plain);
            }
        }
    }

    /// Looks for variables of an environment file that stand where secrets do, in the file itself or in what was looked at before.
    pub(in super::super) fn variables(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if plain.has_file(file) {
            return;
        }
        for (line, key, value) in assignments(text).filter(|(_, key, _)| !plain.has(key)) {
            let used = self.variables.iter().find(|(name, _)| name == key);
            if let Some((_, place)) = used.filter(|_| !is_secret(key, value) && may_be_secret(value)) {
                let finding = format!("{file}:{line}: {key}, which stands in the place of a secret at {place}");
                self.replaceable(key, value);
                self.note(finding);
            }
        }
    }

    /// Looks at a tree of values.
    pub(in super::super) fn values(&mut self, file: &str, values: &Value, plain: AllowPlain<'_>) {
        self.file_values(file, "", values, plain);
    }

    /// As [`Findings::values`], of a file with this text, in which the lines of what is found are looked for.
    pub(in super::super) fn file_values(&mut self, file: &str, text: &str, values: &Value, plain: AllowPlain<'_>) {
        if !plain.has_file(file) {
            let lines: Vec<(u64, &str, &str)> = assignments(text).collect();
            self.tree(&SourceFile { file, lines, text }, Standing::TOP, values, plain);
        }
    }

    /// Looks at a tree of values that came from several files, and at each text in it as [`Findings::text`] does. `place` says where a path
    /// of it stands: file, and line.
    /// `has_value` says which variables have one here, so that their defaults are none.
    pub(in super::super) fn placed(
        &mut self,
        values: &Value,
        place: &dyn Fn(&str) -> (String, usize),
        has_value: &dyn Fn(&str) -> bool,
        plain: AllowPlain<'_>,
    ) {
        let mut values = values.clone();
        settle_defaults(&mut values, has_value);
        self.tree(&Placed { place }, Standing::TOP, &values, plain);
    }

    /// Looks at a file of configuration, of whatever program.
    pub(in super::super) fn configuration(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if !plain.has_file(file) {
            self.text(file, text, plain);
            self.pairs(file, text, plain, |findings, place, key, value| {
                findings.in_files.insert(key.to_owned());
                findings.found(place, key, value);
            });
        }
    }

    /// Looks at a file that templates of a chart read; what is a secret by its own form in it is looked for with the chart.
    pub(in super::super) fn chart_file(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if !plain.has_file(file) {
            self.pairs(file, text, plain, |findings, place, key, _| {
                findings.found_in_chart(place, key);
            });
        }
    }

    fn pairs(
        &mut self,
        file: &str,
        text: &str,
        plain: AllowPlain<'_>,
        mut found: impl FnMut(&mut Self, &str, &str, &str),
    ) {
        for (line, said) in configuration::secrets(file, text) {
            match said {
                Said::Pair(key, value) if !plain.has(&key) => found(self, &format!("{file}:{line}"), &key, &value),
                Said::Pair(..) => {}
                Said::User => self.note(format!("{file}:{line}: a user with a password, or the hash of one")),
            }
        }
    }

    /// Looks at a template of a chart; what is a secret by its own form in it is looked for with the chart.
    pub(in super::super) fn chart_template(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if plain.has_file(file) {
            return;
        }
        for (line, key) in chart_template::secrets(text) {
            if !plain.has(&key) {
                self.found_in_chart(&format!("{file}:{line}"), &key);
            }
        }
    }

    /// Looks for what the templates of a chart, each with its file, define alone and use as a secret.
    pub(in super::super) fn chart_definitions(&mut self, templates: &[(&str, &str)], plain: AllowPlain<'_>) {
        for (file, line, key) in chart_template::defined(templates) {
            let file = templates.get(file).map(|(file, _)| *file).unwrap_or_default();
            if !plain.has_file(file) && !plain.has(&key) {
                self.found_in_chart(&format!("{file}:{line}"), &key);
            }
        }
    }

    fn tree(&mut self, source: &dyn Source, at: Standing<'_>, value: &Value, plain: AllowPlain<'_>) {
        let path = at.path;
        match value {
            Value::Object(map) => {
                // As kubernetes writes variables: {name: KEY, value: TEXT}.
                if let (Some(Value::String(name)), Some(value)) = (map.get("name"), map.get("value"))
                    && let Some(text) = spoken(value)
                {
                    self.key(|| source.place(path, "value", &text), path, name, &text, plain);
                }
                for (key, value) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if matches!(key.as_str(), ".dockerconfigjson" | "auths" | "registryAuth") && !is_empty(value) {
                        if !plain.has(&path) && !plain.has(key) && !source.is_allowed(&path, plain) {
                            self.note(format!("{}, credentials of a registry", source.whole(&path)));
                        }
                        continue;
                    }
                    if let Some(text) = spoken(value) {
                        if !source.is_allowed(&path, plain) {
                            self.member(source, at, (&path, key), &text, plain);
                        }
                        continue;
                    }
                    // Lists of that name are names of secrets, in compose files and in pods.
                    let is_names = key.to_ascii_lowercase().ends_with("secrets");
                    for text in given(value).into_iter().filter(|_| !is_names) {
                        if !source.is_allowed(&path, plain) {
                            self.key(|| source.place(&path, key, &text), &path, key, &text, plain);
                        }
                    }
                    let holder = holds_secrets(key).then_some(key.as_str());
                    self.tree(source, Standing { path: &path, holder }, value, plain);
                }
            }
            Value::Array(list) => {
                let before = self.count();
                // As programs are given options: `--password`, and the value next.
                for pair in list.windows(2) {
                    if let [Value::String(option), Value::String(text)] = pair
                        && let Some(name) = option.strip_prefix('-')
                        && let name = name.trim_start_matches('-')
                        && !source.is_allowed(path, plain)
                        && !text.starts_with('-')
                        && self.key(|| source.whole(path), path, name, text, plain)
                    {
                        self.by_variable(source, path, name);
                    }
                }
                if self.count() == before && !source.is_allowed(path, plain) {
                    self.command(source, path, list, plain);
                }
                for (number, value) in list.iter().enumerate() {
                    let path = format!("{path}.{number}");
                    self.tree(
                        source,
                        Standing {
                            path: &path,
                            holder: None,
                        },
                        value,
                        plain,
                    );
                }
            }
            // A text without a key of its own, as `KEY=VALUE` in a list.
            Value::String(text) if !source.is_allowed(path, plain) => {
                let pair = text.split_once('=');
                if let Some((key, value)) = pair
                    && self.key(|| source.place(path, key, value), path, key, value, plain)
                {
                    self.by_variable(source, path, key);
                    return;
                }
                self.own_form(source, path, pair.map_or("", |(key, _)| key), text, plain);
                let Some((_, value)) = pair else {
                    self.within(source, path, text, plain);
                    return;
                };
                // The value of a pair is a text as that of a mapping is; where what stands before the sign is no name, the whole is one.
                if !pair.is_some_and(|(key, _)| plain.has(key)) && !self.within(source, path, value, plain) {
                    self.within(source, path, text, plain);
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Looks at a list as at the line of a command: some programs have their own options.
    fn command(&mut self, source: &dyn Source, path: &str, list: &[Value], plain: AllowPlain<'_>) {
        let words: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
        let Some(words) = words.filter(|words| words.iter().any(|word| word.starts_with('-'))) else {
            return;
        };
        // A word with a line of its own is looked at by itself.
        let line = words.into_iter().filter(|word| !word.contains(char::is_whitespace));
        let line = line.collect::<Vec<_>>().join(" ");
        for (name, value) in options::pairs(&line) {
            if self.key(|| source.whole(path), path, name, value, plain) {
                self.by_variable(source, path, name);
            }
        }
    }

    /// Looks at a text under a key.
    fn member(
        &mut self,
        source: &dyn Source,
        at: Standing<'_>,
        (path, key): (&str, &str),
        text: &str,
        plain: AllowPlain<'_>,
    ) {
        let before = self.count();
        let is_it = self.key(|| source.place(path, key, text), path, key, text, plain);
        if is_it {
            self.by_variable(source, path, key);
        }
        let is_held = at.holder.is_some() && !looks_secret(key) && !is_beside(key);
        if is_held && may_be_secret(text) && !is_number(text) && !plain.has(key) && !plain.has(path) && !is_marked(key)
        {
            self.replaceable(key, text);
            let holder = at.holder.unwrap_or_default();
            self.note(format!(
                "{}: {key}, beneath {holder}, whose name says that it holds secrets",
                source.place(path, key, text)
            ));
        }
        // What is said of the whole is not said of its parts again.
        if !is_it && self.count() == before && !plain.has(key) && !plain.has(path) {
            self.own_form(source, path, key, text, plain);
            self.within(source, path, text, plain);
        }
    }

    /// Looks for what is a secret by its own form, where the text as a whole is not looked at.
    fn own_form(&mut self, source: &dyn Source, path: &str, key: &str, text: &str, plain: AllowPlain<'_>) {
        if !source.is_merged() || plain.has(key) || plain.has(path) {
            return;
        }
        if private_key(text).is_some() {
            self.note(format!("{}: a private key", source.place(path, key, text)));
            return;
        }
        let mut lines = text.lines().filter(|line| !is_comment(line));
        if let Some(what) = lines.find_map(secret_shape) {
            if !key.is_empty() {
                self.replaceable(key, text);
                self.by_variable(source, path, key);
            }
            let called = if key.is_empty() {
                String::new()
            } else {
                format!("{key}, ")
            };
            self.note(format!("{}: {called}{what}", source.place(path, key, text)));
        }
    }

    /// `place` is asked for a finding alone: it looks through the file.
    fn key(&mut self, place: impl Fn() -> String, path: &str, key: &str, value: &str, plain: AllowPlain<'_>) -> bool {
        // A key that is a secret itself is refused as a place where none may stand.
        if is_marked(key) || plain.has(key) || plain.has(path) {
            return false;
        }
        if looks_secret(key) || lets_in(key) {
            self.stands(&place, value);
        }
        let is_it = is_secret(key, value);
        if is_it {
            self.found(&place(), key, value);
        }
        is_it
    }

    /// Notes the variable that a value is, which stands in the place of a secret.
    fn stands(&mut self, place: &impl Fn() -> String, value: &str) {
        if let Some(name) = variable(&settled(value)) {
            self.variables.push((name.to_owned(), place()));
        }
    }

    /// Looks for pairs within a text, and for variables that are passwords in addresses.
    fn parts(
        &mut self,
        place: &impl Fn() -> String,
        path: &str,
        text: &str,
        form: Form,
        plain: AllowPlain<'_>,
    ) -> Vec<String> {
        let mut keys = Vec::new();
        for line in text.lines().filter(|line| !is_comment(line) || form == Form::Line) {
            // A default is written under the name of its variable.
            for (name, default) in defaults(line) {
                if self.key(place, path, name, default, plain) {
                    keys.push(name.to_owned());
                }
            }
            let line = readable(line);
            for password in passwords_of_addresses(&line) {
                self.stands(place, password);
            }
            for (key, value) in configuration::named(&line, form) {
                if self.key(place, path, key, value, plain) {
                    keys.push(key.to_owned());
                }
            }
        }
        keys
    }

    fn found(&mut self, place: &str, key: &str, value: &str) {
        self.replaceable(key, value);
        // What several services share is written once: behind an anchor, in a file that they extend.
        let at = place.split(": ").next().unwrap_or_default();
        let (file, line) = at.rsplit_once(':').unwrap_or((at, ""));
        if self.verbatim.contains(file) {
            self.in_files.insert(key.to_owned());
        }
        let has_line = line.parse::<u64>().is_ok();
        if !has_line || self.seen.insert((at.to_owned(), key.to_owned())) {
            self.note(format!("{place}: {key}, whose name says that it is a secret"));
        }
    }

    fn found_in_chart(&mut self, place: &str, key: &str) {
        self.in_charts.insert(key.to_owned());
        if self.known.contains(place) {
            return;
        }
        self.note(format!("{place}: {key}, whose name or place says that it is a secret"));
    }

    /// Looks into a text: lines of configuration, options of programs, addresses, mounts, texts of JSON. Says whether there is a secret.
    fn within(&mut self, source: &dyn Source, path: &str, text: &str, plain: AllowPlain<'_>) -> bool {
        let form = if text.trim_end().contains('\n') {
            Form::File
        } else {
            Form::Line
        };
        let keys = self.parts(&|| source.whole(path), path, text, form, plain);
        for key in &keys {
            self.by_variable(source, path, key);
        }
        !keys.is_empty()
    }

    /// Notes a key whose value only a variable can take the place of.
    fn by_variable(&mut self, source: &dyn Source, path: &str, key: &str) {
        if source.is_merged() && !takes_secrets(path) {
            self.by_variable.insert(key.to_owned());
        }
    }

    fn replaceable(&mut self, key: &str, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']);
        let found = (key.to_owned(), Hash(Sha256::digest(value).into()));
        if !self.keys.contains(&found) {
            self.keys.push(found);
        }
    }
}

/// Whether a value at a path of a compose file may hold a secret.
fn takes_secrets(path: &str) -> bool {
    let keys: Vec<&str> = path.split('.').collect();
    // What stands under a key of the author's own is shared by services.
    keys.first().is_some_and(|key| key.starts_with("x-"))
        || matches!(
            keys.as_slice(),
            ["services", _, "environment", ..] | ["configs", .., "content"]
        )
}

/// Takes defaults out of texts that are never used.
fn settle_defaults(value: &mut Value, has_value: &dyn Fn(&str) -> bool) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(settled) = without_unused_defaults(text, has_value) {
                *text = settled;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| settle_defaults(value, has_value)),
        Value::Object(map) => map.values_mut().for_each(|value| settle_defaults(value, has_value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Where a value stands in a tree.
#[derive(Clone, Copy)]
struct Standing<'a> {
    path: &'a str,
    /// The key right above it, where that holds secrets.
    holder: Option<&'a str>,
}

impl Standing<'_> {
    const TOP: Self = Standing { path: "", holder: None };
}
