//! Passwords in files of configuration, of whatever program: pairs of a name and a value in the ways in which such files write them, and
//! files that are nothing but users and their passwords.

use super::keys::{lets_in, looks_secret};
use super::text::is_comment;
use super::value::may_be_secret;

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

/// What was found on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// A value under the name of a secret.
    Pair(&'a str, &'a str),
    /// Somebody who is let in with what stands there.
    User,
}

/// Returns what the lines of a file say that is a secret, by line.
pub(super) fn secrets<'a>(file: &str, text: &'a str) -> impl Iterator<Item = (u64, Said<'a>)> {
    let name = file.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_of_users = OF_USERS.iter().any(|word| name.contains(word));
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !is_remark(line))
        .flat_map(move |(number, line)| {
            let mut found: Vec<Said<'a>> = pairs(line).map(|(key, value)| Said::Pair(key, value)).collect();
            if found.is_empty() && ((is_of_users && is_user(line)) || is_acl(line)) {
                found.push(Said::User);
            }
            found.into_iter().map(move |said| (number, said))
        })
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
pub(super) fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    names(line).filter_map(move |(at, name)| {
        let value = value_behind(line, at, name)?;
        let is_it = (looks_secret(name) && may_be_secret(value)) || (lets_in(name) && is_let_in(value));
        is_it.then_some((name, value))
    })
}

/// Whether a value lets somebody in: `user:password`, `user/password`, or a header of HTTP.
pub(super) fn is_let_in(value: &str) -> bool {
    let value = value.trim().trim_end_matches([',', ';']).trim_matches(['"', '\'']);
    if let Some((scheme, rest)) = value.split_once(' ') {
        return matches!(scheme.to_ascii_lowercase().as_str(), "bearer" | "basic" | "token") && may_be_secret(rest);
    }
    let is_user = |user: &str| !user.is_empty() && user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    value
        .split_once([':', '/'])
        .is_some_and(|(user, password)| is_user(user) && !password.starts_with('/') && may_be_secret(password))
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
    // A variable that is read is no name of what follows.
    .filter(move |(at, _)| {
        !line
            .get(..*at)
            .is_some_and(|before| before.ends_with(['$', '%', '@']) || before.ends_with("${"))
    })
}

/// The value that a name is given: `name = value`, `name: value`, `name value`, `"name": "value"`, `'name' => 'value'`,
/// `<name>value</name>`, `name="x" value="value"`.
fn value_behind<'a>(line: &'a str, at: usize, name: &str) -> Option<&'a str> {
    let before = line.get(..at).unwrap_or_default().trim_start();
    let quote = before.chars().next_back().filter(|c| "\"'`".contains(*c));
    let behind = line.get(at.saturating_add(name.len())..)?;
    let behind = match quote {
        Some(quote) => behind.strip_prefix(quote)?,
        None => behind,
    };
    let words: Vec<&str> = before
        .trim_end_matches(['"', '\'', '`', '(', '[', '$', '-', ' '])
        .split_whitespace()
        .collect();
    let is_first = words.iter().all(|word| BEFORE.contains(word))
        || before.ends_with(['{', ',', '-'])
        || words.last().is_some_and(|word| word.ends_with(['{', ',']));
    let spaced = behind.trim_start();
    let is_apart = spaced.len() < behind.len();
    let value = if let Some(rest) = spaced.strip_prefix("=>").or_else(|| spaced.strip_prefix(":=")) {
        rest
    } else if let Some(rest) = spaced.strip_prefix('=') {
        // A comparison gives nothing a value, and what stands apart in the middle of a line is prose.
        if rest.starts_with('=') || ((is_apart || rest.starts_with(' ')) && !is_first) {
            return None;
        }
        rest
    } else if let Some(rest) = spaced.strip_prefix(':') {
        if !is_first || rest.starts_with(':') {
            return None;
        }
        rest
    } else if let Some(rest) = spaced.strip_prefix(',').filter(|_| quote.is_some()) {
        // `define('PASSWORD', 'x')`, `"--password", "x"`
        let rest = rest.trim_start();
        return rest.starts_with(['"', '\'']).then(|| in_quotes(rest)).flatten();
    } else if let Some(rest) = spaced.strip_prefix('>').filter(|_| before.ends_with('<')) {
        return rest.split('<').next();
    } else if let Some(rest) = spaced.strip_prefix("value=").filter(|_| quote.is_some()) {
        return in_quotes(rest);
    } else if is_apart && spaced.starts_with(['"', '\'']) {
        return in_quotes(spaced);
    } else if is_apart && ((is_first && !spaced.trim_end().contains(' ')) || is_netrc(before)) {
        spaced
    } else {
        return None;
    };
    let value = value.trim_start();
    if value.starts_with(['"', '\'']) {
        return in_quotes(value);
    }
    // What a program works out is no literal; nor is what begins a mapping or a list.
    let is_worked_out = WORKED_OUT.iter().any(|start| value.starts_with(start))
        || value.contains('(')
        || (value.starts_with(['{', '[']) && !value.starts_with("{{"));
    let is_pair_among_others = !is_first;
    let value = if is_pair_among_others || quote.is_some() {
        value.split([' ', ',', ';', '}', '&', '"', '\'']).next()?
    } else {
        value.split(" #").next()?.trim_end()
    };
    (!is_worked_out).then_some(value)
}

/// `machine x login y password z`.
fn is_netrc(before: &str) -> bool {
    before
        .split_whitespace()
        .any(|word| matches!(word, "login" | "machine" | "default"))
}

/// What stands in the quotes with which a text begins; nothing where they do not close.
fn in_quotes(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| "\"'".contains(*c))?;
    let text = text.get(1..)?;
    text.find(quote).and_then(|end| text.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            let found: Vec<_> = pairs(line).collect();
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
        ] {
            let found: Vec<_> = pairs(line).collect();
            assert_eq!(found, [], "{line}");
        }
    }

    #[test]
    fn files_of_users_are_nothing_but_secrets() {
        let found = |file: &str, text: &str| secrets(file, text).map(|(line, _)| line).collect::<Vec<_>>();
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
