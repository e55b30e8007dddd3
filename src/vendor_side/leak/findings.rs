//! Gathers what must not travel in clear into one refusal.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::keys::{looks_secret, may_be_secret, secret_name};
use super::text::{assignment, assignments, is_comment, private_key, secret_shape};
use crate::domain::{Class, Error, Hash, Result};
use crate::vendor_side::secret::is_marked;

/// Most secrets that a remedy declares.
const SHOWN: usize = 8;

/// What an author says is no secret though it looks like one: patterns of keys, of paths in values, and of files, in which `*` stands for
/// any text.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct AllowPlain<'a>(pub(in super::super) &'a [String]);

impl AllowPlain<'_> {
    /// Allows nothing.
    pub(in super::super) const NOTHING: Self = AllowPlain(&[]);

    /// Whether one of the patterns fits a file, given by its path or its name.
    pub(in super::super) fn has_file(self, file: &str) -> bool {
        let name = file.rsplit('/').next().unwrap_or_default();
        self.0.iter().any(|pattern| {
            let is_end = file
                .strip_suffix(pattern.as_str())
                .is_some_and(|before| before.ends_with('/'));
            fits(pattern, file) || fits(pattern, name) || is_end
        })
    }

    fn has(self, name: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern, name))
    }
}

/// Whether a text is what a pattern says.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// What was found so far.
#[derive(Debug, Default)]
pub(in super::super) struct Findings {
    list: Vec<String>,
    /// Keys whose values a secret could take the place of, and a hash of each value: those that are the same are one secret.
    keys: Vec<(String, Hash)>,
}

impl Findings {
    /// Returns how many there are.
    pub(in super::super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Notes something by its own words.
    pub(in super::super) fn note(&mut self, finding: String) {
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    /// Looks at any text: private keys, and what is a secret by its own form.
    pub(in super::super) fn text(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if plain.has_file(file) {
            return;
        }
        if let Some(line) = private_key(text) {
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
        for (line, key, value) in assignments(text) {
            self.key(|| format!("{file}:{line}"), key, key, value, plain);
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
            self.tree(&SourceFile { file, lines }, "", values, plain);
        }
    }

    fn tree(&mut self, source: &SourceFile<'_>, path: &str, value: &Value, plain: AllowPlain<'_>) {
        match value {
            Value::Object(map) => {
                // As kubernetes writes variables: {name: KEY, value: TEXT}.
                if let (Some(Value::String(name)), Some(Value::String(text))) = (map.get("name"), map.get("value")) {
                    self.key(|| source.place(path, "value", text), path, name, text, plain);
                }
                for (key, value) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if matches!(key.as_str(), ".dockerconfigjson" | "auths" | "registryAuth") && !is_empty(value) {
                        if !plain.has(&path) && !plain.has(key) {
                            self.note(format!("{}: {path}, credentials of a registry", source.file));
                        }
                        continue;
                    }
                    match value {
                        Value::String(text) => {
                            self.key(|| source.place(&path, key, text), &path, key, text, plain);
                            self.within(source, &path, text, plain);
                        }
                        other => {
                            // Lists of that name are names of secrets, in compose files and in pods.
                            let is_names = key.to_ascii_lowercase().ends_with("secrets");
                            for text in given(other).into_iter().filter(|_| !is_names) {
                                self.key(|| source.place(&path, key, text), &path, key, text, plain);
                            }
                            self.tree(source, &path, other, plain);
                        }
                    }
                }
            }
            Value::Array(list) => {
                // As programs are given options: `--password`, and the value next.
                for pair in list.windows(2) {
                    if let [Value::String(option), Value::String(text)] = pair
                        && let Some(name) = option.strip_prefix("--")
                    {
                        self.key(|| source.whole(path), path, name, text, plain);
                    }
                }
                for (number, value) in list.iter().enumerate() {
                    self.tree(source, &format!("{path}.{number}"), value, plain);
                }
            }
            // A text without a key of its own, as `KEY=VALUE` in a list.
            Value::String(text) => {
                if let Some((key, value)) = text.split_once('=') {
                    self.key(|| source.place(path, key, value), path, key, value, plain);
                }
                self.within(source, path, text, plain);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// `place` is asked for a finding alone: it looks through the file.
    fn key(&mut self, place: impl Fn() -> String, path: &str, key: &str, value: &str, plain: AllowPlain<'_>) {
        // A key that is a secret itself is refused as a place where none may stand.
        if is_marked(key) {
            return;
        }
        if !plain.has(key) && !plain.has(path) && looks_secret(key) && may_be_secret(value) {
            self.replaceable(key, value);
            self.note(format!("{}: {key}, whose name says that it is a secret", place()));
        }
    }

    /// Looks into a text: lines that give a key a value, and options of programs, addresses and mounts.
    fn within(&mut self, source: &SourceFile<'_>, path: &str, text: &str, plain: AllowPlain<'_>) {
        if text.contains('\n') {
            for (_, key, value) in assignments(text) {
                self.key(|| source.whole(path), path, key, value, plain);
            }
        }
        for part in text.split(|c: char| c.is_whitespace() || "?&;,".contains(c)) {
            if let Some((key, value)) = part.split_once('=')
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
                && part.len() < text.len()
            {
                self.key(|| source.whole(path), path, key.trim_start_matches('-'), value, plain);
            }
        }
    }

    fn replaceable(&mut self, key: &str, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']);
        let found = (key.to_owned(), Hash(Sha256::digest(value).into()));
        if !self.keys.contains(&found) {
            self.keys.push(found);
        }
    }

    /// Returns a name for each value that a secret could take the place of, with the keys that have it.
    fn names(&self) -> Vec<(String, Vec<&str>)> {
        let mut values: Vec<(Hash, String, Vec<&str>)> = Vec::new();
        for (key, value) in &self.keys {
            if let Some((.., keys)) = values.iter_mut().find(|(known, ..)| known == value) {
                keys.push(key);
                continue;
            }
            let name = secret_name(key);
            let taken = values
                .iter()
                .filter(|(_, known, _)| {
                    let number = known.strip_prefix(&name).and_then(|rest| rest.strip_prefix('_'));
                    *known == name || number.is_some_and(|number| number.parse::<u32>().is_ok())
                })
                .count();
            let name = match taken {
                0 => name,
                taken => format!("{name}_{}", taken.saturating_add(1)),
            };
            values.push((*value, name, vec![key]));
        }
        values.into_iter().map(|(_, name, keys)| (name, keys)).collect()
    }

    /// Ends with one refusal that names everything.
    ///
    /// # Errors
    ///
    /// `E-POLICY secret`.
    pub(in super::super) fn into_result(self) -> Result<()> {
        let refusal = match self.list.as_slice() {
            [] => return Ok(()),
            [one] => Error::new(
                Class::Policy,
                "secret",
                format!("a secret would travel in clear: {one}"),
            ),
            several => Error::listing(
                Class::Policy,
                "secret",
                format!("{} secrets would travel in clear:", several.len()),
                several,
            ),
        };
        let names = self.names();
        let declared: Vec<String> = names
            .iter()
            .take(SHOWN)
            .map(|(name, _)| format!("{{name: {name}, value: {{site: ask}}}}"))
            .collect();
        let shared: Vec<String> = names
            .iter()
            .filter(|(_, keys)| keys.len() > 1)
            .map(|(name, keys)| format!("; {} have one value, {name}", keys.join(" and ")))
            .collect();
        let keys: BTreeSet<&str> = self.keys.iter().map(|(key, _)| key.as_str()).collect();
        let remedy = match names.first() {
            None => "take it out, or name the file in the application's allow_plain: [FILE]".to_owned(),
            Some((first, _)) => format!(
                "write \"{{{{ .Secrets.{first} }}}}\" in place of the value, with the quotes, and into the release file secrets: [{}]{}; \
                 what is no secret is named in the application's allow_plain: [{}]",
                declared.join(", "),
                shared.concat(),
                keys.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ")
            ),
        };
        Err(refusal
            .expected("no secret in clear: sealed to sites, asked for or made there")
            .remedy(remedy))
    }
}

/// A file whose values are looked at, and the lines of it that give a key a value.
struct SourceFile<'a> {
    file: &'a str,
    lines: Vec<(u64, &'a str, &'a str)>,
}

impl SourceFile<'_> {
    /// Returns where a value stands, with the line where one has this key and this value.
    fn place(&self, path: &str, key: &str, value: &str) -> String {
        let is_it = |said: &str| said.trim_matches(['"', '\'']) == value.trim();
        let line = self.lines.iter().find(|(_, known, said)| *known == key && is_it(said));
        match line {
            Some((line, ..)) => format!("{}:{line}: {path}", self.file),
            None => self.whole(path),
        }
    }

    /// Returns where a value stands whose line is not known.
    fn whole(&self, path: &str) -> String {
        format!("{}: {path}", self.file)
    }
}

/// Returns the texts that a key is given in a list, or in a mapping with `value`.
fn given(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::Object(map) => map.get("value").and_then(Value::as_str).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "c4n4ry-7f3a";

    fn refused(look: impl Fn(&mut Findings)) -> Option<String> {
        let mut findings = Findings::default();
        look(&mut findings);
        let error = findings.into_result().err()?;
        assert_eq!((error.class(), error.code()), (Class::Policy, "secret"));
        assert!(!format!("{error:?}").contains(CANARY), "{error}");
        Some(format!("{} {}", error.found(), error.advice().unwrap_or_default()))
    }

    #[test]
    fn env_lines_are_refused_by_name_and_without_their_value() {
        let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----");
        for (text, says) in [
            (format!("A=1\nDB_PASSWORD={CANARY}\n"), "x.env:2: DB_PASSWORD"),
            (format!("export api-key = '{CANARY}'\n"), "x.env:1: api-key"),
            (format!("KEY=\"{pem}\"\n"), "x.env:1: a private key"),
            (format!("DB_PASSWORD=${{OTHER:-{CANARY}}}\n"), "DB_PASSWORD"),
            (
                format!("DATABASE_URL=postgres://shop:{CANARY}@db/shop\n"),
                "DATABASE_URL",
            ),
            (
                format!("ANON=eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoieCJ9.{CANARY}\n"),
                "x.env:1: ANON, a JSON web token",
            ),
        ] {
            let text = refused(|findings| findings.lines("x.env", &text, AllowPlain::NOTHING)).unwrap();
            assert!(text.contains(says), "{text}");
        }
        for text in [
            "DB_PASSWORD=\n# DB_PASSWORD=x\n# ghp_0123456789abcdefghijklmnopqrstuvwxyz\nDB_PASSWORD_FILE=/run/secrets/db\n",
            "DB_PASSWORD=${OTHER}\nTOKEN_TTL=3600\nUSER=x\nMAX_TOKENS=4096\n",
            "DB_PASSWORD={{ .Secrets.DB_PASSWORD }}\nURL=a://b:{{ .Secrets.B }}@c\n",
            "CERT=-----BEGIN CERTIFICATE-----\n",
        ] {
            assert_eq!(
                refused(|findings| findings.lines("x.env", text, AllowPlain::NOTHING)),
                None
            );
        }
    }

    #[test]
    fn what_is_no_secret_is_allowed_by_key_path_or_file() {
        let text = format!("DB_PASSWORD={CANARY}\nAPI_KEY={CANARY}\n");
        let values = serde_json::json!({"db": {"auth": {"password": CANARY}}, "auths": {"a": {"auth": CANARY}}});
        for (patterns, lines, tree) in [
            (&["DB_PASSWORD", "API_KEY", "db.auth.password", "auths"][..], true, true),
            (&["*_PASSWORD", "API_*", "db.*", "auths"], true, true),
            (&["conf/x.env"], true, false),
            (&["x.*"], true, true),
            (&["*.env"], true, false),
            (&["DB_PASSWORD", "db.auth"], false, false),
            (&["_PASSWORD"], false, false),
        ] {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            let plain = AllowPlain(&patterns);
            let of_lines = refused(|findings| findings.lines("conf/x.env", &text, plain));
            let of_tree = refused(|findings| findings.values("conf/x.yaml", &values, plain));
            assert_eq!((of_lines.is_none(), of_tree.is_none()), (lines, tree), "{patterns:?}");
        }
    }

    #[test]
    fn equal_values_are_one_secret_and_others_have_names_of_their_own() {
        let text = refused(|findings| {
            findings.lines(
                "a.env",
                "DB_PASSWORD=one\nPGPASSWORD=\"one\"\nTOKEN=x1x\n",
                AllowPlain::NOTHING,
            );
            let yaml = "env:\n  DB_PASSWORD: two\n";
            let tree = serde_json::json!({"env": {"DB_PASSWORD": "two"}});
            findings.file_values("b.yaml", yaml, &tree, AllowPlain::NOTHING);
        })
        .unwrap();
        assert!(text.contains("b.yaml:2: env.DB_PASSWORD"), "{text}");
        assert!(
            text.contains("DB_PASSWORD and PGPASSWORD have one value, DB_PASSWORD"),
            "{text}"
        );
        assert!(text.contains("{name: TOKEN, "), "{text}");
        assert!(
            text.contains("{name: DB_PASSWORD, ") && text.contains("{name: DB_PASSWORD_2, "),
            "{text}"
        );
        assert!(!text.contains("{name: PGPASSWORD"), "{text}");
    }

    #[test]
    fn values_are_refused_by_path() {
        for (values, says) in [
            (
                serde_json::json!({"db": {"auth": {"postgresPassword": CANARY}}}),
                "v.yaml: db.auth.postgresPassword",
            ),
            (
                serde_json::json!({"env": [format!("API_TOKEN={CANARY}")]}),
                "v.yaml: env.0",
            ),
            (serde_json::json!({"auths": {"a.b": {"auth": CANARY}}}), "registry"),
            (
                serde_json::json!({"env": [{"name": "DB_PASSWORD", "value": CANARY}]}),
                "env.0: DB_PASSWORD",
            ),
            (
                serde_json::json!({"list": [{"clientSecret": CANARY}]}),
                "secrets: [{name: CLIENT_SECRET, value: {site: ask}}]",
            ),
        ] {
            let text = refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)).unwrap();
            assert!(text.contains(says), "{text}");
        }
        for values in [
            serde_json::json!({"passwords": [CANARY]}),
            serde_json::json!({"env": {"DB_PASSWORD": {"value": CANARY}}}),
            serde_json::json!({"config": format!("user: x\npassword: {CANARY}\n")}),
            serde_json::json!({"command": format!("server --db-password={CANARY} --port 1")}),
            serde_json::json!({"args": ["--password", CANARY]}),
            serde_json::json!({"url": format!("jdbc:postgresql://db/x?user=a&password={CANARY}")}),
            serde_json::json!({"o": format!("addr=x,username=a,password={CANARY}")}),
        ] {
            assert!(
                refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)).is_some(),
                "{values}"
            );
        }
        let values = serde_json::json!({"auth": {"existingSecret": "db", "secretName": "x", "password": "", "enabled": true, "token": 5},
                "imagePullSecrets": [{"name": "x"}], "pullSecrets": ["regcred"], "auths": {}, "volumes": ["app-secrets:/run/x"]});
        assert_eq!(
            refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)),
            None
        );
    }
}
