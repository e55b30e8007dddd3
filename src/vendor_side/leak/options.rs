//! Passwords on command lines: behind the options of programs, whatever these are called, and where known programs have theirs.

use super::keys::{lets_in, looks_secret};

/// Programs, an option behind which a password stands, and whether it may stand in the same word.
const PROGRAMS: [(&str, &str, bool); 10] = [
    ("redis-cli", "-a", false),
    ("valkey-cli", "-a", false),
    ("mysql", "-p", true),
    ("mariadb", "-p", true),
    ("mongo", "-p", false),
    ("sshpass", "-p", true),
    ("curl", "-u", true),
    ("ldap", "-w", false),
    ("sqlcmd", "-P", false),
    ("smbclient", "-U", false),
];
/// Programs whose option names a user, and the password behind a separator.
const USERS: [(&str, char); 2] = [("curl", ':'), ("smbclient", '%')];
/// Words behind an option in sentences about it.
const WORDS: [&str; 14] = [
    "to", "and", "or", "is", "for", "if", "in", "as", "the", "a", "option", "flag", "with", "when",
];
/// What such a password is called, where the option has no name of its own.
const KEY: &str = "password";

/// Returns what stands behind options that may be those of secrets, in a settled line.
pub(super) fn pairs(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    if !line.contains('-') {
        return found;
    }
    let mut program = None;
    let is_between = |c: char| c.is_whitespace() || "[],\"'`".contains(c);
    let mut words = line.split(is_between).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            let name = word.rsplit('/').next().unwrap_or_default();
            let known = PROGRAMS.iter().find(|(start, ..)| name.starts_with(start));
            let ends = word.ends_with([';', '|', '&']);
            program = if ends { None } else { known.or(program) };
            continue;
        }
        let mut next = || words.peek().copied().filter(|value| is_value(value));
        if let Some((start, option, is_attached)) = program
            && let Some(rest) = word.strip_prefix(option)
        {
            let value = match rest {
                "" if *start == "mysql" || *start == "mariadb" => None,
                "" => next(),
                rest if *is_attached => Some(rest),
                _ => None,
            };
            let user = USERS.iter().find(|(program, _)| program == start);
            let value = match (value, user) {
                (Some(value), Some((_, separator))) => value.split_once(*separator).map(|(_, password)| password),
                (value, _) => value,
            };
            found.extend(value.map(|value| (KEY, cut(value))));
            continue;
        }
        let name = word.trim_start_matches('-');
        if name.len() > 1 && !name.contains('=') && (looks_secret(name) || lets_in(name)) {
            found.extend(next().map(|value| (name, cut(value))));
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
        ] {
            assert_eq!(pairs(line), [], "{line}");
        }
    }
}
