//! Finds secrets in plain text.

use base64::Engine as _;

/// How a private key begins, after `-----BEGIN ` and perhaps its algorithm.
const PRIVATE: [&str; 2] = ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"];
/// `-----BEGIN` in base64: kubernetes and others carry keys so.
const ENCODED: &str = "LS0tLS1CRUdJTi";
/// Beginning of an age identity.
const AGE: &str = "AGE-SECRET-KEY-1";

/// Returns the line in which a private key begins.
pub(in super::super) fn private_key(text: &str) -> Option<u64> {
    (1..)
        .zip(text.lines())
        .find(|(_, line)| has_private_key(line))
        .map(|(number, _)| number)
}

fn has_private_key(line: &str) -> bool {
    let begins = |line: &str| {
        line.match_indices("-----BEGIN ").any(|(at, _)| {
            let rest: String = line.get(at..).unwrap_or_default().chars().take(80).collect();
            PRIVATE.iter().any(|ending| rest.contains(ending))
        })
    };
    if begins(line) || line.contains(AGE) {
        return true;
    }
    line.match_indices(ENCODED).any(|(at, _)| {
        let encoded: String = line
            .get(at..)
            .unwrap_or_default()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "+/".contains(*c))
            .take(80)
            .collect();
        let whole = encoded.len() - encoded.len() % 4;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.get(..whole).unwrap_or_default());
        decoded.is_ok_and(|bytes| begins(&String::from_utf8_lossy(&bytes)))
    })
}

/// Returns lines and names of `{{ … .Secrets.X … }}` and `{{ … .LicenseKeys.X … }}`.
pub(super) fn template_secrets(text: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1_u64;
    while let Some((before, after)) = rest.split_once("{{") {
        line += before.matches('\n').count() as u64;
        let (inside, beyond) = after.split_once("}}").unwrap_or((after, ""));
        for kind in [".Secrets", ".LicenseKeys"] {
            for (at, _) in inside.match_indices(kind) {
                let tail = inside.get(at + kind.len()..).unwrap_or_default();
                let name: String = tail
                    .trim_start_matches(['.', ' ', '"', '`'])
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c))
                    .take(80)
                    .collect();
                found.push((line, format!("{kind}.{name}")));
            }
        }
        line += inside.matches('\n').count() as u64;
        rest = beyond;
    }
    found
}

/// Whether a text is an address with a password that is no variable: `scheme://user:password@host`.
pub(super) fn has_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = text.get(at + 3..).unwrap_or_default();
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('$'))
    })
}

/// Returns line, key and value of lines that give a key a value, in environment files, and in YAML as far as a line can tell.
pub(super) fn assignments(text: &str) -> impl Iterator<Item = (u64, &str, &str)> {
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let line = line.trim();
        let line = line.strip_prefix("- ").unwrap_or(line).trim_start_matches(['"', '\'']);
        let line = line.strip_prefix("export ").unwrap_or(line);
        let end = line.find(['=', ':'])?;
        let (key, value) = (line.get(..end)?, line.get(end + 1..)?);
        let key = key.trim().trim_matches(['"', '\'']);
        let fits = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let value = value.split(" #").next().unwrap_or_default().trim();
        let nested =
            line.as_bytes().get(end) == Some(&b':') && value.starts_with(['[', '{']) && !value.starts_with("{{");
        (fits && !nested).then_some((number, key, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_known_in_several_forms() {
        use base64::Engine as _;
        let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nx";
        let encoded = base64::engine::general_purpose::STANDARD.encode(pem);
        for text in [
            format!("a\n{pem}"),
            format!("a\nk: {encoded}"),
            "a\n-----BEGIN PRIVATE KEY-----\\nx".to_owned(),
            "\n-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(),
            "\nAGE-SECRET-KEY-1QQQ".to_owned(),
        ] {
            assert_eq!(private_key(&text), Some(2), "{text}");
        }
        let public = base64::engine::general_purpose::STANDARD.encode("-----BEGIN PUBLIC KEY-----\nx");
        for text in ["-----BEGIN CERTIFICATE-----", "PRIVATE KEY", public.as_str()] {
            assert_eq!(private_key(text), None, "{text}");
        }
    }
}
