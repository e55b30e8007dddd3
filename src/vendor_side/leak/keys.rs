//! Which keys are named as secrets are, or as what holds secrets.

use super::key_words::{is_about, last_part, unversioned, words};

/// Words of which one at the end of a longer word says the same: `dbpassword`.
const LONG: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "credential",
    "credentials",
    "passwords",
    "pswd",
    "pword",
    "passkey",
    "authkey",
    "privkey",
    "secretkeybase",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "sessionkey",
    "storagekey",
    "accountkey",
    "jwtkey",
    "licensekey",
    "licencekey",
    "masterauth",
    "mnemonic",
];
/// Words that say it by themselves.
const SHORT: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "pat",
    "dsn",
    "salt",
    "pepper",
    "psk",
    "psw",
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
    "account",
    "admin",
    "aes",
    "api",
    "activation",
    "app",
    "auth",
    "cipher",
    "cookie",
    "crypt",
    "crypto",
    "csrf",
    "decryption",
    "deploy",
    "enc",
    "encrypt",
    "encryption",
    "fernet",
    "hmac",
    "jwt",
    "licence",
    "license",
    "master",
    "nonce",
    "openssl",
    "preshared",
    "private",
    "recovery",
    "secret",
    "security",
    "session",
    "shared",
    "sign",
    "signing",
    "storage",
    "unseal",
    "webhook",
];
/// Words right before the secret, or at the beginning, that say that it is about one, or names one that is kept elsewhere.
pub(super) const BEFORE: &[&str] = &[
    "allow", "create", "disable", "enable", "existing", "has", "is", "no", "pull", "require", "requires", "show",
    "skip", "use", "with",
];
/// Words before `secret` that make it the name of an object of Kubernetes where a certificate lies.
const CERTIFICATE: &[&str] = &["cert", "certificate", "certificates", "tls"];
/// Words before several of them that say how many there are.
const NUMBER: &[&str] = &["max", "min", "num", "total"];

/// Whether a key is named as those of secrets are, and does not only say something about one.
pub(super) fn looks_secret(key: &str) -> bool {
    let last = last_part(key);
    let words = unversioned(words(key));
    // What stands behind the last one says what it is: `SECRET_STORE_TOKEN` is a token.
    let Some(at) = (last..words.len()).rev().find(|at| is_secret_at(&words, *at)) else {
        return false;
    };
    let (before, behind) = (
        words.get(..at).unwrap_or_default(),
        words.get(at.saturating_add(1)..).unwrap_or_default(),
    );
    let word = words.get(at).map(String::as_str).unwrap_or_default();
    let is_key = matches!(word, "key" | "keys");
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
        && !behind.iter().any(|word| is_about(word))
        && !says_so(before.first())
        && !says_so(before.last())
}

/// Whether the word at a place is that of a secret.
pub(super) fn is_secret_at(words: &[String], at: usize) -> bool {
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
        || word.strip_suffix("pw").is_some_and(|before| before.len() > 1)
        || (matches!(word, "key" | "keys") && before.is_some_and(|before| KEYS.contains(&before)))
        || (word == "key" && is_of_encryption(words.get(..at).unwrap_or_default()))
        || (word == "private" && at.saturating_add(1) == words.len())
        || (word == "auth" && before == Some("basic"))
        || (word == "cookie" && before == Some("erlang"))
        || (matches!(word, "code" | "codes") && matches!(before, Some("access" | "auth" | "unlock")))
        || (word == "jwt" && at.saturating_add(1) == words.len())
}

/// Whether the words before `key` say that it encrypts, with words between that say which of several it is; or that it is one of those with
/// which a program signs who is logged in.
fn is_of_encryption(before: &[String]) -> bool {
    let words: Vec<&str> = before.iter().map(String::as_str).collect();
    match words.as_slice() {
        [.., "logged", "in"] => true,
        [
            before @ ..,
            "primary" | "secondary" | "deterministic" | "current" | "previous" | "old" | "new",
        ] => before.last().is_some_and(|before| KEYS.contains(before)),
        _ => false,
    }
}

/// Whether a key says how somebody is let in, so that `user:password` under it is a secret: `NEO4J_AUTH`.
pub(super) fn lets_in(key: &str) -> bool {
    let words = words(key);
    matches!(
        words.last().map(String::as_str),
        Some("auth" | "authorization" | "basicauth" | "userpass" | "login")
    )
}

/// Whether a key is of an address that whoever knows it may send something to.
pub(super) fn is_webhook(key: &str) -> bool {
    let words = words(key);
    let mut words = words.iter().rev().map(String::as_str);
    let mut last = words.next();
    while matches!(last, Some("url" | "urls" | "uri" | "address" | "endpoint")) {
        last = words.next();
    }
    matches!(last, Some("webhook" | "webhooks"))
}

/// Whether a key is of several secrets: a number beneath it says how many.
pub(super) fn is_of_several(key: &str) -> bool {
    let words = words(key);
    let last = (0..words.len()).rev().find(|at| is_secret_at(&words, *at));
    let word = last.and_then(|at| words.get(at)).map(String::as_str);
    matches!(word, Some("tokens" | "passwords" | "secrets" | "credentials"))
}

/// Words of keys whose members are secrets, whatever these are called.
const HOLDERS: &[&str] = &["secrets", "passwords", "tokens", "credentials", "creds"];
/// Words that make such a key of `secret`: `secretEnv`.
const HELD: &[&str] = &[
    "content",
    "contents",
    "data",
    "env",
    "environment",
    "strings",
    "values",
    "variables",
    "vars",
];
/// Words before them that say that they are kept elsewhere.
const ELSEWHERE: &[&str] = &["external", "existing", "pull", "sealed"];
/// Words of members beneath such a key that say something about the others.
const BESIDE: &[&str] = &[
    "annotations",
    "bucket",
    "create",
    "database",
    "email",
    "existing",
    "external",
    "id",
    "key",
    "keys",
    "kind",
    "labels",
    "mount",
    "namespace",
    "region",
    "template",
    "user",
    "username",
    "users",
];

/// Whether what stands beneath a key are secrets, whatever each of them is called.
pub(super) fn holds_secrets(key: &str) -> bool {
    let words = words(key);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.iter().any(|word| ELSEWHERE.contains(word)) {
        return false;
    }
    match words.as_slice() {
        [.., "secret", last] => HELD.contains(last),
        ["string", "data"] => true,
        [.., last] => HOLDERS.contains(last),
        [] => false,
    }
}

/// Whether a member beneath such a key says something about the others, and is none itself.
pub(super) fn is_beside(key: &str) -> bool {
    words(key)
        .iter()
        .any(|word| is_about(word) || BESIDE.contains(&word.as_str()))
}

/// Returns the name under which a secret in place of a value may be declared.
pub(super) fn secret_name(key: &str) -> String {
    // Properties of Java are given so.
    let key = key.strip_prefix("-D").unwrap_or(key);
    let name = words(key).join("_").to_ascii_uppercase();
    let name: String = name.chars().take(64).collect();
    if name.starts_with(|c: char| c.is_ascii_uppercase()) {
        name
    } else {
        format!("SECRET_{}", name.chars().take(57).collect::<String>())
    }
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
            "TS_AUTHKEY",
            "WPA_PSK",
            "RABBITMQ_ERLANG_COOKIE",
            "AZURE_STORAGE_ACCOUNT_KEY",
            "DB_PSWD",
            "JWT",
            "masterauth",
            "VAULT_ENC_KEY",
            "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY",
            "NEXT_PRIVATE_ENCRYPTION_SECONDARY_KEY",
            "APP_KEYS",
            "_APP_OPENSSL_KEY_V1",
            "LOGGED_IN_KEY",
            "UNSEAL_KEY_1",
            "N8N_LICENSE_ACTIVATION_KEY",
            "LDAP_BINDPW",
            "DB_PASSWORT",
            "UNLOCK_CODE",
            "stripe.api.key",
            "password.txt",
            "spring.secret-app.password.0",
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
            "SALT_ROUNDS",
            "TOKEN_VALIDITY",
            "JWT_ISSUER",
            "password-stdin",
            "PASSWORD_COMPLEXITY",
            "PASSWORD_LEVEL",
            "PASSWORD_ENCODER",
            "SECRET_ENGINE",
            "SECRETS_SOURCE",
            "TOKEN_CACHE",
            "PRIMARY_KEY",
            "SORT_KEY",
            "PASSWORD_PROMPT",
            "SECRETS_VOLUME",
            "SECRET_ID",
            "routers.secret-app.entrypoints",
            "tls.secret",
        ] {
            assert!(!looks_secret(key), "{key}");
        }
        for key in ["secrets", "secretEnv", "stringData", "app.credentials", "passwords"] {
            assert!(holds_secrets(key), "{key}");
        }
        for key in ["imagePullSecrets", "externalSecrets", "secretName", "data", "secret"] {
            assert!(!holds_secrets(key), "{key}");
        }
        assert!(is_beside("userName") && is_beside("secretName") && !is_beside("admin"));
        assert!(lets_in("NEO4J_AUTH") && !lets_in("AUTHOR"));
        assert_eq!(secret_name("postgresPassword"), "POSTGRES_PASSWORD");
        assert_eq!(secret_name("api-key"), "API_KEY");
        assert_eq!(secret_name("2faSecret"), "SECRET_2FA_SECRET");
    }
}
