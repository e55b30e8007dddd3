//! Which values say nothing that must be kept, whatever their key is.
//!
//! Under the name of a secret every literal is one, unless it is empty, true or false, a small number or a duration, a path, or a
//! reference to what stands elsewhere. What references leave over counts as a literal: `x${A}` holds an `x`.

use super::keys::{is_of_several, is_webhook, lets_in, looks_secret};
use super::maybe::may_look_secret;
use super::reference::{left, settled};
use crate::secret::is_marked;

/// Digits of a number that counts something: a longer one may be a password as well as any word.
const DIGITS: usize = 3;
/// Digits of a duration.
const DURATION: usize = 6;
/// Fewest characters of a part in which letters and digits take turns, and how often they do.
const MIXED: usize = 8;
const TURNS: usize = 3;
/// Fewest characters of base64 that is known by its end.
const BASE64: usize = 16;
/// Characters of a part of a path that no person chose.
const RANDOM: usize = 20;
/// What stands for nothing.
const WORDS: [&str; 19] = [
    "null",
    "none",
    "nil",
    "undefined",
    "~",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "enabled",
    "disabled",
    "{}",
    "[]",
    "|",
    ">",
    "|-",
    ">-",
];
/// How a path begins.
const PATHS: [&str; 5] = ["/", "./", "../", "~/", "file:"];
/// How a value begins that says where another program finds the secret.
const REFERENCES: [&str; 12] = [
    "vault:",
    "ref+",
    "op://",
    "arn:aws:",
    "env:",
    "ENC[",
    // Grafana's, as they are and as compose files have them.
    "$__file{",
    "$__env{",
    "$__vault{",
    "$$__file{",
    "$$__env{",
    "$$__vault{",
];

/// How hashes of passwords begin, as they are and as a settled text has them: what stands behind their dollars is no variable.
const HASHES: [&str; 12] = [
    "$argon2",
    "${argon2",
    "$scrypt$",
    "${scrypt}$",
    "$pbkdf2",
    "${pbkdf2",
    "$y$",
    "${y}$",
    "$1$",
    "$2",
    "$5$",
    "$6$",
];

/// Parts of ways to be let in that have digits.
const WAYS: [&str; 12] = [
    "oauth", "md5", "sha1", "sha2", "sha-", "ntlm", "saml", "oidc", "krb5", "auth0", "ldap", "base64",
];

/// Whether a value may be a secret.
pub(super) fn may_be_secret(value: &str) -> bool {
    let value = unquoted(value);
    // Who put a secret of the release into it knows what it is.
    if is_marked(value) || REFERENCES.iter().any(|start| value.starts_with(start)) {
        return false;
    }
    if HASHES.iter().any(|start| value.starts_with(start)) {
        return true;
    }
    let value = settled(value);
    match left(&value) {
        // What stands around them is the shape of an address; passwords in it are found by that.
        Some(rest) if rest.contains(['@', '=', ' ']) || rest.contains("://") => false,
        Some(rest) => rest.chars().any(char::is_alphanumeric),
        None => {
            !(value.is_empty()
                || WORDS.contains(&value.to_ascii_lowercase().as_str())
                || is_small_number(&value)
                || is_duration(&value)
                || is_path(&value)
                || is_code(&value))
        }
    }
}

/// Whether a value may be a secret under its key.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    if is_marked(value) {
        return false;
    }
    if lets_in(key) {
        return match password(value) {
            Some(password) => may_be_secret(password),
            None => (looks_secret(key) && may_be_secret(value)) || is_password_alone(value),
        };
    }
    (looks_secret(key) && may_be_secret(value) && !(is_of_several(key) && is_number(value)))
        || (is_webhook(key) && is_unguessable(unquoted(value)))
        || (may_look_secret(key) && is_made(value))
}

/// Whether a value is one that was made to be hard to guess, and no word, identifier, number, path or address: letters and digits in a
/// mix, or signs that no identifier has.
fn is_made(value: &str) -> bool {
    let bare = unquoted(value);
    let is_public = ["ssh-", "ecdsa-", "age1", "-----BEGIN PUBLIC", "-----BEGIN CERT"];
    if !may_be_secret(value) || bare.contains("://") || is_public.iter().any(|start| bare.starts_with(start)) {
        return false;
    }
    let bare = settled(bare);
    if bare.contains(['$', '{', '<', '(']) || bare.contains(char::is_whitespace) {
        return false;
    }
    // A path and the name of a file: base64 has slashes too.
    let mut parts = bare.split(|c: char| "/_-.,:".contains(c));
    parts.any(is_mixed) || bare.contains(['!', '^']) || (bare.ends_with('=') && bare.len() > BASE64)
}

/// Whether letters and digits of a part of a value take turns as they do in no word, version or name of a machine.
fn is_mixed(part: &str) -> bool {
    let kind = |c: char| (c.is_ascii_digit(), c.is_ascii_alphabetic());
    let turns = part
        .chars()
        .zip(part.chars().skip(1))
        .filter(|(a, b)| kind(*a) != kind(*b))
        .count();
    let rises = part
        .chars()
        .zip(part.chars().skip(1))
        .filter(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase())
        .count();
    let has_digit = part.chars().any(|c| c.is_ascii_digit());
    let has_letter = part.chars().any(|c| c.is_ascii_alphabetic());
    part.len() >= MIXED
        && has_letter
        && ((has_digit && (turns >= TURNS || part.len() >= RANDOM)) || rises.saturating_mul(4) > part.len())
}

/// What of a value lets somebody in: `user:password`, `user/password`, or what a header of HTTP says behind the scheme.
fn password(value: &str) -> Option<&str> {
    let value = unquoted(value);
    if let Some((scheme, rest)) = value.split_once(' ') {
        let scheme = scheme.to_ascii_lowercase();
        return matches!(scheme.as_str(), "bearer" | "basic" | "token" | "apikey").then_some(rest);
    }
    let (user, password) = value.split_once([':', '/'])?;
    let is_user = left(user).is_some() || user.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
    (!user.is_empty() && is_user && !password.starts_with('/')).then_some(password)
}

/// Whether a value is a password, where others say how somebody is let in: a way to do so is a word, or one of a few with digits.
fn is_password_alone(value: &str) -> bool {
    let value = unquoted(value);
    let lower = value.to_ascii_lowercase();
    value.len() > DIGITS
        && value.chars().any(|c| c.is_ascii_digit())
        && !value.contains(|c: char| c.is_whitespace() || "/:,".contains(c))
        && !WAYS.iter().any(|way| lower.contains(way))
        && may_be_secret(value)
}

/// Whether the last part of the path of an address is no word: whoever knows it may use it.
fn is_unguessable(value: &str) -> bool {
    let value = settled(value);
    let Some((_, path)) = value.split_once("://").and_then(|(_, rest)| rest.split_once('/')) else {
        return false;
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let Some((_, last)) = path.trim_end_matches('/').rsplit_once('/') else {
        return false;
    };
    last.len() > DIGITS
        && !last.contains(['$', '<', '{', '.'])
        && last.chars().any(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// Whether a value is a number, however long.
pub(super) fn is_number(value: &str) -> bool {
    let value = unquoted(value);
    value.chars().any(|c| c.is_ascii_digit()) && value.chars().all(|c| c.is_ascii_digit() || "._-".contains(c))
}

/// Returns a value without quotes and what ends a line of code.
fn unquoted(value: &str) -> &str {
    let value = value.trim().trim_end_matches([',', ';']).trim_end();
    value.trim_matches(['"', '\'']).trim()
}

/// Whether a value is what a program works out: the output of a command, or a member by its name (`config['api_key']`).
fn is_code(value: &str) -> bool {
    let of_a_command = value.len() > 2 && value.starts_with('`') && value.ends_with('`');
    let member = || {
        let (whole, name) = value.strip_suffix(']')?.split_once('[')?;
        let is_path = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
        Some(whole.starts_with(|c: char| c.is_ascii_alphabetic()) && is_path(whole) && name.starts_with(['\'', '"']))
    };
    of_a_command || member().unwrap_or(false)
}

fn is_small_number(value: &str) -> bool {
    let value = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.len() <= DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    is_digits(whole) && is_digits(part)
}

/// `30s`, `1h30m`, `7d`.
fn is_duration(value: &str) -> bool {
    let units = ["ms", "us", "ns", "s", "m", "h", "d", "w", "y", "min", "sec"];
    let mut rest = value;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let behind = rest.get(digits..).unwrap_or_default();
        let unit = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        if digits == 0 || digits > DURATION || !units.contains(&behind.get(..unit).unwrap_or_default()) {
            return false;
        }
        rest = behind.get(unit..).unwrap_or_default();
    }
    !value.is_empty()
}

/// Whether a value is a path that people wrote: base64 may begin with a slash too.
fn is_path(value: &str) -> bool {
    let is_random = |part: &str| {
        let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
        part.len() >= RANDOM
            && part.chars().all(|c| c.is_ascii_alphanumeric())
            && has(char::is_ascii_digit)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
    };
    PATHS.iter().any(|start| value.starts_with(start))
        && !value.contains(['=', '+', ' '])
        && !value.split('/').any(is_random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_counts_and_what_says_nothing_does_not() {
        for value in [
            "hunter2",
            "\"x\"",
            "0123456789abcdef",
            "${A:-hunter2}",
            "${A:-${B:-hunter2}}",
            "$$x",
            "/abc+d==",
            "/9j4AAQSkZJRgABAQEASABIAAD",
            "12 monkeys",
            "base64:AAAA=",
            "1password",
            "12345678x",
            "12345678",
            "2026-01-01",
            "1234567s",
            "x{{ .Values.y }}",
            "x${A}",
            "pre-$A",
            "changeme",
            "'hunter2',",
            "a[1]",
            "`hunter2",
        ] {
            assert!(may_be_secret(value), "{value}");
        }
        for value in [
            "",
            "''",
            "\"\",",
            "true",
            "No",
            "null",
            "42",
            "0",
            "-1.5",
            "30s",
            "5m",
            "86400s",
            "1h30m",
            "/run/secrets/db",
            "/etc/app/tls/key.pem",
            "./x",
            "file:/x",
            "${A}",
            "$A",
            "${A:-}",
            "${A}-${B}",
            "${A:?it must be said}",
            "$(cat /run/secrets/x)",
            "{{ .Values.a }}",
            "{{ .Values.a }}:{{ .Values.b }}",
            "postgres://app:${PW}@db/app",
            "user=app password=${PW}",
            "vault:secret/data/db#password",
            "$__file{/run/secrets/gf}",
            "$$__env{GF_PASSWORD}",
            "None",
            "undefined;",
            "config['api_key']",
            "req.headers[\"x-token\"],",
            "`openssl rand -hex 16`",
            "|",
        ] {
            assert!(!may_be_secret(value), "{value}");
        }
        assert!(is_number("4096") && !is_number("4096x"));
    }

    #[test]
    fn what_lets_somebody_in_is_told_from_ways_to_do_so() {
        for (key, value) in [
            ("NEO4J_AUTH", "neo4j/hunter2"),
            ("BASIC_AUTH", "admin:$2y$05$abcdef"),
            ("BASIC_AUTH", "hunter"),
            ("AUTH", "hunter2"),
            ("authorization", "Bearer hunter2"),
            ("authorization", "Bearer ${TOKEN:-hunter2}"),
            ("WEBHOOK_URL", "https://hooks.example.com/services/T000/B000/YYYY"),
            ("BASICAUTH", "k3yb0ard9Xq"),
            ("DATA_KEY", "k3yb0ard9Xq"),
            ("SEED", "q7Zr2mN8tV4x"),
            ("LIVEKIT_KEYS", "devkey:k3yb0ard9Xq"),
            ("SODIUM_KEY", "3q2+7wAAAAAAAAAAAAAAAAAA=="),
            ("TLS_KEY", "\"0123456789abcdef0123456789abcdef\""),
            ("SECRET_ID", "6a174c20-f6de-a53c-74d2-6018fcceff64"),
        ] {
            assert!(is_secret(key, value), "{key}={value}");
        }
        for (key, value) in [
            ("NEO4J_AUTH", "secret.airlock.internal/X/"),
            ("NEO4J_AUTH", "neo4j/secret.airlock.internal/X/"),
            ("NEO4J_AUTH", "none"),
            ("basic-auth", "admin:${FLOWER_PASSWORD}"),
            ("basic-auth", "${FLOWER_USER}:${FLOWER_PASSWORD}"),
            ("AUTHORIZATION", "${HEADER}"),
            ("authorization", "Bearer ${TOKEN}"),
            ("SMTP_AUTH", "plain"),
            ("SMTP_AUTH", "cram-md5"),
            ("AUTH", "oauth2"),
            ("AUTH", "scram-sha-256"),
            ("SMTP_AUTH", "plain login"),
            ("AUTH", "https://auth2.example.com"),
            ("WEBHOOK_URL", "https://n8n.example.com/"),
            ("WEBHOOK_URL", "http://receiver:8080/api/alerts"),
            ("webhook", "${HOOK}"),
            ("WEBHOOK_TIMEOUT", "https://a.example/x/Y0001"),
            ("DATA_KEY", "user_id"),
            ("DATA_KEY", "createdAt"),
            ("TLS_KEY", "server.key"),
            ("TLS_KEY", "/etc/tls/k3yb0ard9Xq.key"),
            ("SSH_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"),
            ("API_VERSION_SEED", "20260101"),
            ("S3_KEY", "backups/v1beta1/node-12"),
            ("REDIS_KEY", "cache:session:v2"),
            ("ADMIN_PIN", "${PIN}"),
            ("USERS", "alice,bob"),
            ("MAP_KEY", "k3yb0ard9Xq"),
            ("SECRET_ID", "projects/x/secrets/y"),
        ] {
            assert!(!is_secret(key, value), "{key}={value}");
        }
    }
}
