//! Passwords on command lines: behind the options of programs, whatever these are called, and where known programs have theirs.

use super::keys::{lets_in, looks_secret};

/// Programs, an option behind which a password stands, and whether it may stand in the same word.
const PROGRAMS: [(&str, &str, bool); 24] = [
    ("redis-cli", "-a", false),
    ("valkey-cli", "-a", false),
    ("keydb-cli", "-a", false),
    ("mysql", "-p", true),
    ("mariadb", "-p", true),
    ("mongo", "-p", false),
    ("sshpass", "-p", true),
    ("ldap", "-w", false),
    ("sqlcmd", "-P", true),
    ("bcp", "-P", true),
    ("isql", "-P", true),
    ("cqlsh", "-p", false),
    ("mosquitto_", "-P", false),
    ("rabbitmqadmin", "-p", false),
    ("keytool", "-storepass", false),
    ("keytool", "-keypass", false),
    ("curl", "-u", true),
    ("curl", "-U", true),
    ("curl", "--user", true),
    ("curl", "--proxy-user", true),
    ("etcdctl", "--user", true),
    ("http", "-a", true),
    ("smbclient", "-U", false),
    ("arangosh", "--server.password", true),
];
/// Programs whose option names a user, and the password behind a separator.
const USERS: [(&str, char); 4] = [("curl", ':'), ("etcdctl", ':'), ("http", ':'), ("smbclient", '%')];
/// Programs, the word behind which they do something, and which of the words behind that is a password.
const POSITIONS: [(&str, &str, usize); 8] = [
    ("rabbitmqctl", "add_user", 2),
    ("rabbitmqctl", "change_password", 2),
    ("rabbitmqctl", "authenticate_user", 2),
    ("mc", "set", 4),
    ("mc", "add", 4),
    ("htpasswd", "-b", 3),
    ("htpasswd", "-cb", 3),
    ("htpasswd", "-bc", 3),
];
/// Words behind an option in sentences about it.
const WORDS: [&str; 14] = [
    "to", "and", "or", "is", "for", "if", "in", "as", "the", "a", "option", "flag", "with", "when",
];
/// What such a password is called, where the option has no name of its own.
const KEY: &str = "password";

/// Returns what stands behind options that may be those of secrets, in a settled line.
pub(super) fn pairs(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let is_between = |c: char| c.is_whitespace() || "[],\"'`".contains(c);
    found.extend(at_positions(line.split(is_between).filter(|word| !word.is_empty())));
    if !line.contains('-') {
        return found;
    }
    let mut program: Option<&str> = None;
    let mut words = line.split(is_between).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            let name = word.rsplit('/').next().unwrap_or_default();
            let known = PROGRAMS
                .iter()
                .map(|(start, ..)| *start)
                .find(|start| name.starts_with(start));
            let ends = word.ends_with([';', '|', '&']);
            program = if ends { None } else { known.or(program) };
            continue;
        }
        let mut next = || words.peek().copied().filter(|value| is_value(value));
        let option = PROGRAMS
            .iter()
            .filter(|(start, ..)| program == Some(*start))
            .filter_map(|(start, option, is_attached)| Some((*start, *is_attached, word.strip_prefix(option)?)))
            // A long option ends where its value begins.
            .find(|(_, _, rest)| !word.starts_with("--") || rest.is_empty() || rest.starts_with('='));
        if let Some((start, is_attached, rest)) = option {
            let value = match rest.strip_prefix('=').unwrap_or(rest) {
                "" if start == "mysql" || start == "mariadb" => None,
                "" => next(),
                rest if is_attached => Some(rest),
                _ => None,
            };
            let user = USERS.iter().find(|(program, _)| *program == start);
            let value = match (value, user) {
                (Some(value), Some((_, separator))) => value.split_once(*separator).map(|(_, password)| password),
                (value, _) => value,
            };
            found.extend(value.map(|value| (KEY, cut(value))));
            continue;
        }
        // `-passout pass:…`, as openssl is told.
        if let Some(password) = next().and_then(|value| value.strip_prefix("pass:")) {
            found.push((KEY, cut(password)));
            continue;
        }
        let name = word.trim_start_matches('-');
        if name.len() > 1 && !name.contains('=') && (looks_secret(name) || lets_in(name)) {
            found.extend(next().map(|value| (name, cut(value))));
        }
    }
    found
}

/// Passwords that programs are told without an option.
fn at_positions<'a>(words: impl Iterator<Item = &'a str>) -> Vec<(&'static str, &'a str)> {
    let words: Vec<&str> = words.collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let name = word.rsplit('/').next().unwrap_or_default();
        for (_, act, place) in POSITIONS.iter().filter(|(program, ..)| *program == name) {
            let behind = words.get(at.saturating_add(1)..).unwrap_or_default();
            let end = behind.iter().position(|word| word.ends_with([';', '|', '&']));
            let behind = end.and_then(|end| behind.get(..=end)).unwrap_or(behind);
            let Some(begun) = behind.iter().position(|word| word == act) else {
                continue;
            };
            let value = behind.get(begun.saturating_add(*place)).copied();
            found.extend(value.filter(|value| is_value(value)).map(|value| (KEY, cut(value))));
        }
    }
    found
}

fn is_value(word: &str) -> bool {
    !word.starts_with(['-', '<', '|', '>', '&', ';', '\\'])
        && !word.starts_with("id=")
        && word.chars().any(char::is_alphanumeric)
        && !WORDS.contains(&word)
}

fn cut(value: &str) -> &str {
    value.trim_end_matches([';', '|', '&', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_options_is_found() {
        for (line, expected) in [
            ("redis-server --requirepass P4", &[("requirepass", "P4")][..]),
            (
                "exec redis-server --port 1 --requirepass P4; x",
                &[("requirepass", "P4")],
            ),
            (
                "[\"redis-server\", \"--requirepass\", \"P4\"]",
                &[("requirepass", "P4")],
            ),
            ("server -password P4", &[("password", "P4")]),
            ("redis-cli -h r -a P4 ping", &[("password", "P4")]),
            ("/usr/bin/mysqladmin ping -uroot -pP4", &[("password", "P4")]),
            ("curl -s -u me:P4 http://a", &[("password", "P4")]),
            ("sshpass -p P4 ssh x", &[("password", "P4")]),
            ("etcdctl --user root:P4 get a", &[("password", "P4")]),
            ("etcdctl --user=root:P4 get a", &[("password", "P4")]),
            ("curl --user me:P4 http://a", &[("password", "P4")]),
            ("curl --proxy-user me:P4 -s http://a", &[("password", "P4")]),
            ("http -a me:P4 http://a", &[("password", "P4")]),
            ("mosquitto_sub -u a -P P4 -t x", &[("password", "P4")]),
            ("cqlsh -u a -p P4", &[("password", "P4")]),
            ("openssl rsa -in a -passout pass:P4", &[("password", "P4")]),
            ("keytool -list -storepass P4", &[("password", "P4")]),
            ("rabbitmqctl add_user app P4", &[("password", "P4")]),
            (
                "mc alias set local http://minio:9000 minio P4; mc ls",
                &[("password", "P4")],
            ),
            (
                "[\"mc\", \"config\", \"host\", \"add\", \"a\", \"http://a\", \"b\", \"P4\"]",
                &[("password", "P4")],
            ),
            ("htpasswd -b /etc/users me P4", &[("password", "P4")]),
        ] {
            assert_eq!(pairs(line), expected, "{line}");
        }
        for line in [
            "server --password",
            "server --password-file /run/x",
            "docker login --password-stdin registry.example.com",
            "use --password to set one",
            "mysql -p shop",
            "mkdir -p data",
            "redis-cli ping; tar -a x1",
            "server --token --port 1",
            "server --max-tokens 4096",
            "docker run --user 1000:1000 x",
            "etcdctl --user root get a",
            "curl --user-agent me:you http://a",
            "mc alias set local http://minio:9000",
            "rabbitmqctl list_users; echo add_user a b",
            "set mc add 1 2 3",
            "openssl rsa -passin file:/run/x",
        ] {
            assert_eq!(pairs(line), [], "{line}");
        }
    }
}
