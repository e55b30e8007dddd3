//! Gathers what must not travel in clear into one refusal.

use serde_json::Value;

use super::keys::looks_secret;
use super::text::{assignments, has_password, private_key, template_secrets};
use crate::domain::{Class, Error, Result};

/// What an author says about the keys of an application.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct DeclaredKeys<'a> {
    /// Keys that are secrets.
    pub(in super::super) secrets: &'a [String],
    /// Keys that look like it and are none.
    pub(in super::super) allow_plain: &'a [String],
}

/// What was found so far.
#[derive(Debug, Default)]
pub(in super::super) struct Findings {
    list: Vec<String>,
    /// A key only looks like that of a secret: the author may know better.
    by_look: bool,
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

    /// Looks at any text: private keys, and templates that the hub fills with secrets.
    pub(in super::super) fn text(&mut self, file: &str, text: &str) {
        if let Some(line) = private_key(text) {
            self.note(format!("{file}:{line}: a private key"));
        }
        for (line, name) in template_secrets(text) {
            self.note(format!(
                "{file}:{line}: the template {name}, which the hub fills with a secret"
            ));
        }
    }

    /// Looks at lines of the form `KEY=VALUE` or `KEY: VALUE`, and at everything that [`Findings::text`] looks at.
    pub(in super::super) fn lines(&mut self, file: &str, text: &str, declared: DeclaredKeys<'_>) {
        self.text(file, text);
        for (line, key, value) in assignments(text) {
            self.key(&format!("{file}:{line}"), key, value, declared);
        }
    }

    /// Looks at a tree of values.
    pub(in super::super) fn values(&mut self, file: &str, values: &Value, declared: DeclaredKeys<'_>) {
        self.tree(file, "", values, declared);
    }

    fn tree(&mut self, file: &str, path: &str, value: &Value, declared: DeclaredKeys<'_>) {
        match value {
            Value::Object(map) => {
                // As kubernetes writes variables: {name: KEY, value: TEXT}.
                if let (Some(Value::String(name)), Some(Value::String(text))) = (map.get("name"), map.get("value")) {
                    self.key(&format!("{file}: {path}"), name, text, declared);
                }
                for (key, value) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if matches!(key.as_str(), ".dockerconfigjson" | "auths" | "registryAuth") && !is_empty(value) {
                        self.note(format!("{file}: {path}, credentials of a registry"));
                        continue;
                    }
                    match value {
                        Value::String(text) => self.key(&format!("{file}: {path}"), key, text, declared),
                        Value::Number(number) => {
                            self.key(&format!("{file}: {path}"), key, &number.to_string(), declared);
                        }
                        other => self.tree(file, &path, other, declared),
                    }
                }
            }
            Value::Array(list) => {
                for (number, value) in list.iter().enumerate() {
                    self.tree(file, &format!("{path}.{number}"), value, declared);
                }
            }
            // A text without a key of its own, as `KEY=VALUE` in a list.
            Value::String(text) => {
                if let Some((key, value)) = text.split_once('=') {
                    self.key(&format!("{file}: {path}"), key, value, declared);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn key(&mut self, place: &str, key: &str, value: &str, declared: DeclaredKeys<'_>) {
        let literal = is_literal(value);
        if declared.secrets.iter().any(|all_declared| all_declared == key) {
            if !value.is_empty() {
                self.note(format!("{place}: {key}, which is all_declared as a secret"));
            }
        } else if !declared.allow_plain.iter().any(|allowed| allowed == key) {
            if literal && looks_secret(key) {
                self.by_look = true;
                self.note(format!("{place}: {key}, whose name says that it is a secret"));
            } else if has_password(value) {
                self.by_look = true;
                self.note(format!("{place}: {key}, an address with a password in it"));
            }
        }
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
        let remedy = if self.by_look {
            "take it out and enter it at the site; a value that is no secret is named in the application's allow_plain: [KEY]"
        } else {
            "take it out and enter it at the site"
        };
        Err(refusal
            .expected("no secret in a bundle: this version encrypts nothing")
            .remedy(remedy))
    }
}

/// Whether a value says something by itself, and does not only name a variable. A default inside a variable counts.
fn is_literal(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let named = value
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| value.strip_prefix('$').filter(|rest| !rest.starts_with(['$', '{'])));
    match named {
        None => !value.is_empty() && !matches!(value, "null" | "~" | "true" | "false" | "{}" | "[]" | "|" | ">"),
        Some(name) => {
            let default = name
                .split_once(":-")
                .or_else(|| name.split_once('-'))
                .map(|(_, default)| default);
            default.is_some_and(is_literal)
        }
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

    fn declared() -> DeclaredKeys<'static> {
        DeclaredKeys {
            secrets: &[],
            allow_plain: &[],
        }
    }

    #[test]
    fn env_lines_are_refused_by_name_and_without_their_value() {
        let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----");
        for (text, says) in [
            (format!("A=1\nDB_PASSWORD={CANARY}\n"), "x.env:2: DB_PASSWORD"),
            (format!("export api-key = '{CANARY}'\n"), "x.env:1: api-key"),
            (format!("A={{{{ .Secrets.CANARY }}}}{CANARY}\n"), ".Secrets.CANARY"),
            (
                format!("A={{{{- index .LicenseKeys \"erp\" -}}}}{CANARY}\n"),
                ".LicenseKeys",
            ),
            (format!("KEY=\"{pem}\"\n"), "x.env:1: a private key"),
            (format!("DB_PASSWORD=${{OTHER:-{CANARY}}}\n"), "DB_PASSWORD"),
            (
                format!("DATABASE_URL=postgres://shop:{CANARY}@db/shop\n"),
                "DATABASE_URL",
            ),
        ] {
            let mut findings = Findings::default();
            findings.lines("x.env", &text, declared());
            let error = findings.into_result().unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Policy, "secret"), "{text}");
            assert!(error.found().contains(says), "{error}");
            assert!(!format!("{error:?}").contains(CANARY), "{error}");
        }
        let allowed = ["DB_PASSWORD".to_owned()];
        for (text, allow_plain) in [
            ("DB_PASSWORD=x\n", &allowed[..]),
            ("DB_PASSWORD=\n# DB_PASSWORD=x\nDB_PASSWORD_FILE=/run/secrets/db\n", &[]),
            ("DB_PASSWORD=${OTHER}\nTOKEN_TTL=3600\nUSER=x\n", &[]),
            ("CERT=-----BEGIN CERTIFICATE-----\n", &[]),
            (
                "A=postgres://shop:${PW}@db/shop\nB=http://a.b:80/c@d\nC=https://user@host/\n",
                &[],
            ),
        ] {
            let mut findings = Findings::default();
            let declared = DeclaredKeys {
                secrets: &[],
                allow_plain,
            };
            findings.lines("x.env", text, declared);
            findings.into_result().unwrap();
        }
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
                "list.0.clientSecret",
            ),
        ] {
            let mut findings = Findings::default();
            findings.values("v.yaml", &values, declared());
            let error = findings.into_result().unwrap_err();
            assert!(
                error.found().contains(says) && !error.to_string().contains(CANARY),
                "{error}"
            );
        }
        let mut findings = Findings::default();
        findings.values(
            "v.yaml",
            &serde_json::json!({"auth": {"existingSecret": "db", "secretName": "x", "password": "", "enabled": true},
                "imagePullSecrets": [{"name": "x"}], "auths": {}}),
            declared(),
        );
        findings.into_result().unwrap();
        let secrets = ["PLAIN".to_owned()];
        let mut findings = Findings::default();
        let all_declared = DeclaredKeys {
            secrets: &secrets,
            allow_plain: &[],
        };
        findings.values("v.yaml", &serde_json::json!({"PLAIN": "x"}), all_declared);
        assert!(findings.into_result().unwrap_err().found().contains("all_declared"));
    }
}
