//! The words of a name, and what some of them say about the others.

/// Words behind the secret that say something about it.
const ABOUT: &[&str] = &[
    "age",
    "alg",
    "algorithm",
    "attempts",
    "audience",
    "auth",
    "authentication",
    "backend",
    "bits",
    "budget",
    "bytes",
    "cache",
    "charset",
    "class",
    "column",
    "complexity",
    "count",
    "days",
    "description",
    "dir",
    "directory",
    "duration",
    "enabled",
    "encoder",
    "encoders",
    "encoding",
    "encryption",
    "endpoint",
    "engine",
    "entropy",
    "expiration",
    "expire",
    "expires",
    "expiry",
    "field",
    "file",
    "folder",
    "format",
    "generator",
    "grace",
    "hasher",
    "hashers",
    "hashing",
    "header",
    "helper",
    "hint",
    "host",
    "hours",
    "id",
    "ids",
    "image",
    "interval",
    "issuer",
    "iterations",
    "kind",
    "label",
    "len",
    "length",
    "level",
    "lifetime",
    "limit",
    "location",
    "manager",
    "max",
    "message",
    "min",
    "minutes",
    "mode",
    "name",
    "names",
    "namespace",
    "path",
    "pattern",
    "per",
    "placeholder",
    "policy",
    "port",
    "prefix",
    "prompt",
    "provider",
    "ref",
    "regex",
    "required",
    "reset",
    "retries",
    "rotation",
    "rounds",
    "rules",
    "scheme",
    "seconds",
    "size",
    "source",
    "sources",
    "stdin",
    "store",
    "strategy",
    "strength",
    "suffix",
    "table",
    "tag",
    "template",
    "threshold",
    "timeout",
    "title",
    "ttl",
    "type",
    "uri",
    "url",
    "validator",
    "validators",
    "validity",
    "version",
    "volume",
];

/// Whether a word behind that of a secret says something about it.
pub(super) fn is_about(word: &str) -> bool {
    ABOUT.contains(&word)
}

/// The words of a name in lower case: cut at what is no letter or digit, and where a capital begins.
pub(super) fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    let mut letters = key.chars().peekable();
    while let Some(c) = letters.next() {
        if c.is_ascii_alphanumeric() {
            let begins = !before.is_ascii_alphanumeric()
                || (c.is_ascii_uppercase() && before.is_ascii_lowercase())
                // The last capital of several begins the next word: `DBPassword`.
                || (c.is_ascii_uppercase()
                    && before.is_ascii_uppercase()
                    && letters.peek().is_some_and(char::is_ascii_lowercase));
            if begins {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(c.to_ascii_lowercase());
            }
        }
        before = c;
    }
    words
}

/// The words of a name without what says at its end which version it is of: `KEY_V1`.
pub(super) fn unversioned(mut words: Vec<String>) -> Vec<String> {
    let is_version = |word: &String| {
        let number = word.strip_prefix('v').unwrap_or(word);
        !number.is_empty() && number.len() < 3 && number.bytes().all(|c| c.is_ascii_digit())
    };
    while words.len() > 1 && words.last().is_some_and(is_version) {
        words.pop();
    }
    words
}

/// Which of its words is the first one of the last part of a dotted name, which says what it names: what stands before says whose it is.
/// An ending of the name of a file, a number and `value` say nothing of that.
pub(super) fn last_part(key: &str) -> usize {
    let mut rest = key;
    while let Some((before, last)) = rest.rsplit_once('.') {
        let is_ending = matches!(
            last,
            "conf" | "env" | "ini" | "json" | "properties" | "text" | "txt" | "value" | "xml" | "yaml" | "yml"
        );
        if !is_ending && !last.bytes().all(|c| c.is_ascii_digit()) {
            return words(before).len();
        }
        rest = before;
    }
    0
}
