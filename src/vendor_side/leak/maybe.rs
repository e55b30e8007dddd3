//! Names that may be those of secrets: they say too little, and what the value looks like tells.

use super::key_words::{unversioned, words};
use super::keys::{BEFORE, is_secret_at};

/// Last words of names that may be those of secrets: what the value looks like tells.
const MAYBE: &[&str] = &[
    "bearer",
    "claim",
    "community",
    "hmac",
    "kek",
    "key",
    "keys",
    "licence",
    "license",
    "otp",
    "pin",
    "pincode",
    "preshared",
    "seed",
    "signing",
    "totp",
    "users",
];
/// Words of names whose last word is `key` or another one of these, and which are no secrets: what identifies, sorts or is public.
const NO_SECRETS: &[&str] = &[
    "alt",
    "annotation",
    "authorized",
    "cache",
    "column",
    "config",
    "existing",
    "field",
    "foreign",
    "group",
    "host",
    "id",
    "image",
    "index",
    "known",
    "label",
    "map",
    "name",
    "object",
    "partition",
    "path",
    "pub",
    "public",
    "publishable",
    "registry",
    "routing",
    "row",
    "site",
    "sort",
    "taint",
    "topology",
    "translation",
    "unique",
    "value",
    "verification",
    "verify",
];

/// Whether a key may be that of a secret, which the value tells.
pub(super) fn may_look_secret(key: &str) -> bool {
    let words = unversioned(words(key));
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_key = matches!(last, "key" | "keys");
    // What names a secret may let somebody in with it: Vault's does.
    let is_named = MAYBE.contains(&last) || (last == "id" && before.last().is_some_and(|word| word == "secret"));
    // A key alone is one of a mapping, and one behind the name of a secret says where that stands.
    let names_key = is_key && (before.is_empty() || (0..before.len()).any(|at| is_secret_at(before, at)));
    let says_other = |word: &String| NO_SECRETS.contains(&word.as_str()) || BEFORE.contains(&word.as_str());
    is_named && !names_key && !before.iter().any(says_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_of_secrets_and_those_that_say_otherwise() {
        for key in [
            "CIPHERSUITE_KEY",
            "DATA_KEY",
            "S3_KEY",
            "LIVEKIT_KEYS",
            "KEK",
            "JWT_SIGNING",
            "WG_PRESHARED",
            "PLEX_CLAIM",
            "SEED",
            "ADMIN_PIN",
            "VAULT_SECRET_ID",
            "SNMP_COMMUNITY",
            "LICENCE",
            "TRAEFIK_USERS",
            "TLS_KEY_2",
        ] {
            assert!(may_look_secret(key), "{key}");
        }
        for key in [
            "key",
            "PUBLIC_KEY",
            "KEY_FILE",
            "KEY_PATH",
            "PRIMARY_KEY_COLUMN",
            "SORT_KEY",
            "CACHE_KEY",
            "topologyKey",
            "adminPasswordKey",
            "existingSecretKey",
            "AUTHORIZED_KEYS",
            "COUNTRY_CODE",
            "keyboard",
            "SITE_KEY",
        ] {
            assert!(!may_look_secret(key), "{key}");
        }
    }
}
