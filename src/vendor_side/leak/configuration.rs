//! Passwords in files of configuration, of whatever program: pairs of a name and a value in the ways in which such files write them, and
//! files that are nothing but users and their passwords.

use std::borrow::Cow;

use super::continued::{HOLDS, continued, element};
use super::keys::{is_webhook, lets_in, looks_secret};
use super::maybe::may_look_secret;
use super::options;
use super::reference::{defaults, settled};
use super::statements::{identified, in_quotes, stated};
use super::text::is_comment;
use super::value::{is_secret, may_be_secret};

/// Names of files in which every line is somebody who is let in.
const OF_USERS: [&str; 5] = ["htpasswd", "pgpass", "passwd", "shadow", "htdigest"];
/// Words that stand before the name of what is set, in scripts and programs.
const BEFORE: [&str; 13] = [
    "export", "set", "local", "const", "let", "var", "final", "static", "public", "private", "String", "define",
    "readonly",
];
/// How a value begins that a program works out.
const WORKED_OUT: [&str; 9] = [
    "os.",
    "process.",
    "env.",
    "ENV[",
    "config.",
    "settings.",
    "%",
    "@",
    "<%",
];

/// Directives of web servers that say where a request goes on to.
const PASSES: [&str; 9] = [
    "proxy_pass",
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "grpc_pass",
    "memcached_pass",
    "proxypass",
    "proxypassmatch",
    "proxypassreverse",
];
/// Bytes before a name, and behind it, that are looked at: a file may be one line.
const BEFORE_BYTES: usize = 256;
const BEHIND_BYTES: usize = 4096;

/// What was found on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// A value under the name of a secret.
    Pair(String, String),
    /// Somebody who is let in with what stands there.
    User,
}

/// How a text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A file, or a text of several lines.
    File,
    /// A text of one line, which may be a sentence.
    Line,
}

/// Returns what the lines of a file say that is a secret, by line.
pub(super) fn secrets(file: &str, text: &str) -> Vec<(u64, Said)> {
    let name = file.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_of_users = OF_USERS.iter().any(|word| name.contains(word));
    let mut found = Vec::new();
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !is_remark(line) && !line.trim().is_empty())
        .peekable();
    while let Some((number, line)) = lines.next() {
        // A default is written under the name of its variable.
        let defaults = defaults(line)
            .into_iter()
            .filter(|(name, default)| is_secret(name, default));
        found.extend(defaults.map(|(name, default)| (number, Said::Pair(name.to_owned(), default.to_owned()))));
        let mut line = readable(line);
        if let Some((_, next)) = lines.peek()
            && let Some(whole) = continued(&line, &readable(next))
        {
            line = Cow::Owned(whole);
        }
        let pairs = pairs(&line, Form::File);
        if pairs.is_empty() && ((is_of_users && is_user(&line)) || is_acl(&line)) {
            found.push((number, Said::User));
        }
        let pairs = pairs.into_iter();
        found.extend(pairs.map(|(key, value)| (number, Said::Pair(key.to_owned(), value.to_owned()))));
    }
    found
}

/// Returns a line as it is read: references settled, a text within a text without its escapes, one in three quotes in one.
pub(super) fn readable(line: &str) -> Cow<'_, str> {
    let mut line = settled(line);
    for (written, read) in [("\\\"", "\""), ("\"\"\"", "\""), ("'''", "'")] {
        if line.contains(written) {
            line = Cow::Owned(line.replace(written, read));
        }
    }
    line
}

/// Remarks in the languages of configuration.
fn is_remark(line: &str) -> bool {
    let line = line.trim_start();
    is_comment(line) || line.starts_with([';', '!', '*']) || line.starts_with("--") || line.starts_with("<!--")
}

/// `user:password`, with whatever else.
fn is_user(line: &str) -> bool {
    let parts: Vec<&str> = line.trim().split(':').collect();
    match parts.as_slice() {
        // No password is set, or none can be.
        [user, password, ..] => !user.is_empty() && !matches!(*password, "" | "x" | "*" | "!" | "!!"),
        _ => false,
    }
}

/// A user of redis with a password: `user app on >hunter2 ~*`.
fn is_acl(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("user") && words.any(|word| word.strip_prefix(['>', '#']).is_some_and(may_be_secret))
}

/// Returns the pairs on a line whose value is a secret.
pub(super) fn pairs(line: &str, form: Form) -> Vec<(&str, &str)> {
    let mut found = named(line, form);
    found.retain(|(key, value)| is_secret(key, value));
    found
}

/// Returns the pairs on a line whose name is that of a secret, or may be.
pub(super) fn named(line: &str, form: Form) -> Vec<(&str, &str)> {
    let mut found: Vec<(&str, &str)> = names(line)
        .filter(|(_, name)| looks_secret(name) || lets_in(name) || is_webhook(name) || may_look_secret(name))
        .filter_map(|(at, name)| Some((name, value_behind(line, at, name, form)?)))
        .collect();
    found.extend(variables(line));
    found.extend(identified(line));
    for (key, value) in stated(line) {
        if !found.iter().any(|(_, known)| *known == value) {
            found.push((key, value));
        }
    }
    for (key, value) in options::pairs(line) {
        if !found.iter().any(|(_, known)| *known == value) {
            found.push((key, value));
        }
    }
    found
}

/// Variables of containers on one line: `{name: KEY, value: TEXT}`.
fn variables(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('{').skip(1).filter_map(|inside| {
        let inside = inside.split('}').next().unwrap_or_default();
        let said = |wanted: &str| {
            inside.split(',').find_map(|pair| {
                let (key, value) = pair.split_once(':')?;
                let text = |text: &'_ str| text.trim().trim_matches(['"', '\'']).len();
                let is_it = text(key) == wanted.len() && key.contains(wanted);
                is_it.then(|| value.trim().trim_matches(['"', '\'']))
            })
        };
        said("name").zip(said("value"))
    })
}

/// The words of a line that may name something, and where each begins.
fn names(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = line.get(at..)?;
        let start = at.saturating_add(rest.find(is_part)?);
        let word = line.get(start..)?;
        let length = word.find(|c: char| !is_part(c)).unwrap_or(word.len());
        at = start.saturating_add(length);
        Some((start, word.get(..length)?))
    })
    // A variable that is read is no name of what follows, unless it is given a value there.
    .filter(move |(at, name)| {
        let before = line.get(..*at).unwrap_or_default();
        if before.ends_with("${") {
            let behind = line.get(at.saturating_add(name.len())..).unwrap_or_default();
            return behind
                .strip_prefix('}')
                .is_some_and(|behind| behind.trim_start().starts_with('='));
        }
        !before.ends_with(['$', '%', '@'])
    })
}

/// The value that a name is given: `name = value`, `name: value`, `name value`, `"name": "value"`, `'name' => 'value'`,
/// `<name>value</name>`, `name="x" value="value"`, `$name = 'value'`, `x["name"] = 'value'`.
fn value_behind<'a>(line: &'a str, at: usize, name: &str, form: Form) -> Option<&'a str> {
    let start = at.saturating_sub(BEFORE_BYTES);
    let start = (start..=at).find(|start| line.is_char_boundary(*start))?;
    let before = line.get(start..at)?.trim_start();
    let behind = line.get(at.saturating_add(name.len())..)?;
    let end = (0..=behind.len().min(BEHIND_BYTES))
        .rev()
        .find(|end| behind.is_char_boundary(*end))?;
    let behind = behind.get(..end)?;
    let quote = before.chars().next_back().filter(|c| "\"'`".contains(*c));
    let closed = quote.and_then(|quote| behind.strip_prefix(quote));
    // `"--name=value"`: in quotes is the pair, not its name.
    let inside = match (quote, closed) {
        (Some(quote), None) => Some(behind.split(quote).next()?),
        _ => None,
    };
    let quote = quote.filter(|_| inside.is_none());
    let is_variable = before.ends_with("${");
    let behind = match (closed, inside) {
        (Some(behind), _) => behind.strip_prefix(']').unwrap_or(behind),
        (_, Some(inside)) => inside,
        (None, None) if is_variable => behind.strip_prefix('}')?,
        (None, None) => behind,
    };
    let words: Vec<&str> = before
        .trim_end_matches(['"', '\'', '`', '(', '[', '{', '$', '-', ' '])
        .split_whitespace()
        .collect();
    let is_first = (start == 0 && words.iter().all(|word| BEFORE.contains(word)))
        || inside.is_some()
        // `headers = Authorization: …`: what is given is a pair itself.
        || before.trim_end().ends_with('=')
        || before.ends_with(['{', ',', '-'])
        || before
            .trim_end_matches(['"', '\'', '`', '(', '[', '$', '-', ' '])
            .ends_with(['{', ',']);
    let spaced = behind.trim_start();
    let is_apart = spaced.len() < behind.len();
    // Headers in one text are parted so.
    let is_behind_another = spaced.starts_with(':') && before.trim_end().ends_with(';');
    let is_said_by_words = !spaced.starts_with(['=', ':', ',', '>']) && is_apart;
    if is_said_by_words && PASSES.contains(&name.to_ascii_lowercase().as_str()) {
        return None;
    }
    let is_password = || lets_in(name) || name.to_ascii_lowercase().ends_with("password");
    let value = if let Some(rest) = spaced.strip_prefix("=>").or_else(|| spaced.strip_prefix(":=")) {
        rest
    } else if let Some(rest) = spaced.strip_prefix('=') {
        // `$x["name"] = "value"`: what is given a value is one word, and the value a text.
        let is_assigned = !before.contains(char::is_whitespace) && rest.trim_start().starts_with(['"', '\'']);
        // A comparison gives nothing a value, and what stands apart in the middle of a line is prose.
        if rest.starts_with(['=', '~']) || ((is_apart || rest.starts_with(' ')) && !is_first && !is_assigned) {
            return None;
        }
        if is_variable && !is_assigned && !rest.trim_start().starts_with(['"', '\'']) {
            return None;
        }
        rest
    } else if let Some(rest) = spaced.strip_prefix(':') {
        let is_sentence = form == Form::Line
            && quote.is_none()
            && (!rest.starts_with(' ')
                || (!is_password() && rest.trim().contains(' ') && !rest.trim().starts_with(['"', '\''])));
        if !(is_first || is_behind_another) || is_variable || rest.starts_with(':') || is_sentence {
            return None;
        }
        rest
    } else if is_variable {
        return None;
    } else if let Some(rest) = spaced.strip_prefix(',').filter(|_| quote.is_some()) {
        // `define('PASSWORD', 'x')`, `"--password", "x"`
        let is_call =
            form == Form::File || name.starts_with('-') || before.trim_end_matches(['"', '\'']).ends_with('(');
        let rest = rest.trim_start();
        return (is_call && rest.starts_with(['"', '\'']))
            .then(|| in_quotes(rest))
            .flatten();
    } else if let Some(rest) = spaced
        .strip_prefix('>')
        .filter(|_| before.ends_with('<') || (quote.is_some() && before.contains('<')))
    {
        return rest.split('<').next();
    } else if let Some(rest) = behind.strip_prefix("</").filter(|_| before.ends_with('>')) {
        let (_, next) = rest.split_once('>')?;
        return element(next.trim_start())
            .filter(|(tag, _)| HOLDS.contains(tag))
            .map(|(_, value)| value);
    } else if let Some(rest) = spaced.strip_prefix("value=").filter(|_| quote.is_some()) {
        return in_quotes(rest);
    } else if is_apart && spaced.starts_with(['"', '\'']) {
        // In a sentence a name stands before what is quoted.
        return (form == Form::File || is_password())
            .then(|| in_quotes(spaced))
            .flatten();
    } else if form == Form::File
        && is_apart
        && ((is_first && inside.is_none() && !spaced.trim_end().contains(' ')) || is_netrc(before))
    {
        spaced
    } else {
        return None;
    };
    let value = value.trim_start();
    if value.starts_with(['"', '\'']) {
        return in_quotes(value);
    }
    if form == Form::File
        && let Some(first) = value.strip_prefix('[')
        && let Some(first) = in_quotes(first.trim_start())
    {
        // Lists of that name are names of secrets too.
        let is_name =
            name.to_ascii_lowercase().ends_with("secrets") && !first.contains(|c: char| c.is_ascii_uppercase());
        return (!is_name).then_some(first);
    }
    // `{SSHA}…`
    if let Some((scheme, hash)) = value.strip_prefix('{').and_then(|value| value.split_once('}'))
        && !scheme.is_empty()
        && scheme
            .bytes()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'-')
        && !hash.trim().is_empty()
    {
        return Some(value.trim_end());
    }
    // What a program works out is no literal; nor is what begins a mapping or a list.
    let is_worked_out =
        WORKED_OUT.iter().any(|start| value.starts_with(start)) || value.contains('(') || value.starts_with(['{', '[']);
    let is_pair_among_others = !(is_first || is_behind_another) || (inside.is_some() && !is_password());
    let is_in_flow = before.contains('{') && !is_variable;
    let value = if is_pair_among_others || quote.is_some() {
        up_to(value, " ,;}&\"'")
    } else if is_in_flow {
        up_to(value, ",}\"")
    } else {
        value.split(" #").next()?.trim_end()
    };
    (!is_worked_out).then_some(value)
}

/// What of a value stands before one of these characters; the brace of a variable ends that alone.
fn up_to<'a>(value: &'a str, ends: &str) -> &'a str {
    let mut is_variable = false;
    let end = value.char_indices().find(|(at, c)| {
        let is_end = !is_variable && ends.contains(*c);
        is_variable = match c {
            '{' => value.get(..*at).is_some_and(|before| before.ends_with('$')),
            '}' => false,
            _ => is_variable,
        };
        is_end
    });
    end.and_then(|(end, _)| value.get(..end)).unwrap_or(value)
}

/// `machine x login y password z`.
fn is_netrc(before: &str) -> bool {
    before
        .split_whitespace()
        .any(|word| matches!(word, "login" | "machine" | "default"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_the_next_line_is_one_of_the_name_before() {
        let found = |text: &str| secrets("x.conf", text);
        let pair = |key: &str, value: &str| vec![(2, Said::Pair(key.to_owned(), value.to_owned()))];
        for (text, key) in [
            ("a: b\npassword: |\n  hunter2\n", "password"),
            ("a: b\npassword: >-\n\n  hunter2\n", "password"),
            ("a: b\npassword:\n  hunter2\n", "password"),
            ("{\n\"password\":\n  \"hunter2\",\n", "password"),
            ("env:\n- name: DB_PASSWORD\n  value: hunter2\n", "DB_PASSWORD"),
            ("{\n  \"type\": \"password\",\n  \"value\": \"hunter2\"\n", "password"),
            ("<a>\n  <password>\n    hunter2\n  </password>\n", "password"),
            ("[a]\npassword = \"\"\"hunter2\"\"\"\n", "password"),
            ("[a]\npassword = '''hunter2'''\n", "password"),
            (
                "<p>\n  <name>admin.password</name>\n  <value>hunter2</value>\n</p>\n",
                "admin.password",
            ),
            ("<dict>\n<key>password</key>\n<string>hunter2</string>\n", "password"),
            ("use x;\nCREATE USER app WITH PASSWORD\n  'hunter2';\n", "PASSWORD"),
            ("use x;\nCREATE USER app IDENTIFIED BY\n  'hunter2';\n", "password"),
        ] {
            assert_eq!(found(text), pair(key, "hunter2"), "{text}");
        }
        for text in [
            "password:\n  secretKeyRef:\n    name: x\n",
            "password:\n  - a\n",
            "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: x, key: y}\n",
            "- name: DB_PASSWORD\n  value: $(OTHER)\n",
            "password: |\n  ${DB_PASSWORD}\n",
            "Password:\nEnter the one that you were given\n",
            "name: web\nvalue: hunter2\n",
            "<password>\n  <file>/run/x</file>\n</password>\n",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn hashes_of_passwords_are_no_references() {
        for hash in [
            "$argon2id$v=19$m=1$c29t$aGFz",
            "$6$rounds=5000$usesome$hash",
            "$2y$10$hash",
            "$y$j9T$x$y",
        ] {
            let text = format!("password: \"{hash}\"\n");
            assert_eq!(secrets("x.yaml", &text).len(), 1, "{hash}");
        }
        assert_eq!(secrets("x.yaml", "password: \"$PASSWORD\"\npassword: ${A:-}\n"), []);
        assert_eq!(
            secrets("x.sh", "run ${A:-x} ${PG_PASS:-}\nrun ${PG_PASS:-x}\n: ${PG_PASS:=x}\n").len(),
            2
        );
    }

    #[test]
    fn passwords_are_found_as_programs_write_them() {
        for line in [
            "requirepass hunter2",
            "  password=hunter2",
            "spring.datasource.password = hunter2",
            "db_password = \"hunter2\"  # of the database",
            "    \"clientSecret\": \"hunter2\",",
            "{\"user\": \"a\", \"password\": \"hunter2\"}",
            "'password' => 'hunter2',",
            "define('DB_PASSWORD', 'hunter2');",
            "<password>hunter2</password>",
            "<add key=\"Password\" value=\"hunter2\"/>",
            "machine a.example login me password hunter2",
            "CREATE USER app WITH PASSWORD 'hunter2';",
            "ALTER ROLE app PASSWORD 'hunter2';",
            "export PGPASSWORD=hunter2",
            "const apiKey = 'hunter2';",
            "  - token: hunter2",
            "host=db user=app password=hunter2 sslmode=off",
            "Server=db;User Id=sa;Password=hunter2;",
            "//registry.example.com/:_authToken=hunter2",
            "NEO4J_AUTH=neo4j/hunter2",
            "authorization: Basic aHVudGVyMg==",
            "$wgDBpassword = \"hunter2\";",
            "$settings[\"hash_salt\"] = 'hunter2';",
            "$config['db']['password'] = 'hunter2';",
            "$this->password = 'hunter2';",
            "masterauth hunter2",
            "CREATE USER 'a'@'%' IDENTIFIED BY 'hunter2';",
            "SET PASSWORD FOR 'a'@'%' = PASSWORD('hunter2');",
            "set password for root@localhost = 'hunter2';",
            "SET PASSWORD = PASSWORD('hunter2');",
            "CREATE LOGIN app WITH PASSWORD = 'hunter2', CHECK_POLICY = OFF;",
            "UPDATE users SET password = MD5('hunter2') WHERE id = 1;",
            "<entry key=\"db.password\">hunter2</entry>",
            "<property><name>admin.password</name><value>hunter2</value></property>",
            "olcRootPW: {SSHA}hunter2",
            "  \"tokens\": [\"hunter2\"],",
            "  \"secrets\": [\"Hunter2\"],",
            "etcdctl --user root:hunter2 endpoint health",
            "args: [\"--db-password=hunter2\"]",
            "args: [sh, -c, \"server --db-password hunter2\"]",
            "- {name: RABBIT_PASSWORD, value: hunter2}",
            "env: [{name: A, value: b}, {name: DB_PASSWORD, value: \"hunter2\"}]",
            "X={\\\"smtp\\\": {\\\"password\\\": \\\"hunter2\\\"}}",
            "{password: hunter2, user: x}",
            "curl -H 'Authorization: Bearer hunter2' http://x",
            "JAVA_OPTS=-Ddb.password=hunter2",
            "password: ${PW:-hunter2}",
        ] {
            let line = readable(line);
            let found = pairs(&line, Form::File);
            assert_eq!(found.len(), 1, "{line}: {found:?}");
        }
        for line in [
            "requirepass",
            "password=",
            "password_file /run/secrets/db",
            "password: \"\"",
            "password = os.environ[\"PASSWORD\"]",
            "const password = process.env.PASSWORD;",
            "SECRET_KEY = get_secret('SECRET_KEY')",
            "if [ -z \"$PASSWORD\" ]; then",
            "PASSWORD=$(cat /run/secrets/x)",
            "PASSWORD=\"$1\"",
            "echo \"Enter the password: then go on\"",
            "The password must be changed by the user",
            "password_encryption = scram-sha-256",
            "if password == other {",
            "ssl_password_file /etc/x",
            "token_ttl: 3600",
            "proxy_set_header Authorization $http_authorization;",
            "auth: {}",
            "author: me/you",
            "AUTH=plain",
            "proxy_pass http://web:3000;",
            "fastcgi_pass unix:/run/php.sock;",
            "ProxyPassMatch \"^/x\" \"http://y\"",
            "DB_PASSWORD=${ADMIN_PASSWORD:?set it; now}",
            "$password = $other;",
            "if ($password == \"x\") {",
            "$password = getenv('X');",
            "echo \"$PASSWORD=x\"",
            "{password: , user: x}",
            "mysqladmin ping -p$$MYSQL_ROOT_PASSWORD",
            "--password=$$MYSQL_PASSWORD",
            "SET PASSWORD FOR 'a'@'%' = PASSWORD('${DB_PASSWORD}');",
            "SELECT * FROM users WHERE password = $1;",
            "UPDATE users SET password = crypt($1, gen_salt('bf'));",
            "<name>admin.password</name><description>of the admin</description>",
            "<entry key=\"db.password\">${db.password}</entry>",
            "imagePullSecrets: [\"regcred\"]",
            "resources: [\"secrets\"]",
            "etcdctl --user root:$$ETCD_PASSWORD endpoint health",
        ] {
            let line = readable(line);
            let found = pairs(&line, Form::File);
            assert_eq!(found, [], "{line}");
        }
    }

    #[test]
    fn a_sentence_is_none_and_what_it_quotes_is() {
        let found = |line: &str| pairs(&readable(line), Form::Line).len();
        for line in [
            "token bucket",
            "Token: see the handbook",
            "uses the secret \"db\" of the chart",
            "registry.example.com/token-service:v2x",
            "token-service:v2x",
            "[\"password\", \"email\"]",
            "password must be changed",
            "a@example.com;token",
        ] {
            assert_eq!(found(line), 0, "{line}");
        }
        for line in [
            "{\"password\":\"hunter2\"}",
            "Server=db;Password=hunter2",
            "jdbc:postgresql://db/x?user=a&password=hunter2",
            "authorization: Bearer hunter2",
            "password: hunter2",
            "headers = Authorization: Bearer hunter2",
            "headers=password: hunter2",
            "X-Tenant: shop; Authorization: Bearer hunter2",
            "ALTER USER a PASSWORD 'hunter2'",
        ] {
            assert_eq!(found(line), 1, "{line}");
        }
    }

    #[test]
    fn a_long_line_takes_linear_time() {
        let line = format!("{{{}}}", "\"password\": \"\", ".repeat(60_000));
        assert_eq!(pairs(&line, Form::Line).len(), 0);
    }

    #[test]
    fn files_of_users_are_nothing_but_secrets() {
        let found = |file: &str, text: &str| {
            secrets(file, text)
                .into_iter()
                .map(|(line, _)| line)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("conf/.htpasswd", "# users\nadmin:rqXexS6ZhobKA\nme:\n"), [2]);
        assert_eq!(found("pgpass", "db:5432:app:app:hunter2\n"), [1]);
        assert_eq!(found("users.acl", "user default off\nuser app on >hunter2 ~*\n"), [2]);
        assert_eq!(
            found("etc/passwd", "app:x:1000:1000::/home/app:/bin/sh\n"),
            Vec::<u64>::new()
        );
        assert_eq!(found("app.conf", "admin:rqXexS6ZhobKA\n"), Vec::<u64>::new());
        assert_eq!(found("app.ini", "; password=x\n[db]\npassword=x\n"), [3]);
    }
}
