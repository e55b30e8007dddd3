//! Gathers what must not travel in clear into one refusal.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::allow_plain::AllowPlain;
use super::chart_template;
use super::configuration::{self, Said, is_let_in};
use super::keys::{holds_secrets, is_beside, is_of_several, lets_in, looks_secret, secret_name};
use super::source::{Placed, Source, SourceFile, given, is_empty, spoken};
use super::text::{assignment, assignments, is_comment, private_key, secret_shape};
use super::value::{is_number, may_be_secret};
use crate::domain::{Class, Error, Hash, Result};
use crate::secret::is_marked;

/// Most secrets that a remedy declares; it says how many there are beside.
const SHOWN: usize = 16;

/// What was found so far.
#[derive(Debug, Default)]
pub(in super::super) struct Findings {
    list: Vec<String>,
    /// Keys whose values a secret could take the place of, and a hash of each value: those that are the same are one secret.
    keys: Vec<(String, Hash)>,
    /// Keys in templates and files of charts, where no secret may stand in the place of a value.
    in_charts: BTreeSet<String>,
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
            self.tree(&SourceFile { file, lines }, Standing::TOP, values, plain);
        }
    }

    /// Looks at a tree of values that came from several files, and at each text in it as [`Findings::text`] does. `place` says where a path
    /// of it stands: file, and line.
    pub(in super::super) fn placed(
        &mut self,
        values: &Value,
        place: &dyn Fn(&str) -> (String, usize),
        plain: AllowPlain<'_>,
    ) {
        self.tree(&Placed { place }, Standing::TOP, values, plain);
    }

    /// Looks at a file of configuration, of whatever program.
    pub(in super::super) fn configuration(&mut self, file: &str, text: &str, plain: AllowPlain<'_>) {
        if !plain.has_file(file) {
            self.text(file, text, plain);
            self.pairs(file, text, plain, Self::found);
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
                Said::Pair(key, value) if !plain.has(key) => found(self, &format!("{file}:{line}"), key, value),
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
                // As programs are given options: `--password`, and the value next.
                for pair in list.windows(2) {
                    if let [Value::String(option), Value::String(text)] = pair
                        && let Some(name) = option.strip_prefix("--")
                        && !source.is_allowed(path, plain)
                    {
                        self.key(|| source.whole(path), path, name, text, plain);
                    }
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
                if let Some((key, value)) = text.split_once('=') {
                    self.key(|| source.place(path, key, value), path, key, value, plain);
                }
                self.own_form(
                    source,
                    path,
                    text.split_once('=').map_or("", |(key, _)| key),
                    text,
                    plain,
                );
                self.within(source, path, text, plain);
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
        self.key(|| source.place(path, key, text), path, key, text, plain);
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
        if self.count() == before {
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
    fn key(&mut self, place: impl Fn() -> String, path: &str, key: &str, value: &str, plain: AllowPlain<'_>) {
        // A key that is a secret itself is refused as a place where none may stand.
        if is_marked(key) || plain.has(key) || plain.has(path) {
            return;
        }
        let is_named = looks_secret(key) && may_be_secret(value) && !(is_of_several(key) && is_number(value));
        if is_named || (lets_in(key) && is_let_in(value)) {
            self.found(&place(), key, value);
        }
    }

    fn found(&mut self, place: &str, key: &str, value: &str) {
        self.replaceable(key, value);
        self.note(format!("{place}: {key}, whose name says that it is a secret"));
    }

    fn found_in_chart(&mut self, place: &str, key: &str) {
        self.in_charts.insert(key.to_owned());
        self.note(format!("{place}: {key}, whose name or place says that it is a secret"));
    }

    /// Looks into a text: lines of configuration, and options of programs, addresses and mounts.
    fn within(&mut self, source: &dyn Source, path: &str, text: &str, plain: AllowPlain<'_>) {
        if text.contains('\n') {
            for (_, said) in configuration::secrets("", text) {
                if let Said::Pair(key, value) = said {
                    self.key(|| source.whole(path), path, key, value, plain);
                }
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
        let more = |count: usize| match count.checked_sub(SHOWN) {
            Some(more @ 1..) => format!(" and {more} more"),
            _ => String::new(),
        };
        let keys: BTreeSet<&str> = self
            .keys
            .iter()
            .map(|(key, _)| key)
            .chain(&self.in_charts)
            .map(String::as_str)
            .collect();
        let allowed = keys.iter().copied().take(SHOWN).collect::<Vec<_>>().join(", ");
        let (allowed, declared) = (format!("[{allowed}]{}", more(keys.len())), declared.join(", "));
        let (more, shared) = (more(names.len()), shared.concat());
        let remedy = match (names.first(), self.in_charts.is_empty()) {
            (None, true) => "take it out, or name the file in the application's allow_plain: [FILE]".to_owned(),
            (None, false) => format!(
                "write a value of the chart in its place, and that secret into the values of the deployment; what is no secret is named in \
                 the application's allow_plain: {allowed}"
            ),
            (Some((first, _)), true) => format!(
                "write \"{{{{ .Secrets.{first} }}}}\" in place of the value, with the quotes, and into the release file secrets: \
                 [{declared}]{more}{shared}; what is no secret is named in the application's allow_plain: {allowed}"
            ),
            (Some((first, _)), false) => format!(
                "write \"{{{{ .Secrets.{first} }}}}\" in place of the value, with the quotes, and into the release file secrets: \
                 [{declared}]{more}{shared}; in a template or file of a chart write a value of the chart in its place, and that secret into \
                 the values of the deployment; what is no secret is named in the application's allow_plain: {allowed}"
            ),
        };
        Err(refusal
            .expected("no secret in clear: sealed to sites, asked for or made there")
            .remedy(remedy))
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
            serde_json::json!({"secretEnv": {"db": CANARY}}),
            serde_json::json!({"app": {"secrets": {"first": CANARY, "name": "x"}}}),
            serde_json::json!({"rootPassword": 12_345_678}),
            serde_json::json!({"NEO4J_AUTH": format!("neo4j/{CANARY}")}),
            serde_json::json!({"file": format!("port 1\nrequirepass {CANARY}\n")}),
        ] {
            assert!(
                refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)).is_some(),
                "{values}"
            );
        }
        let values = serde_json::json!({"auth": {"existingSecret": "db", "secretName": "x", "password": "", "enabled": true, "token": 5},
                "imagePullSecrets": [{"name": "x"}], "pullSecrets": ["regcred"], "auths": {}, "volumes": ["app-secrets:/run/x"],
                "tokens": {"context": 4096}, "maxTokens": 4096, "externalSecrets": {"store": "vault"}, "credentials": {"secretName": "x", "username": "me"}});
        assert_eq!(
            refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)),
            None
        );
    }
}
