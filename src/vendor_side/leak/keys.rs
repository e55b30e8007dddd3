//! Which keys are named as secrets are.

/// Words that secrets are called by, written together and in lower case.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "credential",
];
/// Endings of keys that say something about a secret and not the secret.
const ABOUT: &[&str] = &[
    "file",
    "path",
    "dir",
    "name",
    "ref",
    "enabled",
    "ttl",
    "expiry",
    "expiration",
    "lifetime",
    "duration",
    "length",
    "timeout",
    "url",
    "uri",
    "endpoint",
    "header",
    "type",
    "issuer",
    "audience",
    "algorithm",
    "policy",
    "count",
    "class",
];

/// Whether a key is named as those of secrets are.
pub(super) fn looks_secret(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    WORDS.iter().any(|word| plain.contains(word))
        && !ABOUT.iter().any(|ending| plain.ends_with(ending))
        && !["existing", "create", "use"]
            .iter()
            .any(|start| plain.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::looks_secret;

    #[test]
    fn names_of_secrets_and_of_what_is_about_them() {
        for key in [
            "DB_PASSWORD",
            "password",
            "postgresPassword",
            "API_KEY",
            "apiKey",
            "SECRET_KEY_BASE",
            "AUTH_TOKEN",
            "private-key",
            "AWS_SECRET_ACCESS_KEY",
            "passwd",
        ] {
            assert!(looks_secret(key), "{key}");
        }
        for key in [
            "existingSecret",
            "secretName",
            "POSTGRES_PASSWORD_FILE",
            "TOKEN_TTL",
            "KEY",
            "USER",
            "createSecret",
            "tokenUrl",
        ] {
            assert!(!looks_secret(key), "{key}");
        }
    }
}
