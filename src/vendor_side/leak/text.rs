//! Finds secrets in plain text by what they look like themselves.

use base64::Engine as _;

use super::reference::settled;

/// How a private key begins, after `-----BEGIN ` and perhaps its algorithm.
const PRIVATE: [&str; 2] = ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"];
/// `-----BEGIN` in base64: kubernetes and others carry keys so.
const ENCODED: &str = "LS0tLS1CRUdJTi";
/// Beginning of an age identity.
const AGE: &str = "AGE-SECRET-KEY-1";
/// Fewest characters of the hash of a password.
const HASH: usize = 20;
/// Fewest characters of what is a key's body and no word about it.
const BODY: usize = 10;
/// Characters of base64 that are decoded to see what it is.
const ENCODED_CHARACTERS: usize = 200;
/// Fewest characters of a private key in base64: those of one of Ed25519.
const DER: usize = 60;
/// Fewest characters of what makes the address of a webhook hard to guess.
const OWN_WEBHOOK: usize = 16;
/// Digits of the public half of a key in an address, where that is all there is.
const ADDRESS_KEY: usize = 32;

/// Characters of a token of a bot of Telegram behind its number.
const BOT_TOKEN: usize = 35;

/// How the headers of encrypted keys begin, which stand before the body.
const HEADERS: [&str; 4] = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:"];
/// How hashes of passwords begin, behind the name of their user.
const HASHES: [&str; 11] = [
    "$apr1$", "$2y$", "$2a$", "$2b$", "$1$", "$5$", "$6$", "$y$", "$argon2", "{SHA}", "{SSHA}",
];

/// Those that are told without a user: what follows `$1$` may be a parameter of a shell.
const BARE_HASHES: [&str; 10] = [
    "$apr1$", "$2y$", "$2a$", "$2b$", "$5$", "$6$", "$y$", "$argon2", "$pbkdf2", "$scrypt$",
];

/// Beginnings of tokens, the characters that follow besides letters and digits, how many of all at least, and whose they are.
const SHAPES: &[(&str, &str, usize, &str)] = &[
    ("ghp_", "", 36, "a token of GitHub"),
    ("gho_", "", 36, "a token of GitHub"),
    ("ghu_", "", 36, "a token of GitHub"),
    ("ghs_", "", 36, "a token of GitHub"),
    ("ghr_", "", 36, "a token of GitHub"),
    ("github_pat_", "_", 60, "a token of GitHub"),
    ("glpat-", "_-", 20, "a token of GitLab"),
    ("xoxa-", "-", 20, "a token of Slack"),
    ("xoxb-", "-", 20, "a token of Slack"),
    ("xoxp-", "-", 20, "a token of Slack"),
    ("xoxr-", "-", 20, "a token of Slack"),
    ("xoxs-", "-", 20, "a token of Slack"),
    ("AKIA", "", 16, "an access key of AWS"),
    ("ASIA", "", 16, "an access key of AWS"),
    ("AIza", "_-", 35, "a key of Google"),
    ("npm_", "", 36, "a token of npm"),
    ("pypi-AgE", "_-", 50, "a token of PyPI"),
    ("glrt-", "_-", 20, "a token of GitLab"),
    ("gldt-", "_-", 20, "a token of GitLab"),
    ("xapp-", "-", 20, "a token of Slack"),
    ("sk_live_", "_", 10, "a key of Stripe"),
    ("rk_live_", "_", 10, "a key of Stripe"),
    ("whsec_", "+/=", 16, "a key of Stripe"),
    ("sk-proj-", "_-", 16, "a key of OpenAI"),
    ("sk-svcacct-", "_-", 16, "a key of OpenAI"),
    ("sk-ant-", "_-", 16, "a key of Anthropic"),
    ("SG.", "_-.", 30, "a key of SendGrid"),
    ("hf_", "", 20, "a token of Hugging Face"),
    ("dckr_pat_", "_-", 20, "a token of Docker"),
    ("dop_v1_", "", 40, "a token of DigitalOcean"),
    ("shpat_", "", 20, "a token of Shopify"),
    ("glsa_", "_", 30, "a token of Grafana"),
    ("hvs.", "_-", 20, "a token of Vault"),
    ("tskey-", "-", 16, "a key of Tailscale"),
    ("ya29.", "_-", 20, "a token of Google"),
    ("GOCSPX-", "_-", 20, "a key of Google"),
    ("PMAK-", "-", 20, "a key of Postman"),
    ("NRAK-", "", 20, "a key of New Relic"),
    ("xkeysib-", "-", 40, "a key of Brevo"),
    ("sk_test_", "_", 16, "a key of Stripe"),
    ("sk-or-v1-", "", 32, "a key of OpenRouter"),
    ("gsk_", "", 40, "a key of Groq"),
    ("hvb.", "_-", 20, "a token of Vault"),
    ("glptt-", "_-", 20, "a token of GitLab"),
    ("gloas-", "_-", 20, "a token of GitLab"),
    ("shpss_", "", 20, "a token of Shopify"),
    ("lin_api_", "", 20, "a key of Linear"),
    ("figd_", "_-", 20, "a token of Figma"),
    ("sntrys_", "_=+/", 20, "a token of Sentry"),
    ("sntryu_", "", 20, "a token of Sentry"),
    ("dckr_oat_", "_-", 20, "a token of Docker"),
    ("ATATT3x", "_-=", 30, "a token of Atlassian"),
    ("rubygems_", "", 40, "a token of RubyGems"),
    ("pul-", "", 40, "a token of Pulumi"),
];

/// Where services take what anybody sends who knows the rest of the address.
const WEBHOOKS: [&str; 7] = [
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    ".webhook.office.com/webhookb2/",
    "api.telegram.org/bot",
];

/// Returns the line in which a private key begins that has a body: a line about one has none, and neither has a comment.
pub(in super::super) fn private_key(text: &str) -> Option<u64> {
    let mut rest = text;
    (1..).zip(text.lines()).find_map(|(number, line)| {
        let from = rest;
        rest = rest.get(line.len().saturating_add(1)..).unwrap_or_default();
        (!is_comment(line) && has_private_key(line, from)).then_some(number)
    })
}

/// Whether a line is a comment, in the languages of configuration.
pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//")
}

/// Whether a private key begins in a line; `from` is the text from this line on.
fn has_private_key(line: &str, from: &str) -> bool {
    let begins = |line: &str, from: &str| {
        line.match_indices("-----BEGIN ").any(|(at, _)| {
            let rest = from.get(at..).unwrap_or_default();
            let head: String = rest.chars().take(80).collect();
            PRIVATE.iter().any(|ending| {
                let behind = head
                    .find(ending)
                    .and_then(|at| rest.get(at.saturating_add(ending.len())..));
                behind.is_some_and(has_body)
            })
        })
    };
    if begins(line, from) {
        return true;
    }
    if let Some((_, rest)) = line.split_once(AGE)
        && rest.chars().take_while(char::is_ascii_alphanumeric).count() >= BODY
    {
        return true;
    }
    // Nobody writes words about keys in base64: there the first line says enough.
    let is_encoded = line.match_indices(ENCODED).any(|(at, _)| {
        let decoded = decoded(line.get(at..).unwrap_or_default());
        let text = String::from_utf8_lossy(&decoded);
        begins(&text, &text) || PRIVATE.iter().any(|ending| text.contains(ending.trim_end_matches('-')))
    });
    is_encoded || has_der(line)
}

/// What a text begins with that is base64, decoded.
fn decoded(text: &str) -> Vec<u8> {
    let encoded: String = text
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "+/".contains(*c))
        .take(ENCODED_CHARACTERS)
        .collect();
    let whole = encoded.len() - encoded.len() % 4;
    base64::engine::general_purpose::STANDARD
        .decode(encoded.get(..whole).unwrap_or_default())
        .unwrap_or_default()
}

/// Whether a text has a private key as one word of base64, without the lines around it: a sequence whose first member is its version.
/// Certificates and public keys begin with another sequence or a long number.
fn has_der(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    text.split(|c: char| !is_word(c)).any(|word| {
        if !word.starts_with('M') || word.len() < DER {
            return false;
        }
        let bytes = decoded(word);
        let inside = match bytes.as_slice() {
            [0x30, 0x82, _, _, inside @ ..] | [0x30, 0x81, _, inside @ ..] => inside,
            [0x30, length, inside @ ..] if *length < 0x80 => inside,
            _ => return false,
        };
        // Of RSA a number follows, of PKCS #8 the algorithm, of an elliptic curve the key.
        matches!(inside, [2, 1, 0, 2 | 0x30, ..] | [2, 1, 1, 4 | 0x30, ..])
    })
}

/// Whether what follows the first line of a key is its body: a run of base64 that nothing else on its line follows, or a header of such a
/// key. Neither is a word about it, nor the next pair of a file where the key itself was left out.
fn has_body(behind: &str) -> bool {
    let behind = behind.replace("\\n", "\n");
    let body = behind.trim_start_matches(|c: char| c.is_whitespace() || "\"'`|>#\\+,".contains(c));
    if HEADERS.iter().any(|header| body.starts_with(header)) {
        return true;
    }
    let end = body
        .find(|c: char| !c.is_ascii_alphanumeric() && !"+/=-".contains(c))
        .unwrap_or(body.len());
    let (run, rest) = body.split_at_checked(end).unwrap_or((body, ""));
    let is_base64 =
        !run.trim_end_matches('=').contains('=') && run.chars().any(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    // A key on one line has its end there too.
    let is_last = rest
        .trim_start_matches(['"', '\'', '`', ' ', ',', ';', '}', ']', ')'])
        .chars()
        .next()
        .is_none_or(|c| c == '\n' || c == '\r')
        || rest.trim_start().starts_with("-----END");
    run.len() >= BODY && is_base64 && is_last && !body.starts_with("-----END")
}

/// Says what a text holds that is a secret by its own form; nothing of it is repeated.
pub(super) fn secret_shape(raw: &str) -> Option<&'static str> {
    let text: &str = &settled(raw);
    let word = |c: char, more: &str| c.is_ascii_alphanumeric() || more.contains(c);
    for (start, more, least, what) in SHAPES {
        let found = text.match_indices(start).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let behind = text.get(at.saturating_add(start.len())..).unwrap_or_default();
            !before.is_some_and(|c| word(c, "_")) && behind.chars().take_while(|c| word(*c, more)).count() >= *least
        });
        if found {
            return Some(what);
        }
    }
    let is_part = |c: char| word(c, "_-");
    let is_jwt = text.match_indices("eyJ").any(|(at, _)| {
        let rest = text.get(at..).unwrap_or_default();
        let mut parts = rest
            .split(|c: char| !is_part(c) && c != '.')
            .next()
            .unwrap_or_default()
            .split('.');
        let (head, claims, signature) = (parts.next(), parts.next(), parts.next());
        head.is_some_and(|head| head.len() >= 12)
            && claims.is_some_and(|claims| claims.starts_with("eyJ") && claims.len() >= 8)
            && signature.is_some_and(|signature| !signature.is_empty())
    });
    if is_jwt {
        return Some("a JSON web token");
    }
    if has_bot_token(text) {
        return Some("a token of Telegram");
    }
    if has_password(text) {
        return Some("an address with a password in it");
    }
    if has_webhook(text) {
        return Some("an address that lets anybody in who knows it");
    }
    if has_key_of_an_address(text) {
        return Some("an address with a key in it");
    }
    // A hash is written with dollar signs of its own.
    if has_hash(raw) {
        return Some("a user with the hash of a password");
    }
    has_bare_hash(raw).then_some("the hash of a password")
}

/// Whether a text has a token of a bot of Telegram: a number, and what was made behind it.
fn has_bot_token(text: &str) -> bool {
    text.match_indices(":AA").any(|(at, _)| {
        let (before, behind) = (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(1)..));
        let number = before
            .len()
            .saturating_sub(before.trim_end_matches(|c: char| c.is_ascii_digit()).len());
        let is_of_a_token = |c: &char| c.is_ascii_alphanumeric() || "_-".contains(*c);
        let length = behind.unwrap_or_default().chars().take_while(is_of_a_token).count();
        (8..=10).contains(&number) && length == BOT_TOKEN
    })
}

/// Whether a text has an address in which a key of hexadecimal digits stands for the user, as Sentry's: `https://KEY@host/1`.
fn has_key_of_an_address(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = text.get(at.saturating_add(3)..).unwrap_or_default();
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user).unwrap_or_default();
        user.len() >= ADDRESS_KEY && user.bytes().all(|c| c.is_ascii_hexdigit())
    })
}

/// Whether a text has the hash of a password that no user stands before.
fn has_bare_hash(text: &str) -> bool {
    let text = text.replace("$$", "$");
    text.match_indices('$').any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || "$}/._-".contains(c)) {
            return false;
        }
        let word: &str = text.get(at..).unwrap_or_default();
        let end = word
            .find(|c: char| c.is_whitespace() || "\"'`;{}()".contains(c))
            .unwrap_or(word.len());
        let word = word.get(..end).unwrap_or_default();
        let is_known = BARE_HASHES.iter().any(|start| word.starts_with(start));
        let is_of_a_hash = |c: char| c.is_ascii_alphanumeric() || "./+=".contains(c);
        let last = word.rsplit('$').next().unwrap_or_default();
        is_known && word.matches('$').count() >= 3 && last.len() >= HASH && last.chars().all(is_of_a_hash)
    })
}

/// Whether a text has an address that is a secret as a whole.
fn has_webhook(text: &str) -> bool {
    WEBHOOKS.iter().any(|start| {
        text.match_indices(start).any(|(at, _)| {
            let rest = text.get(at.saturating_add(start.len())..).unwrap_or_default();
            let length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && !"/_-@:".contains(c))
                .unwrap_or(rest.len());
            length >= BODY
        })
    }) || has_own_webhook(text)
}

/// Whether a text has the address of a webhook at a host of somebody's own: `https://chat.example.com/hooks/…`.
fn has_own_webhook(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = text.get(at.saturating_add(3)..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/_-.:@".contains(c));
        let parts: Vec<&str> = rest
            .get(..end.unwrap_or(rest.len()))
            .unwrap_or_default()
            .split('/')
            .collect();
        let is_of_hooks = |part: &&str| matches!(*part, "hook" | "hooks" | "webhook" | "webhooks" | "incoming");
        let is_made = |part: &&str| {
            let has = |is: fn(&char) -> bool| part.chars().any(|c| is(&c));
            part.len() >= OWN_WEBHOOK
                && !part.contains('.')
                && has(char::is_ascii_digit)
                && has(char::is_ascii_alphabetic)
        };
        let begun = parts.iter().skip(1).position(is_of_hooks);
        begun.is_some_and(|begun| parts.iter().skip(begun.saturating_add(2)).any(is_made))
    })
}

/// Whether a text has a user with the hash of a password, as web servers are given them; compose doubles the dollar signs.
fn has_hash(text: &str) -> bool {
    let text = text.replace("$$", "$");
    text.match_indices(':').any(|(at, _)| {
        let (before, behind) = (text.get(..at), text.get(at.saturating_add(1)..));
        let is_user = before
            .and_then(|before| before.chars().next_back())
            .is_some_and(char::is_alphanumeric);
        let hash = behind.filter(|behind| HASHES.iter().any(|start| behind.starts_with(start)));
        is_user
            && hash.is_some_and(|hash| {
                hash.chars()
                    .take_while(|c| !c.is_whitespace() && !"\"',".contains(*c))
                    .count()
                    >= HASH
            })
    })
}

/// Returns the lines of a text that hold a secret by its own form, and what it is; remarks and what is passed over hold none.
pub(in super::super) fn secret_shapes<'a>(
    text: &'a str,
    passes_over: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (u64, &'static str)> + 'a {
    (1..)
        .zip(text.lines())
        .filter(move |(_, line)| !is_comment(line) && !passes_over(line))
        .filter_map(|(number, line)| Some((number, secret_shape(line)?)))
}

/// Whether a text is an address with a password that is no variable and no template: `scheme://user:password@host`.
fn has_password(text: &str) -> bool {
    passwords_of_addresses(text).any(|password| {
        !password.is_empty() && !password.starts_with(['$', '<', '{']) && !crate::secret::is_marked(text)
    })
}

/// Returns the passwords of addresses in a text.
pub(super) fn passwords_of_addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, _)| {
        let rest = text.get(at + 3..).unwrap_or_default();
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        let (user, _) = authority.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    })
}

/// Returns line, key and value of lines that give a key a value, in environment files, and in YAML as far as a line can tell.
pub(super) fn assignments(text: &str) -> impl Iterator<Item = (u64, &str, &str)> {
    (1..)
        .zip(text.lines())
        .filter_map(|(number, line)| assignment(line).map(|(key, value)| (number, key, value)))
}

/// Returns key and value of a line.
pub(super) fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start_matches(['"', '\'']);
    let line = line.strip_prefix("export ").unwrap_or(line);
    let end = line.find(['=', ':'])?;
    let (key, value) = (line.get(..end)?, line.get(end + 1..)?);
    let key = key.trim().trim_matches(['"', '\'']);
    let fits = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let value = value.split(" #").next().unwrap_or_default().trim();
    let nested = line.as_bytes().get(end) == Some(&b':') && value.starts_with(['[', '{']) && !value.starts_with("{{");
    (fits && !nested).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_known_in_several_forms_and_words_about_them_are_not() {
        use base64::Engine as _;
        let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE";
        let encoded = base64::engine::general_purpose::STANDARD.encode(pem);
        for text in [
            format!("a\n{pem}"),
            format!("a\nk: {encoded}"),
            "a\n-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADAN".to_owned(),
            "\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBGAAAAAB".to_owned(),
            "\nAGE-SECRET-KEY-1QQQQQQQQQQQQQ".to_owned(),
            "\n  key: |\n    -----BEGIN EC PRIVATE KEY-----\n    MHcCAQEEIAAAA".to_owned(),
            format!("\nX=MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{}", "A".repeat(60)),
            format!("\nX=\"MIIEpAIBAAKCAQEA{}\"", "A".repeat(60)),
            format!("\nX=MHcCAQEEIAAA{}", "A".repeat(60)),
            "\nX=MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f".to_owned(),
            "\nX=LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo=".to_owned(),
        ] {
            let line = if text.contains("key: |") { 3 } else { 2 };
            assert_eq!(private_key(&text), Some(line), "{text}");
        }
        let public =
            base64::engine::general_purpose::STANDARD.encode("-----BEGIN PUBLIC KEY-----\nb3BlbnNzaC1rZXktdjE");
        for text in [
            "-----BEGIN CERTIFICATE-----\nMIIDrzCCApegAwIBAgIQCDvgVpBCRrGhdWrJWZHHSjANBgkqhkiG9w0BAQUF",
            "X=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAAAAAAAAAAAAAAAAAAAAAAAAA",
            "X=MEgCQQDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "PRIVATE KEY",
            public.as_str(),
            "# example:\n#   -----BEGIN RSA PRIVATE KEY-----\n#   ...",
            "# -----BEGIN RSA PRIVATE KEY-----\n# MIIEvQIBADAN",
            "Paste your `-----BEGIN PRIVATE KEY-----` here",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
            "HEADER=\"-----BEGIN RSA PRIVATE KEY-----\"\nDB_HOST=postgres\nMODE=fast\n",
            "HEADER=\"-----BEGIN RSA PRIVATE KEY-----\"\nDATABASEHOST=postgres1\n",
            "begin: -----BEGIN PRIVATE KEY-----\nDescription1: of it\n",
            "-----BEGIN PRIVATE KEY-----\nreplacethiswithyourkey\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(private_key(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_are_known_by_their_form() {
        for (text, what) in [
            ("ghp_0123456789abcdefghijklmnopqrstuvwxyz", Some("GitHub")),
            ("x=glpat-0123456789_-abcdefghij", Some("GitLab")),
            ("xoxb-0123456789-0123456789-abc", Some("Slack")),
            ("AKIAIOSFODNN7EXAMPLE", Some("AWS")),
            ("eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoieCJ9.c2ln", Some("web token")),
            ("postgres://shop:hunter2@db/shop", Some("password")),
            (
                "admin:$apr1$x8w1Xz0A$5Q2m0yb1Zq0kqYbT7u9h1/",
                Some("hash of a password"),
            ),
            (
                "traefik.users=admin:$$2y$$05$$abcdefghijklmnopqrstuv,x",
                Some("hash of a password"),
            ),
            (
                "https://hooks.slack.com/services/T00000000/B00000000/YYYYYYYYYYYYYYYYYYYYYYYY",
                Some("lets anybody in"),
            ),
            ("k=sk_live_0123456789abcdef", Some("Stripe")),
            ("TG=123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc", Some("Telegram")),
            ("TG=123456789:AAEhBOweik6", None),
            ("SG.0123456789abcdefghijkl.0123456789abcdefghijkl", Some("SendGrid")),
            ("hf_0123456789abcdefghijklmn", Some("Hugging Face")),
            ("X=PMAK-0123456789abcdef01234567-0123456789abcdef", Some("Postman")),
            (
                "https://chat.example.com/hooks/k3yb0ard9xqk3yb0ard9xqk3yb",
                Some("lets anybody in"),
            ),
            (
                "X=https://0123456789abcdef0123456789abcdef@sentry.example.com/1",
                Some("key in it"),
            ),
            (
                "X=$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
                Some("hash of a password"),
            ),
            (
                "X='$6$salt$0123456789abcdefghijklmnopqrstuvwxyz'",
                Some("hash of a password"),
            ),
            (
                "X=$$2b$$10$$abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNO",
                Some("hash of a password"),
            ),
            ("return 301 https://a.example$1$is_args$args;", None),
            ("echo $2 $6$x", None),
            ("https://git.example.com/webhooks/receiver-of-the-build", None),
            ("https://deploy@host.example.com/x", None),
            ("HF_HUB=hf_transfer", None),
            ("https://hooks.slack.com/services/${PATH}", None),
            ("cost: $2y$", None),
            ("https://hooks.example.com/services/T000/B000/abcd", None),
            ("XAKIAIOSFODNN7EXAMPLE", None),
            ("AKIA", None),
            ("eyJhbGciOiJIUzI1NiJ9", None),
            ("postgres://shop:${PW}@db/shop", None),
            ("postgres://shop:{{ .Secrets.PW }}@db/shop", None),
            ("http://a.b:80/c@d https://user@host/", None),
        ] {
            let found = secret_shape(text);
            assert_eq!(found.is_some(), what.is_some(), "{text}: {found:?}");
            assert!(
                what.is_none_or(|what| found.unwrap().contains(what)),
                "{text}: {found:?}"
            );
        }
    }
}
