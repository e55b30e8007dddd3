//! Which keys are named as secrets are, and which values are none whatever their key is.

/// Words of which one at the end of a longer word says the same: `dbpassword`.
const LONG: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "credential",
    "credentials",
];
/// Words that say it by themselves.
const SHORT: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "pat",
    "dsn",
    "salt",
    "secrets",
    "tokens",
    "passwords",
    "creds",
];
/// Words that end as `pass` does and are none.
const NO_PASS: &[&str] = &[
    "bypass",
    "compass",
    "encompass",
    "surpass",
    "trespass",
    "underpass",
    "overpass",
];
/// What makes a secret of the word `key` behind it.
const KEYS: &[&str] = &[
    "access",
    "admin",
    "aes",
    "api",
    "app",
    "auth",
    "cookie",
    "crypt",
    "crypto",
    "decryption",
    "deploy",
    "encrypt",
    "encryption",
    "fernet",
    "hmac",
    "jwt",
    "licence",
    "license",
    "master",
    "private",
    "secret",
    "security",
    "session",
    "sign",
    "signing",
    "webhook",
];
/// Words behind the secret that say something about it.
const ABOUT: &[&str] = &[
    "algorithm",
    "alg",
    "attempts",
    "audience",
    "auth",
    "authentication",
    "backend",
    "budget",
    "charset",
    "class",
    "count",
    "days",
    "dir",
    "directory",
    "duration",
    "enabled",
    "encryption",
    "endpoint",
    "expiration",
    "expire",
    "expires",
    "expiry",
    "field",
    "file",
    "format",
    "grace",
    "header",
    "helper",
    "hint",
    "host",
    "hours",
    "interval",
    "issuer",
    "label",
    "len",
    "length",
    "lifetime",
    "limit",
    "location",
    "manager",
    "max",
    "min",
    "minutes",
    "mode",
    "name",
    "names",
    "path",
    "pattern",
    "per",
    "policy",
    "port",
    "prefix",
    "provider",
    "ref",
    "regex",
    "required",
    "reset",
    "retries",
    "rotation",
    "rules",
    "scheme",
    "seconds",
    "size",
    "store",
    "strategy",
    "strength",
    "suffix",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "validator",
    "validators",
    "version",
];
/// Words right before the secret, or at the beginning, that say that it is about one, or names one that is kept elsewhere.
const BEFORE: &[&str] = &[
    "allow", "create", "disable", "enable", "existing", "has", "is", "no", "pull", "require", "requires", "show",
    "skip", "use", "with",
];
/// Words before `secret` that make it the name of an object of Kubernetes where a certificate lies.
const CERTIFICATE: &[&str] = &["cert", "certificate", "certificates", "tls"];
/// Words before several of them that say how many there are.
const NUMBER: &[&str] = &["max", "min", "num", "total"];

/// Whether a key is named as those of secrets are, and does not only say something about one.
pub(super) fn looks_secret(key: &str) -> bool {
    let words = words(key);
    // What stands behind the last one says what it is: `SECRET_STORE_TOKEN` is a token.
    let Some(at) = (0..words.len()).rev().find(|at| is_secret_at(&words, *at)) else {
        return false;
    };
    let (before, behind) = (
        words.get(..at).unwrap_or_default(),
        words.get(at.saturating_add(1)..).unwrap_or_default(),
    );
    let word = words.get(at).map(String::as_str).unwrap_or_default();
    let is_key = word == "key";
    // `passwordKey` and `passwordSecretKey` are names of a key where a password stands, `ACCESS_KEY_ID` is what names a key.
    let names_key = (!is_key && behind.first().is_some_and(|word| word == "key"))
        || (is_key && behind.first().is_some_and(|word| word == "id"))
        || (is_key
            && before.last().is_some_and(|word| word == "secret")
            && (0..at.saturating_sub(1)).any(|before| is_secret_at(&words, before)));
    let is_object =
        word == "secret" && behind.is_empty() && before.iter().any(|word| CERTIFICATE.contains(&word.as_str()));
    let is_number = word == "tokens" && before.last().is_some_and(|word| NUMBER.contains(&word.as_str()));
    let says_so = |word: Option<&String>| word.is_some_and(|word| BEFORE.contains(&word.as_str()));
    !names_key
        && !is_object
        && !is_number
        && !behind.iter().any(|word| ABOUT.contains(&word.as_str()))
        && !says_so(before.first())
        && !says_so(before.last())
}

/// Whether the word at a place is that of a secret.
fn is_secret_at(words: &[String], at: usize) -> bool {
    // `PASSWORD2` is one too.
    let Some(word) = words
        .get(at)
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()))
    else {
        return false;
    };
    let before = at
        .checked_sub(1)
        .and_then(|before| words.get(before))
        .map(String::as_str);
    LONG.iter().any(|long| word.ends_with(long))
        || SHORT.contains(&word)
        || (word.ends_with("pass") && !NO_PASS.contains(&word))
        || (word == "key" && before.is_some_and(|before| KEYS.contains(&before)))
        || (word == "private" && at.saturating_add(1) == words.len())
        || (word == "auth" && before == Some("basic"))
}

/// The words of a name in lower case: cut at what is no letter or digit, and where a capital begins.
fn words(key: &str) -> Vec<String> {
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

/// Returns the name under which a secret in place of a value may be declared.
pub(super) fn secret_name(key: &str) -> String {
    let name = words(key).join("_").to_ascii_uppercase();
    let name: String = name.chars().take(64).collect();
    if name.starts_with(|c: char| c.is_ascii_uppercase()) {
        name
    } else {
        format!("SECRET_{}", name.chars().take(57).collect::<String>())
    }
}

/// Whether a value may be a secret: it is not empty, true or false, a number, a path, or what something else is put in place of.
pub(super) fn may_be_secret(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    if let Some(rest) = value.strip_prefix('$') {
        return match rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            // A default inside a variable counts.
            Some(name) => {
                let default = name.split_once(":-").or_else(|| name.split_once('-'));
                default.is_some_and(|(_, default)| may_be_secret(default))
            }
            None => rest.starts_with(['$', '{']),
        };
    }
    let words = [
        "null", "~", "true", "false", "yes", "no", "on", "off", "{}", "[]", "|", ">", "|-", ">-",
    ];
    let is_number = value.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && value
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .len()
            .saturating_add(2)
            >= value.len()
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && value
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .chars()
            .all(|c| c.is_ascii_digit() || "._-".contains(c));
    let is_path = ["/", "./", "../", "~/", "file:"]
        .iter()
        .any(|start| value.starts_with(start))
        && !value.contains(['=', '+', ' ']);
    let is_template = value.contains("{{") || crate::vendor_side::secret::is_marked(value);
    !(value.is_empty() || words.contains(&value.to_ascii_lowercase().as_str()) || is_number || is_path || is_template)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "PG_PASS",
            "DBPASS",
            "SMTP_PWD",
            "REDISPASS",
            "MYSQL_ROOT_PW",
            "ENCRYPTION_KEY",
            "N8N_ENCRYPTION_KEY",
            "SALT",
            "APP_KEY",
            "JWT_KEY",
            "SENTRY_DSN",
            "MASTER_KEY",
            "LICENSE_KEY",
            "VAPID_PRIVATE",
            "BASIC_AUTH",
            "GITHUB_PAT",
            "DBPassword",
            "mysqlpassword",
            "clientSecret",
            "credentials",
            "API_TOKENS",
            "TLS_PASSWORD",
            "LDAP_BIND_CERT_PASSWORD",
            "SSL_CERT_KEY_PASSWORD",
            "CERT_TOKEN",
            "SIGNING_CERT_PASSPHRASE",
            "certPassword",
            "PASSWORD1",
            "API_KEY2",
            "SECRET_STORE_TOKEN",
            "PASSWORD_POLICY_ADMIN_PASSWORD",
            "RATE_LIMIT_REDIS_PASSWORD",
            "MAX_MIND_LICENSE_KEY",
            "DEPLOY_KEY",
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
            "MAX_TOKENS",
            "TOKENIZER",
            "TOKENIZERS_PARALLELISM",
            "PASSWORD_MIN_LENGTH",
            "PASSWORD_MIN_LEN",
            "SECRETS_BACKEND",
            "SECRET_PROVIDER",
            "MAIL_PASS_SCHEME",
            "DISABLE_PASSWORD_AUTH",
            "BYPASS",
            "PUBLIC_KEY",
            "KEYBOARD",
            "AWS_ACCESS_KEY_ID",
            "adminPasswordKey",
            "imagePullSecret",
            "PASSENGER_COUNT",
            "monkey",
            "TOKENS_PER_MINUTE",
            "TLS_SECRET",
            "certificateSecret",
            "passwordSecretKey",
            "PASSWORD_ENCRYPTION",
            "CREDENTIAL_HELPER",
            "useExistingSecret",
        ] {
            assert!(!looks_secret(key), "{key}");
        }
        assert_eq!(secret_name("postgresPassword"), "POSTGRES_PASSWORD");
        assert_eq!(secret_name("api-key"), "API_KEY");
        assert_eq!(secret_name("2faSecret"), "SECRET_2FA_SECRET");
    }

    #[test]
    fn values_that_say_nothing_are_no_secrets() {
        for value in [
            "hunter2",
            "\"x\"",
            "0123456789abcdef",
            "${A:-hunter2}",
            "$$x",
            "/abc+d==",
            "12 monkeys",
            "base64:AAAA=",
            "1password",
        ] {
            assert!(may_be_secret(value), "{value}");
        }
        for value in [
            "",
            "''",
            "true",
            "No",
            "null",
            "42",
            "-1.5",
            "30s",
            "5m",
            "2026-01-01",
            "/run/secrets/db",
            "./x",
            "file:/x",
            "${A}",
            "$A",
            "${A:-}",
            "{{ .Secrets.A }}",
            "x{{ .Values.y }}",
            "|",
        ] {
            assert!(!may_be_secret(value), "{value}");
        }
    }
}
