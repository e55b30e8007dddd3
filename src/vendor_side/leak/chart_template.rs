//! Passwords in the templates of charts: an archive travels as it is, and with it everything that its templates say themselves.
//!
//! Read are lines, as an author wrote them: neither values nor branches change what stands there. A value counts as under any other name of
//! a secret, also within an action (`default "x"`), encoded, and as an environment variable; beneath `stringData` and `data` of a `Secret`
//! every member is one, unless its name says that it is something beside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::action::{Token, actions, assigned, given_out, tokens};
use super::configuration::{Form, pairs, readable};
use super::keys::{is_beside, lets_in, looks_secret};
use super::maybe::may_look_secret;
use super::reference::left;
use super::text::{assignment, is_comment};
use super::value::{self, may_be_secret};

/// Returns line and key of every literal that is a secret.
pub(super) fn secrets(text: &str) -> Vec<(u64, String)> {
    let text = without_comments(text);
    let mut found = Vec::new();
    let mut number = 0_u64;
    // Objects: what a member means depends on the kind of its object.
    for object in objects(&text) {
        let mut reader = Reader {
            is_secret: is_secret(&object),
            section: None,
            name: None,
            value: None,
            option: None,
        };
        for line in object {
            number = number.saturating_add(1);
            let said = reader.line(line);
            found.extend(said.into_iter().map(|key| (number, key)));
        }
    }
    found.dedup();
    found
}

/// Returns file, line and key of every literal that a template defines alone, and that some template then gives the name of a secret.
pub(super) fn defined(templates: &[(&str, &str)]) -> Vec<(usize, u64, String)> {
    let texts: Vec<String> = templates.iter().map(|(_, text)| without_comments(text)).collect();
    let mut literals: Vec<(&str, usize, u64)> = Vec::new();
    let mut variables: Vec<(&str, usize, u64)> = Vec::new();
    for (file, text) in texts.iter().enumerate() {
        let mut read = 0_usize;
        for part in text.split_inclusive("{{") {
            let behind = text.get(read.saturating_add(part.len())..).unwrap_or_default();
            read = read.saturating_add(part.len());
            let mut ends = behind.splitn(2, "}}");
            let (Some(action), Some(rest)) = (ends.next(), ends.next()) else {
                continue;
            };
            let body = rest.split("{{").next().unwrap_or_default();
            let is_all = rest.get(body.len()..).is_some_and(|end| {
                actions(end)
                    .first()
                    .is_some_and(|end| tokens(end) == [Token::Word("end")])
            });
            let line = || (text.get(..read).unwrap_or_default().matches('\n').count() as u64).saturating_add(1);
            // A variable that is given a literal, whatever it is called.
            if let Some((name, given)) = assigned(action) {
                let is_literal = given_out(given).iter().any(|literal| may_be_secret(literal));
                if is_literal {
                    variables.push((name, file, line()));
                }
            }
            if let [Token::Word("define"), Token::Text(name)] = tokens(action).as_slice()
                && is_all
                && may_be_secret(body)
            {
                literals.push((name, file, line()));
            }
        }
    }
    let mut found = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        for object in objects(text) {
            let is_secret = is_secret(&object);
            let mut is_data = false;
            for line in object {
                is_data |= line.contains("stringData:") || line.contains("data:");
                for (before, action) in line
                    .match_indices("{{")
                    .filter_map(|(at, _)| Some((line.get(..at)?, *actions(line.get(at..)?).first()?)))
                {
                    let name = tokens(action).windows(2).find_map(|two| match two {
                        [Token::Word("include" | "template"), Token::Text(name)] => Some(*name),
                        _ => None,
                    });
                    let key = before
                        .trim_end()
                        .trim_end_matches(['"', '\''])
                        .trim_end_matches([':', '=', ' ']);
                    let key = key
                        .rsplit(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c))
                        .next()
                        .unwrap_or_default();
                    let is_given = looks_secret(key) || (is_secret && is_data && !key.is_empty() && !is_beside(key));
                    let literal = literals.iter().find(|(known, ..)| Some(*known) == name);
                    // What a variable stands for is known in its own file.
                    let literal = literal.or_else(|| {
                        let words = tokens(action);
                        let is_it = |known: &str| words.contains(&Token::Word(known));
                        let mut here = variables.iter().filter(|(_, file, _)| *file == number);
                        here.find(|(known, ..)| assigned(action).is_none() && is_it(known))
                    });
                    if let Some((_, file, line)) = literal.filter(|_| is_given) {
                        found.push((*file, *line, key.to_owned()));
                    }
                }
            }
        }
    }
    found
}

/// Whether an object is a `Secret`.
fn is_secret(object: &[&str]) -> bool {
    object.iter().any(|line| {
        assignment(line).is_some_and(|(key, value)| key == "kind" && value.trim_matches(['"', '\'']) == "Secret")
    })
}

/// Comments of templates end up nowhere; line breaks stay, so that lines are counted.
pub(in super::super) fn without_comments(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("/*") {
        let (before, from) = rest.split_at(at);
        out += before;
        if !before.trim_end().ends_with(['{', '-']) {
            out += "/*";
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        let end = from.find("*/").map_or(from.len(), |end| end.saturating_add(2));
        out.extend(from.get(..end).unwrap_or_default().chars().filter(|c| *c == '\n'));
        rest = from.get(end..).unwrap_or_default();
    }
    out + rest
}

fn objects(text: &str) -> Vec<Vec<&str>> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            all.push(Vec::new());
        }
        if let Some(last) = all.last_mut() {
            last.push(line);
        }
    }
    all
}

/// Where members of a `Secret` stand.
struct Section {
    /// Indentation of its key.
    begun: usize,
    /// Indentation of its members: what is deeper are the lines of one of them.
    members: Option<usize>,
    is_encoded: bool,
}

/// What was read of an object so far.
struct Reader {
    is_secret: bool,
    section: Option<Section>,
    /// Name of the environment variable of the line before, with its indentation.
    name: Option<(usize, String)>,
    /// Literal of the line before, where the name comes second.
    value: Option<(usize, String)>,
    /// Option of the line before, behind which a secret stands.
    option: Option<(usize, String)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Vec<String> {
        if is_comment(line) || line.trim().is_empty() {
            return Vec::new();
        }
        let mut found = in_actions(line);
        let indent = line.len().saturating_sub(line.trim_start().len());
        let item = indent.saturating_add(if line.trim_start().starts_with("- ") { 2 } else { 0 });
        let is_action = line.trim_start().starts_with("{{");
        if self.section.as_ref().is_some_and(|section| indent <= section.begun) && !is_action {
            self.section = None;
        }
        found.extend(self.argument(indent, line));
        let Some((key, value)) = assignment(line).filter(|_| !is_action) else {
            found.extend(self.flow(line));
            return found;
        };
        let literals = literals(value);
        if self.is_secret && value.is_empty() && matches!(key, "stringData" | "data") {
            self.section = Some(Section {
                begun: indent,
                members: None,
                is_encoded: key == "data",
            });
            return found;
        }
        let (mut is_member, mut is_encoded) = (false, false);
        if let Some(section) = &mut self.section {
            is_member = indent == *section.members.get_or_insert(indent);
            is_encoded = is_member && section.is_encoded;
        }
        for literal in &literals {
            let decoded = is_encoded.then(|| decoded(literal)).flatten();
            let is_named = looks_secret(key) || (is_member && !is_beside(key));
            if is_named && may_be_secret(decoded.as_deref().unwrap_or(literal)) {
                found.push(key.to_owned());
            }
        }
        self.variable(item, key, value, &literals, &mut found);
        if found.is_empty() {
            found.extend(said(line));
        }
        found
    }

    /// What stands on one line alone; members of a secret in braces are secrets too.
    fn flow(&self, line: &str) -> Vec<String> {
        let mut found = said(line);
        let members = line.trim_start().strip_prefix("stringData:").filter(|_| self.is_secret);
        let members = members.map(readable).unwrap_or_default();
        let members = members.trim();
        let members = members
            .strip_prefix('{')
            .and_then(|members| members.strip_suffix('}'))
            .unwrap_or_default()
            .split(',');
        let members = members
            .filter_map(|member| member.split_once(':'))
            .filter(|(key, value)| !is_beside(key) && may_be_secret(value) && left(value).is_none());
        for (key, _) in members {
            let key = key.trim().trim_matches(['"', '\'']).to_owned();
            if !found.contains(&key) {
                found.push(key);
            }
        }
        found
    }

    /// `- --password`, and the value as the next item.
    fn argument(&mut self, indent: usize, line: &str) -> Option<String> {
        let item = line
            .trim_start()
            .strip_prefix("- ")
            .map(|item| item.trim().trim_matches(['"', '\'']));
        let before = self.option.take();
        let item = item?;
        if item.starts_with('-') {
            let name = item.trim_start_matches('-');
            let is_option = !name.contains('=') && (looks_secret(name) || lets_in(name));
            self.option = is_option.then(|| (indent, name.to_owned()));
            return None;
        }
        let is_literal = may_be_secret(item) && !item.contains("{{");
        before
            .filter(|(at, _)| *at == indent && is_literal)
            .map(|(_, name)| name)
    }

    /// `name: KEY` and `value: literal` side by side, in either order.
    fn variable(&mut self, item: usize, key: &str, value: &str, literals: &[String], found: &mut Vec<String>) {
        let name = self.name.take().filter(|(at, _)| *at == item);
        let before = self.value.take().filter(|(at, _)| *at == item);
        match (key, name, before) {
            ("value", Some((_, name)), _) if looks_secret(&name) || may_look_secret(&name) => {
                let is_literal = literals.iter().any(|literal| value::is_secret(&name, literal));
                found.extend(is_literal.then_some(name));
            }
            ("name", _, Some(_)) if looks_secret(value.trim_matches(['"', '\''])) => {
                found.push(value.trim_matches(['"', '\'']).to_owned());
            }
            ("name", ..) => self.name = Some((item, value.trim_matches(['"', '\'']).to_owned())),
            ("value", ..) => {
                self.value = literals
                    .iter()
                    .find(|literal| may_be_secret(literal))
                    .map(|literal| (item, literal.clone()));
            }
            _ => {}
        }
    }
}

/// The names of secrets whose values stand on a line; what an action adds to is the name of something.
fn said(line: &str) -> Vec<String> {
    let line = readable(line);
    let found = pairs(&line, Form::File).into_iter();
    found
        .filter(|(_, value)| left(value).is_none())
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// What a value says itself: what stands there without actions, else the literals that its actions give out.
fn literals(value: &str) -> Vec<String> {
    let actions = actions(value);
    if actions.is_empty() {
        return vec![value.to_owned()];
    }
    let mut found: Vec<String> = actions.iter().flat_map(|action| given_out(action)).collect();
    let mut rest = value.to_owned();
    for action in &actions {
        rest = rest.replace(action, "");
    }
    let rest = rest.replace("{{", "").replace("}}", "");
    // Around an action: quotes and separators say nothing.
    if rest.chars().any(char::is_alphanumeric) {
        found.push(value.to_owned());
    }
    found
}

/// What actions of a line say beside the key of the line: defaults of values named as secrets are, variables, members of dictionaries.
fn in_actions(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for action in actions(line) {
        let tokens = tokens(action);
        let path = tokens.iter().find_map(|token| match token {
            Token::Word(word) if word.contains('.') => word.rsplit('.').next().filter(|name| looks_secret(name)),
            _ => None,
        });
        if let Some(path) = path {
            let texts = given_out(action).into_iter().filter(|text| may_be_secret(text));
            found.extend(texts.map(|_| path.to_owned()));
        }
        for three in tokens.windows(3) {
            if let [Token::Word(name), Token::Word(":=" | "="), Token::Text(text)] = three
                && looks_secret(name.trim_start_matches('$'))
                && may_be_secret(text)
            {
                found.push(name.trim_start_matches('$').to_owned());
            }
        }
        let makes = tokens.iter().any(|token| matches!(token, Token::Word("dict" | "set")));
        for pair in tokens.windows(2).filter(|_| makes) {
            if let [Token::Text(name), Token::Text(text)] = pair
                && looks_secret(name)
                && may_be_secret(text)
            {
                found.push((*name).to_owned());
            }
        }
    }
    found
}

fn decoded(literal: &str) -> Option<String> {
    let bytes = STANDARD.decode(literal.trim().trim_matches(['"', '\''])).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(u64, String)> {
        secrets(text)
    }

    #[test]
    fn literals_in_templates_are_found_wherever_authors_write_them() {
        for (text, line, key) in [
            ("kind: Secret\nstringData:\n  password: hunter2\n", 3, "password"),
            ("kind: Secret\nstringData:\n  db: \"hunter2\"\n", 3, "db"),
            ("kind: Secret\ndata:\n  password: aHVudGVyMg==\n", 3, "password"),
            (
                "kind: \"Secret\"\ndata:\n  {{- if .Values.x }}\n  token: {{ \"hunter2\" | b64enc }}\n",
                4,
                "token",
            ),
            (
                "data:\n  a: b\n---\ndata:\n  token: aHVudGVyMg==\nkind: Secret\n",
                5,
                "token",
            ),
            (
                "a: {{ .Values.db.password | default \"hunter2\" | quote }}\n",
                1,
                "password",
            ),
            ("a: {{ default \"hunter2\" .Values.db.password }}\n", 1, "password"),
            ("password: {{ default \"hunter2\" .Values.db.pw1 }}\n", 1, "password"),
            (
                "password: {{ coalesce .Values.a .Values.b \"hunter2\" }}\n",
                1,
                "password",
            ),
            ("env:\n- name: DB_PASSWORD\n  value: hunter2\n", 3, "DB_PASSWORD"),
            (
                "env:\n  - value: \"hunter2\"\n    name: DB_PASSWORD\n",
                3,
                "DB_PASSWORD",
            ),
            (
                "env:\n- name: DB_PASSWORD\n  value: {{ .Values.x | default \"hunter2\" }}\n",
                3,
                "DB_PASSWORD",
            ),
            ("{{- $password := \"hunter2\" }}\n", 1, "password"),
            ("{{- $x := dict \"password\" \"hunter2\" }}\n", 1, "password"),
            (
                "kind: ConfigMap\ndata:\n  redis.conf: |\n    requirepass hunter2\n",
                4,
                "requirepass",
            ),
            ("password: pre-{{ .Release.Name }}\n", 1, "password"),
            ("{{/* password: x\n*/}}\npassword: hunter2\n", 3, "password"),
            (
                "spec: {containers: [{env: [{name: DB_PASSWORD, value: hunter2}]}]}\n",
                1,
                "DB_PASSWORD",
            ),
            (
                "env:\n- {name: RABBIT_PASSWORD, value: hunter2}\n",
                2,
                "RABBIT_PASSWORD",
            ),
            ("args: [\"--db-password=hunter2\"]\n", 1, "--db-password"),
            (
                "args: [\"sh\", \"-c\", \"redis-server --requirepass hunter2\"]\n",
                1,
                "requirepass",
            ),
            (
                "args: [\"--requirepass\", \"hunter2\", \"{{ .Values.x }}\"]\n",
                1,
                "--requirepass",
            ),
            ("args:\n  - --requirepass\n  - hunter2\n", 3, "requirepass"),
            ("kind: Secret\nstringData: {db: hunter2}\n", 2, "db"),
        ] {
            let all = found(text);
            assert!(all.contains(&(line, key.to_owned())), "{text}: {all:?}");
            assert!(all.iter().all(|(at, _)| *at == line), "{text}: {all:?}");
        }
        for text in [
            "kind: Secret\nmetadata:\n  name: a\ntype: Opaque\nstringData:\n  username: app\n  password: {{ .Values.password | quote }}\n",
            "kind: Secret\ndata:\n  password: {{ randAlphaNum 16 | b64enc }}\n  tls.crt: {{ $x.Cert | b64enc }}\n",
            "kind: Secret\ndata:\n  password: {{ required \"a password is needed\" .Values.password | b64enc }}\n",
            "kind: ConfigMap\ndata:\n  user: app\n  mode: fast\n",
            "kind: Secret\nstringData:\n  app.yaml: |\n    server: db.example\n    mode: fast\n",
            "env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: {{ .Release.Name }}-db\n      key: password\n",
            "env:\n- name: DB_PASSWORD\n  value: {{ .Values.password | quote }}\n- name: MODE\n  value: fast\n",
            "# password: hunter2\n{{- /* password: hunter2 */ -}}\n",
            "volumes:\n- name: a\n  secret:\n    secretName: {{ .Values.existingSecret }}\n",
            "rules:\n- resources: [\"secrets\"]\n  verbs: [\"get\"]\nautomountServiceAccountToken: false\n",
            "a: {{ .Values.tokenUrl | default \"https://x.example\" }}\nexisting: {{ .Values.auth.existingSecret | default \"db\" }}\n",
            "password: \"{{ .Values.a }}:{{ .Values.b }}\"\nb: {{ printf \"%s-x\" .Values.password }}\n",
            "args: [\"--config-secret={{ .Release.Name }}-config\", \"--password=$(DB_PASSWORD)\"]\n",
            "args:\n  - --password-file\n  - /run/x\n  - --token\n  - {{ .Values.token }}\n",
            "kind: Secret\nstringData: {password: {{ .Values.password | quote }}}\n",
            "data:\n  nginx.conf: |\n    proxy_pass http://web:3000;\n    fastcgi_pass php:9000;\n",
            "{{- $s := lookup \"v1\" \"Secret\" .Release.Namespace \"x\" }}\npassword: {{ index $s.data \"password\" }}\n",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn what_a_variable_is_given_is_a_secret_where_it_stands_in_the_place_of_one() {
        let found = |text: &str| {
            let found = defined(&[("a", text), ("b", "password: {{ $x }}\n")]);
            found.into_iter().map(|(_, line, key)| (line, key)).collect::<Vec<_>>()
        };
        for text in [
            "{{ $x := \"hunter2\" }}\npassword: {{ $x | quote }}\n",
            "{{- $x := default \"hunter2\" .Values.a -}}\npassword: \"{{ $x }}\"\n",
            "{{- $x := printf \"hunter2\" }}\nkind: Secret\nstringData:\n  password: {{ $x }}\n",
            "{{- $x = `hunter2` }}\nurl: a?password={{ $x | urlquery }}\n",
        ] {
            assert_eq!(found(text), [(1, "password".to_owned())], "{text}");
        }
        for text in [
            "{{ $x := .Values.a }}\npassword: {{ $x | quote }}\n",
            "{{ $x := \"hunter2\" }}\nuser: {{ $x | quote }}\n",
            "{{ $x := include \"hunter2\" . }}\npassword: {{ $x }}\n",
            "{{ $x := lookup \"v1\" \"Secret\" \"a\" \"b\" }}\npassword: {{ $x }}\n",
            "{{ $x := \"hunter2\" }}\n{{ $password := $x }}\n",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        for text in [
            "password: {{ printf \"hunter2\" }}\n",
            "password: {{ trim \"hunter2\" | quote }}\n",
            "password: {{ ternary \"hunter2\" \"\" .Values.a }}\n",
        ] {
            assert_eq!(secrets(text), [(1, "password".to_owned())], "{text}");
        }
    }

    #[test]
    fn what_a_template_defines_is_a_secret_where_it_is_given_the_name_of_one() {
        let helpers =
            "{{/* x */}}\n{{ define \"pw\" }}hunter2{{ end }}\n{{- define \"app.name\" -}}\nshop\n{{- end }}\n";
        for use_ in [
            "kind: Secret\nstringData:\n  password: {{ include \"pw\" . | quote }}\n",
            "kind: Secret\nstringData: {db: {{ template \"pw\" }}}\n",
            "password: \"{{ include \"pw\" . }}\"\n",
        ] {
            assert_eq!(
                defined(&[("a", use_), ("b", helpers)])
                    .iter()
                    .map(|(file, line, _)| (*file, *line))
                    .collect::<Vec<_>>(),
                [(1, 2)],
                "{use_}"
            );
        }
        for use_ in [
            "kind: Secret\nmetadata: {name: {{ include \"app.name\" . }}}\nstringData:\n  x: {{ .Values.x }}\n",
            "secretName: {{ include \"app.name\" . }}\n",
            "user: {{ include \"pw\" . }}\n",
        ] {
            assert_eq!(defined(&[("a", use_), ("b", helpers)]), [], "{use_}");
        }
    }
}
